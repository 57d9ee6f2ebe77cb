"""All files of a page at once: a table, and AP against size and time."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from deimv2.converters.manifest import File, Manifest
from deimv2.verification.report.charts import machine

WIDTH, HEIGHT = 640, 320  # of a plot, in its own units
LEFT, RIGHT, TOP, BOTTOM = 48, 624, 12, 284  # where the points lie
LINE = 14  # height of a label
LETTER = 6.2  # about the width of one
BESIDE = 9  # from a point to its label
LEAST_SPAN = 0.1  # of AP's axis, so that what makes no difference looks like none
TICKS = 5  # about as many as an axis has


@dataclass(frozen=True)
class Artifact:
    """One file with what is known of it. name: on the page; passed: None where it was not
    compared."""

    name: str
    manifest: Manifest
    file: File
    passed: bool | None

    @property
    def record(self) -> Any:
        return (self.manifest.measured or {}).get(self.file.name, {})


@dataclass(frozen=True)
class Point:
    """x, y: in the plot's units. label_x, label_y: where the name starts, and its middle."""

    name: str
    kind: str
    x: float
    y: float
    label_x: float
    label_y: float


@dataclass(frozen=True)
class Plot:
    """x_ticks, y_ticks: (place in the plot's units, text)."""

    title: str
    x_name: str
    conditions: str
    points: tuple[Point, ...]
    x_ticks: tuple[tuple[float, str], ...]
    y_ticks: tuple[tuple[float, str], ...]


FRAME = {
    "width": WIDTH,
    "height": HEIGHT,
    "left": LEFT,
    "right": RIGHT,
    "top": TOP,
    "bottom": BOTTOM,
}


def plots(artifacts: Sequence[Artifact]) -> list[Plot]:
    """AP against size, and against time for each machine, where two files or more have both."""
    made = [plot("AP and size", "size in MB", "", artifacts, lambda a: a.file.size / 1e6)]
    for place in filter(None, dict.fromkeys(map(machine_of, artifacts))):
        these = [each for each in artifacts if machine_of(each) == place]
        made.append(plot("AP and time", "median time of a frame in ms", place, these, time_of))
    return [each for each in made if len(each.points) > 1]


def machine_of(artifact: Artifact) -> str:
    entry = artifact.record.get("latency")
    return "" if entry is None else machine(entry)


def time_of(artifact: Artifact) -> float:
    return float(artifact.record["latency"]["median_ms"])


def plot(
    title: str,
    x_name: str,
    conditions: str,
    artifacts: Sequence[Artifact],
    x_of: Callable[[Artifact], float],
) -> Plot:
    known = [(each, x_of(each), each.record["ap"]["AP"]) for each in artifacts
             if "ap" in each.record]  # fmt: skip
    x_axis = axis([x for _, x, _ in known])
    aps = [y for _, _, y in known]
    room = max(0.0, LEAST_SPAN - (max(aps) - min(aps))) / 2 if aps else 0.0
    y_axis = axis([bound for y in aps for bound in (max(0.0, y - room), min(1.0, y + room))])

    def across(value: float) -> float:
        return LEFT + (RIGHT - LEFT) * share(value, x_axis)

    def up(value: float) -> float:
        return TOP + (BOTTOM - TOP) * (1 - share(value, y_axis))

    rows = sorted(known, key=lambda row: -row[2])
    places = [(across(x), up(y)) for _, x, y in rows]
    labels: list[Place] = []
    for (artifact, _, _), place in zip(rows, places, strict=True):
        labels.append(label_place(place, short(artifact.name), places, labels))
    points = [
        Point(short(artifact.name), artifact.file.format, *place, label.x, label.y)
        for (artifact, _, _), place, label in zip(rows, places, labels, strict=True)
    ]
    return Plot(
        title, x_name, conditions, tuple(points),
        tuple((across(tick), f"{tick:g}") for tick in x_axis),
        tuple((up(tick), f"{tick:g}") for tick in y_axis),
    )  # fmt: skip


def short(name: str) -> str:
    folder, slash, file = name.rpartition("/")
    return f"{folder}{slash}{file.removeprefix('deimv2-')}"


@dataclass(frozen=True)
class Place:
    """The place of a label: its left end, its middle height, and its width."""

    x: float
    y: float
    width: float

    def covers(self, x: float, y: float, width: float = 0.0) -> bool:
        return self.x < x + width and x < self.x + self.width and abs(y - self.y) < LINE


def label_place(
    point: tuple[float, float],
    text: str,
    points: Sequence[tuple[float, float]],
    labels: Sequence[Place],
) -> Place:
    """The nearest one beside a point, above or below it, that covers no label and no point."""
    width = LETTER * len(text)
    steps = sorted(range(-HEIGHT // LINE, HEIGHT // LINE), key=lambda step: (abs(step), -step))
    for step in steps:
        y = point[1] + step * LINE
        for x in (point[0] + BESIDE, point[0] - BESIDE - width):
            place = Place(x, y, width)
            inside = x > LEFT and x + width < WIDTH and TOP <= y <= BOTTOM
            free = not any(place.covers(*other) for other in points)
            if inside and free and not any(place.covers(o.x, o.y, o.width) for o in labels):
                return place
    return Place(point[0] + BESIDE, point[1], width)


def axis(values: Sequence[float]) -> list[float]:
    """Round numbers, evenly apart, from below the smallest value to above the largest."""
    if not values:
        return [0.0, 1.0]
    low, high = min(values), max(values)
    span = (high - low) or abs(high) or 1.0
    rough = span / TICKS
    unit = 10.0 ** math.floor(math.log10(rough))
    step = next(unit * times for times in (1, 2, 5, 10) if unit * times >= rough)
    first, last = math.floor(low / step), math.ceil(high / step)
    return [round(i * step, 12) for i in range(first, max(last, first + 1) + 1)]


def share(value: float, ticks: Sequence[float]) -> float:
    return (value - ticks[0]) / (ticks[-1] - ticks[0])
