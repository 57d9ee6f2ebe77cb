"""What the sample apps share after **Check this phone**: JSON in the form of `verify --json`."""

import json
import statistics
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deimv2.model.errors import InputError
from deimv2.model.words import plural


@dataclass(frozen=True)
class PhoneTimes:
    """Of many camera frames after a warm-up. prepare, run: (p50, p95) in milliseconds.

    conditions: in words, such as "100 frames of 1280x720, 4 threads, heat none to light".
    """

    conditions: str
    prepare: tuple[float, float]
    run: tuple[float, float]


@dataclass(frozen=True)
class PhoneRow:
    """One file on one processor. median_ms: of a frame, None where it did not run.

    times: where the app timed it as well. operations: in words, how many of them are planned for
    which processor, where the runtime tells.
    """

    device: str
    artifact: str
    runs_on: str
    passed: bool
    median_ms: float | None
    problems: tuple[str, ...]
    times: PhoneTimes | None = None
    operations: str = ""


def read_phone(path: Path) -> list[PhoneRow]:
    """Raises InputError for anything but what an app shared."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        return [_row(str(content["device"]), row) for row in content["rows"]]
    except OSError as error:
        raise InputError(f"no file at '{path}'; check the path") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(
            f"'{path}' is not a phone's report ({type(error).__name__}: {error}), expected the "
            "JSON that the app shares after 'Check this phone'; share it again"
        ) from error


def _row(device: str, row: dict[str, Any]) -> PhoneRow:
    times = [float(each) for each in row.get("milliseconds", [])]
    return PhoneRow(
        device, str(row["artifact"]), str(row.get("runs_on", "")), row["passed"] is True,
        statistics.median(times) if times else None, tuple(map(str, row["problems"])),
        _times(row["benchmark"]) if row.get("benchmark") else None,
        ", ".join(f"{count} on {name}" for name, count in row.get("operations", {}).items()),
    )  # fmt: skip


def _times(found: dict[str, Any]) -> PhoneTimes:
    conditions = [f"{int(found['runs'])} frames of {found['frame']}"]
    if found.get("threads"):
        conditions.append(plural(int(found["threads"]), "thread"))
    if found.get("heat_before"):
        conditions.append(f"heat {found['heat_before']} to {found['heat_after']}")
    prepare, run = (
        (float(found[name]["p50"]), float(found[name]["p95"])) for name in ("prepare_ms", "run_ms")
    )
    return PhoneTimes(", ".join(conditions), prepare, run)
