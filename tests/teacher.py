"""A file as DINOv3's ViT-S is released, with the reproducible random weights."""

from pathlib import Path

import torch

from deimv2.model import build_model
from deimv2.model.weights import random_state, released_name

PREFIX = "backbone.dinov3."


def write_teacher(path: Path) -> Path:
    net = build_model("l")
    named = {released_name(key, net.variant): value for key, value in random_state(net).items()}
    state = {key.removeprefix(PREFIX): v for key, v in named.items() if key.startswith(PREFIX)}
    torch.save(state | {"mask_token": torch.zeros(1, 384)}, path)
    return path
