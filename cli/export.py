"""`deimv2 export`: a variant and weights become artifacts that are checked before they are kept."""

import argparse
import time
from copy import deepcopy
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cli import console
from cli.counts import share, size
from cli.install import LOG, install, remove, uninterrupted, workplace
from cli.photographs import golden_photographs
from cli.ranges import add_calibration, to_int8
from cli.verify import print_report
from converters import FORMATS, PHONE_FORMATS, PRECISIONS
from model.errors import CheckError, InputError

if TYPE_CHECKING:
    from cli.weights import Loaded
    from converters.card import ModelCard
    from converters.golden import Golden
    from converters.manifest import Manifest
    from evaluation.verify import Report, Row
    from model import DEIMv2

EXAMPLE = "example: deimv2 export --variant atto --output artifacts/atto"
# ONNX is for comparison only, and XNNPACK has no convolution with int8 weights alone.
FORMATS_OF = {"int8": PHONE_FORMATS, "int8-weight": ("tflite", "mlpackage")}


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
        "--format", nargs="+", choices=FORMATS, metavar="FORMAT",
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
        "--target", choices=("cpu", "accelerator"), default="cpu",
        help="what .tflite, .pte and .onnx are laid out for: accelerator keeps gathers out of the "
        "decoder (default cpu)",
    )  # fmt: skip
    parser.add_argument(
        "--output", type=Path, metavar="DIR", help="default artifacts/VARIANT-PRECISION"
    )
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
    parser.add_argument("--no-verify", action="store_true", help="do not run the artifacts")
    parser.add_argument(
        "--keep-rejected", action=argparse.BooleanOptionalAction, default=True,
        help="leave a file that misses a limit as NAME.rejected.EXT, outside the manifest "
        "(default: yes)",
    )  # fmt: skip
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    from cli.weights import default, load
    from model.files import make_folder
    from quantization.rounding import round_weights

    check_options(args)
    output = args.output or Path("artifacts") / f"{args.variant}-{args.precision}"
    args.weights = args.weights or default(args.variant)
    with console.status(f"loading {args.variant} with weights {args.weights}"):
        ranges = args.precision == "int8" and args.calibration is None
        loaded = load(args.variant, args.weights, args.labels, args.image_size, ranges)
    if args.weights == "random":
        console.log(
            "weights are random (reproducible, untrained): the files run but detect nothing "
            "meaningful; use --weights coco or your own checkpoint for that"
        )
    in_float = float_reference(args, loaded) if args.precision == "int8" else None
    if args.precision == "int8":
        to_int8(loaded, args.weights, args.calibration, args.calibration_photos)
    elif args.precision == "int8-weight":
        round_weights(loaded.net.fuse())
    make_folder(output)
    with workplace(output) as work:
        report, manifest = export(args, loaded, work, in_float)
        rejected = [row.artifact for row in report.rows if row.problems]
        with uninterrupted():
            install(work, output, manifest, rejected if args.keep_rejected else [])
    if args.json:
        files = [asdict(file) for file in manifest.files]
        console.print_json(report.to_json() | {"files": files})
    else:
        print_report(report)
        console.log(f"{len(manifest.files)} of {len(report.rows)} artifacts kept in {output}")
    return 0 if report.passed else 1


def float_reference(args: argparse.Namespace, loaded: "Loaded") -> "DEIMv2 | None":
    """What int8 is to detect as much as: the weights before they were quantized.

    A checkpoint that was trained with rounding is no such thing without rounding, so it names the
    weights that it comes from.
    """
    from cli.weights import load

    if loaded.ranges is None:
        return deepcopy(loaded.net)
    source = args.float_weights or loaded.in_float
    if source is None:
        console.log(
            "how many of float32's detections int8 keeps is not measured: the float weights that "
            f"'{args.weights}' was quantized from are not here; name them with --float-weights FILE"
        )
        return None
    return load(args.variant, str(source), args.labels, loaded.net.image_size).net


def check_options(args: argparse.Namespace) -> None:
    """Fills in the formats. Raises InputError for what does not fit, or lacks a toolchain."""
    from converters.convert import require_toolchains

    formats = FORMATS_OF.get(args.precision, FORMATS)
    args.format = args.format or [kind for kind in formats if kind in PHONE_FORMATS]
    if foreign := [kind for kind in args.format if kind not in formats]:
        raise InputError(
            f"{foreign[0]} has no {args.precision} here, expected {' or '.join(formats)}; "
            "leave it out"
        )
    require_toolchains(args.format)
    if args.calibration is not None and args.precision != "int8":
        raise InputError(
            f"--calibration is for int8, the precision is {args.precision}; add --precision int8, "
            "or leave it out"
        )
    for name in ("kept", "float_weights"):
        if getattr(args, name) is not None and args.precision != "int8":
            raise InputError(
                f"--{name.replace('_', '-')} is for int8, the precision is {args.precision}; leave "
                "it out: other precisions are compared with float32 anyway"
            )


def export(
    args: argparse.Namespace, loaded: "Loaded", work: Path, in_float: "DEIMv2 | None"
) -> "tuple[Report, Manifest]":
    """Make and check everything in `work`; the manifest lists only what passed.

    in_float: where the loaded net rounds to int8, itself before.
    """
    from converters.card import ModelCard
    from converters.golden import read_golden, write_golden
    from converters.manifest import Input, Manifest, Weights, describe, outputs, toolchain
    from evaluation.inspect import inspect
    from evaluation.verify import Report, entry

    net, queries = loaded.net, loaded.net.variant.decoder.queries
    card = ModelCard(
        variant=args.variant,
        precision=args.precision,
        image_size=net.image_size,
        queries=queries,
        labels=loaded.labels,
        weights=loaded.source,
        weights_sha256=loaded.sha256,
    )
    with console.status("running the model on the photographs"):
        photographs = golden_photographs(args, loaded, in_float or net)
        golden = write_golden(work, net, photographs, in_float)
        goldens = read_golden(work, golden)
    rows = [
        artifact(kind, args, loaded, card, work, goldens) for kind in dict.fromkeys(args.format)
    ]
    good = [row for row in rows if not row.problems]
    manifest = Manifest(
        variant=args.variant,
        precision=args.precision,
        input=Input(net.image_size),
        outputs=outputs(queries),
        labels=loaded.labels,
        weights=Weights(loaded.source, loaded.sha256),
        files=tuple(
            describe(path, inspect(path).computation())
            for path in (work / row.artifact for row in good)
        ),
        golden=golden,
        toolchain=toolchain(),
        parity={
            row.artifact: entry(row.parity, row.limits, row.kept)
            for row in good
            if row.parity and row.limits
        },
    )
    return Report(str(args.output), tuple(rows)), manifest


def artifact(
    kind: str,
    args: argparse.Namespace,
    loaded: "Loaded",
    card: "ModelCard",
    work: Path,
    goldens: "list[Golden]",
) -> "Row":
    """Convert and verify one artifact; a failed check stands in the row."""
    from converters.convert import convert
    from evaluation.benchmark import peak_memory
    from evaluation.kept import LIMIT
    from evaluation.steps import expected_steps
    from evaluation.verify import STRUCTURE, Row, verify_artifact

    path = work / f"{card.stem}.{kind}"
    accelerator = args.target == "accelerator"
    least_kept = LIMIT if args.kept is None else args.kept
    steps = expected_steps(loaded.net) if args.precision == "int8" else []
    start = time.monotonic()
    try:
        with console.status(f"converting to {path.name}"):
            convert(kind, loaded.net, card, path, accelerator, work / LOG)
        row = Row(path.name, STRUCTURE)  # which its converter has checked
        if not args.no_verify:
            with console.status(f"verifying {path.name}"):
                row = verify_artifact(path, card, goldens, least_kept, steps)
    except CheckError as error:
        remove(path)  # half of a file, perhaps
        row = Row(path.name, STRUCTURE, (str(error),))
    seconds = time.monotonic() - start
    peak = peak_memory() / 1e9
    console.log(f"{path.name}: {seconds:.0f} s, {peak:.1f} GB peak memory so far")
    return row
