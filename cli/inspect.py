"""`deimv2 inspect`: an artifact's operations, their cost, and the delegates that take them."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from deimv2.cli import console
from deimv2.cli.arguments import add_device, share
from deimv2.model.errors import CheckError, InputError

if TYPE_CHECKING:
    from deimv2.converters.inspection import Inspection

EXAMPLE = "example: deimv2 inspect artifacts/atto/deimv2-atto-fp32.tflite --require-delegated 0.98"
LARGEST = 5  # constants, and products in float, that are shown
WIDEST = 50  # characters of a constant's name


def add(subparsers: Any) -> None:
    parser = subparsers.add_parser(
        "inspect",
        help="show an artifact's operations, cost and delegates",
        description="Shows an artifact's inputs and outputs, its operations and their multiply-"
        "accumulates (MACs), which of them a delegate takes, precision and size. Nothing is run. "
        "The exit code is 1 if a required share is not reached.",
        epilog=EXAMPLE,
    )
    parser.add_argument(
        "artifact",
        type=Path,
        metavar="ARTIFACT",
        help=".tflite, .pte, .mlpackage, .aimodel or .onnx",
    )
    parser.add_argument(
        "--require-delegated", type=share, metavar="SHARE",
        help="fail unless the first delegate takes this share of the MACs, in 0..1",
    )  # fmt: skip
    parser.add_argument(
        "--require-integer", type=share, metavar="SHARE",
        help="fail unless integer kernels compute this share of the MACs, in 0..1",
    )  # fmt: skip
    add_device(parser, "gpu: ask LiteRT's GPU accelerator what it takes; it is listed first")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    with console.PROGRESS.status(f"reading {args.artifact}"):
        from deimv2.converters.artifact import inspect
        from deimv2.converters.manifest import NAME, Manifest, check_beside, require_no_export

        require_no_export(args.artifact)
        check_beside(args.artifact)
        found = inspect(args.artifact, args.device)
        folder = args.artifact.parent
        unverified = Manifest.read(folder).unverified if (folder / NAME).is_file() else []
    console.log_unverified([name for name in unverified if name == args.artifact.name], folder)
    if args.require_delegated is not None and not found.delegates:
        raise InputError(
            f"'{args.artifact}' knows no delegate, expected a .tflite, .pte, .mlpackage or "
            ".aimodel; leave out --require-delegated"
        )
    if args.json:
        console.print_json(found.to_json())
    else:
        print_inspection(found)
    missed = found.shortfalls(args.require_delegated, args.require_integer)
    if missed:
        raise CheckError("; ".join(missed))
    return 0


def print_inspection(found: "Inspection") -> None:
    print_artifact(found)
    print_operations(found)
    if found.delegates:
        print_delegates(found)
    print_sizes(found)


def print_artifact(found: "Inspection") -> None:
    card = found.card or {}
    rows = [
        ("model", ", ".join(str(card.get(key)) for key in ("variant", "precision", "weights"))),
        *(("input", str(port)) for port in found.inputs),
        *(("output", str(port)) for port in found.outputs),
        ("MACs", millions(found.macs)),
        ("in integer kernels", f"{percent(found.integer_share)} %"),
    ]
    console.print_table(("artifact", found.artifact), rows if card else rows[1:])


def print_operations(found: "Inspection") -> None:
    costs = [row for row in found.costs() if row[3]]
    console.print_table(
        ("operation", "precision", "count", "MACs", "% of MACs"),
        [(*row[:2], *numbers(found, *row[2:])) for row in costs],
    )
    free = [f"{kind} {count}" for kind, _, count, macs in found.costs() if not macs]
    console.print_table(("operations without MACs",), [(", ".join(free),)])
    if found.integer_share:
        console.print_table(
            ("largest in float", "output", "count", "MACs", "% of MACs"),
            [
                (kind, str(list(shape)), *numbers(found, count, macs))
                for kind, shape, count, macs in found.float_products()[:LARGEST]
            ],
        )


def print_delegates(found: "Inspection") -> None:
    console.print_table(
        ("delegate", "source", "calls", "operations", "of", "% of MACs"),
        [
            (
                delegate.name,
                delegate.told_by,
                "-" if delegate.calls is None else str(delegate.calls),
                str(len(found.taken(delegate.name))),
                str(len(found.operations)),
                percent(found.delegated_share(delegate.name)),
            )
            for delegate in found.delegates
        ],
    )
    for delegate in found.delegates:
        console.print_table(
            (f"not by {delegate.name}", "count", "MACs", "% of MACs", "operations"),
            [
                (reason, *numbers(found, count, macs), kinds)
                for reason, count, macs, kinds in found.reasons(delegate.name)
            ],
        )


def print_sizes(found: "Inspection") -> None:
    parts = {**found.sizes(), "all": found.size}
    console.print_table(
        ("part", "bytes", "%"),
        [(part, f"{size:,}", percent(size / found.size)) for part, size in parts.items()],
    )
    largest = sorted(found.constants, key=lambda constant: -constant.size)[:LARGEST]
    console.print_table(
        ("largest constants", "type", "shape", "bytes"),
        [(c.name[-WIDEST:], c.dtype, str(list(c.shape)), f"{c.size:,}") for c in largest],
    )


def numbers(found: "Inspection", count: int, macs: int) -> tuple[str, str, str]:
    return str(count), f"{macs:,}", percent(macs / found.macs if found.macs else 0)


def millions(macs: int) -> str:
    return f"{macs / 1e6:.2f} M"


def percent(value: float) -> str:
    return f"{100 * value:.1f}"
