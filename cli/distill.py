"""`deimv2 distill`: the small ViTs of S and M from DINOv3's ViT-S, on any photos."""

import argparse
from pathlib import Path
from typing import Any

from deimv2.cli import console
from deimv2.cli.arguments import add_machine, add_seed, count, rate

STUDENTS = ("vit-tiny", "vit-tiny-plus")
EXAMPLE = "example: deimv2 distill --teacher dinov3_vits16.pth --images photos --output runs/vit"


def add(subparsers: Any) -> None:
    parser = subparsers.add_parser(
        "distill",
        help="distill DINOv3's ViT-S into a small ViT backbone",
        description="Trains ViT-Tiny (the backbone of S) or ViT-Tiny+ (of M) to reproduce the "
        "features of DINOv3's ViT-S, whose weights you supply. Use the result with "
        "'deimv2 train --variant s --backbone DIR/best.safetensors'.",
        epilog=EXAMPLE,
    )
    parser.add_argument(
        "--teacher", type=Path, metavar="FILE", help="released weights of DINOv3 ViT-S"
    )
    parser.add_argument(
        "--images", type=Path, metavar="DIR", help="folder of photos, searched with its subfolders"
    )
    parser.add_argument(
        "--student", choices=STUDENTS, default="vit-tiny",
        help="vit-tiny: the backbone of S; vit-tiny-plus: of M (default: vit-tiny)",
    )  # fmt: skip
    parser.add_argument(
        "--epochs", type=count, default=50, metavar="N",
        help="passes over the photos (default: 50)",
    )  # fmt: skip
    parser.add_argument(
        "--batch", type=count, default=64, metavar="N", help="photos per step (default: 64)"
    )
    parser.add_argument(
        "--side", type=count, default=224, metavar="N", help="pixels of the crops (default: 224)"
    )
    parser.add_argument(
        "--lr", type=rate, default=1e-3, metavar="X", help="learning rate (default: 0.001)"
    )
    add_seed(parser)
    add_machine(parser)
    parser.add_argument(
        "--resume", type=Path, metavar="DIR", help="continue a stopped distillation"
    )
    parser.add_argument(
        "--output", type=Path, metavar="DIR", help="folder for the results (default: runs/STUDENT)"
    )
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    from deimv2.api.distilling import DistillOptions, distill
    from deimv2.api.options import fields_in

    made = distill(**fields_in(DistillOptions, vars(args)), progress=console.PROGRESS)
    if not made.finished:
        return 130
    if args.json:
        console.print_json({"weights": str(made.weights), "steps": made.steps})
    else:
        print(made.weights)
    return 0
