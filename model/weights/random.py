"""Reproducible weights that were not trained."""

import re
import zlib

import numpy as np
import torch
from torch import Tensor

from deimv2.model.detector import DEIMv2
from deimv2.model.weights.keys import released_name

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
