"""Checkpoint files: tensors by name, and nothing that runs."""

import warnings
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from deimv2.model.errors import InputError


def read_checkpoint(path: str | Path) -> dict[str, Tensor]:
    """State dict of a `.safetensors` or `.pth` file; the EMA weights of a `.pth` where it has them.

    No object of the file is ever unpickled but tensors and plain containers. Raises InputError for
    a file that is missing, truncated or of another kind.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f"no checkpoint at '{path}'; expected a .safetensors or .pth file")
    if path.suffix == ".safetensors":
        return _read_safetensors(path)
    if path.suffix in (".pth", ".pt"):
        return _read_pickle(path)
    raise InputError(
        f"'{path}' ends in '{path.suffix}'; expected a .safetensors or .pth checkpoint"
    )


def _read_safetensors(path: Path) -> dict[str, Tensor]:
    try:
        with safe_open(path, framework="pt") as file:
            return {key: file.get_tensor(key).float() for key in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError, RuntimeError, ValueError) as error:
        raise InputError(
            f"'{path}' is no complete .safetensors file ({_first_line(error)}); fetch it again"
        ) from error


def _read_pickle(path: Path) -> dict[str, Tensor]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            stored = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # a broken or hostile pickle can raise anything
        raise InputError(
            f"'{path}' is no complete .pth file of plain tensors ({_first_line(error)}); "
            "fetch it again or save its state dict as .safetensors"
        ) from error
    return state_dict_in(stored, f"'{path}'")


def state_dict_in(stored: object, name: str) -> dict[str, Tensor]:
    """The state dict inside a checkpoint, its EMA before its other weights, as float32."""
    for place in (("ema", "module"), ("model",), ()):
        found = stored
        for key in place:
            found = found.get(key) if isinstance(found, Mapping) else None
        if isinstance(found, Mapping) and found and all(map(torch.is_tensor, found.values())):
            return {str(k): v.float() if v.is_floating_point() else v for k, v in found.items()}
    raise InputError(
        f"{name} holds no state dict; expected tensors at the top, under 'model', or under 'ema'"
    )


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0][:120] if lines else type(error).__name__
