"""`deimv2 train`: a detector on one's own photos, from scratch or from trained weights."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from deimv2.cli import console
from deimv2.cli.arguments import (
    add_image_size,
    add_machine,
    add_seed,
    add_variant,
    count,
    rate,
    share,
)
from deimv2.cli.data import add_data

if TYPE_CHECKING:
    from deimv2.api.training import Training

EXAMPLE = "example: deimv2 train --data shelves --weights coco --variant n --epochs 60"


def add(subparsers: Any) -> None:
    parser = subparsers.add_parser(
        "train",
        help="train on your own photos",
        description="Trains on annotated photos (COCO, YOLO, Pascal VOC), from scratch or from "
        "trained weights, and keeps the best weights as best.safetensors. --resume continues a "
        "training that was stopped. For several GPUs: torchrun --nproc-per-node 4 -m deimv2 train "
        "...",
        epilog=EXAMPLE,
    )
    add_data(parser, val=True)
    start = parser.add_argument_group("start")
    add_variant(start)
    start.add_argument(
        "--weights", metavar="none|demo|coco|PATH",
        help="weights to start from: coco, the released ones (the default without --backbone); "
        "none, random numbers, which take the paper's 58 to 500 epochs; demo, or a file. The "
        "class heads are made for your classes; those of the same name keep what they know",
    )  # fmt: skip
    start.add_argument(
        "--backbone", type=Path, metavar="FILE",
        help="weights of the backbone alone, as deimv2 distill makes them; all else starts from "
        "random numbers, unless --weights are named",
    )  # fmt: skip
    start.add_argument(
        "--resume", type=Path, metavar="DIR",
        help="continue the stopped training in this folder; if its data were moved, name their new "
        "place with --data, or --images and the others",
    )  # fmt: skip
    add_training(parser)
    parser.add_argument(
        "--output", type=Path, metavar="DIR", help="folder for the results (default: runs/VARIANT)"
    )
    parser.add_argument("--json", action="store_true", help="print the result as JSON")
    parser.set_defaults(run=run)


def add_training(parser: argparse.ArgumentParser, rounds: bool = False) -> None:
    """How it is trained, and on what. rounds: with rounding to int8, which has its own defaults."""
    how = parser.add_argument_group("training")
    add_length(how, rounds)
    how.add_argument(
        "--lr", type=rate, metavar="X",
        help="learning rate of the heads; the other learning rates keep their ratio to it"
        f" (default: {'3e-05' if rounds else 'that of the recipe'})",
    )  # fmt: skip
    final = (
        "0" if rounds else "0 from weights on fewer than 2,000 photos, else the paper's 0.5 or 1"
    )
    how.add_argument(
        "--final-lr", type=share, metavar="X",
        help=f"final learning rate, as a share of --lr (default: {final})",
    )  # fmt: skip
    if not rounds:
        add_variety(how)
    add_seed(how)
    machine = parser.add_argument_group("machine")
    add_machine(machine)
    machine.add_argument(
        "--threads", type=count, metavar="N", help="CPU threads (default: PyTorch's choice)"
    )
    if not rounds:  # which takes float32
        machine.add_argument(
            "--no-amp", action="store_false", dest="amp", help="compute in float32 on GPUs too"
        )
    machine.add_argument(
        "--compile", action="store_true", help="use torch.compile (needs a C++ compiler)"
    )
    machine.add_argument(
        "--evaluate-every", type=count, default=1, metavar="EPOCHS",
        help="epochs between two measurements of AP (default: 1)",
    )  # fmt: skip
    machine.add_argument(
        "--patience",
        type=count,
        metavar="EPOCHS",
        help="stop after this many epochs without a better AP (default: never)",
    )


def add_length(how: Any, rounds: bool = False) -> None:
    """How long, and on how large photos."""
    if rounds:
        epochs, batch = "2, or on few photos as many as make 500 steps, up to 20", "8"
        side = "the checkpoint's, or the variant's own"
    else:
        epochs = "60 from weights, 40 on fewer than 2,000 photos, the paper's from scratch"
        batch = "16 from weights, 8 on fewer than 2,000 photos, the paper's from scratch"
        side = "the variant's own"
    how.add_argument(
        "--epochs", type=count, metavar="N",
        help=f"passes over the photos, to which the recipe is fitted (default: {epochs})",
    )  # fmt: skip
    how.add_argument(
        "--batch", type=count, metavar="N",
        help=f"photos per step, of all processes together (default: {batch})",
    )  # fmt: skip
    add_image_size(how, side)


def add_variety(how: Any) -> None:
    how.add_argument(
        "--denoising",
        action=argparse.BooleanOptionalAction,
        default=None,
        help="train with denoising queries too, which takes longer (default: unless fine-tuning on "
        "fewer than 2,000 photos)",
    )
    how.add_argument(
        "--no-dense",
        action="store_false",
        dest="dense",
        help="train without Mosaic, MixUp and Copy-Blend",
    )
    how.add_argument(
        "--no-augment", action="store_false", dest="augment", help="augment by flips only"
    )


def run(args: argparse.Namespace) -> int:
    from deimv2.api.options import fields_in
    from deimv2.api.training import TrainOptions, train

    made = train(**fields_in(TrainOptions, vars(args)), progress=console.PROGRESS)
    return print_training(made, args.json)


def print_training(made: "Training", as_json: bool) -> int:
    """By the process that speaks for all; gives the exit code."""
    if not made.finished:
        return 130
    if made.main and as_json:
        console.print_json(made.to_json())
    elif made.main:
        print(made.weights)
    return 0
