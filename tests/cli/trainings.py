"""Trainings as commands, small enough for a test, in this process or another."""

import subprocess
import sys
import time
from pathlib import Path

from deimv2.training.run_log import read_log

SMALL = ["--batch", "4", "--workers", "0", "--image-size", "160", "--report-every", "1"]


def losses(folder: Path) -> list[float]:
    return [row["loss"] for row in read_log(folder) if "loss" in row]


def started(*arguments: object) -> subprocess.Popen[str]:
    """deimv2 with these arguments, in a process group of its own."""
    command = [sys.executable, "-m", "deimv2.cli.main", *map(str, arguments)]
    return subprocess.Popen(command, stderr=subprocess.PIPE, text=True, start_new_session=True)


def wait_for_steps(folder: Path, count: int) -> None:
    for _ in range(1200):
        if len(losses(folder)) >= count:
            return
        time.sleep(0.1)
    raise AssertionError(f"no step {count} within two minutes")
