"""Trainings as commands, small enough for a test, in this process or another."""

import subprocess
import sys
import time
from pathlib import Path
from signal import Signals

from deimv2.training.run_log import read_log

SMALL = ["--batch", "4", "--workers", "0", "--image-size", "160", "--report-every", "1"]


# Next to no learning: each loss is that of its batch alone, however processors round.
STILL = ["--lr", "1e-12"]

STOPS = """
import os, sys
from deimv2.cli.main import main
from deimv2.training.run_log import ProgressLogger

report, at, number = ProgressLogger.step, int(sys.argv[1]), int(sys.argv[2])

def step(self, place, values):
    report(self, place, values)
    if place.step == at:
        os.kill(os.getpid(), number)

ProgressLogger.step = step
sys.exit(main(sys.argv[3:]))
"""


def losses(folder: Path) -> list[float]:
    return [row["loss"] for row in read_log(folder) if "loss" in row]


def started(*arguments: object) -> subprocess.Popen[str]:
    """deimv2 with these arguments, in a process group of its own."""
    command = [sys.executable, "-m", "deimv2.cli.main", *map(str, arguments)]
    return subprocess.Popen(command, stderr=subprocess.PIPE, text=True, start_new_session=True)


def stopped(step: int, how: Signals, *arguments: object) -> subprocess.CompletedProcess[str]:
    """deimv2 with these arguments, in a process that gets a signal as it reports this step."""
    command = [sys.executable, "-c", STOPS, step, int(how), *arguments]
    return subprocess.run([*map(str, command)], capture_output=True, text=True, timeout=300)


def wait_for_steps(folder: Path, count: int) -> None:
    for _ in range(1200):
        if len(losses(folder)) >= count:
            return
        time.sleep(0.1)
    raise AssertionError(f"no step {count} within two minutes")
