"""The small ViTs of S and M from DINOv3's ViT-S, on any photos."""

import shlex
from dataclasses import dataclass, replace
from pathlib import Path

from deimv2.api.options import Pathish, require_as_started, takes
from deimv2.model.errors import InputError
from deimv2.model.files import make_folder, require_other
from deimv2.model.images import find_photos
from deimv2.model.progress import SILENT, Progress
from deimv2.training.checkpoint import BEST, StopError, read_state, require_unused
from deimv2.training.distill import Crops, Distillation, Distiller, load_teacher, new_student
from deimv2.training.distributed import usable_device
from deimv2.training.run_log import ProgressLogger

KEPT = ("teacher", "images", "student", "epochs", "batch", "side", "lr", "seed", "accumulate")


@dataclass(frozen=True, kw_only=True)
class DistillOptions:
    """teacher:       file of DINOv3's ViT-S, as released
    images:        folder of photos, searched with its subfolders
    student:       "vit-tiny", the backbone of S, or "vit-tiny-plus", of M
    epochs, batch: passes over the photos; photos per batch
    accumulate:    batches per step, whose gradients are added up
    side:          of the square crops in pixels, a multiple of 16
    lr:            learning rate, which falls to 0
    resume:        folder of a stopped distillation to continue
    output:        folder; None: runs/STUDENT

    All others are as in `TrainOptions`.
    """

    teacher: Pathish | None = None
    images: Pathish | None = None
    student: str = "vit-tiny"
    epochs: int = 50
    batch: int = 64
    accumulate: int = 1
    side: int = 224
    lr: float = 1e-3
    seed: int = 0
    device: str | None = None
    workers: int = 2
    save_minutes: float = 5.0
    report_every: int = 20
    resume: Pathish | None = None
    output: Pathish | None = None
    progress: Progress = SILENT


@dataclass(frozen=True)
class Distilled:
    """finished: False for one that was stopped."""

    weights: Path
    steps: int
    finished: bool = True


@takes(DistillOptions)
def distill(options: DistillOptions) -> Distilled:
    """Trains a small ViT to reproduce the features of DINOv3's ViT-S.

    Raises InputError for photos or weights that cannot be read, an output folder that already
    holds a distillation, or options beside `resume` that make it another one.
    """
    progress = options.progress
    state = None if options.resume is None else read_state(Path(options.resume))
    if state is not None:
        if "student" not in state:
            raise InputError(
                f"'{options.resume}' holds no distillation, expected a stopped one; continue with "
                "the command that made it: deimv2 train --resume "
                f"{shlex.quote(str(options.resume))}"
            )
        require_as_started(options, (*KEPT, "output"), "another --output")
        options = replace(options, **state["about"], output=options.resume)
    if options.teacher is None or options.images is None:
        raise InputError("the teacher or the photos are missing; give --teacher FILE --images DIR")
    output = Path(options.output or Path("runs", options.student))
    if state is None:
        require_other(output / BEST, Path(options.teacher), "--teacher")
        require_unused(output)
    photos = find_photos(Path(options.images), below=True)
    crops = Crops(photos, recipe_of(options))
    with progress.status(f"reading {options.teacher}"):
        teacher = load_teacher(Path(options.teacher))
    device = usable_device(options.device)
    make_folder(output)
    paths = {"teacher": options.teacher, "images": options.images}
    about = {name: getattr(options, name) for name in KEPT}
    about |= {name: str(Path(path).absolute()) for name, path in paths.items()}
    student = new_student(options.student, options.seed)
    logger = ProgressLogger(output, progress)
    distiller = Distiller(student, teacher, crops, output, device, logger, about)
    if state is not None:
        distiller.restore(state)
    try:
        distiller.run(options.workers, options.save_minutes * 60, options.report_every)
    except StopError:
        how = f"deimv2 distill --resume {shlex.quote(str(output))}"
        progress.log(f"stopped at step {distiller.step}; continue with: {how}")
        return Distilled(output / BEST, distiller.step, finished=False)
    return Distilled(output / BEST, distiller.step)


def recipe_of(options: DistillOptions) -> Distillation:
    return Distillation(
        options.epochs, options.batch * options.accumulate, options.side, options.lr,
        seed=options.seed, accumulate=options.accumulate,
    )  # fmt: skip
