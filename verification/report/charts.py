"""Bars: what the files weigh, and what was recorded of them in the manifest."""

import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from deimv2.converters.manifest import Manifest
from deimv2.model.words import plural


@dataclass(frozen=True)
class Bar:
    """kind: the artifact's format; share: of the full width, 0..1."""

    name: str
    kind: str
    value: str
    share: float
    detail: str


@dataclass(frozen=True)
class Chart:
    """command: measures it; conditions: of all bars; missing: artifacts without a number."""

    title: str
    meaning: str
    command: str
    conditions: str
    bars: tuple[Bar, ...]
    missing: tuple[str, ...]


@dataclass(frozen=True)
class Number:
    """A measured value, and as text. detail, conditions: as in `Bar` and `Chart`."""

    value: float
    text: str
    detail: str = ""
    conditions: str = ""


def charts(manifest: Manifest, folder: str) -> list[Chart]:
    """Size, AP, latency and instructions of the artifacts in `folder`."""
    where = shlex.quote(folder)
    return [
        chart(
            "Size",
            "Of the file; smaller is better.",
            "",
            manifest,
            {file.name: Number(file.size, f"{file.size / 1e6:.2f} MB") for file in manifest.files},
        ),
        chart(
            "Average precision",
            "AP over IoU 0.50 to 0.95, as COCO defines it; larger is better.",
            f"deimv2 evaluate {where} --images PHOTOS --annotations FILE --record",
            manifest,
            recorded(manifest, "ap", precision),
            full=1.0,
        ),
        chart(
            "Latency",
            "Median time of one frame; shorter is better.",
            f"deimv2 benchmark {where} --record",
            manifest,
            recorded(manifest, "latency", latency),
        ),
        chart(
            "Instructions",
            "Of one frame on ARM64, counted in emulation; fewer is better.",
            f"deimv2 verify {where} --device arm64 --record",
            manifest,
            recorded(manifest, "arm64", instructions),
        ),
    ]


def chart(
    title: str,
    meaning: str,
    command: str,
    manifest: Manifest,
    numbers: Mapping[str, Number],
    full: float | None = None,
) -> Chart:
    """full: the number of the longest possible bar; by default the largest of `numbers`."""
    full = full or max((number.value for number in numbers.values()), default=0) or 1.0
    shared = {number.conditions for number in numbers.values()}
    bars = []
    for file in manifest.files:
        if number := numbers.get(file.name):
            parts = [number.detail, number.conditions if len(shared) > 1 else ""]
            detail = "; ".join(part for part in parts if part)
            bars.append(Bar(file.name, file.format, number.text, number.value / full, detail))
    missing = tuple(file.name for file in manifest.files if file.name not in numbers)
    conditions = shared.pop() if len(shared) == 1 else ""
    return Chart(title, meaning, command, conditions, tuple(bars), missing)


def recorded(
    manifest: Manifest, part: str, read: Callable[[Mapping[str, Any]], Number | None]
) -> dict[str, Number]:
    """By artifact, what `read` makes of that part of the record."""
    measured = manifest.measured or {}
    found = {name: read(parts[part]) for name, parts in measured.items() if part in parts}
    return {name: number for name, number in found.items() if number is not None}


def precision(entry: Mapping[str, Any]) -> Number:
    conditions = (
        f"{entry['photos']} photos, annotations with SHA-256 {entry['annotations_sha256'][:12]}"
    )
    return Number(entry["AP"], f"{entry['AP']:.3f}", f"AP50 {entry['AP50']:.3f}", conditions)


def latency(entry: Mapping[str, Any]) -> Number:
    parts = [f"95 % of the frames below {entry['p95_ms']:.1f} ms"]
    if "ratio" in entry:
        parts.append(f"{entry['ratio']:.2f} of the time of a plain export to ONNX")
    parts += [f"opened in {entry['load_ms']:.0f} ms", f"{entry['memory_mb']:.0f} MB of memory"]
    text = f"{entry['median_ms']:.1f} ms"
    return Number(entry["median_ms"], text, ", ".join(parts), machine(entry))


def machine(entry: Mapping[str, Any]) -> str:
    """Where a latency was measured."""
    return f"{entry['machine']}, {plural(entry['threads'], 'thread')}"


def instructions(entry: Mapping[str, Any]) -> Number | None:
    if (count := entry.get("instructions")) is None:
        return None
    return Number(count, f"{count / 1e6:,.1f} M", conditions=entry["cpu"])
