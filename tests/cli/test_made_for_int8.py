"""Weights that were made for int8 and compute in another precision: that is said."""

from pathlib import Path

import pytest

import deimv2
from deimv2.api.exporting import tell_weights
from deimv2.converters.precision import PRECISIONS, precision_of
from deimv2.model import build_model
from deimv2.model.weights import save_weights
from deimv2.model.weights.places import DEMO
from deimv2.model.weights.sources import load
from deimv2.tests.told import Told

NOTE = "made for precision int8, in any other they detect less than "
IN_FLOAT, IN_INT8 = DEMO / "atto.safetensors", DEMO / "atto-int8.safetensors"


def test_a_detector_in_float_names_the_float_weights(tmp_path: Path) -> None:
    path, net = tmp_path / "int8.safetensors", build_model("atto", 2)
    save_weights(net, path, ["cat", "dog"], ranges={"place": (0.0, 1.0)}, in_float=IN_FLOAT)
    assert deimv2.load(path).notes == (f"{NOTE}'{IN_FLOAT}', from which they were made",)
    assert deimv2.load(IN_INT8).notes == (f"{NOTE}the float weights, from which they were made",)
    assert deimv2.load(IN_INT8, precision="int8").notes == deimv2.load(IN_FLOAT).notes == ()


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("ranges", [True, False])
def test_an_export_says_it_in_any_other_precision(precision: str, ranges: bool) -> None:
    weights, progress = str(IN_INT8 if ranges else IN_FLOAT), Told()
    loaded = load("atto", weights, None, None)
    tell_weights(loaded, weights, precision_of(precision), progress)
    said = [f"weights in '{weights}': {NOTE}'{IN_FLOAT}', from which they were made"]
    assert progress.lines == (said if ranges and precision != "int8" else [])


def test_the_demos_weights_for_int8_are_used_without_a_word() -> None:
    loaded, progress = load("atto", "demo", None, None, ranges=True), Told()
    assert loaded.about.ranges is not None
    tell_weights(loaded, "demo", precision_of("int8"), progress)
    assert progress.lines == []
