"""`deimv2 predict`: detections of an artifact or a checkpoint on photos."""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cli import console

if TYPE_CHECKING:
    from evaluation.runtimes import Runner
    from model.detections import Detections

DEMO_VARIANT = "atto"
EXAMPLE = "example: deimv2 predict artifacts/atto/deimv2-atto-fp32.tflite photo.jpg --output drawn"


@dataclass(frozen=True)
class Prediction:
    """Detections above the threshold on one photo, and where the drawn photo lies, if anywhere."""

    image: Path
    size: tuple[int, int]  # width, height
    detections: "Detections"
    drawing: Path | None

    def to_json(self, labels: Sequence[str]) -> dict[str, Any]:
        rows = self.detections.to_json()
        return {
            "image": str(self.image),
            "width": self.size[0],
            "height": self.size[1],
            "detections": [{"name": labels[row["label"]]} | row for row in rows],
            "drawing": None if self.drawing is None else str(self.drawing),
        }


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
        "demo weights where there are any",
    )  # fmt: skip
    parser.add_argument("--output", type=Path, metavar="DIR", help="draw on the photos, into DIR")
    parser.add_argument(
        "--threshold", type=score, default=0.5, metavar="SCORE",
        help="show detections that score more than this (default 0.5)",
    )  # fmt: skip
    parser.add_argument(
        "--labels", type=Path, metavar="FILE",
        help="class names, one per line; default: those in the file, or COCO's",
    )  # fmt: skip
    parser.add_argument(
        "--variant", metavar="NAME", help="of a checkpoint; default: told from its tensors"
    )
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    from cli.models import open_runner
    from model.files import make_folder
    from model.images import find_photos

    model, places = model_and_photos(args.inputs)
    photos = [
        photo for path in places for photo in (find_photos(path) if path.is_dir() else [path])
    ]
    with console.status(f"opening {model}"):
        runner = open_runner(model, args.variant)
        labels = labels_of(model, runner, args.labels)
    if args.output is not None:
        make_folder(args.output)
    drawings = drawing_paths(photos, args.output)
    predictions = [
        predict(runner, photo, drawing, labels, args.threshold)
        for photo, drawing in console.track(list(zip(photos, drawings, strict=True)), "photos")
    ]
    if args.json:
        console.print_json([prediction.to_json(labels) for prediction in predictions])
    else:
        print_predictions(predictions, labels)
    return 0


def model_and_photos(inputs: Sequence[Path]) -> tuple[Path, Sequence[Path]]:
    """The first input is the model unless it is a photo or a folder of photos."""
    from cli.weights import fetch
    from model.errors import InputError
    from model.images import SUFFIXES

    first = inputs[0]
    if first.suffix.lower() in SUFFIXES or (first.is_dir() and not first.suffix):
        return fetch("demo", DEMO_VARIANT), inputs
    if len(inputs) == 1:
        raise InputError(f"no photos after '{first}', expected one or more; name them")
    return first, inputs[1:]


def score(text: str) -> float:
    value = float(text)
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError(f"'{text}' is no score, expected 0 to 1")
    return value


def labels_of(path: Path, runner: "Runner", file: Path | None) -> list[str]:
    """From `file`, else from inside the model, else COCO's for a checkpoint of 80 classes."""
    from cli.labels import read_labels_file
    from cli.models import class_count
    from model.coco import COCO_LABELS
    from model.errors import InputError

    count = class_count(runner)
    if file is not None:
        return read_labels_file(file, count)
    if runner.labels is not None:
        return runner.labels
    if count == len(COCO_LABELS):
        return list(COCO_LABELS)
    raise InputError(
        f"'{path}' carries no class names, expected them inside or in a file; add --labels FILE"
    )


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


def predict(
    runner: "Runner", photo: Path, drawing: Path | None, labels: Sequence[str], threshold: float
) -> Prediction:
    from evaluation.draw import draw, save_picture
    from model.images import load_photo, resize

    image = load_photo(photo)
    found = runner.detect(resize(image, runner.size)).above(threshold)
    drawn = draw(image, found, labels, threshold)  # also when not kept: it checks the labels
    if drawing is not None:
        save_picture(drawn, drawing)
    return Prediction(photo, image.size, found, drawing)


def print_predictions(predictions: Sequence[Prediction], labels: Sequence[str]) -> None:
    for prediction in predictions:
        width, height = prediction.size
        where = "" if prediction.drawing is None else f", drawn in {prediction.drawing}"
        found = prediction.detections
        print(f"{prediction.image}: {len(found)} detections{where}")
        for label, score, box in zip(found.labels, found.scores, found.boxes, strict=True):
            x1, y1, x2, y2 = (box * [width, height, width, height]).round().astype(int)
            print(f"  {labels[label]} {score:.2f}  x {x1} to {x2}, y {y1} to {y2}")
