"""`deimv2 evaluate`: the COCO numbers of an artifact or a checkpoint on annotated photos."""

import argparse
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cli import console
from cli.counts import count
from cli.data import add_annotated

if TYPE_CHECKING:
    from collections.abc import Sequence

    from evaluation.annotations import Annotations
    from evaluation.coco import Scores
    from evaluation.runtimes import Runner

EXAMPLE = (
    "example: deimv2 evaluate artifacts/atto/deimv2-atto-fp32.tflite --images val2017 "
    "--annotations instances_val2017.json"
)


def add(subparsers: Any) -> None:
    parser = subparsers.add_parser(
        "evaluate",
        help="average precision on annotated photos",
        description="Runs an artifact (.tflite, .pte, .mlpackage, .onnx) or a checkpoint (.pth, "
        ".safetensors) on annotated photos and gives the twelve COCO numbers and the AP of every "
        "class, in 0..1.",
        epilog=EXAMPLE,
    )
    parser.add_argument("model", type=Path, metavar="ARTIFACT|CHECKPOINT")
    add_annotated(parser)
    parser.add_argument(
        "--labels", type=Path, metavar="FILE",
        help="the model's class names, one per line; default: those in the model. Without any, "
        "its classes are those of the annotations in the order of their ids",
    )  # fmt: skip
    parser.add_argument(
        "--variant", metavar="NAME", help="of a checkpoint; default: told from its tensors"
    )
    parser.add_argument("--threads", type=count, metavar="N", help="default: the runtime's choice")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    from cli.models import class_count, open_runner
    from evaluation.annotations import match_classes, read_annotations
    from evaluation.coco import collect, evaluate, require_library

    require_library()
    with console.status(f"reading {args.annotations}"):
        annotations = read_annotations(args.annotations, args.limit)
        photos = annotations.find(args.images)
    with console.status(f"opening {args.model}"):
        runner = open_runner(args.model, args.variant, args.threads)
        names = names_of(runner, args.labels, annotations)
        classes = match_classes(annotations, names, class_count(runner))
    report_classes(names, classes.tolist(), annotations)
    start = time.monotonic()
    found = collect(
        runner, annotations, photos, classes, lambda paths: console.track_rate(paths, "photos")
    )
    seconds = time.monotonic() - start
    rate = len(photos) / seconds
    console.log(f"{len(photos)} photos in {seconds:.1f} s, {rate:.1f} photos/s")
    with console.status("matching the detections with the annotated boxes"):
        scores = evaluate(annotations, found)
    if args.json:
        about = {"model": str(args.model), "annotations": str(args.annotations)}
        speed = {"photos": len(photos), "seconds": seconds, "photos_per_second": rate}
        console.print_json(about | speed | scores.to_json())
    else:
        print_scores(scores)
    return 0


def names_of(
    runner: "Runner", file: Path | None, annotations: "Annotations"
) -> "Sequence[str] | None":
    """From `file`, else from inside the model, else COCO's where the annotations are COCO's."""
    from cli.labels import read_labels_file
    from cli.models import class_count
    from model.coco import COCO_LABELS

    classes = class_count(runner)
    if file is not None:
        return read_labels_file(file, classes)
    if runner.labels is not None and len(runner.labels) == classes:
        return runner.labels
    if classes == len(COCO_LABELS) and sorted(annotations.names) == sorted(COCO_LABELS):
        return COCO_LABELS
    return None


def report_classes(
    names: "Sequence[str] | None", classes: list[int], annotations: "Annotations"
) -> None:
    if names is None:
        console.log(
            "the model carries no class names: its classes are taken as those of "
            f"'{annotations.path}' in the order of their ids; --labels FILE names them"
        )
    elif classes != sorted(classes):
        console.log(
            f"the classes of '{annotations.path}' are in another order than the model's: they are "
            "matched by name"
        )


def print_scores(scores: "Scores") -> None:
    from evaluation.coco import METRICS

    console.print_table(
        ("metric", "value", "over"),
        [(name, _text(value), METRICS[name]) for name, value in scores.metrics.items()],
    )
    print()
    console.print_table(
        ("class", "boxes", "AP", "AP50"),
        [(c.name, str(c.boxes), _text(c.ap), _text(c.ap50)) for c in scores.classes],
    )


def _text(value: float | None) -> str:
    """A dash where there is nothing to find."""
    return "-" if value is None else f"{value:.4f}"
