"""Runs an artifact on an emulated ARM Cortex-A76 and counts its instructions.

Nothing here is ARM's own silicon: which kernels run, what they compute and how many instructions
that takes is what a phone with this core does; how long it takes is not.
"""

import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from deimv2.converters import format_of
from deimv2.converters.runner import Frame, detection_row, detections_in
from deimv2.model.detections import Detections
from deimv2.model.errors import CheckError, InputError

CPU = "cortex-a76"
HERE = Path(__file__).parent


@dataclass(frozen=True)
class Emulator:
    """folder: what setup.sh made."""

    folder: Path

    def detect(
        self, artifact: Path, frames: Sequence[Frame], order: tuple[int, int, int], queries: int
    ) -> tuple[list[Detections], int]:
        """Detections of each frame (uint8 [H, W, 3]), and the instructions of one inference.

        These are the mean over all frames but the first, on which the runtimes prepare what they
        keep. order: which outputs of the artifact are boxes, scores and labels; queries: K.

        Raises CheckError where the runtime crashes or refuses the artifact, InputError for fewer
        than 2 frames.
        """
        if len(frames) < 2:
            raise InputError(f"{len(frames)} frames, expected 2 or more: the first is not counted")
        with tempfile.TemporaryDirectory(prefix="deimv2-arm64-") as name:
            inputs, outputs, log = (Path(name) / part for part in ("frames", "outputs", "log"))
            inputs.write_bytes(b"".join(frame.tobytes() for frame in frames))
            done = subprocess.run(
                [
                    *self._command(artifact, log),
                    *map(str, (artifact.absolute(), inputs, outputs, *order)),
                ],
                env=os.environ | self._environment(),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                text=True,
                errors="replace",
                check=False,
            )
            if done.returncode:
                raise CheckError(crash(done.returncode, done.stderr))
            return parse(outputs.read_bytes(), queries), instructions(log.read_text())

    def _command(self, artifact: Path, log: Path) -> list[str]:
        qemu, runtimes = self.folder / "qemu", self.folder / "runtimes"
        # By Debian's own loader and libraries, which need not be those of this system.
        libraries = ":".join(f"{qemu}/{part}/x86_64-linux-gnu" for part in ("lib", "usr/lib"))
        emulate = [
            f"{qemu}/lib64/ld-linux-x86-64.so.2", "--library-path", libraries,
            f"{qemu}/usr/bin/qemu-aarch64", "-cpu", CPU,
            "-plugin", f"{self.folder}/count.so", "-d", "plugin", "-D", str(log), "-L",
        ]  # fmt: skip
        format = format_of(artifact)
        if format is not None and format.arm64 == "executorch":
            return [
                *emulate, f"{self.folder}/cross", f"{runtimes}/executorch/lib/executorch_worker",
            ]  # fmt: skip
        python = f"{self.folder}/python"
        return [*emulate, python, f"{python}/usr/bin/python3.11", str(HERE / "litert_worker.py")]

    def _environment(self) -> dict[str, str]:
        return {
            "PYTHONPATH": f"{self.folder}/runtimes",
            "PYTHONHOME": f"{self.folder}/python/usr",
            "OPENBLAS_NUM_THREADS": "1",
        }


def find_emulator() -> Emulator:
    """Raises InputError, with the command that sets it up, where it is missing or of other versions
    than the runtimes of this Python."""
    done = subprocess.run(
        ["sh", str(HERE / "setup.sh"), "check"],
        env=os.environ | {"PYTHON": sys.executable},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise InputError(done.stderr.strip().removeprefix("error: ") or "setup.sh check failed")
    return Emulator(Path(done.stdout.strip()))


def parse(outputs: bytes, queries: int) -> list[Detections]:
    """The detections in what a worker wrote. Raises CheckError for another length."""
    size = detection_row(queries).itemsize
    if not outputs or len(outputs) % size:
        raise CheckError(
            f"{len(outputs)} bytes of detections from ARM64, expected {size} per frame"
        )
    return detections_in(outputs, queries)


def instructions(log: str) -> int:
    """The mean of all inferences but the first. log: a count per line, before the first inference
    and after each."""
    counts = [int(line) for line in log.split()]
    return round((counts[-1] - counts[1]) / (len(counts) - 2))


def crash(code: int, said: str) -> str:
    """What went wrong, in one line: how the process ended, and the last line that it wrote."""
    lines = said.strip().splitlines()
    last = lines[-1].strip()[:160] if lines else "it said nothing"
    return f"the runtime on ARM64 ended with {code} ({last}), expected detections; export again"
