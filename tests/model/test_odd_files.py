"""Files of weights that are named or filled in other ways than usual."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor

from deimv2.model.errors import InputError
from deimv2.model.weights import read_checkpoint

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
