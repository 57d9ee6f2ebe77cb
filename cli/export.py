"""`deimv2 export`: a variant and weights become artifacts that are checked before they are kept."""

import argparse
from pathlib import Path
from typing import Any

from deimv2.cli import console
from deimv2.cli.arguments import add_calibration, share, size
from deimv2.cli.verify import print_report
from deimv2.converters import FORMATS, PHONE_FORMATS, PRECISIONS
from deimv2.converters.format import ACCELERATOR, CPU

EXAMPLE = "example: deimv2 export --variant atto --output artifacts/atto"


def add(subparsers: Any) -> None:
    parser = subparsers.add_parser(
        "export",
        help="make .tflite, .mlpackage and .pte files and check them",
        description="Converts a variant with its weights, runs every artifact on real photographs "
        "against float32 PyTorch, and keeps those that hold the limits. Exit code 1 if one fails.",
        epilog=EXAMPLE,
    )
    parser.add_argument("--variant", default="atto", help="see deimv2 list (default atto)")
    parser.add_argument(
        "--format", nargs="+", choices=FORMATS, metavar="FORMAT", dest="formats",
        help=f"any of {', '.join(FORMATS)} (default: {' '.join(PHONE_FORMATS)}, where the "
        "precision has them)",
    )  # fmt: skip
    parser.add_argument(
        "--precision", choices=PRECISIONS, default="fp32",
        help="default fp32; int8 computes in int8 and needs weights from deimv2 quantize, or "
        "--calibration; int8-weight only stores weights so",
    )  # fmt: skip
    add_calibration(parser)
    parser.add_argument(
        "--weights", metavar="demo|coco|random|PATH",
        help="the demo weights (default where the variant has them), the released COCO weights, "
        "reproducible random numbers (default elsewhere), or a .pth or .safetensors file",
    )  # fmt: skip
    parser.add_argument("--labels", type=Path, metavar="FILE", help="class names, one per line")
    parser.add_argument(
        "--image-size", type=size, metavar="SIDE|HxW", help="default: the variant's own"
    )
    parser.add_argument(
        "--target", choices=(CPU, ACCELERATOR), default=CPU,
        help="what .tflite, .pte and .onnx are laid out for: accelerator keeps gathers out of the "
        "decoder (default cpu)",
    )  # fmt: skip
    parser.add_argument(
        "--output", type=Path, metavar="DIR", help="default artifacts/VARIANT-PRECISION"
    )
    add_checks(parser)
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.set_defaults(run=run)


def add_checks(parser: argparse.ArgumentParser) -> None:
    """On what artifacts are checked, and what becomes of those that fail."""
    parser.add_argument(
        "--photos", type=Path, metavar="DIR",
        help="photos to check on: as many of them as have 200 detections, 32 at most; they go into "
        "golden/ (default: those of --calibration, those that a checkpoint of ours was validated "
        "on, or five that come with deimv2)",
    )  # fmt: skip
    parser.add_argument(
        "--float-weights", type=Path, metavar="FILE",
        help="int8: the weights before they were quantized, to compare with (default: those that "
        "the checkpoint names)",
    )  # fmt: skip
    parser.add_argument(
        "--kept", type=share, metavar="SHARE",
        help="int8: of float32's detections above 0.3, the share that must still be found "
        "(default 0.9)",
    )  # fmt: skip
    parser.add_argument(
        "--no-verify", action="store_false", dest="verify", help="do not run the artifacts"
    )
    parser.add_argument(
        "--keep-rejected", action=argparse.BooleanOptionalAction, default=True,
        help="leave a file that misses a limit as NAME.rejected.EXT, outside the manifest "
        "(default: yes)",
    )  # fmt: skip


def run(args: argparse.Namespace) -> int:
    from deimv2.api.exporting import ExportOptions, export
    from deimv2.api.options import fields_in

    made = export(**fields_in(ExportOptions, vars(args)), progress=console.PROGRESS)
    if args.json:
        console.print_json(made.to_json())
    else:
        print_report(made.report)
        console.log(f"{len(made.files)} of {len(made.report.rows)} artifacts kept in {made.folder}")
    return 0 if made.passed else 1
