"""Runs an `.aimodel` by Core AI's own runtime: on macOS 27 that of the system, elsewhere the
interpreter in coreai-core, which is exact and slow."""

import asyncio
import os
import threading
from collections.abc import Coroutine
from functools import cache
from pathlib import Path
from typing import Any

from deimv2.converters.aimodel import AIMODEL
from deimv2.converters.aimodel.asset import FUNCTION, interface, load, read_card, read_graph
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
from deimv2.model.optional import quiet, require


class CoreAIRunner:
    def __init__(self, path: Path, threads: int | None = None) -> None:
        if threads is not None:
            raise InputError(
                f"{threads} threads asked for, but Core AI chooses itself; leave it out"
            )
        inputs, outputs = interface(read_graph(path))
        self._path, self.inside = path, Stopwatch()
        self.size = frame_size(path, inputs)
        self.order = output_order(path, outputs)
        self.labels = labels_in(read_card(path), path)
        self._input, self._outputs = inputs[0].name, [port.name for port in outputs]
        try:
            with quiet(None):
                self._array = require("coreai.runtime", AIMODEL.extra).NDArray
                self._function = awaited(_function(load(path)))
        except (RuntimeError, KeyError) as error:
            raise broken(path, error) from error

    def detect(self, frame: Frame) -> Detections:
        require_frame(frame, self.size)
        given = {self._input: self._array(frame[None])}
        try:
            with self.inside:
                found = awaited(self._function(given))
        except RuntimeError as error:
            raise broken(self._path, error) from error
        return detections([found[name].numpy() for name in self._outputs], self.order)


async def _function(asset: Any) -> Any:
    """It owns what it needs; the model that it comes from does not."""
    async with asset.executable() as model:
        return model.load_function(FUNCTION)


def awaited(work: Coroutine[Any, Any, Any]) -> Any:
    """The result of a coroutine, also where the caller runs an event loop of its own."""
    return asyncio.run_coroutine_threadsafe(work, _loop(os.getpid())).result()


@cache
def _loop(_process: int) -> asyncio.AbstractEventLoop:
    """A loop in a thread of its own; threads do not survive a fork."""
    loop = asyncio.new_event_loop()
    threading.Thread(target=loop.run_forever, name="Core AI", daemon=True).start()
    return loop
