"""`deimv2 scenes`: the demo's data set, garments on photographs."""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from cli import console
from cli.counts import count, natural
from model.errors import InputError

EXAMPLE = "example: deimv2 scenes garments"
GARMENTS = Path("/usr/share/datasets/fashion-mnist")  # Debian's dataset-fashion-mnist
PACKAGES = "mate-backgrounds lomiri-wallpapers-16.04 opencv-doc"
BACKGROUNDS = Path("/usr/share/backgrounds")
EXAMPLES = Path("/usr/share/doc/opencv-doc/examples")
LOMIRI = """Bridge_by_Sander_Klootwijk Dragonfly_by_Bolly Picture_0B_by_freespace
Picture_1A_by_freespace Wine_by_Jakkub_Mede aitzgorri_by_Aitzol_Berasategi free_by_Peter_Nerlich
friends_by_Aitzol_Berasategi greentock_by_Peter_Nerlich life_by_Aitzol_Berasategi
picosdeeuropa_by_Aitzol_Berasategi seeding_by_Clements_Engelhardt sunset_by_Aitzol_Berasategi"""
OPENCV = """aero1.jpg aloeL.jpg apple.jpg baboon.jpg basketball1.png board.jpg box_in_scene.png
building.jpg butterfly.jpg chicky_512.png ela_original.jpg fruits.jpg graf1.png home.jpg left.jpg
left05.jpg left11.jpg leuvenA.jpg licenseplate_motion.jpg messi5.jpg orange.jpg pca_test1.jpg
rubberwhale1.png smarties.png squirrel_cls.jpg starry_night.jpg stuff.jpg sudoku.png
text_defocus.jpg text_motion.jpg"""
# Debian's mate-backgrounds, and what in the two other packages is a photograph.
PHOTOS = (
    BACKGROUNDS / "mate" / "nature",
    *(BACKGROUNDS / f"{name}.jpg" for name in LOMIRI.split()),
    *(EXAMPLES / "data" / name for name in OPENCV.split()),
    *(EXAMPLES / "text" / f"scenetext0{number}.jpg" for number in range(1, 7)),
)
PARTS = {"train": ("train", 12_000, 0), "val": ("t10k", 200, 1)}  # Fashion-MNIST's, scenes, seed


def add(subparsers: Any) -> None:
    parser = subparsers.add_parser(
        "scenes",
        help="make the demo's data set",
        description="Makes the data set that the demo weights were trained on: Fashion-MNIST's "
        "garments on photographs, with COCO annotations. The garments and photographs of the two "
        "parts are different ones. On Debian and Ubuntu: apt-get install dataset-fashion-mnist "
        f"{PACKAGES}",
        epilog=EXAMPLE,
    )
    parser.add_argument("output", type=Path, metavar="DIR", help="gets train/ and val/")
    parser.add_argument("--part", choices=PARTS, action="append", help="default: both")
    parser.add_argument(
        "--count", type=count, metavar="N",
        help=f"scenes; default: {PARTS['train'][1]} in train, {PARTS['val'][1]} in val",
    )  # fmt: skip
    parser.add_argument("--seed", type=natural, metavar="N", help="default: 0 in train, 1 in val")
    parser.add_argument(
        "--garments", type=Path, default=GARMENTS, metavar="DIR",
        help=f"Fashion-MNIST's four files; default: {GARMENTS}",
    )  # fmt: skip
    parser.add_argument(
        "--photos", type=Path, nargs="+", metavar="PATH",
        help="backgrounds, photos or folders of them; default: those of the three packages in "
        "train, this package's own in val",
    )  # fmt: skip
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    folders = {part: args.output / part for part in args.part or PARTS}
    for folder in folders.values():
        if folder.exists() and any(folder.iterdir()):
            raise InputError(f"'{folder}' is not empty; choose another folder, or remove it")
    made = {}
    for part, folder in folders.items():
        number = args.count or PARTS[part][1]
        make(part, folder, number, args.seed, args.garments, args.photos)
        made[part] = {"folder": str(folder), "scenes": number}
    if args.json:
        console.print_json(made)
    else:
        for row in made.values():
            print(f"{row['folder']}: {row['scenes']} scenes")
    return 0


def make(
    part: str,
    folder: Path,
    count: int,
    seed: int | None = None,
    garments: Path = GARMENTS,
    photos: Sequence[Path] | None = None,
) -> None:
    """Writes scenes of a part. Raises InputError where garments or photos are not installed."""
    from evaluation.photographs import PHOTOGRAPHS
    from training.scenes import DENSE, PLAIN, read_garments, read_photos, write_scenes

    source, _, its_seed = PARTS[part]
    train = part == "train"
    pictures = read_garments(garments, source)
    photos = photos or (PHOTOS if train else PHOTOGRAPHS)
    missing = [path for path in photos if not path.exists()]
    if missing:
        raise InputError(
            f"no photo or folder at '{missing[0]}', expected backgrounds; install them "
            f"(apt-get install {PACKAGES}), or name others with --photos"
        )
    write_scenes(
        folder,
        pictures,
        read_photos(photos),
        count,
        its_seed if seed is None else seed,
        style=DENSE if train else PLAIN,
        progress=lambda items: console.track_rate(items, "scenes"),
    )
