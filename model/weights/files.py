"""Checkpoint files: tensors by name, and nothing that runs."""

import re
import warnings
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from deimv2.model.errors import InputError, first_line
from deimv2.model.files import PICKLES
from deimv2.model.weights.fused import onnx_state
from deimv2.model.weights.transformers_layout import (
    LAYOUT,
    from_transformers,
    heads_beside,
    is_transformers,
)

# Where a checkpoint keeps weights, best first: averages over steps before the weights themselves.
AVERAGES = ("ema", "model_ema", "ema_state_dict", "ema_model")
PLACES = (*AVERAGES, "model", "state_dict", "model_state_dict", "net")
INSIDE = ("module", "state_dict", "model")  # of these: one more level
# What wrappers put before every name: averages, DDP, Lightning; torch.compile's stands anywhere.
PREFIXES = ("ema.module.", "model_ema.module.", "ema_model.", "module.", "model.", "net.")
COMPILED = "_orig_mod."
ROOTS = ("backbone.", "encoder.", "decoder.", "conv_encoder.")
DEPLOYED = "a deployed export: what only training uses is initialised"
LFS = b"version https://git-lfs.github.com/spec/"


def read_checkpoint(path: str | Path) -> dict[str, Tensor]:
    """The state dict of `read_noted`, without the notes."""
    return read_noted(path)[0]


def read_noted(path: str | Path) -> tuple[dict[str, Tensor], list[str]]:
    """State dict, in float32, of a `.safetensors`, `.pth`, `.pt`, `.ckpt`, `.bin` or `.onnx` file,
    and notes on what was chosen in it and removed: "weights under 'ema'", "prefix 'module.'".

    Averages of weights (EMA) come first where a file has them. Only tensors and plain containers
    are ever unpickled. Raises InputError for a file that is missing, truncated or of another kind.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f"no checkpoint at '{path}'; expected a .safetensors or .pth file")
    suffix = path.suffix.lower()
    if suffix == ".safetensors":
        return named_as_ours(_read_safetensors(path), [], f"'{path}'")
    if suffix == ".onnx":
        return onnx_state(path), [DEPLOYED]
    if suffix in PICKLES:
        return _read_pickle(path)
    raise InputError(
        f"'{path}' ends in '{path.suffix}'; expected a .safetensors or .pth checkpoint"
    )


def _read_safetensors(path: Path) -> dict[str, Tensor]:
    try:
        with safe_open(path, framework="pt") as file:
            return {key: file.get_tensor(key).float() for key in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError, RuntimeError, ValueError) as error:
        _begins(path)
        raise InputError(
            f"'{path}' is not a complete .safetensors file ({first_line(error)[:120]}); "
            "fetch it again"
        ) from error


def _begins(path: Path) -> bytes:
    """The first bytes. Raises InputError for the pointer that Git LFS leaves in place of a file."""
    with path.open("rb") as file:
        found = file.read(len(LFS))
    if found == LFS:
        raise InputError(
            f"'{path}' is a pointer of Git LFS, expected the file itself; fetch it with "
            "'git lfs pull'"
        )
    return found


def _read_pickle(path: Path) -> tuple[dict[str, Tensor], list[str]]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            stored = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # a broken or hostile pickle can raise anything
        if _begins(path)[8:10] == b'{"':  # behind the header's length
            raise InputError(f"'{path}' is a .safetensors file; give it that ending") from error
        if foreign := re.search(r"GLOBAL ([\w.]+)", str(error)):
            raise InputError(
                f"'{path}' holds objects beside its tensors ({foreign.group(1)}), which are not "
                "loaded, as they could run anything; save its state dict alone with "
                "safetensors.torch.save_file, where you trust the file"
            ) from error
        raise InputError(
            f"'{path}' is not a complete .pth file of plain tensors ({first_line(error)[:120]}); "
            "fetch it again or save its state dict as .safetensors"
        ) from error
    return state_dict_in(stored, f"'{path}'")


def state_dict_in(stored: object, name: str) -> tuple[dict[str, Tensor], list[str]]:
    """As `read_noted`, from the unpickled content of a file. name: of the file, for a message."""
    inside = stored if isinstance(stored, Mapping) else {}
    for key in PLACES:
        found = _tensors_in(inside.get(key), name)
        if found is not None:
            return named_as_ours(found, [f"weights under '{key}'"], name)
    found = _tensors_in(stored, name)
    if found is None:
        raise InputError(
            f"{name} holds no state dict; expected tensors at the top, or under one of "
            f"{', '.join(PLACES)}"
        )
    return named_as_ours(found, [], name)


def _tensors_in(stored: object, name: str) -> dict[str, Tensor] | None:
    """The tensors of a mapping by name, or those one level further in; None if there are none.
    Raises InputError for tensors that do not hold all their values."""
    if not isinstance(stored, Mapping) or not stored:
        return None
    if all(map(torch.is_tensor, stored.values())):
        for key, value in stored.items():
            if kind := _kind_of(value):
                raise InputError(
                    f"{name} holds '{key}' as a {kind} tensor, expected plain ones with all their "
                    "values; save the weights as such"
                )
        return {str(k): v.float() if v.is_floating_point() else v for k, v in stored.items()}
    inside = (stored[key] for key in INSIDE if isinstance(stored.get(key), Mapping))
    inner = (_tensors_in(each, name) for each in inside)
    return next((found for found in inner if found is not None), None)


def _kind_of(tensor: Tensor) -> str:
    """What kind of tensor it is, "" for a plain one that holds its values."""
    kinds = {
        "meta": tensor.is_meta,
        "quantized": tensor.is_quantized,
        "nested": tensor.is_nested,
        "sparse": tensor.layout != torch.strided,
    }
    return next((kind for kind, found in kinds.items() if found), "")


def named_as_ours(
    state: dict[str, Tensor], notes: list[str], name: str
) -> tuple[dict[str, Tensor], list[str]]:
    """The state and the notes, without wrappers' prefixes and transformers' own names."""
    inner, said = without_prefixes(state, notes)
    if not is_transformers(inner):
        return inner, said
    said = [note for note in said if note != "prefix 'model.'"]
    return from_transformers(heads_beside(state) | inner, name), [*said, LAYOUT]


def without_prefixes(
    state: dict[str, Tensor], notes: list[str]
) -> tuple[dict[str, Tensor], list[str]]:
    """The state under the names of the network itself, where wrappers put something before them.

    What has another prefix beside it (losses, a second copy) is left out.
    """
    if any(COMPILED in key for key in state):
        notes = [*notes, f"prefix '{COMPILED}'"]
        state = {key.replace(COMPILED, ""): value for key, value in state.items()}
    while not any(key.startswith(ROOTS) for key in state):
        prefix = next((p for p in PREFIXES if any(key.startswith(p) for key in state)), None)
        if prefix is None:
            break
        notes = [*notes, f"prefix '{prefix}'"]
        state = {k.removeprefix(prefix): v for k, v in state.items() if k.startswith(prefix)}
    return state, notes
