"""What several commands take, and the types of their values."""

import argparse
import math
from pathlib import Path
from typing import Any

from deimv2.model.numbers import LARGEST_SIDE


def count(text: str) -> int:
    if not text.isdecimal() or len(text) > 9 or int(text) < 1:
        raise argparse.ArgumentTypeError(f"'{text}' is not a count, expected 1 or more")
    return int(text)


def size(text: str) -> tuple[int, int]:
    parts = text.lower().split("x")
    if len(parts) > 2 or not all(part.isdecimal() and len(part) < 6 for part in parts):
        raise argparse.ArgumentTypeError(
            f"'{text}' is not a size, expected a side or HxW in pixels"
        )
    height, width = int(parts[0]), int(parts[-1])
    if max(height, width) > LARGEST_SIDE:
        raise argparse.ArgumentTypeError(f"'{text}' is too large, expected up to {LARGEST_SIDE}")
    return height, width


def translation(text: str) -> tuple[str, Path]:
    """A language tag, and the file of class names in that language."""
    tag, _, file = text.partition("=")
    if not file:
        raise argparse.ArgumentTypeError(
            f"'{text}' is no translation, expected LANGUAGE=FILE such as de=labels-de.txt"
        )
    return tag, Path(file)


def natural(text: str) -> int:
    if not text.isdecimal() or len(text) > 9:
        raise argparse.ArgumentTypeError(f"'{text}' is not a whole number from 0 on")
    return int(text)


def rate(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 < value < 1:
        raise argparse.ArgumentTypeError(
            f"'{text}' is not a learning rate, expected more than 0 and less than 1"
        )
    return value


def share(text: str) -> float:
    return _from_0_to_1(text, "share")


def threshold(text: str) -> float:
    return _from_0_to_1(text, "score")


def _from_0_to_1(text: str, what: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError(f"'{text}' is not a {what}, expected 0 to 1")
    return value


def add_variant(parser: Any) -> None:
    parser.add_argument(
        "--variant", default="auto", metavar="NAME",
        help="size of the network, atto to x as in deimv2 list (default: recognised from the "
        "weights, else atto)",
    )  # fmt: skip


def add_image_size(parser: Any, default: str) -> None:
    parser.add_argument(
        "--image-size", type=size, metavar="SIDE|HxW",
        help=f"input of the network in pixels, a multiple of 32 (default: {default})",
    )  # fmt: skip


def add_seed(parser: Any) -> None:
    parser.add_argument(
        "--seed", type=natural, default=0, metavar="N", help="random seed (default: 0)"
    )


def add_calibration(parser: argparse.ArgumentParser, usual: str = "") -> None:
    """usual: what else is taken first where no folder is named."""
    parser.add_argument(
        "--calibration", type=Path, metavar="DIR",
        help="folder of photos like those the phone will see, to find int8 ranges on (default: "
        f"{usual}for the demo weights, scenes like their training data)",
    )  # fmt: skip
    parser.add_argument(
        "--calibration-photos", type=count, default=200, metavar="N",
        help="how many of them to use, evenly spaced (default: 200)",
    )  # fmt: skip


def add_int8_share(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--int8-share", type=share, metavar="SHARE",
        help="minimum share of the multiply-accumulates to keep in int8: blocks of the encoder "
        "move to float, those whose rounding costs most for their work first, as long as this "
        "share is kept (default, and if the share is out of reach: everything but the decoder is "
        "in int8, about 0.9 for Atto, Femto and Pico)",
    )  # fmt: skip


def add_record(parser: argparse.ArgumentParser, when: str = "") -> None:
    """when: what it needs, before what it does."""
    parser.add_argument(
        "--record",
        action="store_true",
        help=f"{when}store the result in the manifest.json next to the artifact",
    )


def add_device(parser: argparse.ArgumentParser, meaning: str = "") -> None:
    """meaning: of a command that takes artifacts alone; else checkpoints run on PyTorch's GPUs."""
    choices = ("cpu", "gpu") if meaning else ("cpu", "gpu", "cuda", "mps")
    usual = "gpu: run a .tflite on LiteRT's GPU accelerator; cuda, mps: a checkpoint by PyTorch"
    parser.add_argument(
        "--device", choices=choices, default="cpu", help=f"{meaning or usual} (default: cpu)"
    )


def add_machine(parser: Any) -> None:
    """What any training has: where it runs, and when it saves and reports."""
    parser.add_argument(
        "--accumulate", type=count, default=1, metavar="N",
        help="batches that make one step, computed one after the other: as --batch N times as "
        "large, without its memory (default: 1)",
    )  # fmt: skip
    parser.add_argument(
        "--device", metavar="cpu|cuda", help="where to train (default: cuda if available)"
    )
    parser.add_argument(
        "--workers", type=natural, default=2, metavar="N",
        help="processes that load photos (default: 2)",
    )  # fmt: skip
    parser.add_argument(
        "--save-minutes", type=float, default=5.0, metavar="X",
        help="minutes between checkpoints (default: 5)",
    )  # fmt: skip
    parser.add_argument(
        "--report-every", type=count, default=20, metavar="STEPS",
        help="steps between reports (default: 20, and after every epoch)",
    )  # fmt: skip
