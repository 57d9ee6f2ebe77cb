"""`deimv2 export`: a variant and weights become artifacts that are checked before they are kept."""

import argparse
import shutil
import signal
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cli import console
from cli.counts import size
from cli.ranges import add_calibration, tell_rounding, to_int8
from cli.verify import print_report
from converters import FORMATS, PHONE_FORMATS, PRECISIONS
from model.errors import CheckError, InputError

if TYPE_CHECKING:
    from cli.weights import Loaded
    from converters.card import ModelCard
    from converters.golden import Golden
    from converters.manifest import Manifest
    from evaluation.verify import Report, Row

EXAMPLE = "example: deimv2 export --variant atto --output artifacts/atto"
LOG = "export.log"  # what the toolchains printed
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
    parser.add_argument("--no-verify", action="store_true", help="do not run the artifacts")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    from cli.weights import default, load
    from converters.golden import read_golden
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
    in_float = deepcopy(loaded.net) if args.precision == "int8" else None
    if args.precision == "int8":
        to_int8(loaded, args.weights, args.calibration, args.calibration_photos)
    elif args.precision == "int8-weight":
        round_weights(loaded.net.fuse())
    make_folder(output)
    with workplace(output) as work:
        report, manifest = export(args, loaded, work)
        if in_float is not None:
            tell_rounding(in_float, read_golden(work, manifest.golden))
        with uninterrupted():
            install(work, output, manifest)
    if args.json:
        files = [asdict(file) for file in manifest.files]
        console.print_json(report.to_json() | {"files": files})
    else:
        print_report(report)
        console.log(f"{len(manifest.files)} of {len(report.rows)} artifacts kept in {output}")
    return 0 if report.passed else 1


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


@contextmanager
def workplace(output: Path) -> Iterator[Path]:
    """A folder inside `output` that is gone afterwards, also after Ctrl-C or a polite kill."""

    def stop(signum: int, frame: Any) -> None:
        raise KeyboardInterrupt

    handler = signal.signal(signal.SIGTERM, stop)
    try:
        work = Path(tempfile.mkdtemp(prefix=".export-", dir=output))
    except OSError as error:
        raise unwritable(output, error) from error
    try:
        yield work
    except OSError as error:
        raise unwritable(output, error) from error
    finally:
        shutil.rmtree(work, ignore_errors=True)
        signal.signal(signal.SIGTERM, handler)


@contextmanager
def uninterrupted() -> Iterator[None]:
    """Ctrl-C waits: stopped between two moves, a folder would hold files of two exports."""
    handlers = {n: signal.signal(n, signal.SIG_IGN) for n in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)


def unwritable(output: Path, error: OSError) -> InputError:
    return InputError(
        f"cannot write to '{output}' ({error.strerror or error}), expected a folder with room; "
        "choose another --output or free some space"
    )


def export(args: argparse.Namespace, loaded: "Loaded", work: Path) -> "tuple[Report, Manifest]":
    """Make and check everything in `work`; the manifest lists only what passed."""
    from converters.card import ModelCard
    from converters.golden import read_golden, write_golden
    from converters.manifest import Input, Manifest, Weights, describe, outputs, toolchain
    from evaluation.inspect import inspect
    from evaluation.photographs import PHOTOGRAPHS
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
        golden = write_golden(work, net, PHOTOGRAPHS)
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
            row.artifact: entry(row.parity, row.limits) for row in good if row.parity and row.limits
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
    from evaluation.verify import STRUCTURE, Row, verify_artifact

    path = work / f"{card.stem}.{kind}"
    accelerator = args.target == "accelerator"
    start = time.monotonic()
    try:
        with console.status(f"converting to {path.name}"):
            convert(kind, loaded.net, card, path, accelerator, work / LOG)
        row = Row(path.name, STRUCTURE)  # which its converter has checked
        if not args.no_verify:
            with console.status(f"verifying {path.name}"):
                row = verify_artifact(path, card, goldens)
    except CheckError as error:
        row = Row(path.name, STRUCTURE, (str(error),))
    seconds = time.monotonic() - start
    peak = peak_memory() / 1e9
    console.log(f"{path.name}: {seconds:.0f} s, {peak:.1f} GB peak memory so far")
    return row


def install(work: Path, output: Path, manifest: "Manifest") -> None:
    """Move what passed from `work` into `output`, the manifest last.

    Where nothing passed, that is the log alone: what an earlier export left there stays whole.
    """
    from converters.golden import FOLDER
    from converters.manifest import NAME

    if (work / LOG).exists():
        move(work / LOG, output / LOG)
    if not manifest.files:
        return
    manifest = with_earlier(output, manifest)
    names = [file.name for file in manifest.files]
    for name in [*names, FOLDER]:
        if (work / name).exists():
            move(work / name, output / name)
    manifest.write(output / NAME)
    suffixes = tuple(f".{kind}" for kind in FORMATS)
    others = [p.name for p in output.iterdir() if p.suffix in suffixes and p.name not in names]
    if others:
        console.log(
            f"left by an export of another model, unlisted: {', '.join(sorted(others))}; "
            "remove them, or give each model a folder of its own"
        )


def with_earlier(output: Path, manifest: "Manifest") -> "Manifest":
    """The manifest, and what that in `output` lists of the same model and is still whole."""
    from converters.manifest import NAME, Manifest, file_problem

    if not (output / NAME).is_file():
        return manifest
    try:
        earlier = Manifest.read(output)
    except InputError:
        return manifest  # not ours, or broken: it is replaced
    if not earlier.describes_same_model(manifest):
        return manifest
    made = {file.name for file in manifest.files}
    kept = [
        file
        for file in earlier.files
        if file.name not in made and not file_problem(output, file.name, file.sha256)
    ]
    names = {file.name for file in kept}

    def of_kept(found: Mapping[str, Any] | None) -> dict[str, Any]:
        return {name: value for name, value in (found or {}).items() if name in names}

    return replace(
        manifest,
        files=(*kept, *manifest.files),
        parity={**of_kept(earlier.parity), **manifest.parity},
        measured=of_kept(earlier.measured) or None,
    )


def move(source: Path, target: Path) -> None:
    """Put a file or folder in the place of an earlier one."""
    if target.is_dir():
        aside = source.with_name(f"{source.name}.earlier")  # goes with the workplace
        target.rename(aside)
    source.replace(target)
