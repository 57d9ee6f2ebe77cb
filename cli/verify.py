"""`deimv2 verify`: are the artifacts whole, and do they detect what the model detects?"""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from deimv2.cli import console
from deimv2.cli.arguments import add_record

if TYPE_CHECKING:
    from deimv2.verification.verify import Report

EXAMPLE = "example: deimv2 verify artifacts/atto --images my-photos --report report.html"


def add(subparsers: Any) -> None:
    parser = subparsers.add_parser(
        "verify",
        help="check an export folder: hashes and parity",
        description="Checks the hash of every file in an export folder, runs every artifact on the "
        "golden photographs, and compares its detections with those of the float32 model. The exit "
        "code is 1 if any check fails.",
        epilog=EXAMPLE,
    )
    parser.add_argument("folder", type=Path, metavar="DIR", help="export folder")
    parser.add_argument(
        "--images",
        type=Path,
        metavar="DIR",
        help="also compare the artifacts with each other on these photos "
        "(an export folder holds no float32 model)",
    )
    parser.add_argument(
        "--report",
        type=Path,
        metavar="FILE",
        help="write an HTML page with pictures, charts and hashes",
    )
    parser.add_argument(
        "--device", choices=("arm64", "gpu"),
        help="arm64: run the .tflite and .pte files on an emulated ARM64 processor instead, "
        "compare with this machine and count instructions; gpu: run the .tflite files on LiteRT's "
        "GPU accelerator instead; a file passes only if all of it runs there",
    )  # fmt: skip
    add_record(parser, "with --device: ")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    from deimv2.api.verifying import verify

    report = verify(
        args.folder,
        args.images,
        device=args.device,
        report=args.report,
        record=args.record,
        progress=console.PROGRESS,
    )
    if args.json:
        console.print_json(report.to_json())
    else:
        print_report(report)
    return 0 if report.passed else 1


def print_report(report: "Report") -> None:
    """One table row per artifact, each number with its limit; what failed in a sentence below."""
    from deimv2.verification.parity import HEADER, table

    cells = []
    for row in report.rows:
        if row.parity is None or row.limits is None:
            blank = ["-"] * (len(HEADER) - 2)
            cells.append([row.artifact, row.against, *blank, row.verdict])
        else:
            (numbers,) = table({row.artifact: (row.parity, row.limits)})
            cells.append([numbers[0], row.against, *numbers[1:]])
    header = [HEADER[0], "compared with", *HEADER[1:]]
    if any(row.instructions for row in report.rows):
        header.append("instructions")
        for row, line in zip(report.rows, cells, strict=True):
            line.append("-" if row.instructions is None else f"{row.instructions:,}")
    console.print_table(header, cells)
    for row in report.rows:
        if row.kept is not None:
            console.log(
                f"{row.artifact}: finds {row.kept.found} of {row.kept.counted} detections of "
                f"float32 above 0.3 ({row.kept.share:.2f}, the limit is {row.kept.limit:.4g})"
            )
    for row in report.rows:
        for problem in row.problems:
            console.log(f"{row.artifact}: {problem}")
