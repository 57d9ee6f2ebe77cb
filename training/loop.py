"""What every training does around its steps: reports, checkpoints, an orderly stop."""

import time
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from deimv2.model.errors import InputError
from deimv2.training.checkpoint import StopError, stop_signals
from deimv2.training.data.batches import Batch
from deimv2.training.meter import Meter

Metrics = Mapping[str, float | None]  # by COCO's names; "agreement": AP of a teacher's detections


def shown(metrics: Metrics) -> list[tuple[str, str]]:
    """Those that a line tells, as name and number."""
    names = ("AP", "AP50", "agreement")
    return [(k, f"{value:.4f}") for k in names if (value := metrics.get(k)) is not None]


@dataclass(frozen=True)
class Place:
    """Where a training stands: steps done, of how many, and the epoch that the last was of, which
    counts from 0, of how many."""

    step: int
    steps: int
    epoch: int
    epochs: int = 1

    @property
    def shown(self) -> str:
        """As people count: "3/60"."""
        return f"{self.epoch + 1}/{self.epochs}"


class TrainingLogger(Protocol):
    """Where a training reports. Of several processes, the first has one that writes."""

    def step(self, place: Place, values: dict[str, float]) -> None: ...
    def epoch(self, place: Place, metrics: Metrics | None, best: tuple[float, int]) -> None:
        """metrics: None after an epoch that is not evaluated. best: AP of the weights that are
        kept, and their epoch, from 1; 0 before the first."""

    def saved(self) -> None:
        """After an epoch, once its state is on the disk."""

    def say(self, message: str) -> None: ...
    def rewind(self, step: int) -> None:
        """Forget all reports after this step."""


class Loop(ABC):
    """step: done so far. steps: of the whole training. A subclass says what a step does and what a
    checkpoint holds."""

    def __init__(self, logger: TrainingLogger, epochs: int, steps_per_epoch: int, batch: int):
        """batch: photos per step, of all processes."""
        self.logger, self.epochs, self.batch = logger, epochs, batch
        self.steps_per_epoch, self.steps = steps_per_epoch, epochs * steps_per_epoch
        self.step = 0
        self.unreadable: set[str] = set()

    @property
    def place(self) -> Place:
        epoch = max(0, self.step - 1) // self.steps_per_epoch
        return Place(self.step, self.steps, epoch, self.epochs)

    def loop(self, source: Iterator[Batch], save_seconds: float, report_every: int) -> None:
        """To the end, with a checkpoint after every epoch and every so many seconds.

        Raises StopError after Ctrl-C or SIGTERM, once the state is saved.
        """
        saved, meter, going = time.monotonic(), Meter(), True
        with stop_signals() as asked:
            while going and self.step < self.steps:
                batch = self._next(source, meter, asked)
                self._note(batch.unreadable)
                meter.add(self._step(batch))
                ended = self.step % self.steps_per_epoch == 0
                if ended or self.step % report_every == 0:
                    values = meter.means() | self._rates() | meter.speed(self.batch)
                    self.logger.step(self.place, values)
                    meter = Meter()
                if ended:
                    with meter.paused():
                        going = self._end_epoch()
                stop = self._asked(bool(asked), ended)
                if ended or stop or time.monotonic() - saved >= save_seconds:
                    self.save()
                    saved = time.monotonic()
                if ended:
                    self.logger.saved()
                if stop:
                    raise StopError

    def _next(self, source: Iterator[Batch], meter: Meter, asked: Sequence[int]) -> Batch:
        """The batch of the step that begins. asked: the signals received so far."""
        try:
            return meter.wait(lambda: next(source))
        except InputError:
            if not asked:
                raise
            self.save()  # the signal that asks to stop reached the workers too
            raise StopError from None

    def _note(self, unreadable: Sequence[str]) -> None:
        """Says of every photo that cannot be read, once in a training."""
        for reason in unreadable:
            if reason not in self.unreadable:
                self.unreadable.add(reason)
                self.logger.say(f"skipped: {reason}")

    @abstractmethod
    def _step(self, batch: Batch) -> Mapping[str, float]:
        """One update; counts it in `step`. Gives the losses by name."""

    @abstractmethod
    def _rates(self) -> dict[str, float]:
        """The learning rates to report, by name."""

    def _end_epoch(self) -> bool:
        """After each epoch; False ends the training early."""
        return True

    def _asked(self, here: bool, ended: bool) -> bool:
        """Whether to stop. here: whether this process was asked to; ended: with the epoch."""
        return here

    @abstractmethod
    def save(self) -> None:
        """Writes a checkpoint, whole or not at all. Raises InputError where the disk is full."""
