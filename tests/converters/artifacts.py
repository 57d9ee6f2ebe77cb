"""Artifacts of a net that takes a moment to convert: int8 next to float, in every phone format; and
those of the shared export."""

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from deimv2.converters.graph.int8 import int8_form
from deimv2.converters.tflite.convert import static_int8
from deimv2.model.optional import quiet
from deimv2.quantization.rounding import FakeQuantize, Range, RoundedConv, RoundedLinear

SHAPE = (1, 4, 6, 8)
CONVOLUTION, DEPTHWISE, LINEAR, FLOAT_LINEAR = 6 * 8 * 8 * 4 * 9, 3 * 4 * 8 * 9, 96 * 16, 16 * 5


class Mixed(nn.Module):
    """An int8 convolution, a depthwise one and a linear layer; a linear layer in float."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.first, self.second, self.third, self.last = (fake_quantizer(f"{i}") for i in range(4))
        self.convolution = RoundedConv(nn.Conv2d(4, 8, 3, padding=1))
        self.depthwise = RoundedConv(nn.Conv2d(8, 8, 3, stride=2, padding=1, groups=8))
        self.linear = RoundedLinear(nn.Linear(96, 16))
        self.head = nn.Linear(16, 5)

    def forward(self, x: Tensor) -> Tensor:
        x = self.second(self.convolution(self.first(x)))
        x = self.third(self.depthwise(x)).reshape(1, 96)
        return self.head(self.last(self.linear(x)))


def fake_quantizer(name: str) -> FakeQuantize:
    made = FakeQuantize(name)
    made.range = Range(-1.0, 1.0)
    return made


def write_mixed(path: Path) -> Path:
    """The net in the format that the suffix says."""
    example = torch.zeros(SHAPE)
    form = int8_form(Mixed().eval(), example, folded=path.suffix != ".tflite", half=False)
    with quiet(None):
        if path.suffix == ".tflite":
            import litert_torch

            converted = litert_torch.convert(form, (example,), quant_config=static_int8())
            converted.export(str(path))
        elif path.suffix == ".pte":
            from executorch.backends.xnnpack.partition.xnnpack_partitioner import (
                XnnpackPartitioner,
            )
            from executorch.exir import to_edge_transform_and_lower

            program = torch.export.export(form, (example,))
            lowered = to_edge_transform_and_lower(program, partitioner=[XnnpackPartitioner()])
            path.write_bytes(lowered.to_executorch().buffer)
        else:
            import coremltools as ct

            program = torch.export.export(form, (example,)).run_decompositions({})
            converted = ct.convert(
                program,
                minimum_deployment_target=ct.target.iOS17,
                compute_precision=ct.precision.FLOAT32,
                skip_model_load=True,
            )
            converted.save(str(path))
    return path


def artifact(exported: Path, kind: str) -> Path:
    (path,) = exported.glob(f"*.{kind}")
    return path


def copy_of(exported: Path, kind: str, folder: Path) -> Path:
    source, path = artifact(exported, kind), folder / f"copy.{kind}"
    return Path(shutil.copytree(source, path) if source.is_dir() else shutil.copy(source, path))


def transposed(path: Path) -> list[str]:
    """The pads and sums of a `.tflite` whose map is turned to NCHW for them."""
    from ai_edge_litert.schema_py_generated import BuiltinOperator
    from ai_edge_litert.tools.flatbuffer_utils import read_model

    model = read_model(str(path))
    names = {code: name for name, code in vars(BuiltinOperator).items() if name[0] != "_"}
    kinds = [names[code.builtinCode] for code in model.operatorCodes]
    graph = model.subgraphs[0]

    def permutation(op: Any) -> list[int]:
        data = model.buffers[graph.tensors[op.inputs[1]].buffer].data
        return np.frombuffer(bytes(data), np.int32).tolist()

    turned, found = set[int](), list[str]()
    for op in graph.operators:
        kind = kinds[op.opcodeIndex]
        if kind == "TRANSPOSE":
            moved = permutation(op) == [0, 3, 1, 2]
        else:
            moved = bool(turned & set(op.inputs)) and kind in ("QUANTIZE", "DEQUANTIZE", "CAST")
        if moved:
            turned |= set(op.outputs)
        elif turned & set(op.inputs) and kind in ("PAD", "PADV2", "ADD", "SUB"):
            found.append(kind)
    assert turned  # those of the decoder's tokens
    return found
