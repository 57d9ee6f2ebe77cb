"""`.onnx` for ONNX Runtime and for the toolchains that start from ONNX.

float16 means half-precision arithmetic, except in the layers that `converters.graph` keeps precise.
"""

from pathlib import Path
from typing import Any

import torch

from converters.card import INPUT, KEY, OUTPUTS, ModelCard
from converters.graph import Target
from converters.tools import expect, prepare, require
from model import DEIMv2
from model.errors import CheckError, InputError

EXTRA = "onnx"
OPSET = 20


def convert(net: DEIMv2, card: ModelCard, path: Path, gather: bool) -> None:
    """Write the artifact; raises CheckError when what was written is not as it should be."""
    onnx = require("onnx", EXTRA)
    require("onnxscript", EXTRA)
    half = card.precision == "fp16"
    form, frame = prepare(net, Target(gather=gather, nearest=True, half=half))
    exported = torch.export.export(form, (frame,))
    program = torch.onnx.export(
        exported,
        (frame,),
        input_names=[INPUT],
        output_names=list(OUTPUTS),
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
    model.metadata_props.add(key=KEY, value=card.to_json())
    for node in model.graph.node:
        del node.metadata_props[:]
        node.doc_string = ""
    for value in [*model.graph.input, *model.graph.output, *model.graph.value_info]:
        del value.metadata_props[:]


def read_card(path: Path) -> str | None:
    """The card's text in an `.onnx`, None where it has none."""
    onnx = require("onnx", EXTRA)
    try:
        model = onnx.load(str(path), load_external_data=False)
    except Exception as error:  # protobuf's DecodeError has no public name
        raise InputError(f"'{path}' is no complete ONNX file ({error})") from error
    return next((p.value for p in model.metadata_props if p.key == KEY), None)


def check(path: Path, card: ModelCard) -> None:
    """The file loads in ONNX Runtime and has the right inputs and outputs."""
    onnx, runtime = require("onnx", EXTRA), require("onnxruntime", EXTRA)
    onnx.checker.check_model(str(path), full_check=True)
    session = runtime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    types = {"tensor(uint8)": "uint8", "tensor(float)": "float32", "tensor(int32)": "int32"}
    found = {
        value.name: (tuple(value.shape), types.get(value.type, value.type))
        for value in [*session.get_inputs(), *session.get_outputs()]
    }
    expect(f"{path.name}: inputs and outputs", found, card.interface())
    domains = {node.domain for node in onnx.load(str(path)).graph.node} - {"", "ai.onnx"}
    if domains:
        raise CheckError(f"{path.name} uses operators of {domains}; expected standard ones")
    expect(f"{path.name}: card", read_card(path), card.to_json())
