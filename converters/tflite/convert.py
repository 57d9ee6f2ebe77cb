"""`.tflite` for LiteRT, by litert-torch: built-in operations only.

What each precision stores is said in `deimv2.converters.tflite.storage`.
"""

from collections import Counter
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from deimv2.converters.contract import INPUT, NAMES
from deimv2.converters.graph import Target
from deimv2.converters.metadata import KEY, ModelCard
from deimv2.converters.runner import Frames
from deimv2.converters.tflite import TFLITE
from deimv2.converters.tflite.run import open_interpreter, read_card
from deimv2.converters.tflite.storage import store_weights
from deimv2.converters.toolchain import expect, prepare
from deimv2.model import DEIMv2
from deimv2.model.errors import CheckError
from deimv2.model.optional import require
from deimv2.quantization.fitting import fit_weights


class Named(nn.Module):
    """The form with its outputs by name, which become those of the signature."""

    def __init__(self, form: nn.Module) -> None:
        super().__init__()
        self.form = form
        self.training = False  # an exported graph refuses to be asked by eval()

    def forward(self, image: Tensor) -> dict[str, Tensor]:
        return dict(zip(NAMES, self.form(image), strict=True))


def convert(net: DEIMv2, card: ModelCard, path: Path, frames: Frames = ()) -> None:
    """Write the artifact; raises CheckError when what was written is not as it should be."""
    litert_torch = require("litert_torch", TFLITE.extra)
    form, frame = prepare(net, Target(gather=True, nearest=True, pads=False, folded=False))
    if card.kind.computes == "int16":
        fit_weights(form, lambda: (torch.from_numpy(each)[None] for each in frames))
    rounded = static_int8() if card.kind.rounds else None
    converted = litert_torch.convert(
        Named(form), sample_kwargs={INPUT: frame}, quant_config=rounded
    )
    converted.export(str(path))
    if card.kind.stores != "float32":
        store_weights(path, card.kind, frames)
    finish(path, card)
    check(path, card)


def static_int8() -> Any:
    """What makes the converter turn pairs of quantize and dequantize into int8 kernels."""
    config = require("litert_torch.quantize.quant_config", TFLITE.extra)
    pt2e = require("litert_torch.quantize.pt2e_quantizer", TFLITE.extra)
    scheme = pt2e.get_symmetric_quantization_config(is_per_channel=True, is_dynamic=False)
    return config.QuantConfig(pt2e_quantizer=pt2e.PT2EQuantizer().set_global(scheme))


def finish(path: Path, card: ModelCard) -> None:
    """What no converter does: gathers for the GPU, names that are short, and the card."""
    flatbuffers = require("ai_edge_litert.tools.flatbuffer_utils", TFLITE.extra)
    model = flatbuffers.read_model(str(path))
    lookups_to_gathers(model)
    names: Counter[str] = Counter()
    for tensor in model.subgraphs[0].tensors:
        name = short_name(tensor.name.decode())
        names[name] += 1  # tools that quantize tell tensors apart by their names
        tensor.name = (f"{name}#{names[name]}" if names[name] > 1 else name).encode()
    stamp(model, card)
    flatbuffers.write_model(model, str(path))


def lookups_to_gathers(model: Any) -> None:
    """EMBEDDING_LOOKUP -> GATHER along the first axis: the same rows.

    LiteRT's GPU delegate accepts the former with a table that the graph computes, then reads the
    table as a constant and ends the process (docs/gpu.md).
    """
    schema = require("ai_edge_litert.schema_py_generated", TFLITE.extra)
    kinds = schema.BuiltinOperator
    lookups = {
        i for i, c in enumerate(model.operatorCodes) if c.builtinCode == kinds.EMBEDDING_LOOKUP
    }
    for i in lookups:
        code = model.operatorCodes[i]
        code.builtinCode = code.deprecatedBuiltinCode = kinds.GATHER
    for op in model.subgraphs[0].operators:
        if op.opcodeIndex in lookups:
            indices, table = op.inputs
            op.inputs = [table, indices]
            op.builtinOptionsType = schema.BuiltinOptions.GatherOptions
            op.builtinOptions = schema.GatherOptionsT()
            op.builtinOptions.axis = op.builtinOptions.batchDims = 0


def short_name(name: str) -> str:
    """`a.b.Form_form/c.Decoder_decoder/d.Linear_head;3` -> `decoder.head;3`: where a tensor comes
    from, without the classes, which take a third of a small int8 file."""
    parts = []
    for scopes in name.split(";"):
        if scopes.startswith(__name__):  # inside `Named`, then the form
            inner = scopes.split("/")[2:]
            names = (scope.rpartition(".")[2].partition("_")[2] for scope in inner)
            parts.append(".".join(each for each in names if each))
        else:
            parts.append(scopes)
    return ";".join(parts)


def stamp(model: Any, card: ModelCard) -> None:
    """Add the card as a metadata buffer, and a description."""
    schema = require("ai_edge_litert.schema_py_generated", TFLITE.extra)
    model.description = card.description.encode()
    buffer = schema.BufferT()
    buffer.data = list(card.to_json().encode())
    entry = schema.MetadataT()
    entry.name, entry.buffer = KEY.encode(), len(model.buffers)
    model.buffers.append(buffer)
    model.metadata = [*(model.metadata or []), entry]


def operations(path: Path) -> Counter[str]:
    """How often each operation stands in the graph."""
    schema = require("ai_edge_litert.schema_py_generated", TFLITE.extra)
    flatbuffers = require("ai_edge_litert.tools.flatbuffer_utils", TFLITE.extra)
    model = flatbuffers.read_model(str(path))
    names = {v: k for k, v in vars(schema.BuiltinOperator).items() if not k.startswith("_")}
    codes = [
        code.customCode.decode() if code.customCode else names[code.builtinCode]
        for code in model.operatorCodes
    ]
    return Counter(codes[op.opcodeIndex] for op in model.subgraphs[0].operators)


def check(path: Path, card: ModelCard) -> None:
    """The file loads, has the right inputs and outputs, and nothing but built-in operations."""
    runner = open_interpreter(path).get_signature_runner()
    found = {
        name: (tuple(d["shape"].tolist()), d["dtype"].__name__)
        for details in (runner.get_input_details(), runner.get_output_details())
        for name, d in details.items()
    }
    expect(f"{path.name}: inputs and outputs", found, card.interface())
    foreign = [o for o in operations(path) if o == "CUSTOM" or o.startswith(("Flex", "STABLEHLO"))]
    if foreign:
        raise CheckError(f"{path.name} contains {', '.join(foreign)}; expected built-in operations")
    expect(f"{path.name}: card", read_card(path), card.to_json())
