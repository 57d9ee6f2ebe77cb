"""Golden photographs: those on which the model's own choice is a tie are left out."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from deimv2.api.photographs import with_detections
from deimv2.converters import golden
from deimv2.converters.photographs import PHOTOGRAPHS
from deimv2.model import DEIMv2
from deimv2.model.errors import CheckError, InputError
from deimv2.model.images import load_photo, normalise, resize, to_tensor
from deimv2.model.layers import flatten_maps
from deimv2.tests.nets import random_net


@pytest.fixture(scope="module")
def net() -> DEIMv2:
    return random_net("atto", size=224)


def test_the_gap_is_between_the_last_chosen_and_the_first_left_out_token(net: DEIMv2) -> None:
    frame = resize(load_photo(PHOTOGRAPHS[0]), net.image_size)
    with torch.inference_mode():
        image = normalise(to_tensor(frame), net.variant.mean, net.variant.std)
        maps = net.encoder(net.backbone(image))
        _, valid = net.decoder.anchors([m.shape[2:] for m in maps], image.device)
        scores = net.decoder.enc_score_head(flatten_maps(maps) * valid).amax(-1)[0]
    best = scores.sort(descending=True).values.numpy()
    queries = net.variant.decoder.queries
    assert golden.selection_gap(net, frame) == pytest.approx(best[queries - 1] - best[queries])


def test_ties_are_left_out(net: DEIMv2, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    frames = [resize(load_photo(photo), net.image_size) for photo in PHOTOGRAPHS]
    with golden.one_thread():  # as `write_golden` does
        gaps = [golden.selection_gap(net, frame) for frame in frames]
    least = float(np.mean(sorted(gaps)[1:3]))  # between two gaps, so that no rounding crosses it
    monkeypatch.setattr(golden, "MIN_GAP", least)
    entries = golden.write_golden(tmp_path, net, PHOTOGRAPHS)
    kept = [p.stem for p, gap in zip(PHOTOGRAPHS, gaps, strict=True) if gap > least]
    assert [Path(entry.image).stem for entry in entries] == kept
    assert len(kept) == len(PHOTOGRAPHS) - 2


def test_too_few_photographs_without_a_tie_are_an_error(
    net: DEIMv2, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(golden, "MIN_GAP", float("inf"))
    with pytest.raises(CheckError, match="only 0 of 5 photographs"):
        golden.write_golden(tmp_path, net, PHOTOGRAPHS)


def test_names_that_differ_only_in_case_are_one(net: DEIMv2, tmp_path: Path) -> None:
    """Their golden files would be one on macOS."""
    photos = [tmp_path / name for name in ("IMG_1.jpg", "img_1.jpeg", "img_2.jpg")]
    for photo, source in zip(photos, PHOTOGRAPHS, strict=False):
        shutil.copy(source, photo)
    assert {path.stem for path in with_detections(net, photos)} == {"img_1", "img_2"}
    with pytest.raises(InputError, match="each of its own name"):
        golden.write_golden(tmp_path, net, photos)
