"""What a program around ours may have set for all of PyTorch, put aside while our code runs.

A notebook sets `torch.set_default_dtype(torch.float64)`, `torch.set_default_device("cuda")`,
`torch.set_grad_enabled(False)` or autocast for its own work. Our networks are built and run in
float32, on the device that was asked for, and training needs gradients.
"""

import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from threading import Lock
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

DEVICES = ("cpu", "cuda", "mps")


@contextmanager
def own_defaults() -> Iterator[None]:
    """float32, on the CPU unless a device is named, with gradients and without autocast.

    Also a decorator: `@own_defaults()`, but not of generators, which would run outside. Nothing is
    entered that holds already, so that it costs microseconds and exports trace the same graph.
    Where nobody has loaded PyTorch, which takes seconds, nobody has set anything.
    """
    if "torch" not in sys.modules:
        yield
        return
    import torch

    with ExitStack() as stack:
        stack.enter_context(_float32)
        if torch.get_default_device().type != "cpu":
            stack.enter_context(torch.device("cpu"))
        if torch.is_inference_mode_enabled():
            stack.enter_context(torch.inference_mode(False))
        if not torch.is_grad_enabled():
            stack.enter_context(torch.enable_grad())
        for device in DEVICES:
            if torch.is_autocast_enabled(device):
                stack.enter_context(torch.autocast(device, enabled=False))
        yield


class _Float32:
    """As the default type. All threads share it, also those of the program around ours: the last of
    our calls to leave restores what was there, also where that was set while a call ran."""

    def __init__(self) -> None:
        self._lock, self._inside = Lock(), 0
        self._before: torch.dtype | None = None  # None: float32 all the time

    def __enter__(self) -> None:
        import torch

        with self._lock:
            if (found := torch.get_default_dtype()) != torch.float32:
                self._before = found
                torch.set_default_dtype(torch.float32)
            self._inside += 1

    def __exit__(self, *raised: object) -> None:
        import torch

        with self._lock:
            self._inside -= 1
            if not self._inside and self._before is not None:
                torch.set_default_dtype(self._before)
                self._before = None


_float32 = _Float32()
