"""How fast artifacts run on this machine, side by side.

Every file lives in a process of its own and runs once when it is its turn, round after round: what
slows the machine for a moment slows all of them, and ratios are taken within a round. Separate runs
of one file after the other were wrong by a factor of two on shared machines.
"""

import json
import platform
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np

from deimv2.converters import format_of
from deimv2.converters.format import CPU
from deimv2.converters.runner import Stopwatch
from deimv2.model.errors import InputError
from deimv2.model.files import names_apart
from deimv2.profiling.memory import peak_memory

MATMUL = "matmul"  # in place of a file: the machine's peak, a product of two matrices
SIDE = 1024  # of these matrices
FOREIGN = "foreign"  # in place of a device: a .tflite that is none of ours
BASELINE = "baseline.onnx"  # the name of the file that `write_baseline` made
MOST_OUTSIDE = 0.05  # of a time that is to say something of a runtime
WARM_UP = 3  # rounds that do not count


@dataclass(frozen=True)
class Timing:
    """The times of one file with one number of threads, in seconds.

    memory: bytes by which the process grew at most, from before the file was opened.
    ratio: median over the rounds of its time over the baseline's, None for the baseline.
    peak_share: of the matrix products that the machine manages in the time, those that it needs.
    outside: share of the time that this package took beside the runtime's own call, None where it
        cannot be told; above MOST_OUTSIDE there is no ratio, which would be of the package.
    """

    name: str
    threads: int
    load: float
    first: float
    median: float
    p95: float
    memory: int
    ratio: float | None = None
    peak_share: float | None = None
    outside: float | None = None

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


class Runner:
    """A process that has loaded one file and runs it when told. Between its turns it is stopped:
    the threads of some runtimes spin for a while after a run, and would slow the next file's."""

    def __init__(
        self, path: Path | str, threads: int, device: str = CPU, name: str | None = None
    ) -> None:
        module = "deimv2.profiling.timing"
        command = [sys.executable, "-P", "-m", module, str(path), str(threads), device]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self.name = name or Path(path).name

    def __enter__(self) -> "Runner":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        self._process.kill()
        self._process.communicate()

    def ask(self, what: str) -> Any:
        """Raises InputError where the process ended instead of answering."""
        assert self._process.stdin is not None and self._process.stdout is not None
        try:
            self._process.send_signal(signal.SIGCONT)
            self._process.stdin.write(f"{what}\n")
            self._process.stdin.flush()
            return json.loads(self._process.stdout.readline())
        except (ValueError, OSError) as error:
            raise InputError(f"'{self.name}' could not be run here; see above") from error
        finally:
            self._process.send_signal(signal.SIGSTOP)


def time_in_turn(
    files: Sequence[Path],
    baseline: Path | None,
    threads: int,
    macs: Mapping[str, int],
    rounds: int,
    progress: Callable[[Sequence[int]], Iterable[int]] = iter,
    device: str = CPU,
    foreign: Sequence[Path] = (),
) -> list[Timing]:
    """Times the files, and the baseline first where there is one, which is on the CPU always; and
    last `.tflite` files of others, on the CPU too.

    macs: by the names of `names_apart`. Raises InputError for a file that does not run.
    """
    names = names_apart([*files, *foreign])
    with ExitStack() as stack:
        enter = stack.enter_context
        own = [enter(Runner(each, threads)) for each in (MATMUL, baseline) if each is not None]
        given = [enter(Runner(path, threads, device, names[path])) for path in files]
        others = [enter(Runner(path, threads, FOREIGN, names[path])) for path in foreign]
        runners = [*own, *given, *others]
        loads = [runner.ask("load") for runner in runners]
        firsts = [runner.ask("run") for runner in runners]
        for _ in range(WARM_UP):
            in_turn(runners)
        taken = np.array([in_turn(runners) for _ in progress(range(rounds))])
        memory = [runner.ask("memory") for runner in runners]
        outside = [runner.ask("outside") for runner in runners]
    peak = SIDE**3 / float(np.median(taken[:, 0]))  # multiply-accumulates a second
    timings = []
    for i, runner in enumerate(runners[1:], 1):
        median = float(np.median(taken[:, i]))
        count = macs.get(runner.name)
        compared = baseline is not None and i > 1 and (outside[i] or 0.0) <= MOST_OUTSIDE
        timings.append(
            Timing(
                runner.name,
                threads,
                loads[i],
                firsts[i],
                median,
                float(np.quantile(taken[:, i], 0.95)),
                memory[i],
                float(np.median(taken[:, i] / taken[:, 1])) if compared else None,
                None if count is None else count / median / peak,
                outside[i],
            )
        )
    return timings


def in_turn(runners: Sequence[Runner]) -> list[float]:
    """Runs each once; gives their seconds."""
    return [float(runner.ask("run")) for runner in runners]


Loaded = tuple[Callable[[], object], Stopwatch | None]


def loaded(path: str, threads: int, device: str) -> Loaded:
    """What runs a file once, on a photograph, and where its runtime's own time can be read."""
    if path == MATMUL:
        import torch

        torch.set_num_threads(threads)
        a, b = torch.rand(SIDE, SIDE), torch.rand(SIDE, SIDE)
        return lambda: a @ b, None
    if Path(path).name == BASELINE:
        from deimv2.converters.onnx.run import open_session

        session = open_session(Path(path), threads)
        (given,) = session.get_inputs()
        images = np.random.default_rng(0).random(given.shape, np.float32)
        return lambda: session.run(None, {given.name: images}), None
    if device == FOREIGN:
        from deimv2.converters.tflite.run import open_foreign

        return open_foreign(Path(path), threads), None
    from deimv2.converters.artifact import open_model
    from deimv2.converters.photographs import PHOTOGRAPHS
    from deimv2.model.images import load_photo, resize

    format = format_of(Path(path))
    if device == CPU or format is None:
        runner = open_model(path, threads)
    else:
        runner = format.open_on(Path(path), device)
    frame = resize(load_photo(PHOTOGRAPHS[0]), runner.size)
    return lambda: runner.detect(frame), getattr(runner, "inside", None)


def machine() -> str:
    """The processor's name."""
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.is_file() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def serve(path: str, threads: int, device: str) -> None:
    """The process of a Runner: answers each line of standard input with one of JSON."""
    import deimv2.converters.artifact  # noqa: F401  before memory is looked at

    before = peak_memory(forget=True)
    run: Callable[[], object] | None = None
    inside: Stopwatch | None = None
    outside: list[float] = []
    answer: float | None = None
    for line in sys.stdin:
        start = time.perf_counter()
        match line.strip():
            case "load":
                run, inside = loaded(path, threads, device)
                answer = time.perf_counter() - start
            case "run" if run is not None:
                run()
                answer = time.perf_counter() - start
                if inside is not None:
                    outside.append(1 - inside.seconds / answer)
            case "outside":
                answer = float(np.median(outside)) if outside else None
            case "memory":
                answer = peak_memory() - before
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    try:
        serve(sys.argv[1], int(sys.argv[2]), sys.argv[3])
    except InputError as error:
        raise SystemExit(f"{Path(sys.argv[1]).name}: {error}") from None
