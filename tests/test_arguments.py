"""Arguments of another kind than a function takes: each is told at once, in one line."""

import copy
import os
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image

import deimv2
from deimv2.api.options import as_names, as_paths
from deimv2.tests.tiny import found, write_folder, write_onnx

export: Any = deimv2.export  # whose types are not looked at here
evaluate: Any = deimv2.evaluate
train: Any = deimv2.train
verify: Any = deimv2.verify
report: Any = deimv2.report
benchmark: Any = deimv2.benchmark


@pytest.mark.parametrize(
    ("call", "line"),
    [
        (lambda: export(translations={"de": 5}), "translation 'de' is 5, expected a file or a l"),
        (lambda: export(translations={"de": None}), "translation 'de' is None, expected a file"),
        (lambda: export(translations=["de"]), r"translations are \['de'\], expected files or l"),
        (lambda: export(translations={1: ["a"]}), "'1' is no language tag"),
        (lambda: export(formats=5), "formats is 5, expected a name or several"),
        (lambda: export(formats=[1]), r"formats is \[1\], expected a name or several"),
        (lambda: export(npu=None), "npu is None, expected a name or several"),
        (lambda: export(npu=5), "npu is 5, expected a name or several"),
        (lambda: export(precision=["fp32"]), r"precision is \['fp32'\], expected a n"),
        (lambda: export(output=""), "output '' is no path, expected one"),
        (lambda: export(photos=""), "photos '' is no path, expected one"),
        (lambda: evaluate("m.onnx", data=".", split=["val"]), r"split is \['val'\], expected a n"),
        (lambda: train(seed=2**64), "seed is 18446744073709551616, expected .* to 4294967295"),
        (lambda: train(weights=Path("random")), "weights are 'random', expected 'none' for a"),
        (lambda: deimv2.load(""), "'' is no path, expected one; name a file or a folder"),
        (lambda: verify(5), "folder 5 is no path, expected a str or a Path"),
        (lambda: verify(None), "folder None is no path"),
        (lambda: verify(""), "folder '' is no path, expected one"),
        (lambda: verify(".", progress=None), r"progress is None, expected a deimv2\.Progress"),
        (lambda: benchmark(None), "artifacts is None, expected a path or several"),
        (lambda: benchmark([None]), "artifacts None is no path"),
        (lambda: benchmark("m.onnx", beside=3), "beside is 3, expected a path or several"),
        (lambda: benchmark("m.onnx", progress=1), "progress is 1, expected"),
        (lambda: report(5, "a.html"), "folders is 5, expected a path or several"),
        (lambda: report(".", 5), "output 5 is no path"),
        (lambda: report(".", "a.html", phones=5), "phones is 5, expected a path or several"),
        (lambda: report(".", "a.html", progress=None), "progress is None, expected"),
        (lambda: deimv2.Tracker().update(None), "None is no frame's detections, expected a deimv2"),  # type: ignore[arg-type]
        (lambda: deimv2.Tracker().update([found()]), "is no frame's detections"),  # type: ignore[arg-type]
    ],
)  # fmt: skip
def test_what_a_function_does_not_take_is_told(
    call: Callable[[], object], line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(deimv2.InputError, match=line) as error:
        call()
    assert len(str(error.value).splitlines()) == 1
    assert not any(tmp_path.iterdir())


def test_a_picture_is_saved_at_a_path_alone() -> None:
    result = deimv2.Result(Image.new("RGB", (9, 9)), found(), ("cup", "plate"))
    for path, line in ((5, "5 is no path"), ("", "'' is no path, expected one")):
        with pytest.raises(deimv2.InputError, match=line):
            result.save(path)  # type: ignore[arg-type]


def test_one_stands_for_a_list_and_so_does_what_gives_several(tmp_path: Path) -> None:
    assert as_paths("a", "x") == as_paths(Path("a"), "x") == as_paths(["a"], "x") == [Path("a")]
    (tmp_path / "a.onnx").touch()
    assert as_paths(tmp_path.glob("*"), "x") == [tmp_path / "a.onnx"]
    assert as_names("tflite", "x") == as_names(("tflite",), "x") == ["tflite"]
    write_folder(tmp_path / "export")
    assert deimv2.verify(os.fspath(tmp_path / "export")).passed


def test_a_detector_stays_in_its_process(tmp_path: Path) -> None:
    detector = deimv2.load(write_onnx(tmp_path / "tiny.onnx"))
    for send in (pickle.dumps, copy.deepcopy):
        with pytest.raises(
            deimv2.InputError, match=r"tiny.onnx', 32x64, 2 classes\) cannot be copied"
        ):
            send(detector)


def test_a_tensor_in_place_of_a_photo_is_told_by_its_shape(tmp_path: Path) -> None:
    detector: Any = deimv2.load(write_onnx(tmp_path / "tiny.onnx"))
    for photo, line in (
        (torch.zeros(3, 9, 9), r"^Tensor torch\.float32 \[3, 9, 9\] is not a photo, expected"),
        ([[b"a\nb"]], r"^b'a\\nb' is not a photo, expected"),
        ({"a": torch.zeros(9, 9)}, "^{'a': .* is not a photo, expected"),
    ):
        with pytest.raises(deimv2.InputError, match=line):
            detector(photo)
