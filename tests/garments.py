"""Files in the format of Fashion-MNIST, with simple shapes for garments."""

import gzip
from collections.abc import Sequence
from pathlib import Path

import numpy as np

SIDE = 28  # pixels
NUMBERS = tuple(range(10))  # Fashion-MNIST's classes, of which 2 is Pullover and 6 is Shirt


def bar(length: int = 20, width: int = 10) -> np.ndarray:
    picture = np.zeros((SIDE, SIDE), np.uint8)
    top, left = (SIDE - length) // 2, (SIDE - width) // 2
    picture[top : top + length, left : left + width] = 255
    return picture


def disc(diameter: float = 24) -> np.ndarray:
    y, x = np.mgrid[:SIDE, :SIDE] - (SIDE - 1) / 2
    return np.uint8(255 * (np.hypot(y, x) <= diameter / 2))


def idx(array: np.ndarray) -> bytes:
    """The format of MNIST: two zero bytes, type uint8, dimensions, big-endian sides, values."""
    sides = np.array(array.shape, ">u4").tobytes()
    return bytes([0, 0, 8, array.ndim]) + sides + array.astype(np.uint8).tobytes()


def write_garments(
    folder: Path,
    pictures: Sequence[np.ndarray] = (bar(),) * len(NUMBERS),
    numbers: Sequence[int] = NUMBERS,
) -> Path:
    """Both parts of Fashion-MNIST, alike."""
    folder.mkdir(parents=True, exist_ok=True)
    for part in ("train", "t10k"):
        for name, array in (("images-idx3", np.stack(pictures)), ("labels-idx1", numbers)):
            packed = gzip.compress(idx(np.asarray(array)))
            (folder / f"{part}-{name}-ubyte.gz").write_bytes(packed)
    return folder
