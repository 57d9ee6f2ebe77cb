"""The twelve COCO numbers of a detector on a folder of photos, and the AP of every class.

found = collect(runner, annotations, annotations.find(folder), classes)
scores = evaluate(annotations, found)

Matching, interpolation and summary are faster-coco-eval's; what is here feeds it. It takes a dict
for every detection. But AP and AR of a class look at that class alone, and so the classes are
evaluated one after the other, and the library's summary then averages over all of them: the same
numbers to the bit, in the same time. 5000 photos of 300 detections take 42 MB as arrays, and 0.6 GB
while they are evaluated, where a third are of one class; all dicts at once take 2.7 GB.
"""

import math
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
from PIL import Image

from deimv2.converters.manifest import SCORE_THRESHOLD
from deimv2.converters.runner import Frame, Runner
from deimv2.evaluation.annotations import NONE, Annotations, Photo
from deimv2.evaluation.operating import AtScore, Matches, Overlaps, matches, together
from deimv2.model.detections import Detections
from deimv2.model.errors import InputError
from deimv2.model.images import load_photo, resize
from deimv2.model.optional import require

Item = TypeVar("Item")
AHEAD = 4  # photos that are read before their turn
KEPT = 300  # detections per photo, as many as the largest variant gives

# In the order of the library's summary. AP is over IoU 0.50 to 0.95 unless the name says otherwise,
# AR is with up to 1, 10 or 100 detections per photo and class; areas are 32^2 and 96^2 pixels.
METRICS = {
    "AP": "IoU 0.50:0.95",
    "AP50": "IoU 0.50",
    "AP75": "IoU 0.75",
    "AP_small": "area below 32^2 pixels",
    "AP_medium": "area between",
    "AP_large": "area above 96^2 pixels",
    "AR1": "recall, 1 detection per photo and class",
    "AR10": "recall, 10 detections",
    "AR100": "recall, 100 detections",
    "AR_small": "recall, area below 32^2 pixels",
    "AR_medium": "recall, area between",
    "AR_large": "recall, area above 96^2 pixels",
}


@dataclass(frozen=True, eq=False)
class Found:
    """All detections, in the order of the photos, best first on each.

    boxes:  float32 [M, 4], x1, y1, x2, y2 in 0..1 of the photo
    scores: float32 [M]
    label:  int32 [M], index into the annotations' classes
    photo:  int32 [M], index into the annotations' photos
    sizes:  int32 [P, 2], width and height of each photo in pixels
    """

    boxes: npt.NDArray[np.float32]
    scores: npt.NDArray[np.float32]
    label: npt.NDArray[np.int32]
    photo: npt.NDArray[np.int32]
    sizes: npt.NDArray[np.int32]

    def pixels(self, rows: npt.NDArray[np.intp]) -> npt.NDArray[np.float64]:
        """[K, 4], these boxes as annotations have them: x, y, width, height in pixels."""
        scale = self.sizes[self.photo[rows]].astype(np.float64)
        corners = self.boxes[rows].astype(np.float64) * np.tile(scale, 2)
        sides = (corners[:, 2:] - corners[:, :2]).clip(min=0)
        return np.concatenate([corners[:, :2], sides], axis=1)


@dataclass(frozen=True)
class ClassScore:
    """boxes: how many there are to find. ap, ap50: in 0..1, None where there are none.
    at_threshold, best_f1: as in `Scores`, of this class."""

    name: str
    category_id: int
    boxes: int
    ap: float | None
    ap50: float | None
    at_threshold: AtScore
    best_f1: AtScore | None


@dataclass(frozen=True)
class Scores:
    """metrics: by the names in METRICS, in 0..1; None where no box to find is of that size.
    at_threshold: precision and recall at IoU 0.5 over all classes, above the score that apps show
    detections from. best_f1: above the score at which F1 is highest; None where nothing is right.
    """

    metrics: dict[str, float | None]
    classes: tuple[ClassScore, ...]
    at_threshold: AtScore
    best_f1: AtScore | None

    def to_json(self) -> dict[str, Any]:
        rows = [
            {"name": c.name, "category_id": c.category_id, "boxes": c.boxes}
            | {"AP": c.ap, "AP50": c.ap50}
            | _thresholds(c)
            for c in self.classes
        ]
        return {"metrics": self.metrics} | _thresholds(self) | {"classes": rows}


def _thresholds(scores: Scores | ClassScore) -> dict[str, Any]:
    best = scores.best_f1
    return {
        "at_threshold": asdict(scores.at_threshold),
        "best_f1": None if best is None else asdict(best),
    }


def require_library() -> Any:
    """The package faster_coco_eval. Raises MissingExtraError if it is not installed."""
    return require("faster_coco_eval", "train")


def collect(
    runner: Runner,
    annotations: Annotations,
    paths: Sequence[Path],
    classes: npt.NDArray[np.int32],
    progress: Callable[[Sequence[Path]], Iterable[Path]] = iter,
) -> Found:
    """Runs the detector on one photo after the other; only its detections stay in memory. The next
    few photos are read meanwhile.

    paths: of the annotations' photos, in their order. classes: from `match_classes`.
    progress: passes the paths through, and shows where it stands.
    Raises InputError for a photo that cannot be read or is not as large as annotated, and for
    detections that are no numbers or of a class that the annotations lack.
    """
    found, sizes = [], []

    def read(place: int) -> tuple[Frame, tuple[int, int]]:
        image = load_annotated(annotations, annotations.photos[place], paths[place])
        return resize(image, runner.size), image.size

    frames = _read_ahead(read, range(len(annotations.photos)))
    for path, (frame, size) in zip(progress(paths), frames, strict=True):
        found.append(_checked(runner.detect(frame), path, len(classes)))
        sizes.append(size)
    label = classes[np.concatenate([each.labels for each in found])]
    place = np.repeat(np.arange(len(found), dtype=np.int32), [len(each) for each in found])
    known = label != NONE
    return Found(
        boxes=np.concatenate([each.boxes for each in found])[known],
        scores=np.concatenate([each.scores for each in found])[known],
        label=label[known],
        photo=place[known],
        sizes=np.array(sizes, np.int32),
    )


def _read_ahead(read: Callable[[int], Item], places: Iterable[int]) -> Iterator[Item]:
    """`map` by a thread that is up to AHEAD places further on."""
    pool, pending = ThreadPoolExecutor(1), deque[Future[Item]]()
    try:
        for place in places:
            pending.append(pool.submit(read, place))
            if len(pending) > AHEAD:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)


def load_annotated(annotations: Annotations, photo: Photo, path: Path) -> Image.Image:
    """RGB, upright. Raises InputError if it cannot be read or is not as large as annotated."""
    image = load_photo(path)
    if photo.size not in (None, image.size):
        raise InputError(
            f"'{path}' has {image.width} x {image.height} pixels when upright, expected "
            f"{' x '.join(map(str, photo.size or ()))} as '{annotations.path}' says; "
            "use the photo that was annotated"
        )
    return image


def evaluate(annotations: Annotations, found: Found, threshold: float = SCORE_THRESHOLD) -> Scores:
    """threshold: of `at_threshold`. Raises MissingExtraError if faster-coco-eval is missing."""
    library = require_library()
    summary = library.COCOeval_faster(iouType="bbox")
    counts = [len(summary.params.iouThrs), len(summary.params.recThrs)]
    counts += [1, len(summary.params.areaRng), len(summary.params.maxDets)]
    undefined = np.full(counts, -1.0), np.full([counts[0], *counts[2:]], -1.0)
    precisions, recalls, classes, matched = [], [], [], []
    for label, name in enumerate(annotations.names):
        if (annotations.label == label).any():
            precision, recall, ious = _curves(library, annotations, found, label)
        else:
            (precision, recall), ious = undefined, {}
        matched.append(_matches(ious, annotations, found, label))
        precisions.append(precision)
        recalls.append(recall)
        everywhere = precision[:, :, 0, 0, -1]  # of all areas, with up to 100 detections
        classes.append(
            ClassScore(
                name=name,
                category_id=annotations.category_ids[label],
                boxes=matched[-1].boxes,
                ap=_defined(everywhere.mean()),
                ap50=_defined(everywhere[0].mean()),
                at_threshold=matched[-1].above(threshold),
                best_f1=matched[-1].best(),
            )
        )
    summary.eval = {
        "precision": np.concatenate(precisions, axis=2),
        "recall": np.concatenate(recalls, axis=1),
    }
    summary.summarize()
    everything = together(matched)
    return Scores(
        dict(zip(METRICS, map(_defined, summary.stats), strict=True)),
        tuple(classes),
        everything.above(threshold),
        everything.best(),
    )


def _checked(found: Detections, path: Path, classes: int) -> Detections:
    if not found.finite:
        raise InputError(
            f"a detection on '{path}' is not a number (NaN or infinite), expected boxes and "
            "scores; check the weights, or export again"
        )
    for label in found.labels.tolist():
        if not 0 <= label < classes:
            raise InputError(
                f"a detection on '{path}' is of class {label}, expected 0 to {classes - 1} as the "
                "annotations have; use those of the data set that the model was trained on"
            )
    return found.best(KEPT)


def _curves(
    library: Any, annotations: Annotations, found: Found, label: int
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64], Overlaps]:
    """Precision [T, R, 1, A, D] and recall [T, 1, A, D] of one class, over IoU thresholds, recall
    thresholds, areas, and most detections; and the overlaps that they follow from."""
    truth = _truth(annotations, label)
    detections = _detections(found, label)
    # Photos without the class, neither annotated nor detected, change nothing.
    photos = {row["image_id"] for row in truth} | {row["image_id"] for row in detections}
    sides = [_dataset(library, rows, photos) for rows in (truth, detections)]
    evaluator = library.COCOeval_faster(*sides, iouType="bbox")
    evaluator.evaluate()
    evaluator.accumulate()
    ious = {photo: each for (photo, _), each in evaluator.ious.items() if len(each)}
    return evaluator.eval["precision"], evaluator.eval["recall"], ious


def _matches(ious: Overlaps, annotations: Annotations, found: Found, label: int) -> Matches:
    """The detections of one class that count, and whether each is right."""
    shown, boxes = found.label == label, annotations.label == label
    return matches(
        ious, found.scores[shown], found.photo[shown],
        annotations.crowd[boxes], annotations.photo[boxes],
    )  # fmt: skip


def _truth(annotations: Annotations, label: int) -> list[dict[str, Any]]:
    rows = np.flatnonzero(annotations.label == label)
    return [
        {"image_id": photo, "bbox": box, "area": area, "iscrowd": int(crowd)}
        for photo, box, area, crowd in zip(
            annotations.photo[rows].tolist(),
            annotations.boxes[rows].tolist(),
            annotations.areas[rows].tolist(),
            annotations.crowd[rows].tolist(),
            strict=True,
        )
    ]


def _detections(found: Found, label: int) -> list[dict[str, Any]]:
    rows = np.flatnonzero(found.label == label)
    boxes = found.pixels(rows)
    return [
        {"image_id": photo, "bbox": box, "area": area, "iscrowd": 0, "score": score}
        for photo, box, area, score in zip(
            found.photo[rows].tolist(),
            boxes.tolist(),
            boxes[:, 2:].prod(axis=1).tolist(),
            found.scores[rows].tolist(),
            strict=True,
        )
    ]


def _dataset(library: Any, rows: Sequence[dict[str, Any]], photos: Iterable[int]) -> Any:
    """Rows of one class as the library holds them. Its ids start at 1: it takes 0 for no match."""
    for i, row in enumerate(rows):
        row |= {"id": i + 1, "category_id": 1}
    dataset = library.COCO()
    dataset.dataset = {
        "images": [{"id": photo} for photo in photos],
        "categories": [{"id": 1, "name": "this class"}],
        "annotations": rows,
    }
    dataset.createIndex()
    return dataset


def _defined(value: float) -> float | None:
    """The library says -1 where there is nothing to find."""
    return None if value < 0 or math.isnan(value) else float(value)
