"""`deimv2 report`: one page on the files of one or more exports."""

import argparse
from pathlib import Path
from typing import Any

from deimv2.cli import console

EXAMPLE = "example: deimv2 report artifacts/atto artifacts/atto-int8 --output page"


def add(subparsers: Any) -> None:
    parser = subparsers.add_parser(
        "report",
        help="write an HTML page: accuracy, size, speed, photographs",
        description="Verifies export folders and writes an HTML page: every file's size, AP, "
        "times, operations and parity, AP against size and time, and photographs with the "
        "detections of float32 and of each file. AP and times come from the manifests, where "
        "evaluate --record and benchmark --record wrote them.",
        epilog=EXAMPLE,
    )
    parser.add_argument("folders", type=Path, nargs="+", metavar="DIR", help="export folders")
    parser.add_argument(
        "--output", type=Path, default=Path("report.html"), metavar="PATH",
        help="the page (.html), or a folder for it (default: report.html)",
    )  # fmt: skip
    parser.add_argument(
        "--phones", type=Path, nargs="+", default=[], metavar="FILE",
        help="reports (JSON) shared from the apps after 'Check this phone', to include",
    )  # fmt: skip
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    from deimv2.api.reporting import report

    page = report(args.folders, args.output, phones=args.phones, progress=console.PROGRESS)
    if args.json:
        console.print_json({"page": str(page)})
    else:
        print(page)
    return 0
