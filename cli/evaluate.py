"""`deimv2 evaluate`: the COCO numbers of an artifact or a checkpoint on annotated photos."""

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from deimv2.cli import console
from deimv2.cli.arguments import add_device, add_record, count
from deimv2.cli.data import add_annotated

if TYPE_CHECKING:
    from deimv2.evaluation.coco import Scores

EXAMPLE = (
    "example: deimv2 evaluate artifacts/atto/deimv2-atto-fp32.tflite --images val2017 "
    "--annotations instances_val2017.json"
)


def add(subparsers: Any) -> None:
    parser = subparsers.add_parser(
        "evaluate",
        help="measure average precision on annotated photos",
        description="Runs an artifact (.tflite, .pte, .mlpackage, .aimodel, .onnx), all artifacts "
        "of an export folder, a checkpoint (.pth, .safetensors, a folder as on the Hub), a "
        "repository there (hf://OWNER/NAME), or the released weights of a variant (its name) on "
        "annotated photos and reports the twelve COCO metrics, precision and recall above the "
        "score from which apps show detections, the score with the highest F1, and the AP of every "
        "class, in 0..1.",
        epilog=EXAMPLE,
    )
    parser.add_argument(
        "model", type=Path, metavar="MODEL", help="what to measure, one of those above"
    )
    add_annotated(parser, folder=True)
    parser.add_argument(
        "--labels", type=Path, metavar="FILE",
        help="the model's class names, one per line (default: those stored in the model, else the "
        "classes of the annotations in the order of their ids)",
    )  # fmt: skip
    parser.add_argument(
        "--variant",
        metavar="NAME",
        help="variant of a checkpoint (default: recognised from its tensors)",
    )
    parser.add_argument(
        "--precision", choices=("fp32", "int8"), default="fp32",
        help="for a checkpoint: compute in float32, or round as its int8 artifacts do "
        "(default: fp32)",
    )  # fmt: skip
    parser.add_argument(
        "--threads", type=count, metavar="N", help="CPU threads (default: the runtime's choice)"
    )
    add_device(parser)
    add_record(parser)
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    from deimv2.api.evaluating import EvaluateOptions, evaluate_folder, is_export
    from deimv2.api.options import fields_in

    found = evaluate_folder(**fields_in(EvaluateOptions, vars(args)), progress=console.PROGRESS)
    if args.json:
        results = [each.to_json() for each in found]
        console.print_json(results if is_export(args.model) else results[0])
    else:
        print_scores({each.model.name: each.scores for each in found})
    return 0


def print_scores(found: "Mapping[str, Scores]") -> None:
    """A column for each model; of a single one the classes too."""
    from deimv2.evaluation.coco import METRICS

    single = len(found) == 1
    console.print_table(
        ("metric", *(["value"] if single else found), "over"),
        [
            (name, *(_text(scores.metrics[name]) for scores in found.values()), METRICS[name])
            for name in METRICS
        ],
    )
    print()
    for name, scores in found.items():
        print("" if single else f"{name}: ", described(scores), sep="")
    if single:
        (scores,) = found.values()
        print()
        console.print_table(
            ("class", "boxes", "AP", "AP50"),
            [(c.name, str(c.boxes), _text(c.ap), _text(c.ap50)) for c in scores.classes],
        )


def described(scores: "Scores") -> str:
    """What an app shows of all classes, and from which score on it would be best."""
    shown, best = scores.at_threshold, scores.best_f1
    text = (
        f"at IoU 0.50, counting detections that score above {shown.threshold:g}, those that the "
        f"apps show: precision {_text(shown.precision)}, recall {_text(shown.recall)}, F1 "
        f"{_text(shown.f1)}"
    )
    if best is None:
        return text
    return (
        f"{text}; F1 is highest above {best.threshold:.3f}: {_text(best.f1)}, precision "
        f"{_text(best.precision)}, recall {_text(best.recall)}"
    )


def _text(value: float | None) -> str:
    """A dash where there is nothing to find."""
    return "-" if value is None else f"{value:.4f}"
