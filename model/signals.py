"""Signals, which Python lets the main thread alone handle."""

import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

Handler = Callable[[int, object], None] | signal.Handlers


@contextmanager
def handling(numbers: Sequence[int], handler: Handler) -> Iterator[Callable[[], None]]:
    """Within the block, `handler` receives these signals. Yields a function that installs it again,
    for use after other code has installed its own. Outside the main thread nothing changes."""
    if threading.current_thread() is not threading.main_thread():
        yield lambda: None
        return
    before = {number: signal.signal(number, handler) for number in numbers}

    def again() -> None:
        for number in numbers:
            signal.signal(number, handler)

    try:
        yield again
    finally:
        for number, earlier in before.items():  # None: one that was not set by Python
            signal.signal(number, signal.SIG_DFL if earlier is None else earlier)


@contextmanager
def stoppable() -> Iterator[None]:
    """Within the block, SIGTERM does what Ctrl-C does, so that child processes end and temporary
    files are removed."""

    def stop(signum: int, frame: object) -> None:
        raise KeyboardInterrupt

    with handling([signal.SIGTERM], stop):
        yield
