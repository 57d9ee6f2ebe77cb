"""Checkpoints of a running training: whole or not there, and an orderly stop."""

import contextlib
import errno
import io
import shlex
import signal
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import torch

from deimv2.model.errors import InputError
from deimv2.model.files import write_whole
from deimv2.model.signals import handling
from deimv2.model.weights import places

FORMAT = 4  # of LAST
LAST, BEST = places.LAST, places.BEST


class StopError(Exception):
    """Asked to stop; the state is saved."""


def require_unused(output: Path) -> None:
    """Raises InputError for a folder in which a training, or what is left of one, would be
    replaced."""
    if (output / LAST).exists():
        raise InputError(
            f"'{output}' holds a training already; continue with --resume "
            f"{shlex.quote(str(output))}, or choose another --output"
        )
    if (output / BEST).exists():
        raise InputError(
            f"'{output / BEST}' is there, expected no weights of an earlier training, as they "
            "would be replaced; move them, or choose another --output"
        )


def save_state(folder: Path, state: Mapping[str, Any]) -> None:
    """Writes LAST: tensors and plain values by name. Raises InputError where the disk is full."""
    content = io.BytesIO()
    torch.save({"format": FORMAT} | dict(state), content)
    guarded(folder, lambda: write_whole(folder / LAST, content.getvalue()))


def guarded(folder: Path, write: Callable[[], None]) -> None:
    """Runs `write`, which leaves nothing partial. Raises InputError where the disk is full."""
    try:
        write()
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        way = "no state was saved yet: free some space, and start again with another --output"
        if (folder / LAST).is_file():
            way = (
                "what was saved before is intact: free some space, then continue with --resume "
                f"{shlex.quote(str(folder))}"
            )
        raise InputError(
            f"no space left in '{folder}', expected room for the weights; {way}"
        ) from error


def read_state(folder: Path) -> dict[str, Any]:
    """What `Trainer.save` wrote. Raises InputError if there is none, or it is damaged."""
    path = folder / LAST
    if not path.is_file():
        raise InputError(
            f"no '{path}', expected the folder of a training that was stopped; check the path"
        )
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
        if state["format"] == FORMAT:
            return state
    except Exception as error:  # a broken pickle can raise anything
        best = folder / BEST
        left = f"; the best weights until then are in '{best}'" if best.is_file() else ""
        raise InputError(
            f"'{path}' is damaged ({type(error).__name__}), expected a saved training; start "
            f"again with another --output{left}"
        ) from error
    raise InputError(
        f"'{path}' has format {state['format']}, expected {FORMAT}; use the version that wrote it"
    )


@contextlib.contextmanager
def stop_signals() -> Iterator[list[int]]:
    """Within it, Ctrl-C and SIGTERM are put into the list instead; a second Ctrl-C interrupts."""
    asked: list[int] = []

    def note(number: int, _: object) -> None:
        if asked:
            raise KeyboardInterrupt
        asked.append(number)

    with handling((signal.SIGINT, signal.SIGTERM), note):
        yield asked
