"""`deimv2 benchmark`: how fast artifacts run here, beside the release's own export."""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from deimv2.cli import console
from deimv2.cli.arguments import add_device, add_record, count

if TYPE_CHECKING:
    from deimv2.profiling.timing import Timing

EXAMPLE = "example: deimv2 benchmark artifacts/atto artifacts/atto-int8 --threads 1 2"


def add(subparsers: Any) -> None:
    parser = subparsers.add_parser(
        "benchmark",
        help="time artifacts side by side",
        description="Times artifacts in turn, round after round, against a baseline: the same "
        "weights exported plainly to ONNX, as the release does it, and run by ONNX Runtime with "
        "the same threads. Ratios compare times of the same round; below 1 is faster than the "
        "baseline. 'outside' is the share of time spent outside the runtime's own call; above 5 % "
        "no ratio is given.",
        epilog=EXAMPLE,
    )
    parser.add_argument(
        "artifacts", type=Path, nargs="+", metavar="DIR|ARTIFACT",
        help="export folders, or .tflite, .pte and .onnx files",
    )  # fmt: skip
    parser.add_argument(
        "--threads",
        type=count,
        nargs="+",
        default=[1],
        metavar="N",
        help="CPU threads; several numbers are timed one after the other (default: 1)",
    )
    parser.add_argument(
        "--rounds", type=count, default=50, metavar="N", help="rounds to time (default: 50)"
    )
    parser.add_argument(
        "--weights", metavar="demo|coco|random|PATH",
        help="weights of the baseline (default: those of the first artifact)",
    )  # fmt: skip
    parser.add_argument(
        "--no-baseline", action="store_false", dest="baseline", help="do not time a baseline"
    )
    parser.add_argument(
        "--beside", type=Path, nargs="+", default=(), metavar="TFLITE",
        help="other .tflite files to time in the same turns, on random input; their detections are "
        "not checked",
    )  # fmt: skip
    add_device(parser, "gpu: artifacts on LiteRT's GPU accelerator, the baseline on the CPU")
    add_record(parser)
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    from deimv2.api.benchmarking import benchmark

    rows = benchmark(
        args.artifacts,
        threads=args.threads,
        rounds=args.rounds,
        baseline=args.baseline,
        weights=args.weights,
        device=args.device,
        record=args.record,
        beside=args.beside,
        progress=console.PROGRESS,
    )
    if args.json:
        console.print_json([row.to_json() for row in rows])
    else:
        print_rows(rows)
    return 0


def print_rows(rows: "Sequence[Timing]") -> None:
    header = ("file", "threads", "ratio", "median ms", "p95 ms", "first ms", "load ms", "MB",
              "of peak", "outside")  # fmt: skip

    def cells(row: "Timing") -> list[str]:
        times = [f"{1e3 * t:.1f}" for t in (row.median, row.p95, row.first, row.load)]
        ratio = "-" if row.ratio is None else f"{row.ratio:.2f}"
        share = "-" if row.peak_share is None else f"{row.peak_share:.0%}"
        outside = "-" if row.outside is None else f"{row.outside:.1%}"
        memory = f"{row.memory / 1e6:.0f}"
        return [row.name, str(row.threads), ratio, *times, memory, share, outside]

    console.print_table(header, map(cells, rows))
