"""What ExecuTorch is made to write otherwise for XNNPACK computes the same."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from deimv2.converters.artifact import inspect
from deimv2.converters.manifest import Manifest
from deimv2.converters.pte.convert import load_runtime
from deimv2.converters.pte.inspect import XNNPACK
from deimv2.converters.pte.layout import without_transpositions_that_cancel
from deimv2.converters.pte.program import Program
from deimv2.converters.pte.xnnpack import partitioner, with_casts, with_halves_kept

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


def lowered(net: nn.Module, frame: Tensor, path: Path, casts: bool = False) -> Path:
    """casts: XNNPACK's, too."""
    from executorch.backends.xnnpack.partition.xnnpack_partitioner import XnnpackPartitioner
    from executorch.exir import to_edge_transform_and_lower

    program = torch.export.export(net.eval(), (frame,))
    found = to_edge_transform_and_lower(
        program,
        transform_passes=[with_casts()] if casts else None,
        partitioner=[partitioner() if casts else XnnpackPartitioner()],
    )
    path.write_bytes(found.to_executorch().buffer)
    return path


def graphs(path: Path) -> list[Any]:
    """XNNPACK's, one per call."""
    program = Program.read(path)
    return [program.graph(delegate) for delegate in program.forward["delegates"]]


def permutations(path: Path) -> list[list[int]]:
    nodes = (node["xnode_union"] for graph in graphs(path) for node in graph["xnodes"])
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


class Halves(nn.Module):
    """Convolutions in float16, something that is computed in float32, and a float32 layer."""

    def __init__(self, act: nn.Module) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.convs = nn.Sequential(
            nn.Conv2d(3, 64, 3), nn.Conv2d(64, 64, 3, groups=64), act, nn.Conv2d(64, 32, 1)
        ).half()
        self.last = nn.Linear(32, 32)

    def forward(self, image: Tensor) -> Tensor:
        return self.last(self.convs(image.half()).float().flatten(2).transpose(1, 2))


def test_a_half_stays_a_half_and_nothing_else_becomes_one(tmp_path: Path) -> None:
    net, image = Halves(nn.SiLU()), torch.rand(1, 3, 8, 8)
    usual = lowered(net, image, tmp_path / "usual.pte")
    with with_halves_kept():
        path = lowered(net, image, tmp_path / "net.pte")
    halves = sum(parameter.numel() for parameter in net.convs.parameters())
    assert constants(usual) - constants(path) == 2 * halves
    assert torch.equal(outputs(path, image)[0], outputs(usual, image)[0])


def constants(path: Path) -> int:
    """Bytes of the constants for XNNPACK."""
    return sum(int(entry["size"]) for graph in graphs(path) for entry in graph["constant_data"])


@pytest.mark.parametrize(
    ("act", "outside", "error"),
    [
        (nn.SiLU(), "_to_dim_order_copy", 0.0),  # as PyTorch takes it apart
        (nn.GELU(), "gelu", 1e-3),  # XNNPACK's own, which may round to the other half
    ],
    ids=["silu", "gelu"],
)
def test_casts_between_floats_are_xnnpacks(
    act: nn.Module, outside: str, error: float, tmp_path: Path
) -> None:
    net, image = Halves(act), torch.rand(1, 3, 8, 8)
    usual = lowered(net, image, tmp_path / "usual.pte")
    path = lowered(net, image, tmp_path / "net.pte", casts=True)
    assert outside in {kind for kind, *_ in inspect(usual).left_outside(XNNPACK)}
    assert len(graphs(path)) == 1 and not inspect(path).left_outside(XNNPACK)
    torch.testing.assert_close(
        outputs(path, image)[0], outputs(usual, image)[0], rtol=0, atol=error
    )


def test_executorch_is_as_it_was_afterwards() -> None:
    from executorch.backends.xnnpack import xnnpack_preprocess
    from executorch.backends.xnnpack.operators.node_visitor import NodeVisitor

    replaced: list[tuple[Callable[[], AbstractContextManager[None]], object, str]] = [
        (without_transpositions_that_cancel, xnnpack_preprocess, "serialize_xnnpack_binary"),
        (with_halves_kept, NodeVisitor, "define_tensor"),
    ]
    for replacing, owner, name in replaced:
        before = getattr(owner, name)
        with pytest.raises(ZeroDivisionError), replacing():
            assert getattr(owner, name) is not before
            raise ZeroDivisionError
        assert getattr(owner, name) is before


def test_a_file_does_not_transpose_its_frame(exported: Path) -> None:
    path = exported / next(f.name for f in Manifest.read(exported).files if f.format == "pte")
    found = inspect(path)
    _, height, width, _ = found.inputs[0].shape
    of_frame = {(1, 3, height, width), (1, height, width, 3)}
    assert not [
        op for op in found.operations if "Transpose" in op.kind and tuple(op.shape) in of_frame
    ]
