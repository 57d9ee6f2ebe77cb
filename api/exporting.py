"""A variant and weights become artifacts that are checked before they are kept."""

import time
from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import KW_ONLY, asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from deimv2.api.calibration import PHOTOS, calibration_frames, to_int8
from deimv2.api.install import (
    install,
    remove,
    require_own,
    require_room_for,
    tell_other_model,
    uninterrupted,
    workplace,
)
from deimv2.api.npu import npu_targets, with_npu
from deimv2.api.options import Pathish, as_names, as_path, flag, takes
from deimv2.api.photographs import golden_photographs
from deimv2.converters import DEFAULT_FORMATS, FORMATS
from deimv2.converters.artifact import convert, inspect
from deimv2.converters.golden import Golden, read_golden, write_golden
from deimv2.converters.manifest import (
    LOG,
    File,
    GoldenFile,
    Input,
    Manifest,
    Weights,
    describe,
    outputs,
    toolchain,
)
from deimv2.converters.metadata import ModelCard
from deimv2.converters.precision import Precision, precision_of
from deimv2.converters.pte import DELEGATES, PTE, XNNPACK, Pte
from deimv2.converters.runner import Frames
from deimv2.converters.translations import read_translations, require_translations
from deimv2.model import DEIMv2
from deimv2.model.errors import CheckError, InputError
from deimv2.model.files import make_folder
from deimv2.model.progress import SILENT, Progress
from deimv2.model.weights.places import told
from deimv2.model.weights.sources import AUTO, Loaded, chosen, load
from deimv2.profiling.memory import peak_memory
from deimv2.quantization.prepare import fold
from deimv2.quantization.rounding import round_weights
from deimv2.verification.kept import LIMIT
from deimv2.verification.scales import expected_steps
from deimv2.verification.verify import STRUCTURE, Report, Row, entry, verify_artifact


@dataclass(frozen=True)
class ExportOptions:
    """variant:       one of `deimv2.VARIANTS`; "auto": recognised from the weights, else "atto"
    weights:       "demo", "coco" (the released ones), "random", a .pth, .ckpt or .safetensors file,
                   a folder of the Hub's, or a repository there as "hf://owner/name"; None: the
                   demo's where the variant has them, else random ones
    formats:       of "tflite", "mlpackage", "pte", "aimodel", "onnx"; None: the first three
    precision:     "fp32", "fp16", "int8", "int8x16" or "int8-weight"
    calibration:   folder of photos like those the phone will see, for the ranges of int8
                   and int8x16
    int8_share:    int8, with `calibration`: minimum share of the multiply-accumulates to keep in
                   int8, as in `QuantizeOptions`
    labels:        file of class names, one per line
    translations:  by language tag, as "pt-BR", the classes' names in that language, for the apps: a
                   file as `labels`, or a list
    image_size:    a side or (H, W); None: the checkpoint's, or the variant's own
    output:        folder; None: artifacts/VARIANT-PRECISION
    photos:        folder of photos to check on; None: those of `calibration`, those that a
                   checkpoint of ours was validated on, or those that come with the package
    float_weights: int8: the weights before they were quantized, to compare with; None: those that a
                   quantized checkpoint names, else `weights` themselves
    kept:          int8: minimum share of float32's detections above 0.3 still to be found
    verify:        run the artifacts
    npu:           chips whose NPUs to compile the .tflite for too, as "qualcomm:SM8750"
    delegate:      of the .pte: "xnnpack"; "coreml", which runs on Apple devices only; or "vulkan",
                   which runs on GPUs of Android phones and not on this machine
    keep_rejected: leave a file that misses a limit as NAME.rejected.EXT, outside the manifest
    """

    variant: str = AUTO
    _: KW_ONLY
    weights: Pathish | None = None
    formats: str | Sequence[str] | None = None
    precision: str = "fp32"
    calibration: Pathish | None = None
    calibration_photos: int = PHOTOS
    int8_share: float | None = None
    labels: Pathish | None = None
    translations: Mapping[str, Pathish | Sequence[str]] | None = None
    image_size: int | tuple[int, int] | None = None
    output: Pathish | None = None
    photos: Pathish | None = None
    float_weights: Pathish | None = None
    kept: float | None = None
    verify: bool = True
    npu: str | Sequence[str] = ()
    delegate: str = XNNPACK
    keep_rejected: bool = True
    progress: Progress = SILENT


@dataclass(frozen=True)
class Export:
    """What an export made. folder: where; report: of every artifact, also of those that failed;
    manifest: lists those that were kept."""

    folder: Path
    report: Report
    manifest: Manifest = field(repr=False)

    @property
    def passed(self) -> bool:
        return self.report.passed

    @property
    def files(self) -> tuple[File, ...]:
        return self.manifest.files

    def to_json(self) -> dict[str, Any]:
        return self.report.to_json() | {"files": [asdict(file) for file in self.files]}


@takes(ExportOptions)
def export(options: ExportOptions) -> Export:
    """Converts a variant with its weights, runs every artifact on photographs against float32
    PyTorch, and keeps those that hold the limits.

    What fails a check is in the result's report.
    Raises InputError for options that do not fit, weights or photos that cannot be read, or a
    toolchain that is not installed; CheckError where the model's choice of queries is a tie on all
    but two photos.
    """
    precision, kinds = checked(options)
    targets = npu_targets(as_names(options.npu, "npu"), kinds)
    weights, progress = chosen(options.weights, options.variant), options.progress
    with progress.status(f"loading weights {weights}"):
        loaded = load(
            options.variant, weights, as_path(options.labels), options.image_size,
            ranges=precision.rounds and options.calibration is None,
        )  # fmt: skip
    translations = read_translations(options.translations, len(loaded.labels))
    variant = loaded.net.variant.name
    output = Path(options.output or Path("artifacts", f"{variant}-{precision.name}"))
    tell_weights(loaded, weights, precision, progress)
    require_own(output)
    tell_other_model(output, card_of(loaded, precision.name), progress)
    in_float = float_reference(options, weights, loaded) if precision.rounds else None
    frames: Frames = ()
    photos = as_path(options.calibration), options.calibration_photos, progress
    if precision.rounds:
        to_int8(loaded, weights, *photos, options.int8_share)
    elif precision.calibrates:
        frames = calibration_frames(loaded.net.image_size, weights, *photos)
    elif precision.stores == "int8":
        fold(loaded.net.fuse())
        round_weights(loaded.net)
    make_folder(output)
    size = sum(value.nbytes for value in loaded.net.parameters())
    require_room_for(output, size, len(kinds) + len(targets))
    with workplace(output) as work:
        report, manifest = make(options, kinds, weights, loaded, in_float, frames, work, output)
        report, manifest = with_npu(report, manifest, targets, work, progress)
        manifest = replace(manifest, translations=translations)
        rejected = [row.artifact for row in report.rows if row.problems]
        if not options.keep_rejected:
            for name in rejected:
                remove(work / name)
        with uninterrupted():
            install(work, output, manifest, rejected, progress)
    return Export(output, report, manifest)


def tell_weights(loaded: Loaded, weights: str, precision: Precision, progress: Progress) -> None:
    if notes := [*loaded.notes, *([] if precision.rounds else loaded.about.notes)]:
        progress.log(told(notes, weights))
    if weights == "random":
        progress.log(
            "weights are random (reproducible, untrained): the files run but detect nothing "
            "meaningful; use --weights coco or your own checkpoint for that"
        )


def checked(options: ExportOptions) -> tuple[Precision, list[str]]:
    """The precision and the formats. Raises InputError for what does not fit, or lacks a
    toolchain."""
    require_translations(options.translations)
    precision = precision_of(options.precision)
    having = [name for name, each in FORMATS.items() if precision.name in each.precisions]
    usual = [kind for kind in having if kind in DEFAULT_FORMATS]
    kinds = list(
        dict.fromkeys(usual if options.formats is None else as_names(options.formats, "formats"))
    )
    if not kinds:
        raise InputError(f"no format, expected {' or '.join(having)}; name one, or leave it out")
    require_known(kinds)
    if foreign := [kind for kind in kinds if kind not in having]:
        raise InputError(
            f"{foreign[0]} has no {precision.name} here, expected {' or '.join(having)}; "
            "leave it out"
        )
    for kind in kinds:
        FORMATS[kind].require()
    check_delegate(options.delegate, precision, kinds)
    for name, kind, fits in (
        ("calibration", "int8 and int8x16", precision.calibrates),
        ("int8_share", "int8", precision.rounds),
        ("kept", "int8", precision.rounds),
        ("float_weights", "int8", precision.rounds),
    ):
        if getattr(options, name) is not None and not fits:
            raise InputError(
                f"{flag(name)} is for {kind}, the precision is {precision.name}; add --precision "
                "int8, or leave it out"
            )
    if options.int8_share is not None and options.calibration is None:
        raise InputError(
            "--int8-share chooses what stays in float on photos, and none are named; name a folder "
            "with --calibration DIR, or leave it out"
        )
    return precision, kinds


def require_known(kinds: Sequence[str]) -> None:
    """Raises InputError for a format that there is none of."""
    for kind in kinds:
        if kind not in FORMATS:
            *most, last = (f"{name} ({each.title})" for name, each in FORMATS.items())
            fix = "name each by itself, without a comma" if "," in kind else "name one of them"
            raise InputError(f"no format '{kind}', expected {', '.join(most)} or {last}; {fix}")


def check_delegate(delegate: str, precision: Precision, kinds: Sequence[str]) -> None:
    """Raises InputError for what does not fit, or lacks a toolchain."""
    if delegate not in DELEGATES:
        raise InputError(f"no delegate '{delegate}', expected one of {', '.join(DELEGATES)}")
    if delegate == XNNPACK:
        return
    if PTE.name not in kinds:
        raise InputError(f"--delegate {delegate} is of the .pte; add --format pte")
    format = Pte(delegate)
    if precision.name not in format.precisions:
        raise InputError(
            f"--delegate {delegate} has no {precision.name} here, expected "
            f"{' or '.join(format.precisions)}; choose one of them, or an .mlpackage"
        )
    format.require()


def float_reference(options: ExportOptions, weights: str, loaded: Loaded) -> DEIMv2 | None:
    """What int8 is to detect as much as: the weights before they were quantized, or those named.

    A checkpoint that was trained with rounding is no such thing without rounding, so it names the
    weights that it comes from.
    """
    if options.float_weights is None and loaded.about.ranges is None:
        return deepcopy(loaded.net)
    source = loaded.about.in_float if options.float_weights is None else options.float_weights
    if source is None:
        options.progress.log(
            "how many of float32's detections int8 keeps is not measured: the float weights that "
            f"'{weights}' was quantized from are not here; name them with --float-weights FILE"
        )
        return None
    size = loaded.net.image_size
    return load(loaded.net.variant.name, str(source), loaded.labels, size).net


def make(
    options: ExportOptions,
    kinds: Sequence[str],
    weights: str,
    loaded: Loaded,
    in_float: DEIMv2 | None,
    frames: Frames,
    work: Path,
    output: Path,
) -> tuple[Report, Manifest]:
    """Make and check everything in `work`; the manifest lists only what passed.

    in_float: where the loaded net rounds to int8, itself before. frames: to calibrate formats on.
    """
    net = loaded.net
    card = card_of(loaded, options.precision)
    with options.progress.status("running the model on the photographs"):
        photographs = golden_photographs(
            in_float or net,
            as_path(options.photos),
            as_path(options.calibration) or loaded.about.photos,
            weights == "demo",
            options.progress,
        )
        golden = write_golden(work, net, photographs, in_float)
        goldens = read_golden(work, golden)
    rows = [artifact(kind, options, loaded, card, frames, work, goldens) for kind in kinds]
    good = [row for row in rows if not row.problems]
    return Report(str(output), tuple(rows)), manifest_of(card, golden, good, work)


def card_of(loaded: Loaded, precision: str) -> ModelCard:
    return ModelCard(
        variant=loaded.net.variant.name,
        precision=precision,
        image_size=loaded.net.image_size,
        queries=loaded.net.variant.decoder.queries,
        labels=loaded.labels,
        weights=loaded.source,
        weights_sha256=loaded.sha256,
    )


def manifest_of(
    card: ModelCard, golden: tuple[GoldenFile, ...], rows: Sequence[Row], work: Path
) -> Manifest:
    """rows: of the artifacts in `work` that it is to list."""
    return Manifest(
        variant=card.variant,
        precision=card.precision,
        input=Input(card.image_size),
        outputs=outputs(card.queries),
        labels=card.labels,
        weights=Weights(card.weights, card.weights_sha256),
        files=tuple(
            describe(path, inspect(path).computation())
            for path in (work / row.artifact for row in rows)
        ),
        golden=golden,
        toolchain=toolchain(),
        parity={
            row.artifact: entry(row.parity, row.limits, row.kept)
            for row in rows
            if row.parity and row.limits
        },
    )


def artifact(
    kind: str,
    options: ExportOptions,
    loaded: Loaded,
    card: ModelCard,
    frames: Frames,
    work: Path,
    goldens: list[Golden],
) -> Row:
    """Convert and verify one artifact; a failed check stands in the row."""
    format = Pte(options.delegate) if kind == PTE.name else FORMATS[kind]
    path, progress = work / f"{card.stem}{format.label}{format.suffix}", options.progress
    least_kept = LIMIT if options.kept is None else options.kept
    steps = expected_steps(loaded.net) if card.kind.rounds else []
    start = time.monotonic()
    try:
        with progress.status(f"converting to {path.name}"):
            convert(format, loaded.net, card, path, work / LOG, frames)
        row = Row(path.name, STRUCTURE)  # which its converter has checked
        if options.verify:
            with progress.status(f"verifying {path.name}"):
                row = verify_artifact(path, card, goldens, least_kept, steps)
    except CheckError as error:
        remove(path)  # half of a file, perhaps
        row = Row(path.name, STRUCTURE, (str(error),))
    seconds = time.monotonic() - start
    peak = peak_memory() / 1e9
    progress.log(f"{path.name}: {seconds:.0f} s, {peak:.1f} GB peak memory so far")
    return row
