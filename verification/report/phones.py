"""What the sample apps share after **Check this phone**: JSON in the form of `verify --json`."""

import json
import statistics
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deimv2.model.errors import InputError


@dataclass(frozen=True)
class PhoneRow:
    """One file on one processor. median_ms: of a frame, None where it did not run."""

    device: str
    artifact: str
    runs_on: str
    passed: bool
    median_ms: float | None
    problems: tuple[str, ...]


def read_phone(path: Path) -> list[PhoneRow]:
    """Raises InputError for anything but what an app shared."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        return [_row(str(content["device"]), row) for row in content["rows"]]
    except OSError as error:
        raise InputError(f"no file at '{path}'; check the path") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(
            f"'{path}' is no report of a phone ({type(error).__name__}: {error}), expected the "
            "JSON that the app shares after 'Check this phone'; share it again"
        ) from error


def _row(device: str, row: dict[str, Any]) -> PhoneRow:
    times = [float(each) for each in row.get("milliseconds", [])]
    return PhoneRow(
        device, str(row["artifact"]), str(row.get("runs_on", "")), row["passed"] is True,
        statistics.median(times) if times else None, tuple(map(str, row["problems"])),
    )  # fmt: skip
