"""Runs a command without AMX, the matrix registers of Intel's servers, which no phone has.

LiteRT's build of XNNPACK computes int8 products with them and ExecuTorch's does not, so on such a
machine their files are not timed on like terms. Linux gives a process these registers only if it
asks for them; a seccomp filter refuses. XNNPACK then takes its other kernels.

    python -m deimv2.tests.emulation.without_amx deimv2 benchmark artifacts/s-int8
"""

import ctypes
import os
import struct
import sys

SECCOMP, NO_NEW_PRIVILEGES, FILTER = 22, 38, 2  # of prctl (linux/prctl.h, linux/seccomp.h)
ARCH_PRCTL, ASK = 158, 0x1023  # the call on x86-64, and ARCH_REQ_XCOMP_PERM (asm/prctl.h)
LOAD, IF_EQUAL, RETURN = 0x20, 0x15, 0x06  # operations of classic BPF (linux/filter.h)
CALL, FIRST = 0, 16  # where seccomp_data has the call's number and its first argument
ALLOW, REFUSE = 0x7FFF0000, 0x00050000 | 1  # SECCOMP_RET_ALLOW, SECCOMP_RET_ERRNO with EPERM
PROGRAM = [  # operation, how many to jump over if true, if false, operand
    (LOAD, 0, 0, CALL),
    (IF_EQUAL, 0, 3, ARCH_PRCTL),
    (LOAD, 0, 0, FIRST),
    (IF_EQUAL, 0, 1, ASK),
    (RETURN, 0, 0, REFUSE),
    (RETURN, 0, 0, ALLOW),
]


def refuse_amx() -> None:
    """Of this process and all that it starts. Raises OSError where the kernel has no seccomp."""
    libc = ctypes.CDLL(None, use_errno=True)
    code = b"".join(struct.pack("HBBI", *each) for each in PROGRAM)
    buffer = ctypes.create_string_buffer(code, len(code))
    program = struct.pack("HxxxxxxQ", len(PROGRAM), ctypes.addressof(buffer))
    for call in ((NO_NEW_PRIVILEGES, 1, 0, 0, 0), (SECCOMP, FILTER, program, 0, 0)):
        if libc.prctl(*call):
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


if __name__ == "__main__":
    if len(sys.argv) == 1 or sys.platform != "linux" or os.uname().machine != "x86_64":
        sys.exit(f"{__doc__}\nIt needs a command, and Linux on x86-64.")
    refuse_amx()
    os.execvp(sys.argv[1], sys.argv[1:])
