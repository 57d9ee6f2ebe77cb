"""What a training leaves behind: every class's AP, pictures of what is found, what to run next."""

import shlex
from pathlib import Path

from deimv2.evaluation.coco import ClassScore, evaluate
from deimv2.evaluation.measure import Measurement
from deimv2.evaluation.pictures import confusion, confusion_plot, side_by_side
from deimv2.model import DEIMv2, load_weights
from deimv2.model.drawing import save_picture
from deimv2.model.files import write_whole
from deimv2.model.progress import Progress
from deimv2.model.words import shortened
from deimv2.training.distributed import DistributedContext

CONFUSION, PICTURES = "confusion.png", "validation.jpg"
MOST_SHOWN = 20  # classes up to which the screen has all of them


def show_results(
    net: DEIMv2, weights: Path, measure: Measurement, folder: Path, progress: Progress
) -> None:
    """Of the weights on the photos that AP is measured on: writes the confusion matrix and photos
    with truth beside detections into the folder, and says every class's AP."""
    load_weights(net, weights)
    found = measure.found(net.eval())
    annotations = measure.annotations
    scores = evaluate(annotations, found).classes
    counts = confusion(annotations, found)
    write_whole(folder / CONFUSION, confusion_plot(counts, annotations.names))
    save_picture(side_by_side(annotations, found, measure.paths), folder / PICTURES)
    progress.log(f"AP of the classes: {listed(scores)}")
    progress.log(f"'{folder}' has {PICTURES} (annotated beside found) and {CONFUSION}")


def listed(scores: tuple[ClassScore, ...]) -> str:
    """Best first; of many classes, the first and the last ones."""
    rows = sorted((s for s in scores if s.ap is not None), key=lambda s: -(s.ap or 0.0))
    texts = [f"{shortened(score.name)} {score.ap:.3f}" for score in rows]
    if len(texts) > MOST_SHOWN:
        half = MOST_SHOWN // 2
        texts = [*texts[:half], "...", *texts[-half:]]
    return ", ".join(texts)


def to_continue(folder: Path, rounds: bool, world: DistributedContext) -> str:
    """The command that goes on with a stopped training. rounds: to int8, while it learns."""
    command = "quantize --qat" if rounds else "train"
    return f"{world.command} {command} --resume {shlex.quote(str(folder))}"


def to_export(weights: Path, rounds: bool) -> str:
    """The command that makes files of what a training left."""
    precision = "--precision int8 " if rounds else ""
    return f"deimv2 export {precision}--weights {shlex.quote(str(weights))}"
