"""A detector on one's own photos, from scratch or from trained weights."""

import shlex
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, fields, replace
from functools import partial
from pathlib import Path
from typing import Any

import torch

from deimv2.api.closing import show_results, to_continue, to_export
from deimv2.api.data import DATA, data_again, part_to_measure, read_train
from deimv2.api.options import Pathish, as_path, flag, require_as_started, takes
from deimv2.api.recipe import described, recipe_of, report_small
from deimv2.api.rounding import Rounding, teacher_of
from deimv2.evaluation.measure import Measurement, measurement
from deimv2.model import DEIMv2, build_model
from deimv2.model.errors import InputError
from deimv2.model.files import make_folder, require_other, require_room
from deimv2.model.progress import SILENT, Progress
from deimv2.model.weights import load_backbone, read_metadata, save_weights, transfer_weights
from deimv2.model.weights.places import fetch
from deimv2.model.weights.sources import AUTO, BY_NAME, chosen_variant, origin
from deimv2.model.words import plural
from deimv2.quantization.distillation import Teacher
from deimv2.training.checkpoint import BEST, StopError, read_state, require_unused
from deimv2.training.data.batches import Batches, require_shared
from deimv2.training.data.dataset import Dataset
from deimv2.training.data.layouts import Part
from deimv2.training.distributed import DistributedContext, join, leave
from deimv2.training.loop import TrainingLogger
from deimv2.training.recipes import RECIPES
from deimv2.training.run_log import NullLogger, ProgressLogger, open_board
from deimv2.training.trainer import Options, Trainer

# Options that do not change what is learnt.
MACHINE = (
    "device", "threads", "workers", "compile", "save_minutes", "report_every", "resume", "on_epoch",
    "progress",
)  # fmt: skip
# Of the weights, on the disk while they are saved: LAST has the weights, their average and two
# moments, BEST the average; and both stay until the new ones are whole.
COPIES = 10


@dataclass(frozen=True, kw_only=True)
class TrainOptions:
    """data:           folder with train/ and val/, each with photos and annotations, or its
                    data.yaml; or
    images, annotations, val_images, val_annotations: the same one by one
    variant:        one of `deimv2.VARIANTS`; "auto": recognised from the weights, else "atto"
    weights:        to start from: "demo", "coco", a file, or "none", a fresh start from random
                    numbers; None: the released ones ("coco"), with `backbone` "none". Class heads
                    follow the classes
    backbone:       file of pre-trained weights for the backbone
    output:         folder that holds no training; None: runs/VARIANT
    resume:         folder of a stopped training to continue; where its data were moved, with their
                    new place as `data` or one by one
    epochs, batch:  None: 60 and 16 from weights, 40 and 8 on fewer than 2,000 photos, the paper's
                    for a fresh start; photos per step in all processes together
    accumulate:     batches per step: as one batch so many times as large, but for BatchNorm
    lr:             learning rate of the heads; the others keep their ratio
    final_lr:       final learning rate, as a share of lr; None: 0 from weights on fewer than 2,000
                    photos, else the paper's
    image_size:     a side or (H, W); None: the variant's own
    denoising:      use denoising queries; None: unless fine-tuning on fewer than 2,000 photos
    dense, augment: use Mosaic, MixUp and Copy-Blend; augment by more than flips
    device:         "cpu" or "cuda"; None: the GPU if available
    threads:        None: PyTorch's choice
    workers:        processes that load photos
    amp:            half precision on GPUs
    compile:        use torch.compile
    save_minutes, report_every, evaluate_every: intervals in minutes, steps and epochs
    patience:       epochs without a better AP after which to stop; None: run to the end
    on_epoch:       called in the main process once an epoch's state is saved, with its row of
                    log.jsonl: {"step", "epoch", and where AP is measured "AP", ...}; what it raises
                    ends the training, which `resume` continues
    """

    data: Pathish | None = None
    variant: str = AUTO
    weights: Pathish | None = None
    backbone: Pathish | None = None
    output: Pathish | None = None
    resume: Pathish | None = None
    images: Pathish | None = None
    annotations: Pathish | None = None
    val_images: Pathish | None = None
    val_annotations: Pathish | None = None
    epochs: int | None = None
    batch: int | None = None
    accumulate: int = 1
    lr: float | None = None
    final_lr: float | None = None
    image_size: int | tuple[int, int] | None = None
    denoising: bool | None = None
    dense: bool = True
    augment: bool = True
    seed: int = 0
    device: str | None = None
    threads: int | None = None
    workers: int = 2
    amp: bool = True
    compile: bool = False
    save_minutes: float = 5.0
    report_every: int = 20
    evaluate_every: int = 1
    patience: int | None = None
    on_epoch: Callable[[dict[str, Any]], object] | None = None
    progress: Progress = SILENT


@dataclass(frozen=True)
class Training:
    """weights: the best; ap: theirs, None if none was measured; steps: that were done; finished:
    False if it was stopped; main: whether this is the main process."""

    weights: Path
    ap: float | None
    steps: int
    finished: bool = True
    main: bool = True

    def to_json(self) -> dict[str, Any]:
        return {
            "weights": str(self.weights),
            "AP": self.ap,
            "steps": self.steps,
            "finished": self.finished,
        }


@takes(TrainOptions)
def train(options: TrainOptions) -> Training:
    """Trains on annotated photos (COCO, YOLO, Pascal VOC), and keeps the best weights as
    best.safetensors.

    Ctrl-C stops it cleanly; `resume` continues it. Under torchrun, every process calls it.
    Raises InputError for data or weights that cannot be read or do not fit, an output folder that
    holds a training already or the photos, or a full disk.
    """
    rounding = None
    if options.weights is not None:  # of a Path, too, it may be a name
        options = replace(options, weights=str(options.weights))
    if options.weights == "random":
        raise InputError(
            "weights are 'random', expected 'none' for a start from random numbers; name that"
        )
    if options.resume is not None:
        options, rounding = resumed(options)
    return run(options, rounding)


def resumed(options: TrainOptions) -> tuple[TrainOptions, Rounding | None]:
    """The options that the stopped training was started with; the machine's and where the data lie
    may be given anew.

    Raises InputError for any other, which would make it another training.
    """
    folder = Path(options.resume or "")
    stored = read_state(folder)["about"]
    if "options" not in stored:
        raise InputError(
            f"'{folder}' holds no training, expected a stopped one; continue with the command that "
            f"made it: deimv2 distill --resume {shlex.quote(str(folder))}"
        )
    learnt = {each.name for each in fields(options)} - {*MACHINE, *DATA, "qat"}
    require_as_started(options, learnt, f"--weights {shlex.quote(str(folder / BEST))}")
    rounding = stored["rounding"]
    before = stored["options"]
    return (
        replace(options, **before | data_again(options, before, folder), output=folder),
        None if rounding is None else Rounding(**rounding),
    )


def run(options: TrainOptions, rounding: Rounding | None) -> Training:
    """rounding: to int8 while it learns."""
    if options.threads is not None:
        torch.set_num_threads(options.threads)
    world = join(options.device)
    try:
        return run_here(options, rounding, world)
    finally:
        leave()


def settled(options: TrainOptions) -> TrainOptions:
    """With the variant, weights and output that were left open."""
    options = replace(options, variant=chosen_variant(options.variant, options.weights))
    output = options.output or Path("runs", options.variant)
    return replace(options, weights=starting_weights(options), output=output)


def starting_weights(options: TrainOptions) -> Pathish | None:
    """The weights to start from: the released ones where none are named, None for "none".

    Raises InputError where those cannot be had: a fresh start takes hundreds of epochs, and is to
    be asked for.
    """
    if options.weights is not None or options.backbone is not None:
        return None if options.weights == "none" else options.weights
    try:
        fetch("coco", options.variant)
    except InputError as error:
        epochs = RECIPES[options.variant].schedule.epochs
        raise InputError(
            f"no --weights were named, and the released ones cannot be had: {error}; or start from "
            f"random numbers with --weights none (the paper's {epochs} epochs on 118,287 photos)"
        ) from error
    return "coco"


def run_here(
    options: TrainOptions, rounding: Rounding | None, world: DistributedContext
) -> Training:
    """This process's part of it."""
    progress = options.progress if world.is_main else SILENT
    rounds = rounding is not None
    if options.batch is not None:
        require_shared(options.batch, world.size)
    dataset = read_train(options, progress)
    val = part_to_measure(options.data, options.val_images, options.val_annotations, progress)
    if options.resume is None:  # only now: weights may have to be fetched
        options = settled(options)
        require_fresh([sample.path for sample in dataset.samples], options)
    output = Path(str(options.output))
    evaluate = measured_on(val, dataset, world, progress)
    torch.manual_seed(options.seed)
    net = start(options, rounds, dataset, progress)
    if not rounds:
        report_small(dataset, net.image_size, RECIPES[options.variant].augment.min_side, progress)
    make_folder(output)
    save = partial(save_weights, photos=None if val is None else val.pieces[0].images)
    logger: TrainingLogger = NullLogger()
    if world.is_main:
        logger = ProgressLogger(output, progress, open_board(output), options.on_epoch)
    measured = None if evaluate is None else len(evaluate.paths)
    trainer = trainer_of(options, rounding, net, dataset, save, measured, world, logger, progress)
    if options.resume is None:
        progress.log(described(trainer.recipe, trainer.steps, net.image_size, rounds))
    else:
        trainer.restore(read_state(output))
        progress.log(f"continuing at step {trainer.step} of {trainer.steps}")
    if evaluate is not None and isinstance(trainer.teacher, Teacher) and world.is_main:
        evaluate = evaluate.beside(trainer.teacher.net)
    try:
        trainer.run(evaluate)
    except StopError:
        how = to_continue(output, rounds, world)
        progress.log(f"stopped at step {trainer.step}; continue with: {how}")
        return result(trainer, finished=False)
    if rounds and trainer.best.step == 0 and evaluate is not None:
        progress.log("no epoch was better than what it started from, which is kept")
    made = result(trainer)
    if made.ap is not None and trainer.best.step:
        progress.log(f"best: AP {made.ap:.4f} in epoch {trainer.best_epoch}; curves in '{output}'")
    if evaluate is not None and not rounds and world.is_main:
        show_results(trainer.net.cpu(), output / BEST, evaluate, output, progress)
    progress.log(f"next: {to_export(output / BEST, rounds)}")
    return made


def measured_on(
    val: Part | None, dataset: Dataset, world: DistributedContext, progress: Progress
) -> Measurement | None:
    """Before anything is made, as it may refuse the photos."""
    if val is not None:
        return measurement(val, dataset.names, check=world.is_main, progress=progress)
    progress.log(
        "data: no 'val' part, so no AP is measured and the last average of the weights is kept"
    )
    return None


def result(trainer: Trainer, finished: bool = True) -> Training:
    ap = trainer.best.ap if trainer.best.ap >= 0 else None
    return Training(trainer.folder / BEST, ap, trainer.step, finished, trainer.world.is_main)


def require_fresh(photos: Sequence[Path], options: TrainOptions) -> None:
    """Raises InputError for an output where a training is already, among its own photos, or where
    the weights that it starts from would be replaced."""
    output = Path(str(options.output))
    if output.resolve() in {folder.resolve() for folder in {photo.parent for photo in photos}}:
        raise InputError(
            f"'{output}' holds the photos to train on, expected a folder of its own; choose "
            "another --output"
        )
    for name in ("weights", "backbone"):
        require_other(output / BEST, as_path(getattr(options, name)), flag(name))
    require_unused(output)


def trainer_of(
    options: TrainOptions,
    rounding: Rounding | None,
    net: DEIMv2,
    dataset: Dataset,
    save: Callable[..., None],
    measured: int | None,
    world: DistributedContext,
    logger: TrainingLogger,
    progress: Progress,
) -> Trainer:
    """With rounding: of `net`, prepared in place, with itself in float as teacher.

    measured: photos that AP is measured on.
    """
    output = Path(str(options.output))
    size = sum(value.nbytes for value in net.parameters())
    copies = COPIES if options.resume is None else COPIES // 2  # the others are there
    require_room(output, copies * size, "training", "choose another --output")
    recipe = recipe_of(options, rounding is not None, len(dataset.samples))
    batches = Batches(
        dataset, recipe, net.image_size, (net.variant.mean, net.variant.std),
        options.seed, world.rank, world.size, net.variant,
    )  # fmt: skip
    make = partial(Trainer, net, dataset.names, recipe, batches, output, world, logger)
    if rounding is None:
        return make(loop_options(options, None, measured), save)
    weights = fetch(str(options.weights), options.variant)
    teacher = teacher_of(net, weights, dataset.names, progress)
    photos = [sample.path for sample in dataset.samples]
    rounding = rounding.prepare(net, weights, photos, progress)
    save = partial(save, in_float=origin(str(options.weights), options.variant))
    trainer = make(loop_options(options, rounding, measured), partial(rounding.save, save), teacher)
    teacher.watch(net)
    return trainer


def loop_options(
    options: TrainOptions, rounding: Rounding | None, measured: int | None = None
) -> Options:
    """For the loop; what a training is goes into its checkpoint, as plain values."""
    kept = {
        each.name: as_kept(each.name, getattr(options, each.name))
        for each in fields(TrainOptions)
        if each.name not in (*MACHINE, "output")
    }
    return Options(
        workers=options.workers,
        save_seconds=options.save_minutes * 60,
        report_every=options.report_every,
        evaluate_every=options.evaluate_every,
        amp=options.amp and rounding is None,  # rounding to steps needs float32
        compiled=options.compile,
        accumulate=options.accumulate,
        patience=options.patience,
        measure_start=rounding is not None,
        measured=measured,
        about={"options": kept, "rounding": None if rounding is None else asdict(rounding)},
    )


def as_kept(name: str, value: Any) -> Any:
    """A value that means the same in any working folder."""
    a_file = name == "weights" and value not in BY_NAME and Path(value).exists()
    if a_file or (name in DATA and value is not None):
        return str(Path(value).absolute())
    return str(value) if isinstance(value, Path) else value


def start(options: TrainOptions, rounds: bool, dataset: Dataset, progress: Progress) -> DEIMv2:
    """The net, with the weights to start from."""
    net = build_model(options.variant, len(dataset.names), options.image_size)
    fresh = options.resume is None
    if options.weights is not None and (fresh or rounds):
        path = fetch(str(options.weights), options.variant)
        found = transfer_weights(net, path, dataset.names)
        if found.made and rounds:
            raise InputError(
                f"'{path}' is of other classes than the {net.num_classes} of these data, expected "
                "weights that detect them; train those first"
            )
        if found.made:
            progress.log(
                f"weights: all of '{path}'; its class heads are made for "
                f"{plural(net.num_classes, 'class', 'classes')}, {found.same} of which it knows by "
                "name"
            )
        else:
            progress.log(f"weights: all of '{path}'")
        before = read_metadata(path).image_size
        if fresh and before is not None and before != net.image_size:
            then, now = (f"{height}x{width}" for height, width in (before, net.image_size))
            progress.log(
                f"weights: trained at {then} pixels, here they go on at {now}; --image-size {then} "
                "stays at theirs"
            )
    if options.backbone is not None and fresh:
        count = load_backbone(net, Path(options.backbone))
        progress.log(f"weights: {count} tensors of the backbone from '{options.backbone}'")
    return net
