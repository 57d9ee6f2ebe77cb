"""`deimv2 evaluate`: the COCO numbers of an artifact or a checkpoint on annotated photos."""

import argparse
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cli import console
from cli.counts import count
from cli.data import add_annotated
from cli.record import add_record, record_all, require_listed

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

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
        description="Runs an artifact (.tflite, .pte, .mlpackage, .onnx), all of an export folder, "
        "or a checkpoint (.pth, .safetensors) on annotated photos and gives the twelve COCO "
        "numbers and the AP of every class, in 0..1.",
        epilog=EXAMPLE,
    )
    parser.add_argument("model", type=Path, metavar="ARTIFACT|DIR|CHECKPOINT")
    add_annotated(parser)
    parser.add_argument(
        "--labels", type=Path, metavar="FILE",
        help="the model's class names, one per line; default: those in the model. Without any, "
        "its classes are those of the annotations in the order of their ids",
    )  # fmt: skip
    parser.add_argument(
        "--variant", metavar="NAME", help="of a checkpoint; default: told from its tensors"
    )
    parser.add_argument(
        "--precision", choices=("fp32", "int8"), default="fp32",
        help="of a checkpoint: float32, or rounding as its int8 artifacts do (default fp32)",
    )  # fmt: skip
    parser.add_argument("--threads", type=count, metavar="N", help="default: the runtime's choice")
    add_record(parser)
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    from evaluation.annotations import read_annotations
    from evaluation.coco import require_library
    from model.files import sha256_of

    require_library()
    models = models_at(args.model)
    if args.record:
        require_listed(models)
    with console.status(f"reading {args.annotations}"):
        annotations = read_annotations(args.annotations, args.limit)
        photos = annotations.find(args.images)
    found = {model: measure(args, model, annotations, photos) for model in models}
    if args.record:
        about = {"photos": len(photos), "annotations_sha256": sha256_of(args.annotations)}
        entries = {
            model: {name: scores.metrics[name] for name in ("AP", "AP50")} | about
            for model, (scores, _) in found.items()
        }
        record_all("ap", entries)
    if args.json:
        results = [
            {"model": str(model), "annotations": str(args.annotations)} | speed | scores.to_json()
            for model, (scores, speed) in found.items()
        ]
        console.print_json(results[0] if models == [args.model] else results)
    else:
        print_scores({model.name: scores for model, (scores, _) in found.items()})
    return 0


def models_at(path: Path) -> list[Path]:
    """The file itself, or the artifacts of an export folder."""
    from converters.manifest import NAME, Manifest

    if not (path / NAME).is_file():
        return [path]
    return [path / file.name for file in Manifest.read(path).files]


def measure(
    args: argparse.Namespace, model: Path, annotations: "Annotations", photos: "Sequence[Path]"
) -> "tuple[Scores, dict[str, float]]":
    """The COCO numbers of one model, and how long it took."""
    from cli.models import class_count, open_runner
    from evaluation.annotations import match_classes
    from evaluation.coco import collect, evaluate

    with console.status(f"opening {model}"):
        runner = open_runner(model, args.variant, args.threads, args.precision == "int8")
        names = names_of(runner, args.labels, annotations)
        classes = match_classes(annotations, names, class_count(runner))
    report_classes(names, classes.tolist(), annotations)
    start = time.monotonic()
    found = collect(
        runner, annotations, photos, classes, lambda paths: console.track_rate(paths, "photos")
    )
    seconds = time.monotonic() - start
    rate = len(photos) / seconds
    console.log(f"{model.name}: {len(photos)} photos in {seconds:.1f} s, {rate:.1f} photos/s")
    with console.status("matching the detections with the annotated boxes"):
        scores = evaluate(annotations, found)
    return scores, {"photos": len(photos), "seconds": seconds, "photos_per_second": rate}


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


def print_scores(found: "Mapping[str, Scores]") -> None:
    """A column for each model; of a single one the classes too."""
    from evaluation.coco import METRICS

    single = len(found) == 1
    console.print_table(
        ("metric", *(["value"] if single else found), "over"),
        [
            (name, *(_text(scores.metrics[name]) for scores in found.values()), METRICS[name])
            for name in METRICS
        ],
    )
    if single:
        (scores,) = found.values()
        print()
        console.print_table(
            ("class", "boxes", "AP", "AP50"),
            [(c.name, str(c.boxes), _text(c.ap), _text(c.ap50)) for c in scores.classes],
        )


def _text(value: float | None) -> str:
    """A dash where there is nothing to find."""
    return "-" if value is None else f"{value:.4f}"
