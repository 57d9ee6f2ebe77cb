"""Runs a `.mlpackage`: on a Mac by Core ML, elsewhere by the reference executor (`deimv2.mil`).

Core ML's side has only been run with a stand-in for Core ML: no Mac was at hand.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from PIL import Image

from deimv2.converters.mlpackage import MLPACKAGE
from deimv2.converters.mlpackage.convert import interface, read_card
from deimv2.converters.runner import (
    ArtifactRunner,
    Frame,
    broken,
    detections,
    image_size,
    labels_in,
    output_order,
    require_frame,
)
from deimv2.mil import UnsupportedError, open_package
from deimv2.model.detections import Detections
from deimv2.model.errors import InputError
from deimv2.model.optional import quiet, require
from deimv2.model.ports import Port

UNITS = ("ALL", "CPU_ONLY", "CPU_AND_GPU", "CPU_AND_NE")  # coremltools.ComputeUnit


def on_mac() -> bool:
    return sys.platform == "darwin"


def open_package_runner(path: Path, threads: int | None) -> ArtifactRunner:
    """Core ML on a Mac, else the reference executor. threads: of the latter, that is of all of
    PyTorch. Raises InputError for threads on a Mac."""
    if not on_mac():
        if threads is not None:
            torch.set_num_threads(threads)
        return ReferenceRunner(path)
    if threads is not None:
        raise InputError(f"{threads} threads asked for, but Core ML chooses itself; leave it out")
    return CoreMLRunner(path)


class Described:
    """What a package says of itself."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._inputs, self._outputs = interface(path)
        self.size = image_size(path, self._inputs)
        self.order = output_order(path, self._outputs)
        self.labels = labels_in(read_card(path), path)


class ReferenceRunner(Described):
    """The package's own operations, one after the other, in PyTorch on the CPU."""

    def __init__(self, path: Path) -> None:
        with told(path):
            self._program = open_package(path)
        super().__init__(path)
        image = Port(self._inputs[0].name, (1, 3, *self.size), "float32")
        described = [image, *self._outputs]
        found = [*self._program.inputs, *self._program.outputs]
        if sorted(map(str, found)) != sorted(map(str, described)):
            raise broken(path, f"its program has {', '.join(map(str, found))}")

    def detect(self, frame: Frame) -> Detections:
        require_frame(frame, self.size)
        image = torch.tensor(frame).permute(2, 0, 1)[None].float().contiguous()
        with told(self._path):
            outputs = self._program({self._inputs[0].name: image})
        return detections([outputs[port.name].numpy() for port in self._outputs], self.order)


class CoreMLRunner(Described):
    """Core ML itself, through coremltools; unit: one of UNITS."""

    def __init__(self, path: Path, unit: str = UNITS[0]) -> None:
        with quiet(None):
            coremltools = require("coremltools", MLPACKAGE.extra)
        super().__init__(path)
        with told(path), quiet(None):
            self._net = coremltools.models.MLModel(
                str(path), compute_units=coremltools.ComputeUnit[unit]
            )

    def detect(self, frame: Frame) -> Detections:
        require_frame(frame, self.size)
        with told(self._path):
            found = self._net.predict({self._inputs[0].name: Image.fromarray(frame)})
            outputs = [found[port.name] for port in self._outputs]
        return detections(outputs, self.order)


@contextmanager
def told(path: Path) -> Iterator[None]:
    """Turns what goes wrong with a package into InputError, one line that names it."""
    try:
        yield
    except InputError:
        raise
    except UnsupportedError as error:
        raise InputError(
            f"'{path}' has {error}, which is not computed here; use a package of 'deimv2 export'"
        ) from error
    except Exception as error:  # coremltools raises anything
        raise broken(path, error) from error
