"""Runs a `.pte` file by ExecuTorch.

The runtime refuses truncated files with an error code alone, so the header is read first. It aborts
the whole process on some files with single wrong bytes, which no header shows: compare the hash
with the manifest's before opening a file that has one (`deimv2.converters.manifest.check_beside`).
"""

import warnings
import weakref
from pathlib import Path
from typing import Any, ClassVar

import torch

from deimv2.converters.pte.convert import interface, load_runtime, open_program, read_card
from deimv2.converters.pte.program import check_header
from deimv2.converters.runner import (
    Frame,
    Stopwatch,
    broken,
    detections,
    frame_size,
    labels_in,
    output_order,
    require_frame,
)
from deimv2.model.detections import Detections
from deimv2.model.errors import InputError
from deimv2.model.optional import quiet


class ExecuTorchRunner:
    _alive: ClassVar["weakref.WeakSet[ExecuTorchRunner]"] = weakref.WeakSet()

    def __init__(self, path: Path, threads: int | None = None) -> None:
        check_header(path)
        try:
            with quiet(None):
                self._set_threads(load_runtime(), threads)
                program = open_program(path)
                self._net = program.load_method("forward")
                card = read_card(program)
        except RuntimeError as error:
            raise broken(path, error) from error
        self._path, self.inside = path, Stopwatch()
        inputs, outputs = interface(program)
        self.size = frame_size(path, inputs)
        self.order = output_order(path, outputs)
        self.labels = labels_in(card, path)
        self._alive.add(self)

    @classmethod
    def _set_threads(cls, runtime: Any, threads: int | None) -> None:
        """The pool is one per process, and a loaded method keeps a pointer to it: the run of a
        method whose pool was replaced hangs."""
        if threads is None or threads == runtime._threadpool_get_thread_count():
            return
        if cls._alive:
            raise InputError(
                f"{threads} threads asked for while another .pte file is open with "
                f"{runtime._threadpool_get_thread_count()}; close that one first"
            )
        runtime._unsafe_reset_threadpool(threads)

    def detect(self, frame: Frame) -> Detections:
        require_frame(frame, self.size)
        given = [shared(frame)]
        try:
            with self.inside:
                outputs = self._net(given, clone_outputs=False)  # `detections` copies
        except RuntimeError as error:
            raise broken(self._path, error) from error
        return detections([output.numpy() for output in outputs], self.order)


def shared(frame: Frame) -> torch.Tensor:
    """The frame as a tensor [1, H, W, 3] over the same memory: a copy by PyTorch wakes its pool of
    threads, which takes longer than a small network."""
    if frame.flags.writeable:
        return torch.from_numpy(frame[None])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # of frames that may not be written to
        return torch.from_numpy(frame[None])
