"""Signals, which Python lets the main thread alone handle."""

import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

Handler = Callable[[int, object], None] | signal.Handlers


@contextmanager
def handling(numbers: Sequence[int], handler: Handler) -> Iterator[None]:
    """Meanwhile `handler` gets these signals. In another thread nothing changes."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, handler) for number in numbers}
    try:
        yield
    finally:
        for number, earlier in before.items():  # None: one that was not set by Python
            signal.signal(number, signal.SIG_DFL if earlier is None else earlier)
