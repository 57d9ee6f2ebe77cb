"""What lies in an `.aimodel`: a program as MLIR bytecode, its SHA-256, and metadata.

Core AI's reader ends the process over bytecode that is cut or damaged. So the hash is compared
before anything is read. Operations with their shapes are in no public interface of coreai-core; its
MLIR bindings have them, and may change with any version.
"""

import hashlib
import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from deimv2.converters.aimodel import AIMODEL
from deimv2.converters.metadata import KEY
from deimv2.converters.runner import broken
from deimv2.model.optional import quiet, require
from deimv2.model.ports import Port

PROGRAM, HASH, METADATA = "main.mlirb", "main.hash", "metadata.json"
MAGIC = b"ML\xefR"  # of MLIR bytecode
FUNCTION = "main"
CUSTOM = "creatorDefinedMetadata"
KINDS = {"f": "float", "bf": "bfloat", "i": "int", "si": "int", "ui": "uint"}


class Graph(NamedTuple):
    """A function as an MLIR operation, and the program that it lives in."""

    function: Any
    program: Any


def load(path: Path) -> Any:
    """coreai-core's view of an asset. Raises InputError for files that are missing or damaged."""
    check_files(path)
    with quiet(None):
        authoring = require("coreai.authoring", AIMODEL.extra)
    try:
        return authoring.AIModelAsset.load(path)
    except RuntimeError as error:
        raise broken(path, error) from error


def check_files(path: Path) -> None:
    """Raises InputError unless all files are there and the program is the one that was hashed."""
    lacking = [name for name in (PROGRAM, HASH, METADATA) if not (path / name).is_file()]
    if lacking:
        raise broken(path, f"it lacks {', '.join(lacking)}")
    program = (path / PROGRAM).read_bytes()
    if not program.startswith(MAGIC):
        raise broken(path, f"{PROGRAM} is not MLIR bytecode")
    if hashlib.sha256(program).digest() != (path / HASH).read_bytes():
        raise broken(path, f"{PROGRAM} is not the one of {HASH}")


def read_card(path: Path) -> str | None:
    """The card's text, None where there is none. Raises InputError for broken metadata."""
    try:
        card = json.loads((path / METADATA).read_bytes()).get(CUSTOM, {}).get(KEY)
    except (OSError, ValueError, AttributeError) as error:
        raise broken(path, f"{METADATA}: {error}") from error
    return None if card is None else str(card)


def read_graph(path: Path) -> Graph:
    """The function of an asset; there may be others that it calls. Raises InputError for an asset
    without it."""
    program = load(path).program
    module = program._module._mlir_module
    graphs = [op for op in module.body.operations if op.operation.name == "coreai.graph"]
    functions = {text(graph.attributes["sym_name"]): graph for graph in graphs}
    if FUNCTION not in functions:
        names = ", ".join(functions) or "none"
        raise broken(path, f"its functions are {names}, expected {FUNCTION}")
    return Graph(functions[FUNCTION], program)


def operations(graph: Graph) -> Iterator[Any]:
    for op in graph.function.operation.regions[0].blocks[0].operations:
        yield op.operation


def interface(graph: Graph) -> tuple[list[Port], list[Port]]:
    """Inputs and outputs of a function."""
    attributes = graph.function.attributes
    type_ = attributes["function_type"].value
    return (
        _ports(attributes["arg_attrs"], type_.inputs),
        _ports(attributes["res_attrs"], type_.results),
    )


def _ports(attributes: Any, types: Sequence[Any]) -> list[Port]:
    return [
        Port(text(each["coreai.name"]), *tensor(type_))
        for each, type_ in zip(attributes, types, strict=True)
    ]


def tensor(type_: Any) -> tuple[tuple[int, ...], str]:
    """Shape and type of a value; an empty shape for what is no tensor."""
    shape = tuple(getattr(type_, "shape", ()))
    element = str(getattr(type_, "element_type", type_))
    match re.fullmatch(r"(f|bf|i|si|ui)(\d+)", element):
        case None:
            return shape, element
        case found if element == "i1":
            return shape, "bool"
        case found:
            return shape, f"{KINDS[found[1]]}{found[2]}"


def text(attribute: Any) -> str:
    return str(attribute.value)
