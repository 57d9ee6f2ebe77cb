"""The processes that `without_amx` starts get no tile registers, and nothing else is refused."""

import errno
import platform
import subprocess
import sys

import pytest

from deimv2.tests.emulation.without_amx import ARCH_PRCTL, ASK

TILE_DATA, WHAT_IS_THERE = 18, 0x1021  # ARCH_GET_XCOMP_SUPP
SAID = f"""
import ctypes
libc = ctypes.CDLL(None, use_errno=True)
for request, argument in (({ASK}, {TILE_DATA}), ({WHAT_IS_THERE}, ctypes.byref(ctypes.c_uint64()))):
    ctypes.set_errno(0)
    libc.syscall({ARCH_PRCTL}, request, argument)
    print(ctypes.get_errno())
"""


@pytest.mark.skipif(
    (sys.platform, platform.machine()) != ("linux", "x86_64"), reason="of x86-64 and Linux alone"
)
def test_tile_registers_are_refused() -> None:
    module = [sys.executable, "-m", "deimv2.tests.emulation.without_amx"]
    found = subprocess.run(
        [*module, sys.executable, "-c", SAID], check=True, capture_output=True, text=True
    )
    asked, other = map(int, found.stdout.split())
    assert asked == errno.EPERM != other
