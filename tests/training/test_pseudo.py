"""Annotations by a network: of photos wherever they lie, however their folder is named."""

import json
from pathlib import Path

import pytest

from deimv2.model import build_model
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
    parts = annotate(build_model("atto", 1, 160).eval(), photos, ["thing"], tmp_path)
    assert [part.images for part in parts] == [tmp_path / "photos"] * 2
    contents = [json.loads(part.annotations.read_bytes()) for part in parts]
    names = {row["file_name"] for content in contents for row in content["images"]}
    assert names == {"own.jpg", *(f"below/{i}.jpg" for i in range(MIN_PHOTOS - 1))}
