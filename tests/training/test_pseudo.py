"""Annotations by a network: of photos wherever they lie, however their folder is named."""

import json
from pathlib import Path

import pytest

from deimv2.model import build_model
from deimv2.model.errors import InputError
from deimv2.model.images import find_photos
from deimv2.tests.training.photos import write_photos
from deimv2.training.pseudo import MIN_PHOTOS, annotate


@pytest.mark.parametrize("folder", ["photos", "link"])
def test_the_folder_may_be_relative_or_a_link_and_photos_links(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, folder: str
) -> None:
    monkeypatch.chdir(tmp_path)
    write_photos(Path("photos/below"), MIN_PHOTOS - 1)
    write_photos(Path("elsewhere"), 1)
    Path("photos/own.jpg").symlink_to(tmp_path / "elsewhere" / "0.jpg")
    Path("link").symlink_to("photos")
    photos = find_photos(folder, below=True)
    parts = annotate(build_model("atto", 1, 160).eval(), photos, ["thing"], tmp_path, print)
    assert [part.images for part in parts] == [tmp_path / "photos"] * 2
    contents = [json.loads(part.annotations.read_bytes()) for part in parts]
    names = {row["file_name"] for content in contents for row in content["images"]}
    assert names == {"own.jpg", *(f"below/{i}.jpg" for i in range(MIN_PHOTOS - 1))}


def test_photos_that_cannot_be_read_are_told_and_do_not_count(tmp_path: Path) -> None:
    write_photos(tmp_path / "photos", MIN_PHOTOS)
    broken = [tmp_path / "photos" / f"broken-{i}.jpg" for i in range(5)]
    for path in broken:
        path.write_bytes(b"none")
    net, told = build_model("atto", 1, 160).eval(), []
    photos = find_photos(tmp_path / "photos")
    train, val = annotate(net, photos, ["thing"], tmp_path, told.append)
    assert [str(path) in reason for path, reason in zip(broken, told, strict=True)] == [True] * 5
    counts = [len(json.loads(part.annotations.read_bytes())["images"]) for part in (train, val)]
    assert counts == [MIN_PHOTOS - 3, 3]
    (tmp_path / "photos" / "0.jpg").unlink()
    train.annotations.unlink()
    with pytest.raises(InputError, match=r"^15 photos that can be read, of 20, to learn from, exp"):
        annotate(net, find_photos(photos[0].parent), ["thing"], tmp_path, told.append)
    assert not train.annotations.exists()
