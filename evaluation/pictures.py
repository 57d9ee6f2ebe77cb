"""What the numbers look like: photos with truth beside detections, and the confusion matrix."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image

from deimv2.converters.manifest import SCORE_THRESHOLD
from deimv2.evaluation.annotations import Annotations
from deimv2.evaluation.coco import Found
from deimv2.model.detections import Detections
from deimv2.model.drawing import draw
from deimv2.model.images import evenly, load_photo
from deimv2.model.words import shortened
from deimv2.training.boxes import iou
from deimv2.training.plots import new_figure, to_png

IOU = 0.5  # from which it is of an object
MOST_PHOTOS = 12  # of a sheet
CELL = 320  # pixels of the longer side of a photo
MOST_WRITTEN = 25  # classes up to which the matrix has its numbers written in


def confusion(annotations: Annotations, found: Found) -> npt.NDArray[np.int64]:
    """int64 [C + 1, C + 1]: rows are the annotated class, columns the detected one; the last of
    each stands for nothing there.

    Detections above SCORE_THRESHOLD, best first, take the annotated box that they overlap most, if
    by IOU and if no better one took it, whatever its class. Crowds are left out.
    """
    classes = len(annotations.names)
    counts = np.zeros((classes + 1, classes + 1), np.int64)
    for photo, size in enumerate(found.sizes):
        truth, labels = _truth(annotations, photo, size)
        shown = (found.photo == photo) & (found.scores > SCORE_THRESHOLD)
        free, corners = np.ones(len(truth), bool), torch.from_numpy(truth)
        order = np.argsort(-found.scores[shown], kind="stable")
        for box, label in zip(found.boxes[shown][order], found.label[shown][order], strict=True):
            overlap = np.where(free, iou(torch.from_numpy(box), corners).numpy(), 0.0)
            best = int(overlap.argmax()) if len(truth) else -1
            if best >= 0 and overlap[best] >= IOU:
                free[best] = False
                counts[labels[best], label] += 1
            else:
                counts[classes, label] += 1
        for label in labels[free]:
            counts[label, classes] += 1
    return counts


def confusion_plot(counts: npt.NDArray[np.int64], names: Sequence[str]) -> bytes:
    """PNG; each row's colours are shares of that row."""
    labels = [*map(shortened, names), "nothing"]
    side = min(24.0, 3 + 0.45 * len(labels))
    figure = new_figure(side, side)
    axes = figure.subplots()
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    ticks = range(len(labels))
    axes.set_xticks(ticks, labels, rotation=90)
    axes.set_yticks(ticks, labels)
    axes.set(xlabel=f"detected, score above {SCORE_THRESHOLD}", ylabel="annotated")
    if len(names) <= MOST_WRITTEN:
        for row, column in np.argwhere(counts):
            colour = "white" if shares[row, column] > 0.5 else "black"
            place = {"ha": "center", "va": "center", "color": colour, "fontsize": 8}
            axes.text(column, row, str(counts[row, column]), **place)
    return to_png(figure)


def side_by_side(annotations: Annotations, found: Found, paths: Sequence[Path]) -> Image.Image:
    """A sheet of MOST_PHOTOS at most, evenly chosen: on the left what is annotated, on the right
    what is found."""
    chosen = evenly(range(len(paths)), MOST_PHOTOS)
    columns = 2
    rows = -(-len(chosen) // columns)
    sheet = Image.new("RGB", (2 * columns * CELL, rows * CELL))
    for place, photo in enumerate(chosen):
        image = load_photo(paths[photo])
        boxes, labels = _truth(annotations, photo, found.sizes[photo])
        truth = Detections(boxes, np.ones(len(labels), np.float32), labels)
        here = found.photo == photo
        result = Detections(found.boxes[here], found.scores[here], found.label[here])
        image.thumbnail((CELL, CELL))
        pictures = (
            draw(image, truth, annotations.names, 0.0, scores=False),
            draw(image, result, annotations.names, SCORE_THRESHOLD),
        )
        x, y = place % columns * 2 * CELL, place // columns * CELL
        for i, picture in enumerate(pictures):
            sheet.paste(picture, (x + i * CELL, y))
    return sheet


def _truth(
    annotations: Annotations, photo: int, size: npt.NDArray[np.int32]
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.int32]]:
    """Corners float32 [N, 4] in 0..1, and labels int32 [N], of a photo; without crowds."""
    here = (annotations.photo == photo) & ~annotations.crowd
    boxes = annotations.boxes[here]
    corners = np.concatenate([boxes[:, :2], boxes[:, :2] + boxes[:, 2:]], axis=1)
    return (corners / np.tile(size, 2)).astype(np.float32), annotations.label[here]
