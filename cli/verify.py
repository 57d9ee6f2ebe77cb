"""`deimv2 verify`: are the artifacts whole, and do they detect what the model detects?"""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cli import console
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
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    if args.report is not None:
        require_place(args.report)
    with console.status(f"verifying {args.folder}"):
        from evaluation.verify import verify_folder

        report = verify_folder(args.folder, args.images)
    if args.report is not None:
        with console.status(f"writing {args.report}"):
            from evaluation.report import page

            write_whole(args.report, page(report).encode())
    if args.json:
        console.print_json(report.to_json())
    else:
        print_report(report)
    return 0 if report.passed else 1


def require_place(path: Path) -> None:
    """Raises InputError where no file can be written, before minutes of work."""
    if path.is_dir() or not path.parent.is_dir():
        raise InputError(
            f"--report '{path}' is no file in a folder that is there, expected for example "
            "report.html; make the folder or name another file"
        )


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
    console.print_table((HEADER[0], "compared with", *HEADER[1:]), cells)
    for row in report.rows:
        for problem in row.problems:
            console.log(f"{row.artifact}: {problem}")
