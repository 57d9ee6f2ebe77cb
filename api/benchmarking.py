"""How fast artifacts run here, beside the release's own export."""

import tempfile
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from deimv2.api.install import REJECTED
from deimv2.api.options import Pathish, as_paths, require_path, require_progress
from deimv2.converters import FORMATS, format_of
from deimv2.converters.artifact import inspect
from deimv2.converters.format import CPU
from deimv2.converters.inspection import Inspection
from deimv2.converters.manifest import NAME, Manifest
from deimv2.converters.onnx.baseline import write_baseline
from deimv2.converters.results import record_all, require_listed
from deimv2.converters.tflite import TFLITE
from deimv2.model.defaults import own_defaults
from deimv2.model.errors import InputError
from deimv2.model.files import names_apart
from deimv2.model.numbers import require_numbers
from deimv2.model.progress import SILENT, Progress
from deimv2.model.weights.sources import load
from deimv2.model.words import plural
from deimv2.profiling.timing import BASELINE, Timing, machine, time_in_turn

ROUNDS = 50


@own_defaults()
def benchmark(
    artifacts: Pathish | Sequence[Pathish],
    *,
    threads: int | Sequence[int] = 1,
    rounds: int = ROUNDS,
    baseline: bool = True,
    weights: Pathish | None = None,
    device: str = CPU,
    record: bool = False,
    beside: Pathish | Sequence[Pathish] = (),
    progress: Progress = SILENT,
) -> list[Timing]:
    """Times artifacts in turn, round after round, against a baseline: the same weights exported
    plainly to ONNX, as the release does it, and run by ONNX Runtime with the same threads.

    artifacts: files, or folders of exports
    threads:   one number, or several, one after the other; of what runs on the CPU
    weights:   the baseline's; None: what the first artifact says it was made of
    device:    "gpu": the artifacts on LiteRT's GPU accelerator; the baseline stays on the CPU
    record:    write the result into the manifest beside the artifacts
    beside:    `.tflite` files of anybody, run on random numbers and timed in the same turns; what
               they detect is not looked at

    Raises InputError for what cannot be timed, or weights that are not at hand.
    """
    require_numbers(rounds=rounds)
    require_progress(progress)
    foreign = find_foreign(as_paths(beside, "beside"))
    counts = numbers_of_threads(threads, CPU if baseline or foreign else device)
    files = find(as_paths(artifacts, "artifacts"), device, progress)
    with progress.status(f"reading {plural(len(files), 'artifact')}"):
        found = {path: inspect(path) for path in files}
    require_unique([*files, *foreign])
    if record:
        require_recordable(files, counts, device)
    with tempfile.TemporaryDirectory() as folder:
        reference = Path(folder) / BASELINE if baseline else None
        if reference is not None:
            write(weights, found[files[0]], reference, progress)
        names = names_apart([*files, *foreign])
        macs = {names[path]: found[path].macs for path in files}
        rows = []
        for count in counts:
            message = f"{plural(count, 'thread')}, rounds"
            shown = partial(progress.track, message=message, rate=True)
            rows += time_in_turn(files, reference, count, macs, rounds, shown, device, foreign)
    if record:
        times = {row.name: entry(row) for row in rows}
        record_all("latency", {path: times[names[path]] for path in files})
    return rows


def numbers_of_threads(threads: int | Sequence[int], device: str) -> list[int]:
    """device: that of all that is timed where it is no CPU, which alone has threads to choose."""
    counts = list(threads) if isinstance(threads, Sequence) else [threads]
    if not counts:
        raise InputError("no number of threads, expected one or several")
    require_numbers(threads=counts)
    counts = list(map(int, counts))  # NumPy's are not for JSON
    if device != CPU and counts != [1]:
        raise InputError(f"--threads is for the CPU, found --device {device}; leave it out")
    return counts


def require_recordable(files: Sequence[Path], threads: Sequence[int], device: str) -> None:
    """Raises InputError for what a manifest has no place for."""
    if device != CPU:
        raise InputError(f"--record holds times on the CPU, found --device {device}; leave it out")
    require_listed(files)
    if len(threads) > 1:
        raise InputError(
            f"--record holds one number of threads, found {len(threads)}; time them one "
            "after the other"
        )


def entry(timing: Timing) -> dict[str, Any]:
    """As the manifest has it."""
    times = {
        "median_ms": timing.median,
        "p95_ms": timing.p95,
        "first_ms": timing.first,
        "load_ms": timing.load,
    }
    return (
        {"machine": machine(), "threads": timing.threads}
        | {name: round(1e3 * seconds, 2) for name, seconds in times.items()}
        | {"memory_mb": round(timing.memory / 1e6, 1)}
        | ({} if timing.ratio is None else {"ratio": round(timing.ratio, 3)})
    )


def find(paths: Sequence[Path], device: str = CPU, progress: Progress = SILENT) -> list[Path]:
    """The files that can be timed, in folders too, and says which others these hold. Raises
    InputError where there are none."""
    kinds = [
        each.suffix
        for each in FORMATS.values()
        if (each.native if device == CPU else device in each.devices)
    ]
    found = []
    for path in paths:
        there = artifacts_in(path) if path.is_dir() else [path]
        there = [p for p in there if format_of(p) is not None and p.exists()]
        inside = [p for p in there if p.suffix in kinds and has_times(p)]
        if not inside:
            raise InputError(
                f"nothing to time at '{path}', expected {', '.join(kinds)} files or a folder with "
                "some; check the path"
            )
        found += inside
        if left := [p.name for p in there if p not in inside]:
            why = "whose time here says nothing of phones"
            if device != CPU:
                why = f"which no {device.upper()} runs here"
            progress.log(f"not timed: {', '.join(left)}, {why}")
    if not found:
        raise InputError("no artifact to time, expected files or folders of exports")
    return found


def artifacts_in(folder: Path) -> list[Path]:
    """Those of the manifest; without one, all files but those that an export rejected."""
    if (folder / NAME).is_file():
        return sorted(folder / file.name for file in Manifest.read(folder).files)
    return sorted(path for path in folder.iterdir() if REJECTED not in path.suffixes)


def find_foreign(paths: list[Path]) -> list[Path]:
    """Raises InputError for what is no `.tflite` file."""
    for path in paths:
        if not TFLITE.is_at(path) or path.suffix != TFLITE.suffix:
            raise InputError(f"no .tflite file at '{path}', expected one beside; check the path")
    if paths:
        TFLITE.require()
    return paths


def has_times(path: Path) -> bool:
    format = format_of(path)
    return format is not None and format.timed(path)


def require_unique(paths: Sequence[Path]) -> None:
    places = [path.resolve() for path in paths]
    if repeated := [path for path in paths if places.count(path.resolve()) > 1]:
        raise InputError(
            f"'{repeated[0]}' is named {places.count(repeated[0].resolve())} times, expected each "
            "file once; leave the others out"
        )


def write(weights: Pathish | None, artifact: Inspection, path: Path, progress: Progress) -> None:
    """The baseline of an artifact. Raises InputError where its weights are not at hand."""
    card = artifact.card
    if card is None:
        raise InputError(
            f"'{artifact.artifact}' does not say what it was made of, expected a file of deimv2 "
            "export; add --no-baseline"
        )
    made_of = str(card["weights"]).partition(":")[0]
    if weights is None and made_of not in ("demo", "random"):
        raise InputError(
            f"'{artifact.artifact}' was made of {made_of}; name these weights for the baseline "
            "with --weights, or add --no-baseline"
        )
    weights = made_of if weights is None else weights
    require_path(weights, "weights ")
    weights = str(weights)
    height, width = card["image_size"]
    int8 = card["precision"] == "int8"
    # The demo's int8 files are of a checkpoint of its own, or of photographs that were given.
    for ranges in (True, False) if int8 else (False,):
        loaded = load(card["variant"], weights, card["labels"], (height, width), ranges=ranges)
        if loaded.sha256 == card["weights_sha256"]:
            break
    else:
        raise InputError(
            f"'{artifact.artifact}' was made of other weights (SHA-256 "
            f"{card['weights_sha256'][:12]}) than {weights} ({loaded.sha256[:12]}); "
            "name them with --weights"
        )
    with progress.status("exporting the baseline"):
        write_baseline(loaded.net, path)
