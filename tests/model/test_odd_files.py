"""Files of weights that are named or filled in other ways than usual."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor

import deimv2
from deimv2.model.errors import InputError
from deimv2.model.weights import read_checkpoint, save_weights
from deimv2.model.weights.sources import load
from deimv2.tests.nets import random_net

pytestmark = pytest.mark.filterwarnings(
    "ignore"
)  # PyTorch's on kinds of tensors that are new, or old


@pytest.mark.parametrize("place", [None, "ema", "model"])
@pytest.mark.parametrize(
    ("kind", "change"),
    [
        ("sparse", lambda value: value.to_sparse()),
        ("sparse", lambda value: value.to_sparse_csr()),
        ("meta", lambda value: value.to("meta")),
        ("quantized", lambda value: torch.quantize_per_tensor(value, 0.1, 0, torch.qint8)),
        ("nested", lambda value: torch.nested.nested_tensor([value, value])),
    ],
)
def test_tensors_without_plain_values_are_refused(
    tmp_path: Path, kind: str, change: Callable[[Tensor], Tensor], place: str | None
) -> None:
    state = {"encoder.a": torch.ones(3, 3), "encoder.b": change(torch.ones(3, 3))}
    torch.save(state if place is None else {place: {"module": state}}, tmp_path / "a.pth")
    with pytest.raises(InputError, match=rf"a.pth' holds 'encoder.b' as a {kind} tensor, expected"):
        read_checkpoint(tmp_path / "a.pth")


def test_suffixes_in_capitals_are_those_of_checkpoints(tmp_path: Path) -> None:
    net = random_net("atto", 2, 160)
    torch.save({"model": net.state_dict()}, pth := tmp_path / "A.PTH")
    save_weights(net, tmp_path / "b.safetensors", ["cup", "plate"])
    (tmp_path / "b.safetensors").rename(own := tmp_path / "B.SafeTensors")
    assert load("auto", str(own), None, None).labels == ("cup", "plate")
    assert deimv2.load(own).classes == ("cup", "plate") and deimv2.load(own).size == (160, 160)
    (names := tmp_path / "names.txt").write_text("x\ny\n")
    assert deimv2.load(pth, labels=names).classes == ("x", "y")
