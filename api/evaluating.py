"""The COCO numbers of a detector on annotated photos."""

import time
from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from deimv2.api.data import part_named, require_one_source
from deimv2.api.detector import (
    RELEASED,
    Detector,
    class_count,
    locate,
    notes_of,
    open_runner,
    require_unloaded,
    rounds,
)
from deimv2.api.options import Pathish, changed, takes
from deimv2.converters.format import CPU
from deimv2.converters.manifest import NAME, SCORE_THRESHOLD, Manifest
from deimv2.converters.results import record_all, require_listed
from deimv2.converters.runner import Runner
from deimv2.evaluation.annotations import NONE, Annotations, match_classes, read_annotations
from deimv2.evaluation.coco import Scores, collect, require_library
from deimv2.evaluation.coco import evaluate as score
from deimv2.model.coco import COCO_LABELS
from deimv2.model.errors import InputError
from deimv2.model.files import is_checkpoint, sha256_of
from deimv2.model.labels import known_names, read_labels_file, require_count
from deimv2.model.progress import SILENT, Progress
from deimv2.model.weights.places import told
from deimv2.model.words import plural
from deimv2.training.data.layouts import Part

OF_LOAD = ("labels", "variant", "precision", "threads", "device")  # options of `deimv2.load`


@dataclass(frozen=True)
class Evaluation:
    """Of one model: scores, on how many photos, in how many seconds.

    scores: `metrics`, and `classes` with the AP of each; of all and of each, `at_threshold` with
    precision, recall and F1 at IoU 0.5 above the manifest's score threshold (0.4), and `best_f1`
    with those above the threshold at which F1 is highest.
    """

    model: Path
    annotations: Path
    scores: Scores
    photos: int
    seconds: float

    @property
    def ap(self) -> float | None:
        """AP at IoU 0.50 to 0.95, None where there is nothing to find."""
        return self.scores.metrics["AP"]

    def to_json(self) -> dict[str, Any]:
        return {
            "model": str(self.model),
            "annotations": str(self.annotations),
            "photos": self.photos,
            "seconds": self.seconds,
            "photos_per_second": self.photos / self.seconds,
        } | self.scores.to_json()


@dataclass(frozen=True)
class EvaluateOptions:
    """model:       what `deimv2.load` takes, or gave
    data:        folder of a data set, or its data.yaml, or one of its parts; or
    images, annotations: the folder of the photos and their COCO file (JSON), or what else
                 annotates them
    split:       "val", "test" or "train" of `data`; None: "val", where there is none "test"
    limit:       only the first photos
    labels:      file of the model's class names; None: those in the model. Without any, its classes
                 are those of the annotations in the order of their ids
    variant, precision, threads, device: as in `deimv2.load`; what it gave has them
    record:      write AP and AP50 into the manifest beside the artifact
    """

    model: Pathish | Detector
    _: KW_ONLY
    data: Pathish | None = None
    images: Pathish | None = None
    annotations: Pathish | None = None
    split: str | None = None
    limit: int | None = None
    labels: Pathish | None = None
    variant: str | None = None
    precision: str = "fp32"
    threads: int | None = None
    device: str = CPU
    record: bool = False
    progress: Progress = SILENT


@takes(EvaluateOptions)
def evaluate(options: EvaluateOptions) -> Evaluation:
    """Runs a detector on annotated photos and gives the twelve COCO numbers, every class's AP,
    precision and recall above the score that apps show, and the score with the highest F1.

    Raises InputError for data or a model that cannot be read, classes that do not fit, or options
    of `deimv2.load` beside a detector, which is loaded already.
    """
    (found,) = measured_all(options, [options.model])
    return found


@takes(EvaluateOptions)
def evaluate_folder(options: EvaluateOptions) -> list[Evaluation]:
    """`evaluate` for every artifact of an export folder; of a single model, for that."""
    model = options.model
    if isinstance(model, Detector) or not is_export(model):
        return measured_all(options, [model])
    folder = Path(model)
    return measured_all(options, [folder / file.name for file in Manifest.read(folder).files])


def is_export(model: Pathish) -> bool:
    return (Path(model) / NAME).is_file()


def measured_all(
    options: EvaluateOptions, models: Sequence[Pathish | Detector]
) -> list[Evaluation]:
    require_library()
    if isinstance(options.model, Detector):
        require_unloaded(list(changed(options, OF_LOAD)), "the data alone")
    places = [place(model, options.variant) for model in models]
    if options.record:
        require_listed([path for path, _ in places])
    # Once for all models, as it may be a pipe.
    labels = None if options.labels is None else read_labels_file(Path(options.labels))
    annotations, photos = read_data(options)
    if len(places) > 1:
        require_all([path for path, _ in places], labels, options)
    results = []
    for model, (path, variant) in zip(models, places, strict=True):
        runner, names = opened(model, path, variant, labels, options)
        if names is COCO_LABELS and not set(annotations.names) <= set(COCO_LABELS):
            names = None  # COCO's are a guess, of a model that carries none
        results.append(measured(path, runner, names, annotations, photos, options.progress))
    if options.record:
        about = {"photos": len(photos), "annotations_sha256": sha256_of(annotations.path)}
        entries = {
            each.model: {name: each.scores.metrics[name] for name in ("AP", "AP50")} | about
            for each in results
        }
        record_all("ap", entries)
    return results


def place(model: Pathish | Detector, variant: str | None) -> tuple[Path, str | None]:
    """A model's file, and its variant where that is known."""
    return (model.source, None) if isinstance(model, Detector) else locate(model, RELEASED, variant)


def require_all(
    paths: Sequence[Path], labels: Sequence[str] | None, options: EvaluateOptions
) -> None:
    """Raises InputError for an artifact that does not open, before hours are spent on others. One
    after the other: memory may not hold them all."""
    silent = replace(options, progress=SILENT)
    with options.progress.status(f"checking {plural(len(paths), 'file')}"):
        for path in paths:
            opened(path, path, None, labels, silent)


def opened(
    model: Pathish | Detector,
    path: Path,
    variant: str | None,
    labels: Sequence[str] | None,
    options: EvaluateOptions,
) -> tuple[Runner, Sequence[str] | None]:
    """A model that runs, and its class names where it has any. path, variant: as of `place`.
    labels: those of the file that is named."""
    if isinstance(model, Detector):
        return model.runner, model.classes
    rounding = rounds(options.precision)
    with options.progress.status(f"opening {path}"):
        runner = open_runner(path, variant, options.threads, rounding, options.device)
    if notes := notes_of(runner):
        options.progress.log(told(notes, path))
    count = class_count(runner)
    if labels is None:
        return runner, known_names(count, None, runner.labels)
    require_count(labels, Path(str(options.labels)), count, f"'{path}'")
    return runner, labels


def read_data(options: EvaluateOptions) -> tuple[Annotations, list[Path]]:
    """The annotations and the photos' paths."""
    part = annotated_part(options)
    with options.progress.status(f"reading {part.annotations}"):
        found = read_annotations(part, options.limit)
        for note in found.notes:
            options.progress.log(note)
        return found, found.find(part.images)


def annotated_part(options: EvaluateOptions) -> Part:
    images, annotations = options.images, options.annotations
    require_one_source(options)
    if options.data is None:
        if images is None or annotations is None:
            raise InputError("no annotated photos, expected --data, or --images and --annotations")
        if options.split is not None:
            raise InputError("--split is of --data, found it without; leave it out")
        return Part(Path(images), Path(annotations))
    return part_named(Path(options.data), options.split, options.progress)


def measured(
    model: Path,
    runner: Runner,
    names: Sequence[str] | None,
    annotations: Annotations,
    photos: Sequence[Path],
    progress: Progress,
) -> Evaluation:
    classes = match_classes(annotations, names, class_count(runner))
    report_classes(names, classes.tolist(), annotations, progress)
    start = time.monotonic()
    shown = partial(progress.track, message="photos", rate=True)
    found = collect(runner, annotations, photos, classes, shown)
    seconds = time.monotonic() - start
    rate = len(photos) / seconds
    count = plural(len(photos), "photo")
    progress.log(f"{model.name}: {count} in {seconds:.1f} s, {rate:.1f} photos/s")
    with progress.status("matching the detections with the annotated boxes"):
        scores = score(annotations, found, threshold_of(model))
    return Evaluation(model, annotations.path, scores, len(photos), seconds)


def threshold_of(model: Path) -> float:
    """The score from which apps show an artifact's detections."""
    listed = not is_checkpoint(model) and is_export(model.parent)
    return Manifest.read(model.parent).score_threshold if listed else SCORE_THRESHOLD


def report_classes(
    names: Sequence[str] | None, classes: list[int], annotations: Annotations, progress: Progress
) -> None:
    if names is None:
        progress.log(
            "the model carries no class names: its classes are taken as those of "
            f"'{annotations.path}' in the order of their ids; --labels FILE names them"
        )
    elif NONE in classes:
        progress.log(
            f"'{annotations.path}' has {len(annotations.names)} of the model's {len(names)} "
            "classes: they are matched by name, and what is found of the others does not count"
        )
    elif classes != sorted(classes):
        progress.log(
            f"the classes of '{annotations.path}' are in another order than the model's: they are "
            "matched by name"
        )
