"""Numbers of options mean something, from Python as from the command line."""

import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch

import deimv2
from deimv2.api.benchmarking import numbers_of_threads
from deimv2.api.options import takes
from deimv2.api.training import TrainOptions, loop_options
from deimv2.model.numbers import KINDS, height_and_width, require_numbers


def test_none_and_other_options_are_left_alone() -> None:
    require_numbers(**dict.fromkeys(KINDS), output=-1, variant="atto")


def test_the_edges_and_numpys_numbers_are_taken() -> None:
    require_numbers(limit=1, seed=0, workers=np.int64(0), kept=1, final_lr=0, lr=np.float32(1e-3))
    require_numbers(threads=[1, 4], save_minutes=0)
    for size in (320, np.int64(320), (320, 320), [np.int32(320), 320]):
        assert height_and_width(size) == (320, 320)


@pytest.mark.parametrize(
    ("options", "line"),
    [
        ({"limit": 0}, "limit is 0, expected a whole number from 1 on"),
        ({"epochs": 2.0}, "epochs is 2.0, expected a whole number from 1 on"),
        ({"batch": True}, "batch is True, expected a whole number from 1 on"),
        ({"threads": [2, 0]}, "threads is 0, expected a whole number from 1 to 512"),
        ({"threads": "2"}, "threads is '2', expected a whole number from 1 to 512"),
        ({"threads": 99999}, "threads is 99999, expected a whole number from 1 to 512"),
        ({"workers": -1}, "workers is -1, expected a whole number from 0 on"),
        ({"kept": 1.01}, "kept is 1.01, expected 0 to 1"),
        ({"threshold": math.nan}, "threshold is nan, expected 0 to 1"),
        ({"lr": 0.0}, "lr is 0.0, expected a learning rate"),
        ({"save_minutes": math.nan}, "save_minutes is nan, expected minutes, 0 or more"),
        ({"image_size": (320,)}, r"image_size is \(320,\), expected a side or \(height, width\)"),
        ({"image_size": (320.0, 320)}, r"image_size is \(320.0, 320\), expected a side"),
        ({"image_size": 2049}, "image_size is 2049, expected a side .* whole pixels up to 2048"),
        ({"image_size": (320, 100000)}, r"image_size is \(320, 100000\), expected .* to 2048"),
        ({"image_size": "320"}, "image_size is '320', expected a side"),
        ({"save_minutes": -1}, "save_minutes is -1, expected minutes, 0 or more"),
    ],
)
def test_what_means_nothing_is_refused(options: dict[str, object], line: str) -> None:
    with pytest.raises(deimv2.InputError, match=line):
        require_numbers(**options)


def test_every_function_looks_at_them(tmp_path: Path) -> None:
    calls = [
        lambda: deimv2.evaluate("m.tflite", data=tmp_path, limit=-3),
        lambda: deimv2.train(data=tmp_path, workers=-1),
        lambda: deimv2.quantize(calibration=tmp_path, calibration_photos=0),
        lambda: deimv2.export(kept=2),
        lambda: deimv2.export(image_size=100_000, output=tmp_path / "out"),
        lambda: deimv2.benchmark("m.tflite", rounds=0),
        lambda: deimv2.benchmark("m.tflite", threads=[]),
        lambda: deimv2.benchmark("m.tflite", threads=1.5),  # type: ignore[arg-type]
        lambda: deimv2.benchmark([]),
        lambda: deimv2.report([], tmp_path),
        lambda: deimv2.load("m.tflite", threads=0),
        lambda: deimv2.train(data=tmp_path, workers=None),  # type: ignore[arg-type]
        lambda: deimv2.Tracker().update(None, threshold=None),  # type: ignore[arg-type]
        lambda: deimv2.Tracker().update(None, threshold=2),  # type: ignore[arg-type]
    ]
    for call in calls:
        with pytest.raises(deimv2.InputError, match=r"expected|no folder"):
            call()
    assert not (tmp_path / "out").exists()


def test_threads_of_numpy_are_threads(exported: Path) -> None:
    threads = np.arange(1, 3)
    assert deimv2.load(exported / "deimv2-atto-fp32.tflite", threads=threads[0]).size
    assert json.dumps(numbers_of_threads(list(threads), "cpu")) == "[1, 2]"


def test_options_hold_pythons_numbers(tmp_path: Path) -> None:
    """NumPy's in a checkpoint are refused where it is read to go on."""

    @takes(TrainOptions)
    def kept(options: TrainOptions) -> object:
        return loop_options(options, None).about

    size = (np.int64(160), np.int64(192))
    about = kept(epochs=np.int64(3), lr=np.float64(0.1), image_size=size)
    torch.save(about, tmp_path / "about.pt")
    assert torch.load(tmp_path / "about.pt", weights_only=True) == about
