"""`deimv2 export`: a variant and weights become artifacts that are checked before they are kept."""

import argparse
import shlex
from pathlib import Path
from typing import Any

from deimv2.cli import console
from deimv2.cli.arguments import (
    add_calibration,
    add_image_size,
    add_int8_share,
    add_variant,
    share,
    translation,
)
from deimv2.cli.verify import print_report
from deimv2.converters import DEFAULT_FORMATS, FORMATS, PRECISIONS
from deimv2.model.words import plural

EXAMPLE = "example: deimv2 export --variant atto --output artifacts/atto"


def add(subparsers: Any) -> None:
    parser = subparsers.add_parser(
        "export",
        help="make and check .tflite, .mlpackage and .pte files",
        description="Converts a variant and its weights, compares every artifact with float32 "
        "PyTorch on real photographs, and keeps those within the limits. The exit code is 1 if any "
        "artifact fails.",
        epilog=EXAMPLE,
    )
    add_variant(parser)
    parser.add_argument(
        "--format", nargs="+", metavar="FORMAT", dest="formats",
        help=f"any of {', '.join(FORMATS)} (default: {' '.join(DEFAULT_FORMATS)}, where the "
        "precision has them)",
    )  # fmt: skip
    parser.add_argument(
        "--precision", choices=PRECISIONS, default="fp32",
        help="int8: integer arithmetic, needs --calibration or a checkpoint from deimv2 quantize; "
        "int8x16 (.tflite): convolutions with int8 weights and int16 activations, for NPUs, needs "
        "--calibration; int8-weight: weights stored as int8, float arithmetic (default: fp32)",
    )  # fmt: skip
    add_calibration(parser)
    add_int8_share(parser)
    parser.add_argument(
        "--weights", metavar="demo|coco|random|hf://OWNER/NAME|PATH",
        help="demo weights (the default if the variant has them), the released COCO weights, "
        "reproducible random numbers (the default otherwise), a Hugging Face Hub repository, or a "
        "file or folder (.safetensors, .pth, .pt, .ckpt, .bin, the authors' .onnx)",
    )  # fmt: skip
    parser.add_argument("--labels", type=Path, metavar="FILE", help="class names, one per line")
    parser.add_argument(
        "--translations", nargs="+", type=translation, default=(), metavar="LANGUAGE=FILE",
        help="class names in other languages, such as de=labels-de.txt, which the apps show on "
        "phones set to that language",
    )  # fmt: skip
    add_image_size(parser, "the checkpoint's, or the variant's own")
    parser.add_argument(
        "--output", type=Path, metavar="DIR",
        help="folder for the artifacts (default: artifacts/VARIANT-PRECISION)",
    )  # fmt: skip
    add_processors(parser)
    add_checks(parser)
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.set_defaults(run=run)


def add_processors(parser: argparse.ArgumentParser) -> None:
    """What else than CPUs the files are for."""
    parser.add_argument(
        "--npu", nargs="+", default=(), metavar="MAKER:CHIP",
        help="also compile the .tflite for the NPU of a chip, such as qualcomm:SM8750 "
        "(docs/npu.md)",
    )  # fmt: skip
    parser.add_argument(
        "--delegate", choices=("xnnpack", "coreml", "vulkan"), default="xnnpack",
        help="delegate of the .pte; coreml (fp32, fp16) runs on Apple devices only, vulkan (fp32, "
        "fp16) on GPUs of Android phones, and not on this machine (default: xnnpack)",
    )  # fmt: skip


def add_checks(parser: argparse.ArgumentParser) -> None:
    """What artifacts are checked on, and what happens to those that fail."""
    parser.add_argument(
        "--photos", type=Path, metavar="DIR",
        help="photos to check on; up to 32 of them, enough for 200 detections, are copied to "
        "golden/ (default: the --calibration photos, those the checkpoint was validated on, or "
        "five included with deimv2)",
    )  # fmt: skip
    parser.add_argument(
        "--float-weights", type=Path, metavar="FILE",
        help="int8 only: the weights before quantization, to compare with (default: those named "
        "in a quantized checkpoint, else --weights)",
    )  # fmt: skip
    parser.add_argument(
        "--kept", type=share, metavar="SHARE",
        help="int8 only: minimum share of float32's detections above 0.3 that int8 must still "
        "find (default: 0.9)",
    )  # fmt: skip
    parser.add_argument(
        "--no-verify",
        action="store_false",
        dest="verify",
        help="do not run the artifacts; the manifest then holds no measured errors of theirs, and "
        "inspect and app say so",
    )
    parser.add_argument(
        "--keep-rejected", action=argparse.BooleanOptionalAction, default=True,
        help="keep files that miss a limit as NAME.rejected.EXT, outside the manifest "
        "(default: yes)",
    )  # fmt: skip


def run(args: argparse.Namespace) -> int:
    from deimv2.api.exporting import ExportOptions, export
    from deimv2.api.options import fields_in
    from deimv2.converters.translations import require_tags

    require_tags([tag for tag, _ in args.translations])
    given = vars(args) | {"translations": dict(args.translations)}
    made = export(**fields_in(ExportOptions, given), progress=console.PROGRESS)
    if args.json:
        console.print_json(made.to_json())
    else:
        print_report(made.report)
        count = plural(len(made.report.rows), "artifact")
        kept = f"{len(made.files)} of {count} kept in {made.folder}"
        check = f"deimv2 verify {shlex.quote(str(made.folder))}"
        console.log(kept if args.verify else f"{kept}, not run: {check}")
    return 0 if made.passed else 1
