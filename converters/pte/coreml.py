"""Core ML inside a `.pte`: one call of a whole package, after the frame's cast to float32.

Apple's devices compile and run the package; elsewhere it is taken out and computed operation by
operation, as `.mlpackage` files are (`deimv2.mil`).
"""

import json
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from deimv2.converters.inspection import NEURAL_ENGINE, Delegate, Inspection, Operation
from deimv2.converters.mlpackage.inspect import read
from deimv2.converters.pte import PTE, TITLES
from deimv2.converters.pte.computed import ComputedRunner
from deimv2.converters.pte.program import Program
from deimv2.converters.runner import Frame, broken, detections, require_frame
from deimv2.mil import open_package
from deimv2.model.detections import Detections
from deimv2.model.optional import quiet, require

COREML = TITLES["coreml"]
APPLE = "executorch.backends.apple.coreml"
PACKAGE = "lowered_module/model.mlpackage"
METADATA = "metadata.json"  # beside the package
REASON = "reads the uint8 frame"
OUTSIDE = {COREML: REASON, NEURAL_ENGINE: REASON}  # of what precedes the package


def partitioner() -> Any:
    """Everything but what reads a uint8 frame, which coremltools' types lack. float16 is where the
    graph says so, and nowhere else."""
    with quiet(None):
        coreml: Any = require(f"{APPLE}.partition.coreml_partitioner", PTE.extra)
        compiler: Any = require(f"{APPLE}.compiler", PTE.extra)
        coremltools: Any = require("coremltools", "coreml")
    supported = coreml._OperatorsSupportedForCoreMLBackend

    class FloatsAlone(supported):  # type: ignore[misc, valid-type]
        def is_node_supported(self, submodules: Mapping[str, Any], node: torch.fx.Node) -> bool:
            values = (given.meta.get("val") for given in node.all_input_nodes)
            if any(getattr(value, "dtype", None) == torch.uint8 for value in values):
                return False
            return bool(super().is_node_supported(submodules, node))

    class Partitioner(coreml.CoreMLPartitioner):  # type: ignore[misc]
        def partition(self, exported_program: Any) -> Any:
            coreml._OperatorsSupportedForCoreMLBackend = FloatsAlone
            try:
                return super().partition(exported_program)
            finally:
                coreml._OperatorsSupportedForCoreMLBackend = supported

    specs = compiler.CoreMLBackend.generate_compile_specs(
        minimum_deployment_target=coremltools.target.iOS17,
        compute_precision=coremltools.precision.FLOAT32,
    )
    return Partitioner(compile_specs=specs)


@contextmanager
def package_in(path: Path, part: bytes) -> Iterator[Path]:
    """The package in a delegate's part, as a folder that is there within the block."""
    apple = require(f"{APPLE}.executorchcoreml", PTE.extra)
    with tempfile.TemporaryDirectory() as folder:
        try:
            apple.unflatten_directory_contents(part, folder)
        except RuntimeError as error:
            raise broken(path, f"its part for Core ML cannot be read, {error}") from error
        if not (Path(folder) / PACKAGE).is_dir():
            raise broken(path, "its part for Core ML holds no package")
        yield Path(folder) / PACKAGE


def operations(path: Path, part: bytes) -> tuple[list[Operation], list[Any]]:
    """Those of the package, and its constants."""
    with package_in(path, part) as package:
        found = read(package)
    return list(found.operations), list(found.constants)


class CoreMLProgramRunner(ComputedRunner):
    """The package's own operations, one after the other, in PyTorch on the CPU."""

    def __init__(
        self, path: Path, threads: int | None, found: Inspection, program: Program
    ) -> None:
        super().__init__(path, threads, found)
        parts = program.forward["delegates"]
        if len(parts) != 1:
            raise broken(path, f"it has {len(parts)} parts for Core ML, expected one")
        with package_in(path, program.part(parts[0])) as package:
            try:
                self._program = open_package(package)
                self._names = json.loads((package.parent / METADATA).read_bytes())
            except Exception as error:  # coremltools raises anything
                raise broken(path, error) from error

    def detect(self, frame: Frame) -> Detections:
        require_frame(frame, self.size)
        (given,) = self._names["inputNames"]
        try:
            outputs = self._program({given: torch.tensor(frame)[None].float()})
        except Exception as error:
            raise broken(self._path, error) from error
        return detections(
            [outputs[name].numpy() for name in self._names["outputNames"]], self.order
        )


def delegates(calls: int) -> tuple[Delegate, ...]:
    """Core ML, and what it gives to the Neural Engine."""
    return (
        Delegate(COREML, "the file itself", calls),
        Delegate(NEURAL_ENGINE, "the rules that are documented"),
    )
