"""`deimv2 list`: the variants and their numbers."""

import argparse
from typing import Any

from deimv2.cli import console
from deimv2.converters import FORMATS
from deimv2.model.variants import VARIANTS, Variant

EXAMPLE = "example: deimv2 list --json"


def add(subparsers: Any) -> None:
    parser = subparsers.add_parser(
        "list",
        help="the variants: size, parameters, accuracy",
        description="Lists the variants with their input size, cost and accuracy on COCO val2017.",
        epilog=EXAMPLE,
    )
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    if args.json:
        console.print_json([describe(variant) for variant in VARIANTS.values()])
        return 0
    console.print_table(
        ("variant", "input", "parameters", "GFLOPs", "COCO AP", "queries", "formats"),
        [
            (
                v.name,
                f"{v.image_size}x{v.image_size}",
                f"{v.parameters / 1e6:.2f} M",
                f"{v.gflops:.2f}",
                f"{v.coco_ap:.1f}",
                str(v.decoder.queries),
                ", ".join(FORMATS),
            )
            for v in VARIANTS.values()
        ],
    )
    return 0


def describe(variant: Variant) -> dict[str, Any]:
    return {
        "name": variant.name,
        "image_size": [variant.image_size, variant.image_size],
        "parameters": variant.parameters,
        "gflops": variant.gflops,
        "coco_ap": variant.coco_ap,
        "queries": variant.decoder.queries,
        "formats": list(FORMATS),
        "weights": variant.hub,
    }
