"""What ExecuTorch transposes there and back stays as it lies, and nothing else does."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from deimv2.converters.artifact import inspect
from deimv2.converters.manifest import Manifest
from deimv2.converters.pte.convert import load_runtime
from deimv2.converters.pte.layout import without_transpositions_that_cancel
from deimv2.converters.pte.program import Program

Read = Callable[[Tensor, Tensor], Tensor | tuple[Tensor, Tensor]]


class Small(nn.Module):
    """A convolution of a frame [1, 6, 4, 3], and what else reads the frame in NCHW."""

    def __init__(self, read: Read) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.conv, self.read = nn.Conv2d(3, 5, 3), read

    def forward(self, frame: Tensor) -> Tensor | tuple[Tensor, Tensor]:
        image = (frame * 0.5).permute(0, 3, 1, 2)
        return self.read(self.conv(image), image)


def alone(maps: Tensor, image: Tensor) -> Tensor:
    return maps


def beside_rows(maps: Tensor, image: Tensor) -> tuple[Tensor, Tensor]:
    """A reshape, which is of NCHW."""
    return maps, F.relu(image.reshape(1, 3, 24))


def beside_itself(maps: Tensor, image: Tensor) -> tuple[Tensor, Tensor]:
    return maps, image


def lowered(net: nn.Module, frame: Tensor, path: Path) -> Path:
    from executorch.backends.xnnpack.partition.xnnpack_partitioner import XnnpackPartitioner
    from executorch.exir import to_edge_transform_and_lower

    program = torch.export.export(net.eval(), (frame,))
    found = to_edge_transform_and_lower(program, partitioner=[XnnpackPartitioner()])
    path.write_bytes(found.to_executorch().buffer)
    return path


def permutations(path: Path) -> list[list[int]]:
    program = Program.read(path)
    graphs = map(program.graph, program.forward["delegates"])
    nodes = (node["xnode_union"] for graph in graphs for node in graph["xnodes"])
    return [node["perm"] for node in nodes if "perm" in node]


def outputs(path: Path, frame: Tensor) -> list[Tensor]:
    return list(load_runtime()._load_for_executorch(str(path)).forward([frame]))


NCHW, NHWC = [0, 3, 1, 2], [0, 2, 3, 1]


@pytest.mark.parametrize(
    ("read", "before", "after"),
    [
        (alone, [NCHW, NHWC, NCHW], [NCHW]),
        (beside_rows, [NCHW, NHWC, NCHW], [NCHW, NCHW]),
        (beside_itself, [NCHW, NHWC, NCHW], [NCHW, NCHW]),
    ],
)
def test_transpositions_that_cancel_go(
    read: Read, before: list[list[int]], after: list[list[int]], tmp_path: Path
) -> None:
    """The last one is of the maps, which come out in NCHW."""
    net, frame = Small(read), torch.rand(1, 6, 4, 3)
    usual = lowered(net, frame, tmp_path / "usual.pte")
    with without_transpositions_that_cancel():
        path = lowered(net, frame, tmp_path / "net.pte")
    assert sorted(permutations(usual)) == sorted(before)
    assert sorted(permutations(path)) == sorted(after)
    for found, wanted in zip(outputs(path, frame), outputs(usual, frame), strict=True):
        assert torch.equal(found, wanted)


def test_executorch_is_as_it_was_afterwards(monkeypatch: pytest.MonkeyPatch) -> None:
    from executorch.backends.xnnpack import xnnpack_preprocess

    write = xnnpack_preprocess.serialize_xnnpack_binary
    with pytest.raises(ZeroDivisionError), without_transpositions_that_cancel():
        assert xnnpack_preprocess.serialize_xnnpack_binary is not write
        raise ZeroDivisionError
    assert xnnpack_preprocess.serialize_xnnpack_binary is write


def test_a_file_does_not_transpose_its_frame(exported: Path) -> None:
    path = exported / next(f.name for f in Manifest.read(exported).files if f.format == "pte")
    found = inspect(path)
    _, height, width, _ = found.inputs[0].shape
    of_frame = {(1, 3, height, width), (1, height, width, 3)}
    assert not [
        op for op in found.operations if "Transpose" in op.kind and tuple(op.shape) in of_frame
    ]
