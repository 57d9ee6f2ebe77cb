"""`.pte` for ExecuTorch, lowered to XNNPACK.

float16 means half-precision arithmetic, except in the layers that `converters.graph` keeps precise.
"""

from pathlib import Path
from typing import Any

import torch

from converters.card import ModelCard
from converters.graph import Target
from converters.tools import expect, prepare, require
from model import DEIMv2

EXTRA = "executorch"
TYPES = {0: "uint8", 3: "int32", 6: "float32"}  # ExecuTorch's scalar types
CARD_METHOD = "deimv2_json"  # a constant method; names there cannot hold a dot


def convert(net: DEIMv2, card: ModelCard, path: Path, gather: bool) -> None:
    """Write the artifact; raises CheckError when what was written is not as it should be."""
    exir = require("executorch.exir", EXTRA)
    partition = require("executorch.backends.xnnpack.partition.xnnpack_partitioner", EXTRA)
    half = card.precision == "fp16"
    form, frame = prepare(net, Target(gather=gather, nearest=False, half=half))
    exported = torch.export.export(form, (frame,))
    lowered = exir.to_edge_transform_and_lower(
        exported,
        partitioner=[partition.XnnpackPartitioner()],
        constant_methods={CARD_METHOD: card.to_json()},
    )
    path.write_bytes(lowered.to_executorch().buffer)
    check(path, card)


def open_program(path: Path) -> Any:
    """The ExecuTorch runtime's program of a file."""
    return require("executorch.runtime", EXTRA).Runtime.get().load_program(str(path))


def read_card(path: Path) -> str | None:
    """The card's text in a `.pte`, None where it has none."""
    program = open_program(path)
    if CARD_METHOD not in program.method_names:
        return None
    (text,) = program.load_method(CARD_METHOD).execute([])
    return str(text)


def check(path: Path, card: ModelCard) -> None:
    """The file loads and has the right inputs and outputs, which are in order and have no names."""
    meta = open_program(path).load_method("forward").metadata
    tensors = [meta.input_tensor_meta(i) for i in range(meta.num_inputs())]
    tensors += [meta.output_tensor_meta(i) for i in range(meta.num_outputs())]
    found = [(tuple(t.sizes()), TYPES.get(t.dtype(), str(t.dtype()))) for t in tensors]
    expect(f"{path.name}: inputs and outputs", found, list(card.interface().values()))
    expect(f"{path.name}: card", read_card(path), card.to_json())
