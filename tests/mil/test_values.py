"""When values are rounded, and how long they are kept."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from coremltools.converters.mil import Builder as mb  # noqa: N813  as Apple calls it

from deimv2.mil import open_package
from deimv2.tests.mil.definitions import real
from deimv2.tests.mil.packages import run, save


def test_float16_is_rounded_after_every_operation(tmp_path: Path) -> None:
    """2048 + 1 lies between 2048 and 2050, and goes to the even one."""
    one = np.float16([1])
    path = save(
        tmp_path / "a.mlpackage", lambda x: mb.add(x=mb.add(x=x, y=one), y=one), np.float16([2048])
    )
    assert run(path, np.float16([2048]))[0].tolist() == [2048]
    path = save(tmp_path / "b.mlpackage", lambda x: mb.mul(x=x, y=x), np.float16([300]))
    assert run(path, np.float16([300]))[0].tolist() == [np.inf]


def test_sums_of_float16_run_in_float32(tmp_path: Path) -> None:
    x = np.float16([[2048, 1, 1]])
    weight = np.ones((1, 3), np.float16)
    path = save(tmp_path / "a.mlpackage", lambda x: mb.linear(x=x, weight=weight), x)
    assert run(path, x)[0].tolist() == [[2050]]


def test_an_index_outside_is_refused(tmp_path: Path) -> None:
    x, index = real(3), np.int32([1])
    path = save(tmp_path / "a.mlpackage", lambda x, i: mb.gather(x=x, indices=i), x, index)
    assert run(path, x, index)[0].tolist() == [x[1]]
    for outside in (3, -1):
        with pytest.raises((IndexError, RuntimeError)):
            run(path, x, np.int32([outside]))


def test_values_are_kept_as_long_as_they_are_needed(tmp_path: Path) -> None:
    """An input, a constant and a result that are used early, late, twice, and given out."""

    def build(x: Any) -> Any:
        y = mb.add(x=x, y=x)
        z = mb.mul(x=mb.relu(x=y), y=np.float32(3))
        return mb.add(x=z, y=x), y

    path = save(tmp_path / "a.mlpackage", build, real(4))
    program = open_package(path)
    (port,) = program.inputs
    for scale in (1, 2):  # and the second run is as good as the first
        x = real(4) * scale
        last, kept = program({port.name: torch.tensor(x)}).values()
        np.testing.assert_allclose(kept, 2 * x)
        np.testing.assert_allclose(last, np.maximum(2 * x, 0) * 3 + x, rtol=1e-6)
