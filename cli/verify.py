"""`deimv2 verify`: are the artifacts whole, and do they detect what the model detects?"""

import argparse
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cli import console
from cli.record import add_record, record_all
from model.errors import InputError
from model.files import write_whole

if TYPE_CHECKING:
    from evaluation.verify import Report

EXAMPLE = "example: deimv2 verify artifacts/atto --images my-photos --report report.html"


def add(subparsers: Any) -> None:
    parser = subparsers.add_parser(
        "verify",
        help="check an export folder: hashes and parity",
        description="Checks the hash of every file in an export folder and runs every artifact on "
        "the golden photographs, against the float32 model's detections. Exit code 1 if one fails.",
        epilog=EXAMPLE,
    )
    parser.add_argument("folder", type=Path, metavar="DIR", help="what deimv2 export wrote")
    parser.add_argument(
        "--images",
        type=Path,
        metavar="DIR",
        help="also compare the artifacts with each other on these photos "
        "(the folder holds no float32 model to compare with)",
    )
    parser.add_argument(
        "--report",
        type=Path,
        metavar="FILE",
        help="write a page (HTML) with pictures, charts and hashes, to read in a browser or share",
    )
    parser.add_argument(
        "--device", choices=("arm64",),
        help="run the .tflite and .pte files on an emulated ARM64 instead, compare with this "
        "machine and count instructions (default: this machine)",
    )  # fmt: skip
    add_record(parser)
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    check_options(args)
    report = on_arm64(args.folder) if args.device else on_this_machine(args.folder, args.images)
    if args.record:
        from evaluation.arm64.check import entry

        counted = {args.folder / row.artifact: entry(row) for row in report.rows}
        record_all("arm64", {path: found for path, found in counted.items() if found})
    if args.report:
        with console.status(f"writing {args.report}"):
            from evaluation.report import page

            write_whole(args.report, page(report).encode())
    if args.json:
        console.print_json(report.to_json())
    else:
        print_report(report)
    return 0 if report.passed else 1


def check_options(args: argparse.Namespace) -> None:
    """Raises InputError for what cannot be done together, or written, before minutes of work."""
    if args.device and args.images:
        raise InputError("--images compares on this machine; leave out --images or --device")
    if args.device and args.report:
        raise InputError(
            f"--report shows what this machine detects, found --device {args.device} with it; run "
            "--device with --record, which the page of a later run shows"
        )
    if args.record and not args.device:
        raise InputError(
            "--record is for --device; what this machine detects stands in the manifest already"
        )
    if args.report and (args.report.is_dir() or not args.report.parent.is_dir()):
        raise InputError(
            f"--report '{args.report}' is no file in a folder that is there, expected for example "
            "report.html; make the folder or name another file"
        )


def on_this_machine(folder: Path, images: Path | None) -> "Report":
    with console.status(f"verifying {folder}"):
        from evaluation.verify import verify_folder

        return verify_folder(folder, images)


def on_arm64(folder: Path) -> "Report":
    from evaluation.arm64.check import verify_on_arm64

    console.log("running .tflite and .pte on ARM64; Core ML and ONNX have no place there")
    return verify_on_arm64(folder, partial(console.track, message="on ARM64"))


def print_report(report: "Report") -> None:
    """One table row per artifact, each number with its limit; what failed in a sentence below."""
    from evaluation.parity import HEADER, table

    cells = []
    for row in report.rows:
        if row.parity is None or row.limits is None:
            blank = ["-"] * (len(HEADER) - 2)
            verdict = "FAIL" if row.problems else "pass"
            cells.append([row.artifact, row.against, *blank, verdict])
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
