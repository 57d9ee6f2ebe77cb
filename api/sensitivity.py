"""What int8 costs in AP, part by part."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from deimv2.api.calibration import PHOTOS, calibration_photos, find_ranges, to_int8
from deimv2.api.options import Pathish, as_path, takes
from deimv2.converters.precision import PRECISIONS
from deimv2.evaluation.measure import measurement
from deimv2.evaluation.sensitivity import Row, recipe_costs, sensitivity
from deimv2.model import DEIMv2
from deimv2.model.errors import InputError
from deimv2.model.images import find_photos, load_photo, resize
from deimv2.model.postprocess import detect
from deimv2.model.progress import SILENT, Progress
from deimv2.model.weights.sources import Loaded, chosen, load
from deimv2.quantization.calibration import calibrate
from deimv2.quantization.prepare import Chosen
from deimv2.training.data.layouts import Part
from deimv2.training.plots import new_figure, to_png
from deimv2.verification.parity import compare

LOOKED_AT = 20  # photos on which it is measured how far boxes move


@dataclass(frozen=True, kw_only=True)
class SensitivityOptions:
    """variant, weights, calibration: as in `QuantizeOptions`. images, annotations, limit: as in
    `EvaluateOptions`. recipe: one row for each part of the recipe, those too that stay in float."""

    images: Pathish
    annotations: Pathish
    variant: str = "atto"
    weights: Pathish | None = None
    calibration: Pathish | None = None
    calibration_photos: int = PHOTOS
    limit: int | None = None
    recipe: bool = False
    progress: Progress = SILENT


@takes(SensitivityOptions)
def measure_sensitivity(options: SensitivityOptions) -> list[Row]:
    """AP with one part of the network at a time in int8 and the others in float.

    Raises InputError for data or weights that cannot be read, or photos that are missing.
    """
    weights = chosen(options.weights, options.variant)
    if options.recipe and options.calibration is None and weights != "demo":
        raise InputError(
            f"no photos to find the ranges of each part for '{weights}', expected some with "
            "--recipe; name a folder with --calibration DIR"
        )
    own = options.calibration is None and not options.recipe
    loaded = load(options.variant, weights, None, None, ranges=own)
    rows = recipe_rows if options.recipe else block_rows
    return rows(options, weights, loaded)


def block_rows(options: SensitivityOptions, weights: str, loaded: Loaded) -> list[Row]:
    """Of what the recipe has in int8, block by block, with one set of ranges."""
    folder, progress = as_path(options.calibration), options.progress
    to_int8(loaded, weights, folder, options.calibration_photos, progress)
    part = Part(Path(options.images), Path(options.annotations))
    measure = measurement(part, loaded.labels, options.limit)
    return sensitivity(
        loaded.net,
        lambda net: measure(net)["AP"] or 0.0,
        lambda parts: progress.track(parts, "parts", rate=True),
    )


def recipe_rows(options: SensitivityOptions, weights: str, loaded: Loaded) -> list[Row]:
    """Of the recipe's own parts, with ranges for each; boxes are looked at on some photos."""
    images, progress = Path(options.images), options.progress
    part = Part(images, Path(options.annotations))
    measure = measurement(part, loaded.labels, options.limit)
    paths = find_photos(images)[: min(LOOKED_AT, options.limit or LOOKED_AT)]
    frames = [resize(load_photo(path), loaded.net.image_size) for path in paths]
    limits = PRECISIONS["int8"].limits
    found = [detect(loaded.net, frame)[0] for frame in frames]

    def both(net: DEIMv2) -> tuple[float, float]:
        size = net.image_size
        moved = max(
            compare(detections, detect(net, frame)[0], size, limits).box_px.worst
            for detections, frame in zip(found, frames, strict=True)
        )
        return measure(net)["AP"] or 0.0, moved

    folder, most = as_path(options.calibration), options.calibration_photos
    with calibration_photos(folder, weights, most, progress) as photos:

        def prepare(net: DEIMv2, chosen: Chosen) -> None:
            find_ranges(net, photos, most, progress, partial(calibrate, chosen=chosen))

        return recipe_costs(
            loaded.net, prepare, both, lambda parts: progress.track(parts, "parts", rate=True)
        )


def plot(rows: Sequence[Row]) -> bytes:
    """What each part costs alone, as PNG."""
    first, parts = rows[0].value, rows[1:]
    figure = new_figure(7, 1 + 0.3 * len(parts))
    axes = figure.subplots()
    axes.barh([row.part for row in parts], [100 * (row.value - first) for row in parts])
    axes.invert_yaxis()
    axes.set(title="this part alone in int8", xlabel="change of AP, points")
    axes.grid(alpha=0.3, axis="x")
    return to_png(figure)
