"""`deimv2 quantize --qat --calibration`: it annotates photos, and replaces nobody's annotations."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from deimv2.api.calibration import find_ranges
from deimv2.model import build_model
from deimv2.model.errors import InputError
from deimv2.model.images import find_photos
from deimv2.model.progress import Item, Progress
from deimv2.tests.cli.commands import Capture, complaint
from deimv2.tests.cli.exports import hashes
from deimv2.tests.training.scenes import few


@pytest.fixture
def command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """Without its training, at the root of a data set."""

    def trained(*_: object) -> None:
        raise InputError("all but the training is done")

    monkeypatch.setattr("deimv2.api.quantizing.trained", trained)
    few(tmp_path / "photos", 16)
    photos = ["--calibration", tmp_path / "photos", "--image-size", 160]
    return ["quantize", "--qat", "--weights", "demo", *photos, "--output", tmp_path]


def test_passes_over_the_photos_are_numbered(tmp_path: Path) -> None:
    class Lines(Progress):
        def track(self, items: Sequence[Item], message: str, rate: bool = False) -> Iterator[Item]:
            told.append(message)
            return iter(items)

    told: list[str] = []
    few(tmp_path, 8)
    find_ranges(build_model("atto", 8, 160).eval(), find_photos(tmp_path), 8, Lines())
    assert len(told) > 1
    assert told == [f"finding int8 ranges, pass {i + 1}" for i in range(len(told))]


@pytest.mark.parametrize("name", ["train.json", "val.json"])
def test_annotations_of_others_are_not_replaced(
    command: list[object], tmp_path: Path, capsys: Capture, name: str
) -> None:
    (tmp_path / name).write_text('{"images": []}')
    before = hashes(tmp_path)
    assert f"'{tmp_path / name}' is there, expected no annotations" in complaint(capsys, *command)
    assert hashes(tmp_path) == before


def test_its_own_annotations_are(command: list[object], tmp_path: Path, capsys: Capture) -> None:
    for _ in range(2):
        assert "all but the training is done" in complaint(capsys, *command)
        assert (tmp_path / "train.json").is_file() and (tmp_path / "val.json").is_file()
