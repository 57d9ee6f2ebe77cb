"""Opens a `.mlpackage` from what lies on disk: list of files, specification, weights."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from converters.coreml import (
    EXTRA,
    OPSET,
    SPECIFICATION,
    VERSION,
    check_files,
    read_specification,
)
from converters.tools import quiet, require
from evaluation.mil.program import Program
from model.errors import InputError

WEIGHTS = "@model_path/weights/weight.bin"  # from the specification's folder


def open_package(path: Path) -> Program:
    """The program of a package of 'deimv2 export', ready to run.

    Raises MissingExtraError without coremltools, InputError for a package of another kind,
    UnsupportedError for what is not computed here, and whatever coremltools raises for one that is
    broken.
    """
    return Program(rebuild(path))


def rebuild(path: Path) -> Any:
    """The package's function as coremltools rebuilds it, with its weights. Raises as above."""
    check_files(path)
    with quiet(None):
        milproto = require("coremltools.converters.mil.frontend.milproto.load", EXTRA)
    proto = read_specification(path)
    check_kind(proto, path)
    weights = (path / SPECIFICATION).parent / "weights"
    with quiet(None):
        program = milproto.load(proto, proto.specificationVersion, str(weights))
    return program.functions["main"]


def check_kind(proto: Any, path: Path) -> None:
    """Raises InputError unless it is one program of the iOS 17 operations, with one weight file."""
    functions = proto.mlProgram.functions
    found = proto.specificationVersion, {name: functions[name].opset for name in functions}
    if found != (VERSION, {"main": OPSET}):
        raise InputError(
            f"'{path}' is of version {found[0]} with the functions {found[1]}, expected version "
            f"{VERSION} with one 'main' of '{OPSET}' (iOS 17); use a package of 'deimv2 export'"
        )
    strange = {name for name in files_of(functions["main"]) if name != WEIGHTS}
    if strange:
        raise InputError(
            f"'{path}' keeps weights in '{min(strange)}', expected '{WEIGHTS}'; export it again"
        )


def files_of(function: Any) -> Iterator[str]:
    """The file of each value that the specification itself does not hold."""
    for block in function.block_specializations.values():
        for operation in block.operations:
            given = [b.value for a in operation.inputs.values() for b in a.arguments]
            for value in [*operation.attributes.values(), *given]:
                if value.HasField("blobFileValue"):
                    yield value.blobFileValue.fileName
