"""What a program around ours may have set for all of PyTorch, put aside while our code runs.

A notebook sets `torch.set_default_dtype(torch.float64)`, `torch.set_default_device("cuda")`,
`torch.set_grad_enabled(False)` or autocast for its own work. Our networks are built and run in
float32, on the device that was asked for, and training needs gradients.
"""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from threading import Lock

import torch

DEVICES = ("cpu", "cuda", "mps")


@contextmanager
def own_defaults() -> Iterator[None]:
    """float32, on the CPU unless a device is named, with gradients and without autocast.

    Also a decorator: `@own_defaults()`. Nothing is entered that holds already, so that it costs
    nothing and exports trace the same graph.
    """
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
    """As default type, which all threads share: the last to leave restores what was there."""

    def __init__(self) -> None:
        self._lock, self._inside, self._before = Lock(), 0, torch.float32

    def __enter__(self) -> None:
        with self._lock:
            if not self._inside:
                self._before = torch.get_default_dtype()
                torch.set_default_dtype(torch.float32)
            self._inside += 1

    def __exit__(self, *raised: object) -> None:
        with self._lock:
            self._inside -= 1
            if not self._inside:
                torch.set_default_dtype(self._before)


_float32 = _Float32()
