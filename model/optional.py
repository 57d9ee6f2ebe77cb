"""Packages that come with extras: imported when they are needed, and kept from talking."""

import importlib
import logging
import os
import sys
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

from deimv2.model.errors import MissingExtraError

REDIRECTED = threading.RLock()


def require(package: str, extra: str) -> ModuleType:
    """Import an optional package, or say in one line which extra brings it."""
    try:
        return importlib.import_module(package)
    except ModuleNotFoundError as error:
        if error.name is None or error.name.split(".")[0] != package.split(".")[0]:
            raise
        raise MissingExtraError(package.split(".")[0], extra) from error


@contextmanager
def quiet(log: Path | None) -> Iterator[None]:
    """Send what converters print, native code included, to the end of `log` (None: nowhere).

    One thread at a time: the outputs are the whole process's.
    """
    with (
        REDIRECTED,
        Path(log or os.devnull).open("ab") as file,
        warnings.catch_warnings(),
    ):
        sys.stdout.flush()
        sys.stderr.flush()
        saved = os.dup(1), os.dup(2)
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
