"""Definitions of Core ML's operations, in numpy and plain loops, and numbers to try them on."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from deimv2.tests.mil.packages import Array


def real(*shape: int, low: float = -3, high: float = 3) -> Array:
    """Numbers that float16 holds too."""
    random = np.random.default_rng(sum(shape))
    return random.uniform(low, high, shape).astype(np.float16).astype(np.float32)


def weights(*shape: int) -> Array:
    return real(*shape) / 4


def erf(x: Array) -> Array:
    return np.vectorize(math.erf)(x)


def conv(
    x: Array, w: Array, b: Array, strides: Any, pad: Any, dilations: Any, groups: int
) -> Array:
    """Output by output. pad: top, bottom, left, right."""
    x = np.pad(x, ((0, 0), (0, 0), pad[:2], pad[2:]))
    span = [(k - 1) * d + 1 for k, d in zip(w.shape[2:], dilations, strict=True)]
    windows = sliding_window_view(x, span, (2, 3))
    windows = windows[:, :, :: strides[0], :: strides[1], :: dilations[0], :: dilations[1]]
    inputs, outputs = w.shape[1], len(w) // groups
    return np.stack(
        [
            np.einsum("bchwij,cij->bhw", windows[:, (o // outputs) * inputs :][:, :inputs], w[o])
            + b[o]
            for o in range(len(w))
        ],
        axis=1,
    )


def pooled(x: Array, pad: Any, value: float, how: Callable[..., Array]) -> Array:
    """Windows of 3 x 2, every 2 x 1."""
    x = np.pad(x, ((0, 0), (0, 0), pad[:2], pad[2:]), constant_values=value)
    return how(sliding_window_view(x, (3, 2), (2, 3))[:, :, ::2], axis=(-2, -1))


def bilinear(x: Array, rows: list[float], columns: list[float]) -> Array:
    """At these places, in pixels."""

    def along(x: Array, places: list[float], axis: int) -> Array:
        x = np.moveaxis(x, axis, -1)
        known = np.arange(x.shape[-1])
        found = np.apply_along_axis(lambda line: np.interp(places, known, line), -1, x)
        return np.moveaxis(found, -1, axis)

    return along(along(x, rows, -2), columns, -1)
