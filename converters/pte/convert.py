"""`.pte` for ExecuTorch, lowered to XNNPACK.

float16 means half-precision arithmetic, except in the layers that `converters.graph` keeps precise.
"""

from pathlib import Path
from typing import Any

import torch

from deimv2.converters.graph import Target
from deimv2.converters.metadata import ModelCard
from deimv2.converters.pte import COREML, PTE, VULKAN, XNNPACK, coreml, vulkan, xnnpack
from deimv2.converters.pte.layout import without_transpositions_that_cancel
from deimv2.converters.toolchain import expect, prepare
from deimv2.model import DEIMv2
from deimv2.model.optional import require
from deimv2.model.ports import Port

TYPES = {0: "uint8", 3: "int32", 6: "float32"}  # ExecuTorch's scalar types
CARD_METHOD = "deimv2_json"  # a constant method; names there cannot hold a dot


def convert(net: DEIMv2, card: ModelCard, path: Path, delegate: str) -> None:
    """Write the artifact; raises CheckError when what was written is not as it should be."""
    load_runtime()  # the operations of its quantized kernels, too
    exir = require("executorch.exir", PTE.extra)
    half = card.kind.computes == "float16"
    own = delegate == XNNPACK
    # The others can resize. The Neural Engine has no gather, and Vulkan no floor to gather with.
    target = Target(
        gather=own,
        nearest=not own,
        pads=not own,
        bounds=own,
        dequantizes=own,
        half=half,
        sums_in_half=own,
    )
    form, frame = prepare(net, target)
    exported = torch.export.export(form, (frame,))
    if delegate == VULKAN:
        exported = vulkan.rewritten(exported, (frame,))
    with without_transpositions_that_cancel(), xnnpack.with_halves_kept():
        lowered = exir.to_edge_transform_and_lower(
            exported,
            transform_passes=[xnnpack.with_casts()] if own and half else None,
            partitioner=[partitioner(delegate)],
            compile_config=exir.EdgeCompileConfig(_check_ir_validity=False),
            constant_methods={CARD_METHOD: card.to_json()},
        )
    path.write_bytes(lowered.to_executorch().buffer)
    check(path, card)


def partitioner(delegate: str) -> Any:
    """What offers a graph's parts to the delegate."""
    if delegate == COREML:
        return coreml.partitioner()
    if delegate == VULKAN:
        return vulkan.partitioner()
    return xnnpack.partitioner()


def load_runtime() -> Any:
    """ExecuTorch's runtime, with its quantized kernels. The public `executorch.runtime` is this
    module behind an import of the whole exporter, which takes seconds."""
    runtime = require("executorch.extension.pybindings._C", PTE.extra)
    require("executorch.kernels.quantized", PTE.extra)  # registers them
    return runtime


def open_program(path: Path) -> Any:
    """The program in a file; RuntimeError if the runtime refuses it or it has no `forward`."""
    runtime = load_runtime()
    checks = runtime.Verification.InternalConsistency
    program = runtime._load_program(str(path), program_verification=checks)
    if "forward" not in methods(program):
        raise RuntimeError(f"it has no method 'forward', but {methods(program)}")
    return program


def methods(program: Any) -> list[str]:
    return [program.get_method_name(i) for i in range(program.num_methods())]


def interface(program: Any) -> tuple[list[Port], list[Port]]:
    """Inputs and outputs of a program, which are in order and have no names."""
    meta = program.method_meta("forward")
    return (
        [_port(meta.input_tensor_meta, i) for i in range(meta.num_inputs())],
        [_port(meta.output_tensor_meta, i) for i in range(meta.num_outputs())],
    )


def _port(meta: Any, index: int) -> Port:
    try:
        info = meta(index)
    except RuntimeError:  # a number or a string instead of a tensor
        return Port(f"#{index}", (), "no tensor")
    return Port(f"#{index}", tuple(info.sizes()), TYPES.get(info.dtype(), f"type {info.dtype()}"))


def read_card(program: Any) -> str | None:
    """The card's text in a program, None where it has none."""
    if CARD_METHOD not in methods(program):
        return None
    (text,) = program.load_method(CARD_METHOD)([])
    return str(text)


def check(path: Path, card: ModelCard) -> None:
    """The file loads and has the right inputs and outputs."""
    program = open_program(path)
    inputs, outputs = interface(program)
    found = [(port.shape, port.dtype) for port in [*inputs, *outputs]]
    expect(f"{path.name}: inputs and outputs", found, list(card.interface().values()))
    expect(f"{path.name}: card", read_card(program), card.to_json())
