"""The photos and annotations that commands are given."""

import argparse
from pathlib import Path

from deimv2.cli.arguments import count

ANNOTATIONS = (
    "what annotates them: a COCO file, a metadata.jsonl, or a folder of YOLO or Pascal VOC labels"
)


def add_data(parser: argparse.ArgumentParser, val: bool) -> None:
    data = parser.add_argument_group("data")
    data.add_argument(
        "--data", type=Path, metavar="DIR",
        help="data set in a common layout: COCO, YOLO (its folder or data.yaml), Pascal VOC or "
        "metadata.jsonl (docs/data.md)",
    )  # fmt: skip
    parts = {"": "to train on, in place of --data"} | ({"val-": "to measure AP on"} if val else {})
    for part, meaning in parts.items():
        data.add_argument(f"--{part}images", type=Path, metavar="DIR", help=f"photos {meaning}")
        data.add_argument(f"--{part}annotations", type=Path, metavar="FILE|DIR", help=ANNOTATIONS)


def add_annotated(parser: argparse.ArgumentParser, folder: bool = False) -> None:
    """Photos to measure AP on, where there are no others. folder: or a data set's val part."""
    if folder:
        parser.add_argument(
            "--data", type=Path, metavar="DIR",
            help="data set in a common layout, or its data.yaml (docs/data.md); or give --images "
            "and --annotations",
        )  # fmt: skip
        parser.add_argument(
            "--split", choices=("val", "test", "train"),
            help="part of --data (default: val; where there is none, test)",
        )  # fmt: skip
    parser.add_argument(
        "--images", type=Path, required=not folder, metavar="DIR",
        help="folder of annotated photos",
    )  # fmt: skip
    parser.add_argument(
        "--annotations", type=Path, required=not folder, metavar="FILE|DIR", help=ANNOTATIONS
    )
    parser.add_argument(
        "--limit", type=count, metavar="N", help="use only the first N photos (default: all)"
    )
