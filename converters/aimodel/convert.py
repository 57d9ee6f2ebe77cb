"""`.aimodel` for Core AI: iOS 27 and macOS 27, by coreai-torch.

float16 means half-precision arithmetic, except in the layers that `converters.graph` keeps precise.
int8-weight means large weights stored as int8, one step per output channel, and all computed in
float32.
"""

import json
import re
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from deimv2.converters.aimodel import AIMODEL
from deimv2.converters.aimodel.asset import (
    METADATA,
    interface,
    operations,
    read_card,
    read_graph,
)
from deimv2.converters.contract import INPUT, NAMES
from deimv2.converters.graph import Target
from deimv2.converters.metadata import KEY, ModelCard
from deimv2.converters.toolchain import expect, prepare
from deimv2.model import DEIMv2
from deimv2.model.errors import CheckError
from deimv2.model.optional import require
from deimv2.quantization.rounding import MIN_WEIGHTS, rounded_weight, weight_scales

RANDOM = r"\b(?:resource_\d+|(\w+_composite)_[a-z0-9]{8})\b"  # names


def convert(net: DEIMv2, card: ModelCard, path: Path) -> None:
    """Write the asset; raises CheckError when what was written is not as it should be."""
    coreai_torch = require("coreai_torch", AIMODEL.extra)
    half = card.kind.computes == "float16"
    # The Neural Engine takes no gather (docs/decisions/002-sampling.md).
    form, frame = prepare(net, Target(gather=False, nearest=True, half=half))
    if card.kind.stores == "int8":
        store_weights(form)
    exported = torch.export.export(form, (frame,))
    exported = exported.run_decompositions(coreai_torch.get_decomp_table())
    # The other mode writes where each operation comes from, with paths of this machine.
    converter = coreai_torch.TorchConverter(mode=coreai_torch.TorchConverter.Mode.RELEASE)
    converter.add_exported_program(exported, input_names=[INPUT], output_names=list(NAMES))
    program = numbered(converter.to_coreai())
    program.save_asset(path, metadata(card))
    settle(path)
    check(path, card)


class Stored(nn.Module):
    """A weight as int8 and its steps, in the operation that Core AI knows for it."""

    value: Tensor
    steps: Tensor

    def __init__(self, weight: Tensor) -> None:
        super().__init__()
        steps = weight_scales(weight).reshape(-1, *[1] * (weight.dim() - 1))
        self.register_buffer("steps", steps)
        self.register_buffer("value", (weight.detach() / steps).round().to(torch.int8))

    def forward(self, _: Tensor) -> Tensor:
        return torch.ops.coreai.constexpr_blockwise_shift_scale(self.value, self.steps)


def store_weights(form: nn.Module) -> None:
    """Large weights that were rounded, as int8, in place. What was folded into another weight after
    the rounding has no steps, and stays in float."""
    require("coreai_torch._compression.custom_layers", AIMODEL.extra)  # registers the operation
    for layer in list(form.modules()):
        if not isinstance(layer, nn.Conv2d | nn.Linear) or layer.weight.numel() < MIN_WEIGHTS:
            continue
        if torch.equal(rounded_weight(layer.weight), layer.weight):
            parametrize.register_parametrization(layer, "weight", Stored(layer.weight))


def numbered(program: Any) -> Any:
    """The program with its weights, and the functions that it calls, numbered. The converter names
    the former by a hash whose seed is another in every process, the latter by random letters; in
    text they can be renamed."""
    authoring = require("coreai.authoring", AIMODEL.extra)
    ir = require("coreai._compiler.ir", AIMODEL.extra)
    names: dict[str, str] = {}

    def number(name: re.Match[str]) -> str:
        return names.setdefault(name[0], f"{name[1] or 'weight'}_{len(names)}")

    renamed = re.sub(RANDOM, number, str(program))
    context = authoring.Context()._mlir_context
    return authoring.AIProgram._from_mlir_module(ir.Module.parse(renamed, context))


def metadata(card: ModelCard) -> Any:
    made = require("coreai.runtime", AIMODEL.extra).AIModelAssetMetadata()
    made.model_description = card.description
    made.license = "Apache-2.0 (code); the weights carry the licence of their source"
    made.set_custom(KEY, card.to_json())
    return made


def settle(path: Path) -> None:
    """Make the metadata follow from its content alone: no date, and names sorted."""
    file = path / METADATA
    content = json.loads(file.read_bytes())
    del content["creationDate"]
    text = json.dumps(content, indent=2, sort_keys=True, ensure_ascii=False) + "\n"
    file.write_text(text, encoding="utf-8")


def check(path: Path, card: ModelCard) -> None:
    """Read the asset back from disk: files, inputs, outputs, types, operations, card."""
    graph = read_graph(path)
    inputs, outputs = interface(graph)
    found = {port.name: (port.shape, port.dtype) for port in [*inputs, *outputs]}
    expect(f"{path.name}: inputs and outputs", found, card.interface())
    foreign = {op.name for op in operations(graph) if not op.name.startswith("coreai.")}
    if foreign:
        raise CheckError(
            f"{path.name} contains {', '.join(sorted(foreign))}; expected Core AI's operations"
        )
    expect(f"{path.name}: card", read_card(path), card.to_json())
