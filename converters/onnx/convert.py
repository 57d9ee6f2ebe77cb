"""`.onnx` for ONNX Runtime and for the toolchains that start from ONNX.

float16 means half-precision arithmetic, except in the layers that `converters.graph` keeps precise.
"""

from pathlib import Path
from typing import Any

import torch

from deimv2.converters.contract import INPUT, NAMES
from deimv2.converters.graph import Target
from deimv2.converters.metadata import KEY, ModelCard
from deimv2.converters.onnx import ONNX
from deimv2.converters.onnx.run import interface, open_session, read_card
from deimv2.converters.toolchain import expect, prepare
from deimv2.model import DEIMv2
from deimv2.model.errors import CheckError
from deimv2.model.optional import require

OPSET = 20


def convert(net: DEIMv2, card: ModelCard, path: Path) -> None:
    """Write the artifact; raises CheckError when what was written is not as it should be."""
    onnx = require("onnx", ONNX.extra)
    require("onnxscript", ONNX.extra)
    half = card.kind.computes == "float16"
    form, frame = prepare(net, Target(gather=True, nearest=True, half=half))
    exported = torch.export.export(form, (frame,))
    program = torch.onnx.export(
        exported,
        (frame,),
        input_names=[INPUT],
        output_names=list(NAMES),
        opset_version=OPSET,
        dynamo=True,
        optimize=True,
        verbose=False,
    )
    assert program is not None
    model = program.model_proto
    stamp(model, card)
    onnx.save(model, str(path))
    check(path, card)


def stamp(model: Any, card: ModelCard) -> None:
    """The card as metadata, and a description; no traces of the machine that made the file."""
    model.doc_string = card.description
    del model.metadata_props[:]
    del model.graph.metadata_props[:]  # every tensor's name again
    model.metadata_props.add(key=KEY, value=card.to_json())
    for node in model.graph.node:
        del node.metadata_props[:]
        node.doc_string = ""
    for value in [*model.graph.input, *model.graph.output, *model.graph.value_info]:
        del value.metadata_props[:]


def check(path: Path, card: ModelCard) -> None:
    """The file loads in ONNX Runtime and has the right inputs and outputs."""
    onnx = require("onnx", ONNX.extra)
    onnx.checker.check_model(str(path), full_check=True)
    session = open_session(path)
    inputs, outputs = interface(session)
    found = {port.name: (port.shape, port.dtype) for port in [*inputs, *outputs]}
    expect(f"{path.name}: inputs and outputs", found, card.interface())
    domains = {node.domain for node in onnx.load(str(path)).graph.node} - {"", "ai.onnx"}
    if domains:
        raise CheckError(f"{path.name} uses operators of {domains}; expected standard ones")
    expect(f"{path.name}: card", read_card(session), card.to_json())
