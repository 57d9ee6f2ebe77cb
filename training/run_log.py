"""What a training tells: a line or a bar on the screen, a log to read by machine, a plot."""

import json
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

from deimv2.model.files import write_whole
from deimv2.model.progress import Progress
from deimv2.training.loop import Metrics, Place, shown
from deimv2.training.plots import new_figure, to_png

LOG, PLOT, TABLE = "log.jsonl", "curves.png", "results.csv"
LONG = 200  # steps of an epoch from which the screen shows more than a line for each


class ProgressLogger:
    """A logger that writes LOG, PLOT and TABLE into a folder, and TensorBoard's files if installed.

    The screen shows a line an epoch, and each report of long ones. on_epoch: gets what LOG gets
    at the end of an epoch, once its state is saved.
    """

    def __init__(
        self,
        folder: Path,
        progress: Progress,
        board: Any | None = None,
        on_epoch: Callable[[dict[str, Any]], object] | None = None,
    ) -> None:
        self.folder, self.progress, self.board, self.on_epoch = folder, progress, board, on_epoch
        self.rows = read_log(folder)
        self.start: tuple[int, float] | None = None
        self.evaluated: dict[str, Any] | None = None  # the row of an epoch, until it is saved

    def step(self, place: Place, values: dict[str, float]) -> None:
        self._write({"step": place.step, "epoch": place.epoch} | values)
        if self.start is None:
            self.start = place.step, time.monotonic()
        if place.steps // place.epochs >= LONG:
            numbers = self._numbers(place, self.rows[-1])
            self.progress.log(f"epoch {place.shown}  step {place.step}  {numbers}")

    def epoch(self, place: Place, metrics: Metrics | None, best: tuple[float, int]) -> None:
        if metrics is not None:
            self._write({"step": place.step, "epoch": place.epoch} | dict(metrics))
            self.evaluated = dict(self.rows[-1])
        numbers = [" ".join(each) for each in shown(metrics or {})]
        if numbers:
            when = f"in epoch {best[1]}" if best[1] else "before the first step"
            numbers.append(f"best {best[0]:.4f} {when}")
        means = self._numbers(place, of_epochs(self.rows)[place.epoch])
        line = "  ".join([f"epoch {place.shown}", means, *numbers])
        self.progress.log(line)
        write_whole(self.folder / PLOT, plot(self.rows))
        write_whole(self.folder / TABLE, table(self.rows).encode())

    def saved(self) -> None:
        row, self.evaluated = self.evaluated, None
        if self.on_epoch is not None and row is not None:
            self.on_epoch(row)

    def say(self, message: str) -> None:
        self.progress.log(message)

    def rewind(self, step: int) -> None:
        self.rows = [row for row in self.rows if row["step"] <= step]
        lines = "".join(json.dumps(row) + "\n" for row in self.rows)
        write_whole(self.folder / LOG, lines.encode())

    def _write(self, row: dict[str, Any]) -> None:
        self.rows.append(row)
        with (self.folder / LOG).open("a") as file:
            file.write(json.dumps(row) + "\n")
        if self.board is not None:
            for name, value in row.items():
                if name not in ("step", "epoch") and value is not None:
                    self.board.add_scalar(name, value, row["step"])
            self.board.flush()  # it would keep them for two minutes, and lose them at the end

    def _numbers(self, place: Place, row: Mapping[str, Any]) -> str:
        """Of a report or an epoch: loss, learning rate, speed and the time that is left."""
        rate = f"lr {row['lr']:.2g}"
        if "lr_backbone" in row:
            rate += f" (backbone {row['lr_backbone']:.2g})"
        speed = f"{row['images_per_second']:.1f} images/s, {row['waiting']:.0%} waiting for data"
        return "  ".join(filter(None, (f"loss {row['loss']:.3f}", rate, speed, self._left(place))))

    def _left(self, place: Place) -> str:
        step, when = self.start or (place.step, 0.0)
        if place.step == step:
            return ""
        seconds = (time.monotonic() - when) / (place.step - step) * (place.steps - place.step)
        minutes = round(seconds / 60)
        return f"{minutes // 60}:{minutes % 60:02} h left"


class NullLogger:
    """The logger of every process but the first."""

    def step(self, place: Place, values: dict[str, float]) -> None: ...
    def epoch(self, place: Place, metrics: Metrics | None, best: tuple[float, int]) -> None: ...
    def saved(self) -> None: ...
    def say(self, message: str) -> None: ...
    def rewind(self, step: int) -> None: ...


def table(rows: Sequence[Mapping[str, Any]]) -> str:
    """A line of CSV for each epoch, which counts from 1."""
    epochs = of_epochs(rows)
    names = list(dict.fromkeys(name for values in epochs.values() for name in values))
    lines = [["epoch", *names]]
    for epoch, values in sorted(epochs.items()):
        cells = (values.get(name, "") for name in names)
        shown = (f"{cell:.6g}" if isinstance(cell, float) else str(cell) for cell in cells)
        lines.append([str(epoch + 1), *shown])
    return "".join(",".join(line) + "\n" for line in lines)


def of_epochs(rows: Sequence[Mapping[str, Any]]) -> dict[int, dict[str, float]]:
    """By epoch, from 0: the means of its reports, which are of more or fewer steps each; the last
    step and learning rates; what was measured at its end."""
    found: dict[int, dict[str, list[tuple[float, int]]]] = {}
    before = 0
    for row in rows:
        values = found.setdefault(row["epoch"], {})
        for name, value in row.items():
            if name != "epoch" and value is not None:
                values.setdefault(name, []).append((value, row["step"] - before))
        before = row["step"]
    return {
        epoch: {name: _of_epoch(name, given) for name, given in values.items()}
        for epoch, values in found.items()
    }


def _of_epoch(name: str, given: Sequence[tuple[float, int]]) -> float:
    """given: the values of its rows, and how many steps each is of; 0 for what was measured."""
    values, steps = zip(*given, strict=True)
    if name in ("step", "lr", "lr_backbone") or not any(steps):
        return values[-1]
    return fmean(values, steps)


def read_log(folder: Path) -> list[dict[str, Any]]:
    """The rows of LOG; a last line that a kill cut off is left out."""
    path = folder / LOG
    rows = []
    for line in path.read_text().splitlines() if path.is_file() else []:
        try:
            rows.append(json.loads(line))
        except ValueError:
            break
    return rows


def open_board(folder: Path) -> Any | None:
    """TensorBoard's writer; None where it is not installed."""
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        return None
    return SummaryWriter(str(folder / "tensorboard"))


def plot(rows: Sequence[Mapping[str, Any]]) -> bytes:
    """Losses and AP over the steps, as PNG."""
    figure = new_figure(9, 4)
    left, right = figure.subplots(1, 2)
    for name in ("loss", "mal", "l1", "giou", "fgl", "ddf"):
        points = [(row["step"], row[name]) for row in rows if name in row]
        if points:
            left.plot(*zip(*points, strict=True), label=name)
    for name in ("AP", "AP50"):
        points = [(row["step"], row[name]) for row in rows if row.get(name) is not None]
        if points:
            right.plot(*zip(*points, strict=True), marker=".", label=name)
    left.set(title="losses", xlabel="step", yscale="log")
    right.set(title="validation", xlabel="step", ylim=(0, 1))
    for axes in (left, right):
        axes.grid(alpha=0.3)
        if axes.get_legend_handles_labels()[0]:
            axes.legend()
    return to_png(figure)
