"""The ARM64 builds of LiteRT and ExecuTorch on this machine, under emulation.

emulator.py runs an artifact there; check.py compares what it detects with what it detects here.
setup.sh makes the emulator, once; it runs the two workers, and count.c counts their instructions.
"""
