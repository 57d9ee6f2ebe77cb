"""What the four converters share."""

import copy
import importlib
import logging
import os
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

import torch
from torch import Tensor, nn

from converters.graph import Target, mobile_form
from converters.graph.int8 import int8_form, is_rounded
from model import DEIMv2
from model.errors import CheckError, MissingExtraError


def require(package: str, extra: str) -> ModuleType:
    """Import an optional package, or say in one line which extra brings it."""
    try:
        return importlib.import_module(package)
    except ModuleNotFoundError as error:
        if error.name is None or error.name.split(".")[0] != package.split(".")[0]:
            raise
        raise MissingExtraError(package.split(".")[0], extra) from error


def prepare(net: DEIMv2, target: Target) -> tuple[nn.Module, Tensor]:
    """The mobile form of a copy of `net`, and a frame to trace it with.

    Where `net` rounds to int8, the form says so in operations (`converters.graph.int8`).
    """
    form = mobile_form(copy.deepcopy(net), target)
    height, width = net.image_size
    frame = torch.zeros(1, 3, height, width)
    if target.frame:
        frame = torch.zeros(1, height, width, 3, dtype=torch.uint8)
    if is_rounded(form):
        return int8_form(form, frame, target.folded, target.half), frame
    return form, frame


def expect(what: str, found: object, expected: object) -> None:
    """Raise CheckError unless what was read back from an artifact is what was meant to be in it."""
    if found != expected:
        raise CheckError(f"{what} is {found}, expected {expected}")


@contextmanager
def quiet(log: Path | None) -> Iterator[None]:
    """Send what converters print, native code included, to the end of `log` (None: nowhere)."""
    sys.stdout.flush()
    sys.stderr.flush()
    saved = os.dup(1), os.dup(2)
    with (
        Path(log or os.devnull).open("ab") as file,
        warnings.catch_warnings(),
    ):
        warnings.simplefilter("ignore")
        level = logging.root.manager.disable
        logging.disable(logging.WARNING)
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
        try:
            yield
        finally:
            try:
                sys.stdout.flush()
                sys.stderr.flush()
            finally:  # also where the disk is full
                os.dup2(saved[0], 1)
                os.dup2(saved[1], 2)
                os.close(saved[0])
                os.close(saved[1])
                logging.disable(level)
