"""Loading weights: released checkpoints, our own, and the reproducible random rule.

The released layout names most tensors as our modules do. `RENAMES` is the whole difference, and
`DERIVED` what the release stores although it follows from the architecture. Our own checkpoints use
our names, on which no rename applies, so both go through the same door. Everything else must fit
exactly: a missing, unknown or misshapen key is an error.
"""

import json
import re
import warnings
import zlib
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from model import variants
from model.detector import DEIMv2, build_model
from model.errors import InputError
from model.files import write_whole
from model.variants import VARIANTS, Variant

StateDict = Mapping[str, Tensor]

# Released prefix -> ours; `#` stands for an index, `*` for anything. Rows apply one after another;
# backwards, in reverse order, they give the released name of one of our keys.
RENAMES: tuple[tuple[str, str], ...] = (
    # HGNetv2
    ("backbone.st*.bn.", "backbone.st*.norm."),
    ("backbone.st*.lab.", "backbone.st*.affine."),
    # ViT and STA
    ("backbone.dinov3._model.", "backbone.vit."),
    ("backbone.dinov3.", "backbone.vit."),
    ("backbone.vit.patch_embed.proj.", "backbone.vit.patch_embed."),
    ("backbone.vit.rope_embed.", "backbone.vit.rotary."),
    ("backbone.sta.stem.0.", "backbone.detail.stem.conv."),
    ("backbone.sta.stem.1.", "backbone.detail.stem.norm."),
    ("backbone.sta.conv2.0.", "backbone.detail.conv2.conv."),
    ("backbone.sta.conv2.1.", "backbone.detail.conv2.norm."),
    ("backbone.sta.conv3.1.", "backbone.detail.conv3.conv."),
    ("backbone.sta.conv3.2.", "backbone.detail.conv3.norm."),
    ("backbone.sta.conv4.1.", "backbone.detail.conv4.conv."),
    ("backbone.sta.conv4.2.", "backbone.detail.conv4.norm."),
    ("backbone.convs.#.", "backbone.fusion.#.conv."),
    ("backbone.norms.#.", "backbone.fusion.#.norm."),
    # encoders
    ("encoder.input_proj.0.", "encoder.input_proj."),
    ("encoder.down_sample#.1.", "encoder.down_sample#.point.conv."),
    ("encoder.down_sample#.2.", "encoder.down_sample#.point.norm."),
    ("encoder.bi_fusion.cv.", "encoder.global_fusion."),
    ("encoder.encoder.0.layers.0.", "encoder.layer."),
    ("encoder.downsample_convs.#.0.", "encoder.downsample_convs.#."),
    # decoder
    ("*.in_proj_", "*.in_proj."),
    ("decoder.decoder.up", "decoder.integral.up"),
    ("decoder.decoder.reg_scale", "decoder.integral.reg_scale"),
    ("decoder.decoder.layers.", "decoder.layers."),
    ("decoder.layers.#.norm2.", "decoder.layers.#.residual.norm."),
    ("decoder.layers.#.gateway.", "decoder.layers.#.residual."),
    ("decoder.layers.#.swish_ffn.", "decoder.layers.#.ffn."),
    ("decoder.decoder.lqe_layers.#.reg_conf.", "decoder.quality.#.mlp."),
)

# Left out on loading: what follows from the image size or the points per level, the mask token of
# DINOv3's pre-training, and second names of tensors that are stored twice.
DERIVED = re.compile(
    r"^decoder\.(anchors|valid_mask|up|reg_scale)$|\.num_points_scale$|\.mask_token$"
)


def _rows(variant: Variant) -> list[tuple[str, str]]:
    """The rows that apply to a variant; the others would make its names ambiguous backwards."""
    lite = isinstance(variant.encoder, variants.LiteEncoder)
    distilled = (
        isinstance(variant.backbone, variants.ViT) and not variant.backbone.pretrained_extras
    )
    skipped = {
        "backbone.dinov3._model.": not distilled,
        "backbone.dinov3.": distilled,
        "encoder.input_proj.0.": not lite,
        "decoder.layers.#.norm2.": variant.decoder.gate,
        "decoder.layers.#.gateway.": not variant.decoder.gate,
    }
    return [row for row in RENAMES if not skipped.get(row[0], False)]


@cache
def _rule(prefix: str, replacement: str) -> tuple[re.Pattern[str], str]:
    """Pattern of a prefix, and what to put in its place."""
    pattern = re.escape(prefix).replace(r"\#", "#").replace("#", r"(\d+)").replace(r"\*", "(.*)")
    groups = iter(range(1, 9))
    return re.compile(pattern), re.sub(r"[#*]", lambda _: rf"\g<{next(groups)}>", replacement)


def _replace(key: str, prefix: str, replacement: str) -> str:
    pattern, template = _rule(prefix, replacement)
    found = pattern.match(key)
    return found.expand(template) + key[found.end() :] if found else key


def our_name(released: str, variant: Variant) -> str:
    """Our name of a released key; a key of ours stays as it is."""
    for theirs, ours in _rows(variant):
        released = _replace(released, theirs, ours)
    return released


def released_name(key: str, variant: Variant) -> str:
    """The released name of one of our keys."""
    for theirs, ours in reversed(_rows(variant)):
        key = _replace(key, ours, theirs)
    return key


def _ours(state: StateDict, variant: Variant) -> dict[str, Tensor]:
    renamed = {our_name(k, variant): v for k, v in state.items() if not DERIVED.search(k)}
    if variant.decoder.shared_box_head:
        # safetensors stores a tensor that has several names under the first of them alone
        head = re.compile(r"^decoder\.dec_bbox_head\.0\.")
        for key in [k for k in renamed if head.match(k)]:
            for i in range(1, variant.decoder.layers):
                other = head.sub(f"decoder.dec_bbox_head.{i}.", key)
                renamed.setdefault(other, renamed[key])
    return renamed


def load_weights(net: DEIMv2, source: Mapping[str, Any] | str | Path) -> None:
    """Load a checkpoint into `net` (training form), strictly.

    `source` is a state dict, or what a `.pth` file holds, or the path of a `.safetensors` or `.pth`
    file, in the released layout or ours.
    Raises InputError that lists the first few keys if any is missing, unknown or misshapen, and
    says which variant the weights seem to be of.
    """
    state, where = _read(source)
    renamed = _ours(state, net.variant)
    _check_keys(net, renamed, state, where)
    net.load_state_dict(renamed)


def _read(source: Mapping[str, Any] | str | Path) -> tuple[dict[str, Tensor], str]:
    """The state dict of a source, and where it is, for a message."""
    if isinstance(source, Mapping):
        return _state_dict(source, "the mapping"), ""
    return read_checkpoint(source), f" in '{source}'"


def _check_keys(net: DEIMv2, state: StateDict, original: StateDict, where: str) -> None:
    wanted = net.state_dict()
    problems = [f"missing {k}" for k in wanted if k not in state]
    problems += [f"unknown {k}" for k in state if k not in wanted]
    problems += [
        f"{k} has shape {list(v.shape)} instead of {list(wanted[k].shape)}"
        for k, v in state.items()
        if k in wanted and v.shape != wanted[k].shape
    ]
    if not problems:
        return
    shown = "; ".join(problems[:4]) + (f"; and {len(problems) - 4} more" if problems[4:] else "")
    hint = ""
    found = guess_variant(original)
    if found is not None and found != net.variant.name:
        hint = f"; these are weights of variant '{found}', so choose that variant"
    elif found is not None and class_count(original) not in (None, net.num_classes):
        hint = f"; the weights have {class_count(original)} classes, so build with that number"
    raise InputError(
        f"weights{where} do not fit variant '{net.variant.name}' with {net.num_classes} classes: "
        f"{shown}{hint}"
    )


def save_weights(
    net: DEIMv2,
    path: Path,
    labels: Sequence[str],
    dtype: torch.dtype = torch.float32,
    ranges: Mapping[str, tuple[float, float]] | None = None,
    photos: Path | None = None,
    in_float: Path | None = None,
) -> None:
    """Writes a `.safetensors` checkpoint under our names, with class names and image size in its
    metadata, and, where there are any, the int8 ranges of activations, the folder of the photos
    on which it was validated or calibrated, and the float weights that were quantized.

    A tensor that has several names is stored under each. Raises InputError for another number of
    labels than classes.
    """
    if len(labels) != net.num_classes:
        raise InputError(
            f"{len(labels)} class names were given, expected {net.num_classes}; name every class"
        )
    state = {
        key: value.detach().cpu().to(dtype if value.is_floating_point() else value.dtype).clone()
        for key, value in net.state_dict().items()
    }
    about: dict[str, Any] = {
        "labels": list(labels),
        "variant": net.variant.name,
        "image_size": net.image_size,
    }
    if ranges is not None:
        about["ranges"] = ranges
    if photos is not None:
        about["photos"] = str(photos.resolve())
    if in_float is not None:
        about["in_float"] = str(in_float.resolve())
    metadata = {key: json.dumps(value) for key, value in about.items()}
    write_whole(path, save({k: v.contiguous() for k, v in state.items()}, metadata))


def transfer_weights(net: DEIMv2, source: Mapping[str, Any] | str | Path) -> list[str]:
    """Load a checkpoint of any number of classes into `net`; gives the keys that were left alone.

    Those are the tensors whose shape follows from the number of classes, and only if it differs.
    Raises InputError as `load_weights` does.
    """
    state, where = _read(source)
    renamed, current = _ours(state, net.variant), net.state_dict()
    with torch.device("meta"):
        other = build_model(net.variant.name, class_count(state) or net.num_classes)
    _check_keys(other, renamed, state, where)
    remade = [key for key, value in current.items() if value.shape != renamed[key].shape]
    net.load_state_dict(renamed | {key: current[key] for key in remade})
    return remade


def load_backbone(net: DEIMv2, path: Path) -> int:
    """Load pre-trained weights into the backbone: HGNetv2's, or the ViT of an S, M, L or X.

    The keys may have any of the released prefixes or none, as a backbone that was saved alone has.
    Other tensors of the file are left out. Gives the number of tensors loaded; raises InputError
    unless every one of that part is there.
    """
    vit = isinstance(net.variant.backbone, variants.ViT)
    part = "backbone.vit." if vit else "backbone."
    state = read_checkpoint(path)
    wanted = {key: v for key, v in net.state_dict().items() if key.startswith(part)}
    found: dict[str, Tensor] = {}
    for prefix in ("", "backbone.", "backbone.dinov3._model.", "backbone.dinov3."):
        renamed = _ours({prefix + key: value for key, value in state.items()}, net.variant)
        fitting = {k: v for k, v in renamed.items() if k in wanted and v.shape == wanted[k].shape}
        found = max(found, fitting, key=len)
    # buffers that follow from the architecture need not be there
    missing = [key for key in wanted if key not in found and not key.endswith(".periods")]
    if missing:
        raise InputError(
            f"'{path}' has {len(found)} of the {len(wanted)} tensors of variant "
            f"'{net.variant.name}'s backbone, the first missing is {missing[0]}; use weights of "
            "that backbone"
        )
    net.load_state_dict(found, strict=False)
    return len(found)


def class_count(state: StateDict) -> int | None:
    """Number of classes that a checkpoint was trained on, None if it has no class head."""
    head = state.get("decoder.enc_score_head.bias")
    return len(head) if head is not None and head.ndim == 1 else None


def guess_variant(state: StateDict) -> str | None:
    """The variant whose keys and shapes (class heads aside) a checkpoint has, None if none's."""
    for name, variant in VARIANTS.items():
        with torch.device("meta"):
            wanted = build_model(name, class_count(state) or 1).state_dict()
        found = {k: v.shape for k, v in _ours(state, variant).items()}
        if found == {k: v.shape for k, v in wanted.items()}:
            return name
    return None


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


def read_labels(path: str | Path) -> list[str] | None:
    """Class names stored in a checkpoint of ours, else None."""
    return _metadata(Path(path), "labels")


def read_image_size(path: str | Path) -> tuple[int, int] | None:
    """Height and width that a checkpoint of ours was trained at, else None."""
    size = _metadata(Path(path), "image_size")
    return None if size is None else (int(size[0]), int(size[1]))


def read_ranges(path: str | Path) -> dict[str, tuple[float, float]] | None:
    """Low and high by the name of the place, of a checkpoint that was quantized, else None."""
    ranges = _metadata(Path(path), "ranges")
    return None if ranges is None else {name: (low, high) for name, (low, high) in ranges.items()}


def read_photos(path: str | Path) -> Path | None:
    """The folder of photos that a checkpoint of ours names, where it is there, else None."""
    photos = _metadata(Path(path), "photos")
    return Path(photos) if isinstance(photos, str) and Path(photos).is_dir() else None


def read_in_float(path: str | Path) -> Path | None:
    """The float weights that a checkpoint was quantized from, where they are there, else None."""
    source = _metadata(Path(path), "in_float")
    return Path(source) if isinstance(source, str) and Path(source).is_file() else None


def _metadata(path: Path, key: str) -> Any:
    """What `save_weights` put beside the tensors, None where there is nothing."""
    if path.suffix != ".safetensors" or not path.is_file():
        return None
    try:
        with safe_open(path, framework="pt") as file:
            stored = (file.metadata() or {}).get(key)
        return None if stored is None else json.loads(stored)
    except (SafetensorError, OSError, ValueError):
        return None  # read_checkpoint says what is wrong with the file


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
    return _state_dict(stored, f"'{path}'")


def _state_dict(stored: object, name: str) -> dict[str, Tensor]:
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


# Values that the architecture gives and the random rule keeps.
RANDOM_KEPT = re.compile(r"\.up$|\.reg_scale$|num_batches_tracked$|\.periods$")


def random_state(net: DEIMv2, seed: int = 0) -> dict[str, Tensor]:
    """Reproducible weights for `net`: each tensor follows from its released key's name alone.

    They stand in where no trained weights are at hand. PyTorch's own initialisation would make the
    features vanish and every score a tie; these gains keep the signal alive through all layers.
    """
    state = {}
    for ours, current in net.state_dict().items():
        key = released_name(ours, net.variant)
        if RANDOM_KEPT.search(key):
            state[ours] = current
            continue
        shape = tuple(current.shape)
        rng = np.random.default_rng(zlib.crc32(key.encode()) ^ seed)
        noise = rng.standard_normal(shape).astype(np.float32)
        if key.endswith("running_mean"):
            value = 0.1 * noise
        elif key.endswith("running_var"):
            value = 1 + 0.1 * np.tanh(noise)
        elif len(shape) >= 2:
            gain = 0.4 if key.startswith("encoder.") else 1.0 if "dinov3" in key else 2.0
            value = noise * np.sqrt(gain / np.prod(shape[1:]))
        elif key.endswith("bias"):
            value = 0.02 * noise
        else:
            value = 1 + 0.1 * noise
        state[ours] = torch.from_numpy(value.astype(np.float32))
    return state
