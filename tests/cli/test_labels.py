"""Label files: one name per line, UTF-8, as many as the model has classes."""

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from deimv2.model.coco import COCO_LABELS
from deimv2.model.errors import InputError
from deimv2.model.labels import read_labels_file


def test_label_files_of_every_system_are_read(tmp_path: Path) -> None:
    path = tmp_path / "labels.txt"
    for content in (b"cup\nt\xc3\xa9\n", b"cup\r\nt\xc3\xa9", b"\xef\xbb\xbfcup \nt\xc3\xa9\n\n\n"):
        path.write_bytes(content)
        assert read_labels_file(path, 2) == ["cup", "té"]


@pytest.mark.parametrize(
    ("content", "part"),
    [
        (b"a\n", "has 1 class names, expected 2"),
        (b"a\nb\nc", "has 3 class names, expected 2"),
        (b"a\n\nb\n", "line 2 of"),
        (b"", "line 1 of"),
        (b"a\0\nb", "is a binary file"),
        (b"\x89PNG\r\n", "is not UTF-8 text (byte 0)"),
    ],
)
def test_label_files_of_other_content_are_refused(
    tmp_path: Path, content: bytes, part: str
) -> None:
    path = tmp_path / "labels.txt"
    path.write_bytes(content)
    with pytest.raises(InputError) as error:
        read_labels_file(path, 2)
    assert part in str(error.value)
    assert "\n" not in str(error.value)


def test_a_missing_label_file_is_refused(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "none.txt"):
        with pytest.raises(InputError, match="no label file at"):
            read_labels_file(path)


def test_a_pipe_is_read(tmp_path: Path) -> None:
    os.mkfifo(pipe := tmp_path / "pipe")
    with ThreadPoolExecutor(1) as pool:
        pool.submit(pipe.write_text, "cup\nplate\n")
        assert read_labels_file(pipe, 2) == ["cup", "plate"]


def test_cocos_names_are_eighty() -> None:
    assert len(COCO_LABELS) == len(set(COCO_LABELS)) == 80
    assert (COCO_LABELS[0], COCO_LABELS[15], COCO_LABELS[79]) == ("person", "cat", "toothbrush")
