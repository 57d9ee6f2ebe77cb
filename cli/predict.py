"""`deimv2 predict`: detections of an artifact or a checkpoint on photos."""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from deimv2.cli import console
from deimv2.cli.arguments import add_device
from deimv2.model.words import plural

if TYPE_CHECKING:
    from deimv2.api.detector import Result

DEMO_VARIANT = "atto"
EXAMPLE = "example: deimv2 predict artifacts/atto/deimv2-atto-fp32.tflite photo.jpg --output drawn"


def add(subparsers: Any) -> None:
    parser = subparsers.add_parser(
        "predict",
        help="detect on photos",
        description="Detects on photos with an artifact (.tflite, .pte, .mlpackage, .onnx) or a "
        "checkpoint (.pth, .safetensors). Boxes are x1, y1, x2, y2 in 0..1 of the photo.",
        epilog=EXAMPLE,
    )
    parser.add_argument(
        "inputs", type=Path, nargs="+", metavar="MODEL PHOTO...",
        help="an artifact or a checkpoint, then photos or folders of photos; without a model, the "
        "demo weights of Atto",
    )  # fmt: skip
    parser.add_argument(
        "--output",
        type=Path,
        metavar="DIR",
        help="folder for copies of the photos with the boxes drawn",
    )
    parser.add_argument(
        "--threshold", type=score, default=0.5, metavar="SCORE",
        help="show detections that score more than this (default 0.5)",
    )  # fmt: skip
    parser.add_argument(
        "--labels", type=Path, metavar="FILE",
        help="class names, one per line; default: those in the file, or COCO's",
    )  # fmt: skip
    parser.add_argument(
        "--variant",
        metavar="NAME",
        help="variant of a checkpoint (default: recognised from its tensors)",
    )
    parser.add_argument(
        "--one-label", action="store_true",
        help="of several labels on one object, keep the one that scores best",
    )  # fmt: skip
    add_device(parser)
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    from deimv2.api.detector import load
    from deimv2.model.drawing import save_picture
    from deimv2.model.errors import InputError
    from deimv2.model.files import make_folder
    from deimv2.model.images import find_photos

    model, places = model_and_photos(args.inputs)
    photos = [
        photo for path in places for photo in (find_photos(path) if path.is_dir() else [path])
    ]
    with console.status(f"opening {model}"):
        detector = load(model, labels=args.labels, variant=args.variant, device=args.device)
    if args.output is not None:
        make_folder(args.output)
    rows, texts = [], []
    pairs = list(zip(photos, drawing_paths(photos, args.output), strict=True))
    failures = []
    for photo, drawing in console.track(pairs, "photos"):
        try:
            result = detector(photo, args.threshold)
        except InputError as error:
            if len(pairs) == 1:
                raise
            failures.append(str(error))
            console.log(f"skipped: {error}")
            continue
        if args.one_label:
            result = result.one_label()
        if drawing is not None:
            save_picture(result.plot(), drawing)
        rows.append(result.to_json() | {"drawing": None if drawing is None else str(drawing)})
        texts.append(described(result, drawing))
    if args.json:
        console.print_json(rows)
    else:
        print("\n".join(texts))
    if failures:
        raise InputError(
            f"{len(failures)} of {plural(len(pairs), 'photo')} could not be read, see above"
        )
    return 0


def model_and_photos(inputs: Sequence[Path]) -> tuple[Path, Sequence[Path]]:
    """The first input is the model unless it is a photo or a folder of photos."""
    from deimv2.converters import format_of
    from deimv2.converters.checkpoint import CHECKPOINTS
    from deimv2.model.errors import InputError
    from deimv2.model.images import SUFFIXES
    from deimv2.model.weights.sources import fetch

    first = inputs[0]
    known = format_of(first) is not None or first.suffix in CHECKPOINTS
    if first.suffix.lower() in SUFFIXES or (first.is_dir() and not known):
        return fetch("demo", DEMO_VARIANT), inputs
    if not known and first.exists() and len(inputs) == 1:
        raise InputError(
            f"'{first}' was taken for the model, as photos end in one of "
            f"{', '.join(sorted(SUFFIXES))}; convert or rename it, or name a model before it"
        )
    if len(inputs) == 1:
        raise InputError(f"no photos after '{first}', expected one or more; name them")
    return first, inputs[1:]


def score(text: str) -> float:
    value = float(text)
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError(f"'{text}' is no score, expected 0 to 1")
    return value


def drawing_paths(photos: Sequence[Path], folder: Path | None) -> list[Path | None]:
    """One name per photo, each its own, and never that of a photo: `cat.png` -> `cat-detected.jpg`,
    or `cat-2-detected.jpg` where it is taken."""
    if folder is None:
        return [None] * len(photos)
    taken = {photo.resolve() for photo in photos}
    paths: list[Path | None] = []
    for photo in photos:
        names = (f"{photo.stem}{n}-detected.jpg" for n in ("", *(f"-{i}" for i in range(2, 10**6))))
        path = next(p for name in names if (p := (folder / name)).resolve() not in taken)
        taken.add(path.resolve())
        paths.append(path)
    return paths


def described(result: "Result", drawing: Path | None) -> str:
    where = "" if drawing is None else f", drawn in {drawing}"
    lines = [f"{result.path}: {plural(len(result), 'detection')}{where}"]
    for name, score, box in zip(result.names, result.scores, result.boxes, strict=True):
        x1, y1, x2, y2 = box.round().astype(int)
        lines.append(f"  {name} {score:.2f}  x {x1} to {x2}, y {y1} to {y2}")
    return "\n".join(lines)
