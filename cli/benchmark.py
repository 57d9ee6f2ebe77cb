"""`deimv2 benchmark`: how fast artifacts run here, beside the release's own export."""

import argparse
import tempfile
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cli import console
from cli.counts import count
from cli.record import add_record, record_all, require_listed
from model.errors import InputError

if TYPE_CHECKING:
    from evaluation.benchmark import Timing
    from evaluation.inspect.inspection import Inspection

EXAMPLE = "example: deimv2 benchmark artifacts/atto artifacts/atto-int8 --threads 1 2"
ROUNDS = 50
KINDS = (".tflite", ".pte", ".onnx")


def add(subparsers: Any) -> None:
    parser = subparsers.add_parser(
        "benchmark",
        help="time artifacts side by side",
        description="Times artifacts in turn, round after round, against a baseline: the same "
        "weights exported plainly to ONNX, as the release does it, and run by ONNX Runtime with "
        "the same threads. Ratios are of times in the same round; below 1 is faster than the "
        "baseline.",
        epilog=EXAMPLE,
    )
    parser.add_argument(
        "artifacts", type=Path, nargs="+", metavar="DIR|ARTIFACT",
        help="folders of deimv2 export, or .tflite, .pte and .onnx files",
    )  # fmt: skip
    parser.add_argument(
        "--threads", type=count, nargs="+", default=[1], metavar="N", help="default: 1"
    )
    parser.add_argument(
        "--rounds", type=count, default=ROUNDS, metavar="N", help=f"default: {ROUNDS}"
    )
    parser.add_argument(
        "--weights", metavar="demo|coco|random|PATH",
        help="the baseline's; default: what the first artifact says it was made of",
    )  # fmt: skip
    parser.add_argument("--no-baseline", action="store_true", help="without a baseline")
    add_record(parser)
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    from evaluation.benchmark import BASELINE, benchmark
    from evaluation.inspect import inspect

    files = find(args.artifacts)
    with console.status(f"reading {len(files)} artifacts"):
        found = {path: inspect(path) for path in files}
    require_unique([path.name for path in files])
    if args.record:
        require_listed(files)
        if len(args.threads) > 1:
            raise InputError(
                f"--record holds one number of threads, found {len(args.threads)}; time them one "
                "after the other"
            )
    with tempfile.TemporaryDirectory() as folder:
        baseline = None
        if not args.no_baseline:
            baseline = Path(folder) / BASELINE
            write(args.weights, found[files[0]], baseline)
        macs = {path.name: found[path].macs for path in files}
        rows = [
            row
            for threads in args.threads
            for row in benchmark(
                files, baseline, threads, macs, args.rounds,
                partial(console.track_rate, message=f"{threads} threads, rounds"),
            )
        ]  # fmt: skip
    if args.record:
        by_name = {row.name: row for row in rows}
        record_all("latency", {path: entry(by_name[path.name]) for path in files})
    if args.json:
        console.print_json([row.to_json() for row in rows])
    else:
        print_rows(rows)
    return 0


def entry(timing: "Timing") -> dict[str, Any]:
    """As the manifest has it."""
    from evaluation.benchmark import machine

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


def find(paths: Sequence[Path]) -> list[Path]:
    """The files that can be timed, in folders too. Raises InputError where there are none."""
    found = []
    for path in paths:
        inside = sorted(p for p in path.iterdir() if p.suffix in KINDS) if path.is_dir() else [path]
        if not inside or not path.exists() or inside[0].suffix not in KINDS:
            raise InputError(
                f"nothing to time at '{path}', expected {', '.join(KINDS)} files or a folder with "
                "some; check the path"
            )
        found += inside
    return found


def require_unique(names: Sequence[str]) -> None:
    if repeated := [name for name in names if names.count(name) > 1]:
        raise InputError(
            f"'{repeated[0]}' is named {names.count(repeated[0])} times, expected files of "
            "different names; time them one after the other"
        )


def write(weights: str | None, artifact: "Inspection", path: Path) -> None:
    """The baseline of an artifact. Raises InputError where its weights are not at hand."""
    from cli.weights import load
    from converters.plain import write_baseline

    card = artifact.card
    if card is None:
        raise InputError(f"'{artifact.artifact}' does not say what it is; add --no-baseline")
    made_of = str(card["weights"]).partition(":")[0]
    if weights is None and made_of not in ("demo", "random"):
        raise InputError(
            f"'{artifact.artifact}' was made of {made_of}; name these weights for the baseline "
            "with --weights, or add --no-baseline"
        )
    height, width = card["image_size"]
    int8 = card["precision"] == "int8"
    loaded = load(card["variant"], weights or made_of, None, (height, width), ranges=int8)
    if loaded.sha256 != card["weights_sha256"]:
        raise InputError(
            f"'{artifact.artifact}' was made of other weights (SHA-256 "
            f"{card['weights_sha256'][:12]}) than {weights or made_of} ({loaded.sha256[:12]}); "
            "name them with --weights"
        )
    with console.status("exporting the baseline"):
        write_baseline(loaded.net, path)


def print_rows(rows: "Sequence[Timing]") -> None:
    header = ("file", "threads", "ratio", "median ms", "p95 ms", "first ms", "load ms", "MB",
              "of peak")  # fmt: skip

    def cells(row: "Timing") -> list[str]:
        times = [f"{1e3 * t:.1f}" for t in (row.median, row.p95, row.first, row.load)]
        ratio = "-" if row.ratio is None else f"{row.ratio:.2f}"
        share = "-" if row.peak_share is None else f"{row.peak_share:.0%}"
        return [row.name, str(row.threads), ratio, *times, f"{row.memory / 1e6:.0f}", share]

    console.print_table(header, map(cells, rows))
