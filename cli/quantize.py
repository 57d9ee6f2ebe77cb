"""`deimv2 quantize`: the int8 ranges of a checkpoint, kept in a checkpoint like any other."""

import argparse
import shlex
from pathlib import Path
from typing import Any

from deimv2.cli import console
from deimv2.cli.arguments import add_calibration, add_int8_share, add_variant
from deimv2.cli.data import add_data
from deimv2.cli.train import add_training, print_training

EXAMPLE = "example: deimv2 quantize --weights best.safetensors --calibration photos"


def add(subparsers: Any) -> None:
    parser = subparsers.add_parser(
        "quantize",
        help="calibrate for int8 on your photos, with or without training",
        description="Runs a checkpoint on the photos of --calibration or --data, finds int8 ranges "
        "and weights that fit them, and writes a checkpoint for export --precision int8, in every "
        "format. --qat continues with quantization-aware training on --data, or on the "
        "--calibration photos alone: it learns from the float network; annotations only measure "
        "it. AP is measured before the first step, too, and the weights with the highest sum of AP "
        "and agreement with the float network are kept.",
        epilog=EXAMPLE,
    )
    add_variant(parser)
    parser.add_argument("--weights", metavar="demo|coco|random|PATH", help="as in deimv2 export")
    add_calibration(parser, "those of --data; ")
    add_int8_share(parser)
    parser.add_argument(
        "--labels", type=Path, metavar="FILE",
        help="class names, one per line; not for --qat with --data, which names them",
    )  # fmt: skip
    parser.add_argument(
        "--output", type=Path, metavar="FILE|DIR",
        help="the checkpoint (default: VARIANT-int8.safetensors); with --qat the folder of the "
        "training (default: runs/VARIANT-int8)",
    )  # fmt: skip
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument(
        "--qat",
        action="store_true",
        help="quantization-aware training; most options below belong to it",
    )
    parser.add_argument("--resume", type=Path, metavar="DIR", help="continue a stopped --qat")
    add_data(parser, val=True)
    add_training(parser, rounds=True)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    from deimv2.api.options import fields_in
    from deimv2.api.quantizing import QuantizeOptions, quantize

    made = quantize(**fields_in(QuantizeOptions, vars(args)), progress=console.PROGRESS)
    if made.training is not None:
        return print_training(made.training, args.json)
    if args.json:
        console.print_json(made.to_json())
    else:
        console.log(
            f"{len(made.ranges)} ranges; next: deimv2 export "
            f"--precision int8 --weights {shlex.quote(str(made.weights))}"
        )
        print(made.weights)
    return 0
