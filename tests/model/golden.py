"""The released keys, the weights behind the golden outputs, and the golden outputs themselves."""

import json
import zlib
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from deimv2.model import VARIANTS, build_model
from deimv2.model.weights import our_name

REFERENCE = Path(__file__).parents[1] / "reference"
KEYS: dict[str, dict[str, list[int]]] = json.loads((REFERENCE / "keys.json").read_text())
FIXED = (
    "anchors",
    "valid_mask",
    "num_points_scale",
    "project",
    ".up",
    ".reg_scale",
    "num_batches_tracked",
    "periods",
)

# Every variant, the large ones among the long tests.
LARGE = ("m", "l", "x")
BY_COST = [
    *(variant for variant in VARIANTS if variant not in LARGE),
    *(pytest.param(variant, marks=pytest.mark.long) for variant in LARGE),
]


@cache
def constants(variant: str) -> dict[str, Tensor]:
    """What the architecture gives, by our names."""
    state = build_model(variant).state_dict()
    return {k: v.clone() for k, v in state.items() if any(part in k for part in FIXED)}


def released_state(variant: str, seed: int = 0) -> dict[str, Tensor]:
    """A state dict with exactly the released keys: a second writing of the rule, to test by."""
    ours = constants(variant)
    state = {}
    for key, shape in KEYS[variant].items():
        if any(part in key for part in FIXED):
            state[key] = ours.get(our_name(key, VARIANTS[variant]), torch.zeros(shape))
            continue
        n = np.random.default_rng(zlib.crc32(key.encode()) ^ seed).standard_normal(shape)
        n = n.astype(np.float32)
        if key.endswith("running_mean"):
            n = 0.1 * n
        elif key.endswith("running_var"):
            n = 1 + 0.1 * np.tanh(n)
        elif len(shape) >= 2:
            gain = 0.4 if key.startswith("encoder.") else 1.0 if "dinov3" in key else 2.0
            n = n * np.sqrt(gain / np.prod(shape[1:]))
        elif key.endswith("bias"):
            n = 0.02 * n
        else:
            n = 1 + 0.1 * n
        state[key] = torch.from_numpy(np.asarray(n, dtype=np.float32))
    return state


def golden_image(height: int, width: int) -> Tensor:
    rng = np.random.default_rng(7)
    return torch.from_numpy(rng.random((1, 3, height, width), dtype=np.float32))


def sample(feature: Tensor) -> np.ndarray:
    return feature.flatten()[:: max(1, feature.numel() // 2000)].numpy()


def matched_errors(
    logits: Tensor, boxes: Tensor, other_logits: Tensor, other_boxes: Tensor
) -> tuple[int, float, float]:
    """Queries [Q, C], [Q, 4] matched to their nearest others: distinct partners, worst errors.

    Queries whose encoder scores tie within rounding may swap places, so order does not count.
    """
    distance = torch.cdist(boxes, other_boxes, p=torch.inf)
    distance += 0.1 * torch.cdist(logits, other_logits, p=torch.inf)
    nearest = distance.argmin(1)
    return (
        len(set(nearest.tolist())),
        (logits - other_logits[nearest]).abs().max().item(),
        (boxes - other_boxes[nearest]).abs().max().item(),
    )
