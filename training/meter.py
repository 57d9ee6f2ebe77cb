"""What a training reports: means of its losses, and how fast it goes."""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

from deimv2.training.data.batches import Batch


class Meter:
    """Means of the losses since the last report, and the speed."""

    def __init__(self) -> None:
        self.start, self.waited, self.steps = time.monotonic(), 0.0, 0
        self.sums: dict[str, float] = {}

    def wait(self, source: Callable[[], Batch]) -> Batch:
        """A batch from the source; the time that it takes is noted."""
        start = time.monotonic()
        batch = source()
        self.waited += time.monotonic() - start
        return batch

    def add(self, values: Mapping[str, float]) -> None:
        self.steps += 1
        for name, value in values.items():
            self.sums[name] = self.sums.get(name, 0.0) + value

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Leaves out the time within."""
        start = time.monotonic()
        yield
        self.start += time.monotonic() - start

    def means(self) -> dict[str, float]:
        return {name: value / self.steps for name, value in self.sums.items()}

    def speed(self, batch: int) -> dict[str, float]:
        """Images per second, and the share of the time that was spent waiting for data."""
        seconds = time.monotonic() - self.start
        return {
            "images_per_second": self.steps * batch / seconds,
            "waiting": self.waited / seconds,
        }
