"""Opens a `.mlpackage` from what lies on disk: list of files, specification, weights."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from deimv2.mil.program import Program
from deimv2.model.errors import InputError
from deimv2.model.optional import quiet, require

EXTRA = "coreml"
SPECIFICATION = Path("Data/com.apple.CoreML/model.mlmodel")
VERSION, OPSET = 8, "CoreML7"  # of the specification and its operations: iOS 17, macOS 14
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


def read_specification(path: Path) -> Any:
    """The protobuf of a package, as Core ML reads it from disk."""
    with quiet(None):  # coremltools talks while it is imported
        proto = require("coremltools.proto.Model_pb2", EXTRA).Model()
    try:
        proto.ParseFromString((path / SPECIFICATION).read_bytes())
    except (OSError, ValueError) as error:
        raise InputError(f"'{path}' holds no Core ML specification ({error})") from error
    except Exception as error:  # protobuf's DecodeError has no public name
        raise InputError(f"'{path}' holds a broken Core ML specification ({error})") from error
    return proto


def check_files(path: Path) -> None:
    """Raises InputError unless a package lists its files, the specification first, and has them."""
    try:
        manifest = json.loads((path / "Manifest.json").read_bytes())
        entries = manifest["itemInfoEntries"]
        files = {key: Path("Data", entries[key]["path"]) for key in entries}
        root = files[manifest["rootModelIdentifier"]]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(
            f"'{path}' has no Manifest.json that says where its model is ({error!r}), expected a "
            "whole .mlpackage folder; export or copy it again"
        ) from error
    missing = [str(file) for file in files.values() if not (path / file).exists()]
    if missing:
        raise InputError(
            f"'{path}' lacks {', '.join(missing)}, which its manifest names; export it again"
        )
    if root != SPECIFICATION:
        raise InputError(
            f"'{path}' has its model at '{root}', expected '{SPECIFICATION}'; export it again"
        )


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
