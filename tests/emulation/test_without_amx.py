"""The processes that `without_amx` starts get no tile registers, and nothing else is refused."""

import errno
import platform
import subprocess
import sys

import pytest

from deimv2.tests.emulation.without_amx import ARCH_PRCTL, ASK

TILE_DATA = 18
SAID = f"""
import ctypes, os
libc = ctypes.CDLL(None, use_errno=True)
print(libc.syscall({ARCH_PRCTL}, {ASK}, {TILE_DATA}), ctypes.get_errno(), os.getpid() > 0)
"""


@pytest.mark.skipif(
    (sys.platform, platform.machine()) != ("linux", "x86_64"), reason="of x86-64 and Linux alone"
)
def test_tile_registers_are_refused() -> None:
    module = [sys.executable, "-m", "deimv2.tests.emulation.without_amx"]
    found = subprocess.run(
        [*module, sys.executable, "-c", SAID], check=True, capture_output=True, text=True
    )
    assert found.stdout.split() == ["-1", str(errno.EPERM), "True"]
