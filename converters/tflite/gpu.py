"""Runs a `.tflite` file on LiteRT's GPU accelerator: the code that phones run, on a driver here.

In a process of its own, since a file that the accelerator cannot run may end it. The driver is this
system's, or the software one that `./dev gpu` puts beside the environment.
"""

import os
import re
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from deimv2.converters.runner import Frame, detection_row, detections_in, require_frame
from deimv2.converters.tflite.run import LiteRTRunner
from deimv2.model.detections import Detections
from deimv2.model.errors import CheckError, InputError

FOLDER = "share/deimv2-gpu"  # below the environment's own
SETUP = "./dev gpu"
WORKER = Path(__file__).with_name("gpu_worker.py")
ADAPTER = re.compile(r"Selected adapter: (.+?), arch=")
MISSING = "No adapters found"
LATE = "Failed to lock custom tensor buffer"


def environment() -> Mapping[str, str]:
    """Variables that name the driver that `./dev gpu` set up; none if that was not run."""
    folder = Path(sys.prefix) / FOLDER
    if not (folder / "icd.json").is_file():
        return {}
    libraries = os.pathsep.join(filter(None, (str(folder), os.environ.get("LD_LIBRARY_PATH"))))
    return {"VK_ICD_FILENAMES": str(folder / "icd.json"), "LD_LIBRARY_PATH": libraries}


class RefusedError(CheckError):
    """kinds: of the operations that the accelerator leaves to the CPU."""

    def __init__(self, kinds: Sequence[str]) -> None:
        super().__init__(f"the GPU does not take {', '.join(kinds)}, expected all of the file")
        self.kinds = tuple(kinds)


class GpuRunner:
    """adapter: the GPU's name. float32: its arithmetic; else the accelerator's choice, which is
    float16 where the GPU has it.

    Raises CheckError for a file that is not taken whole, or that ends the process, and InputError
    where there is no GPU and no driver.
    """

    def __init__(self, path: Path, float32: bool) -> None:
        known = LiteRTRunner(path)
        self.size, self.labels, self.order = known.size, known.labels, known.order
        self.queries = known.queries
        self._path = path
        self._said = tempfile.TemporaryFile()  # noqa: SIM115  closed with the runner
        arguments = (path.absolute(), int(float32), *self.size, self.queries)
        self._process = subprocess.Popen(
            [sys.executable, "-P", str(WORKER), *map(str, arguments)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._said,
            env=os.environ | environment(),
        )  # fmt: skip
        if self._read(1) != b"+":
            raise self._failure()
        adapter = ADAPTER.search(self._words())
        self.adapter = adapter.group(1) if adapter else "GPU"

    def detect(self, frame: Frame) -> Detections:
        require_frame(frame, self.size)
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(frame.tobytes())
            self._process.stdin.flush()
        except BrokenPipeError as error:
            raise self._failure() from error
        given = self._read(detection_row(self.queries).itemsize)
        return detections_in(given, self.queries)[0]

    def close(self) -> None:
        """Ends the process."""
        self._process.kill()
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout, self._said):
            if stream is not None:
                stream.close()

    def __del__(self) -> None:
        if hasattr(self, "_process") and self._process.poll() is None:
            self.close()

    def _read(self, count: int) -> bytes:
        assert self._process.stdout is not None
        given = self._process.stdout.read(count)
        if len(given) < count:
            raise self._failure()
        return given

    def _words(self) -> str:
        self._said.seek(0)
        return self._said.read().decode(errors="replace")

    def _failure(self) -> CheckError | InputError:
        """Why the process has ended, or is of no use."""
        assert self._process.stdin is not None
        with suppress(BrokenPipeError):
            self._process.stdin.close()
        code, said = self._process.wait(), self._words()
        self.close()
        if MISSING in said:
            return InputError(
                f"no GPU and no driver to run '{self._path}' on, expected one of Vulkan; set up a "
                f"software driver with {SETUP}"
            )
        if code < 0:
            name = signal.Signals(-code).name
            return CheckError(f"it ended the GPU's process (signal {-code}, {name})")
        if refused := refused_operations(said):
            return RefusedError(refused)
        return CheckError(f"the GPU cannot run it ({reason_in(said)})")


def reason_in(said: str) -> str:
    """The reason in what LiteRT printed: the first error, or the last of the causes it lists."""
    lines = said.strip().splitlines()
    errors = [line for line in lines if " Failed to create " in line]
    causes = [line.removeprefix("└ ") for line in lines if line.startswith("└ ")]
    reason = errors[0].partition("] ")[2] if errors else (causes or lines)[-1]
    if LATE in reason:
        return f"{reason} LiteRT waits 120 seconds for a run, and a software driver may take longer"
    return reason[:200]


def refused_operations(said: str) -> list[str]:
    """The kinds of operations that the GPU delegate left, from what LiteRT printed."""
    part = said.partition("operations are not supported by GPU delegate:")[2]
    lines = part.partition("operations will run on the GPU")[0].splitlines()[1:]
    kinds = (re.match(r"([A-Z0-9_]+):", line) for line in lines)
    return [kind.group(1) for kind in kinds if kind]
