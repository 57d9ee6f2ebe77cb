"""The int8 ranges of a checkpoint, kept in a checkpoint like any other; and training with them."""

from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from deimv2.api.calibration import (
    PHOTOS,
    calibration_photos,
    find_ranges,
    method,
    tell_found_before,
)
from deimv2.api.data import read_train
from deimv2.api.options import Pathish, as_path, flag, flags_given, takes
from deimv2.api.rounding import FINAL, LR, Rounding
from deimv2.api.training import Training, TrainOptions, require_fresh, resumed, run
from deimv2.model.errors import InputError
from deimv2.model.files import make_folder, require_other, require_target
from deimv2.model.images import find_photos
from deimv2.model.weights import read_metadata, save_weights
from deimv2.model.weights.places import fetch
from deimv2.model.weights.sources import chosen, chosen_variant, load, origin
from deimv2.quantization.restore import restore
from deimv2.training.pseudo import MADE_BY, annotate

# Options of a training that calibration takes, too.
SHARED = (
    "data", "images", "annotations", "variant", "weights", "output", "resume", "image_size",
    "progress",
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class QuantizeOptions(TrainOptions):
    """calibration:  folder of photos like those the phone will see, beside data for `qat` alone;
                  None: the photos to train on of the data; for the demo weights, scenes as they
                  were trained on
    int8_share:   minimum share of the multiply-accumulates to keep in int8, 0..1: blocks of the
                  encoder move to float, those whose rounding costs most for their work first, as
                  long as this share is kept. None, and if it is out of reach: everything but the
                  decoder is in int8
    labels:       file of class names, one per line; not for `qat` on data, which names them
    image_size:   None: the checkpoint's, or the variant's own
    qat:          train with rounding, as what follows says; without data, on the photos of
                  `calibration`. The float network is the teacher, annotations are to measure by.
                  Unless said: 2 epochs of batches of 8 at a learning rate of 3e-5, on fewer than
                  2,000 photos up to 20 epochs, for 500 steps
    output:       file, VARIANT-int8.safetensors by default; of `qat` a folder, runs/VARIANT-int8
    """

    calibration: Pathish | None = None
    calibration_photos: int = PHOTOS
    int8_share: float | None = None
    labels: Pathish | None = None
    qat: bool = False
    # always: more than these is for networks that have much to learn
    denoising: bool = False
    dense: bool = False
    augment: bool = False


@dataclass(frozen=True)
class Quantized:
    """weights: the checkpoint. ranges: low and high of activations, by the name of the place.
    training: with `qat`, how that went."""

    weights: Path
    ranges: Mapping[str, tuple[float, float]]
    training: Training | None = None

    def to_json(self) -> dict[str, Any]:
        if self.training is not None:
            return self.training.to_json()
        return {"weights": str(self.weights), "ranges": self.ranges}


@takes(QuantizeOptions)
def quantize(options: QuantizeOptions) -> Quantized:
    """Runs a checkpoint on photos, finds the ranges that int8 needs and weights that fit them, and
    writes a checkpoint, which `export` takes for every format; with `qat`, trains it.

    Raises InputError for photos, data or weights that cannot be read or do not fit, options without
    effect, and as `train` does.
    """
    if options.resume is not None:
        again, rounding = resumed(options)
        return trained(again, rounding)
    options = replace(options, weights=chosen(options.weights, options.variant))
    if not options.qat:
        return calibrated(options)
    require_effect(options)
    variant = chosen_variant(options.variant, options.weights)
    options = with_defaults(replace(options, variant=variant))
    output = Path(str(options.output))
    if options.data is None and options.images is None and options.calibration is not None:
        options = annotate_photos(options, output)
    rounding = Rounding(
        None if options.calibration is None else str(options.calibration),
        options.calibration_photos,
        options.int8_share,
    )
    return trained(options, rounding)


def require_effect(options: QuantizeOptions) -> None:
    """Raises InputError for what training with rounding has no use for."""
    if not options.amp:
        raise InputError("--no-amp with --qat, which computes in float32 always; leave it out")
    if options.labels is not None and (options.data is not None or options.images is not None):
        raise InputError(
            f"--labels '{options.labels}' with --qat on annotated photos, expected the class names "
            "of the annotations alone; leave it out"
        )


def require_no_training(options: QuantizeOptions) -> None:
    """Raises InputError for options that only a training has, or photos from two places."""
    training = {each.name for each in fields(TrainOptions)} - set(SHARED)
    if given := flags_given(options, training):
        raise InputError(
            f"{', '.join(given)} without --qat, expected options of calibration alone; add --qat "
            "to train, or leave it out"
        )
    data = [flag(name) for name in ("data", "images", "annotations") if getattr(options, name)]
    if data and options.calibration is not None:
        raise InputError(
            f"{', '.join(data)} beside --calibration without --qat, expected photos from one "
            "place; add --qat to train, or leave one of the two out"
        )


def trained(options: TrainOptions, rounding: Rounding | None) -> Quantized:
    training = run(options, rounding)
    ranges = read_metadata(training.weights).ranges or {}
    return Quantized(training.weights, ranges, training)


def calibrated(options: QuantizeOptions) -> Quantized:
    """Ranges, and weights that fit them: post-training quantization."""
    require_no_training(options)
    weights, progress = str(options.weights), options.progress
    loaded = load(options.variant, weights, as_path(options.labels), options.image_size)
    variant = loaded.net.variant.name
    output = Path(options.output or f"{variant}-int8.safetensors")
    require_target(output, [".safetensors"], "--output")
    in_float = origin(weights, variant)
    for each in (fetch(weights, variant), in_float):
        require_other(output, each, "--weights")
    tell_found_before(loaded.about, weights, progress)
    folder, most = as_path(options.calibration), options.calibration_photos
    source: AbstractContextManager[list[Path]]
    if folder is None and (options.data is not None or options.images is not None):
        paths = [sample.path for sample in read_train(options, progress).samples]
        folder, source = paths[0].parent, nullcontext(paths)
    else:
        source = calibration_photos(folder, weights, most, progress)
    with source as photos:
        make_folder(output.parent)
        found = find_ranges(
            loaded.net, photos, most, progress, method(options.int8_share, progress)
        )
    save_weights(
        restore(loaded.net), output, loaded.labels, ranges=found.ranges,
        float_blocks=found.float_blocks, photos=folder, in_float=in_float,
    )  # fmt: skip
    return Quantized(output, found.ranges)


def with_defaults(options: QuantizeOptions) -> QuantizeOptions:
    """What was not said."""
    stored = read_metadata(fetch(str(options.weights), options.variant)).image_size
    return replace(
        options,
        lr=options.lr or LR,
        final_lr=FINAL if options.final_lr is None else options.final_lr,
        output=options.output or Path("runs", f"{options.variant}-int8"),
        image_size=options.image_size or stored,
    )


def require_no_annotations(output: Path) -> None:
    """Raises InputError where `annotate` would replace annotations that it did not write."""
    for path in (output / "train.json", output / "val.json"):
        if path.exists() and MADE_BY.encode() not in path.read_bytes():
            raise InputError(
                f"'{path}' is there, expected no annotations but those that an earlier call wrote, "
                "as they would be replaced; choose another --output"
            )


def annotate_photos(options: QuantizeOptions, output: Path) -> QuantizeOptions:
    """Photos alone: the float network is all that is learnt from, and what it detects on a fifth of
    them is what AP is measured by."""
    assert options.calibration is not None
    photos = find_photos(Path(options.calibration))
    require_fresh(photos, options)
    require_no_annotations(output)
    loaded = load(
        options.variant, str(options.weights), as_path(options.labels), options.image_size
    )
    make_folder(output)
    train, val = annotate(
        loaded.net,
        photos,
        loaded.labels,
        output,
        lambda reason: options.progress.log(f"skipped: {reason}"),
        lambda paths: options.progress.track(paths, "detecting in float"),
    )
    options = replace(options, images=train.images, annotations=train.annotations)
    if options.val_images is None and options.val_annotations is None:
        options.progress.log(
            "no annotations: AP is that of float32's detections above 0.3, on a fifth of the photos"
        )
        return replace(options, val_images=val.images, val_annotations=val.annotations)
    return options
