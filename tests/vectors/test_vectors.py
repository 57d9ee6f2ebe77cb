"""The committed test vectors are what the command makes, and what is hard to get right in them."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from deimv2.converters.precision import PRECISIONS
from deimv2.tests.vectors import boxes, frames, manifests, parity
from deimv2.tests.vectors.__main__ import FOLDER, make

MAX_BYTES = 1_000_000


def test_the_committed_files_are_what_the_command_makes() -> None:
    made = make()
    kinds = {".json", ".rgb", ".yuv", ".png", ".tflite", ".pte", ".bin"}
    committed = {
        path.relative_to(FOLDER).as_posix() for path in FOLDER.rglob("*") if path.suffix in kinds
    }
    assert committed == set(made)
    changed = [name for name, content in made.items() if (FOLDER / name).read_bytes() != content]
    assert changed == [], "run python -m deimv2.tests.vectors, and look at what changed"
    assert sum(map(len, made.values())) < MAX_BYTES


@pytest.mark.parametrize("rotation", frames.ROTATIONS)
def test_a_box_and_its_picture_turn_alike(rotation: int) -> None:
    """A bright block in the frame lies in the upright frame where the box says."""
    photo = np.zeros((48, 64, 3), np.uint8)
    photo[6:12, 40:56] = 255
    turned = frames.upright(photo, rotation)
    x1, y1, x2, y2 = turned.getbbox()
    box = (x1 / turned.width, y1 / turned.height, x2 / turned.width, y2 / turned.height)
    assert boxes.to_frame(box, 64, 48, rotation) == pytest.approx((40, 6, 56, 12))


def test_camera_frames_are_what_jpeg_calls_full_range() -> None:
    """Pillow's own conversion, for frames whose chroma is the same everywhere."""
    rng = np.random.default_rng(3)
    planes = [rng.integers(0, 256, (20, 30), np.uint8) for _ in range(3)]
    ours = frames.to_rgb(*planes).astype(int)
    theirs = np.asarray(Image.merge("YCbCr", list(map(Image.fromarray, planes))).convert("RGB"))
    assert np.abs(ours - theirs).max() <= 1


def test_good_and_bad_are_both_there() -> None:
    verdicts = json.loads((FOLDER / "parity.json").read_text())["cases"]
    for precision in PRECISIONS:
        passed = [not case["verdicts"][precision]["failures"] for case in verdicts]
        assert passed.count(True) >= 5 and passed.count(False) >= 5
    cases = json.loads((FOLDER / "manifests.json").read_text())["cases"]
    good = {case["name"] for case in cases if case["sentence"] is None}
    assert good == {
        "nothing", "the first schema", "no accelerators", "nothing measured", "no translations",
        "translations, but none", "a side with a point and a zero",
        "a shape with a point and a zero", "a file with a point and a zero", "a trial that failed",
        "a computation without a delegate", "a delegate with its share",
    }  # fmt: skip
    sentences = [case["sentence"] for case in cases if case["sentence"]]
    assert all(text.count("\n") == 0 and len(text) < 500 for text in sentences)
    assert len(parity.pairs()) == len(verdicts)


def test_the_good_folder_is_good() -> None:
    assert manifests.sentence(Path(FOLDER / manifests.GOOD)) is None
