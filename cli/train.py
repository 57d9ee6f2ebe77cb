"""`deimv2 train`: a detector on one's own photos, from scratch or from trained weights."""

import argparse
import shlex
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cli import console, qat
from cli.counts import count, natural, rate, share, size
from cli.data import add_data, find_val, read_train
from cli.measure import measurement
from model.errors import InputError

if TYPE_CHECKING:
    from model import DEIMv2
    from training.dataset import Dataset
    from training.recipes import Recipe
    from training.trainer import Options
    from training.world import World

EXAMPLE = "example: deimv2 train --data shelves --weights coco --variant n --epochs 60"
FINE_TUNING_EPOCHS = 60
FINE_TUNING_BATCH = 16
FRESH = "none"
PATHS = (
    "data", "images", "annotations", "val_images", "val_annotations", "backbone", "calibration",
    "labels",
)  # fmt: skip
# Options that do not change what is learnt.
MACHINE = (
    "device", "threads", "workers", "no_amp", "compile", "save_minutes", "report_every", "json",
    "resume", "run", "defaults",
)  # fmt: skip


def add(subparsers: Any) -> None:
    parser = subparsers.add_parser(
        "train",
        help="train on your own photos",
        description="Trains on photos with COCO annotations, fresh or from trained weights, and "
        "keeps the best weights as best.safetensors. A training that was stopped goes on with "
        "--resume. For several GPUs: torchrun --nproc-per-node 4 -m cli.main train ...",
        epilog=EXAMPLE,
    )
    add_data(parser, val=True)
    start = parser.add_argument_group("start")
    start.add_argument("--variant", default="atto", metavar="NAME", help="default: atto")
    start.add_argument(
        "--weights", default=FRESH, metavar="none|demo|coco|PATH",
        help="what to start from; class heads are made anew for other classes. Default: none",
    )  # fmt: skip
    start.add_argument("--backbone", type=Path, metavar="FILE", help="pre-trained backbone weights")
    start.add_argument("--resume", type=Path, metavar="DIR", help="go on with a stopped training")
    add_training(parser)
    parser.add_argument(
        "--output", type=Path, metavar="DIR", help="default: runs/VARIANT; must not hold a training"
    )
    parser.add_argument("--json", action="store_true", help="print the result as JSON")
    parser.set_defaults(run=run, qat=False, ranges=None, annotated=True)
    parser.set_defaults(defaults=vars(parser.parse_args([])))


def add_training(parser: argparse.ArgumentParser, rounds: bool = False) -> None:
    """How it is trained, and on what. rounds: with rounding to int8, which has its own defaults."""
    how = parser.add_argument_group("training")
    lasts, batch = str(qat.EPOCHS), str(FINE_TUNING_BATCH)
    if not rounds:
        lasts = f"{FINE_TUNING_EPOCHS} from weights, the paper's for a fresh training. The "
        lasts += "phases of the paper's recipe keep their shares"
        batch += " from weights, the paper's for a fresh training"
    how.add_argument("--epochs", type=count, metavar="N", help=f"default: {lasts}")
    how.add_argument(
        "--batch", type=count, metavar="N",
        help=f"photos per step, in all processes together; default: {batch}",
    )  # fmt: skip
    how.add_argument(
        "--lr", type=rate, metavar="X",
        help="of the heads; the others keep their ratio"
        + (f"; default: {qat.LR:g}" if rounds else ""),
    )  # fmt: skip
    final = f"{qat.FINAL:g}"
    if not rounds:
        final = "the paper's (0.5 or 1), which suits its long moving average. Some thousand steps "
        final += "end better at 0"
    how.add_argument(
        "--final-lr", type=share, metavar="X",
        help=f"what the learning rate ends at, as a share of itself; default: {final}",
    )  # fmt: skip
    how.add_argument("--image-size", type=size, metavar="N|HxW", help="default: the variant's own")
    if rounds:  # always: they are for networks that have much to learn
        parser.set_defaults(no_denoising=True, no_dense=True, no_augment=True)
    else:
        add_variety(how)
    how.add_argument("--seed", type=natural, default=0, metavar="N", help="default: 0")
    machine = parser.add_argument_group("machine")
    machine.add_argument("--device", metavar="cpu|cuda", help="default: cuda where there is one")
    machine.add_argument("--threads", type=count, metavar="N", help="default: PyTorch's choice")
    machine.add_argument("--workers", type=natural, default=2, metavar="N", help="default: 2")
    machine.add_argument("--no-amp", action="store_true", help="float32 on GPUs too")
    machine.add_argument(
        "--compile", action="store_true", help="torch.compile; needs a C++ compiler"
    )
    machine.add_argument("--save-minutes", type=float, default=5.0, metavar="X", help="default: 5")
    machine.add_argument("--report-every", type=count, default=20, metavar="STEPS")
    machine.add_argument("--evaluate-every", type=count, default=1, metavar="EPOCHS")


def add_variety(how: Any) -> None:
    how.add_argument("--no-denoising", action="store_true", help="without denoising queries")
    how.add_argument("--no-dense", action="store_true", help="without Mosaic, MixUp and Copy-Blend")
    how.add_argument("--no-augment", action="store_true", help="flips only")


def run(args: argparse.Namespace) -> int:
    import torch

    from training.world import join, leave

    if args.resume is not None:
        args = resumed(args)
    if args.threads is not None:
        torch.set_num_threads(args.threads)
    world = join(args.device)
    try:
        return train(args, world)
    finally:
        leave()


def resumed(args: argparse.Namespace) -> argparse.Namespace:
    """The options that the stopped training was started with; the machine's may be given anew.

    Raises InputError for any other, which would make it another training.
    """
    from training.checkpoint import read_state

    stored = read_state(args.resume)["about"]
    given = [
        name for name in (*stored, "output") if getattr(args, name, None) != args.defaults.get(name)
    ]
    if given:
        names = ", ".join(f"--{name.replace('_', '-')}" for name in given)
        raise InputError(
            f"{names} cannot be given with --resume, which goes on as it was started; leave it "
            f"out, or start anew with --weights {args.resume / 'best.safetensors'}"
        )
    machine = {name: getattr(args, name) for name in MACHINE}
    kept = {
        name: Path(value) if name in PATHS and value is not None else value
        for name, value in stored.items()
    }
    return argparse.Namespace(**(vars(args) | kept | machine | {"output": args.resume}))


def train(args: argparse.Namespace, world: "World") -> int:
    import torch

    from cli.journal import Screen, Silence, open_board
    from model.files import make_folder
    from model.weights import save_weights
    from training.batches import Batches
    from training.checkpoint import StopError, read_state
    from training.trainer import Trainer

    output = args.output or Path("runs") / args.variant
    if args.resume is None:
        require_fresh(output)
    say = console.log if world.leads else (lambda _: None)
    dataset, val = read_train(args, say), find_val(args, say)
    torch.manual_seed(args.seed)
    net = start(args, dataset, say)
    recipe = recipe_of(args, len(dataset.samples))
    batches = Batches(
        dataset, recipe, net.image_size, (net.variant.mean, net.variant.std),
        args.seed, world.rank, world.size,
    )  # fmt: skip
    make_folder(output)
    journal = Screen(output, open_board(output)) if world.leads else Silence()
    make = partial(Trainer, net, dataset.names, recipe, batches, output, world, journal)
    save = partial(save_weights, photos=None if val is None else val.images)
    if args.qat:
        trainer = qat.trainer(args, net, [sample.path for sample in dataset.samples], make, save)
    else:
        trainer = make(options_of(args), save)
    if args.resume is not None:
        trainer.restore(read_state(output))
        say(f"goes on at step {trainer.step} of {trainer.steps}")
    evaluate = None
    if val is not None:
        evaluate = measurement(
            val.images, val.annotations, dataset.names, check=world.leads,
            progress=lambda paths: console.track(paths, "evaluating"),
        )  # fmt: skip
    try:
        trainer.run(evaluate)
    except StopError:
        how = f"deimv2 train --resume {shlex.quote(str(output))}"
        say(f"stopped at step {trainer.step}; go on with: {how}")
        return 130
    if world.leads:
        if args.qat and trainer.best_step == 0 and evaluate is not None:
            say("no epoch was better than what it started from, which is kept")
        report(args, trainer)
    return 0


def require_fresh(output: Path) -> None:
    from training.checkpoint import LAST

    if (output / LAST).exists():
        raise InputError(
            f"'{output}' holds a training already; go on with --resume {output}, or choose "
            "another --output"
        )


def options_of(args: argparse.Namespace) -> "Options":
    from training.trainer import Options

    kept = {name: value for name, value in vars(args).items() if name not in (*MACHINE, "output")}
    return Options(
        workers=args.workers,
        save_seconds=args.save_minutes * 60,
        report_every=args.report_every,
        evaluate_every=args.evaluate_every,
        amp=not args.no_amp,
        compiled=args.compile,
        measure_start=args.qat,
        targets=args.annotated,
        about={name: str(v) if isinstance(v, Path) else v for name, v in kept.items()},
    )


def report(args: argparse.Namespace, trainer: Any) -> None:
    from training.checkpoint import BEST

    best = trainer.folder / BEST
    found = trainer.best if trainer.best >= 0 else None
    if args.json:
        console.print_json({"weights": str(best), "AP": found, "steps": trainer.steps})
    else:
        print(best)


def start(args: argparse.Namespace, dataset: "Dataset", say: Any) -> "DEIMv2":
    """The net, with the weights to start from."""
    from cli.weights import fetch
    from model import build_model
    from model.weights import load_backbone, transfer_weights

    net = build_model(args.variant, len(dataset.names), args.image_size and tuple(args.image_size))
    if args.weights != FRESH and (args.resume is None or args.qat):
        path = fetch(args.weights, args.variant)
        remade = transfer_weights(net, path)
        if remade and args.qat:
            raise InputError(
                f"'{path}' is of other classes than the {net.num_classes} of these data, expected "
                "weights that detect them; train those first"
            )
        if remade:
            say(f"weights: all of '{path}' but {len(remade)} tensors of the class heads, made anew "
                f"for {net.num_classes} classes")  # fmt: skip
        else:
            say(f"weights: all of '{path}'")
    if args.backbone is not None and args.resume is None:
        count = load_backbone(net, args.backbone)
        say(f"weights: {count} tensors of the backbone from '{args.backbone}'")
    return net


def recipe_of(args: argparse.Namespace, samples: int) -> "Recipe":
    from training.recipes import RECIPES
    from training.schedule import fit, with_lr

    fresh = args.weights == FRESH
    recipe = fit(
        RECIPES[args.variant],
        args.epochs or (None if fresh else FINE_TUNING_EPOCHS),
        args.batch or (None if fresh else min(FINE_TUNING_BATCH, samples)),
        samples,
    )
    if args.lr is not None:
        recipe = with_lr(recipe, args.lr)
    if args.final_lr is not None:
        recipe = replace(recipe, schedule=replace(recipe.schedule, final=args.final_lr))
    augment = recipe.augment
    if args.no_dense or args.no_augment:
        recipe = replace(recipe, mixing=None, augment=replace(augment, mosaic=0.0))
    if args.no_augment:
        recipe = replace(recipe, augment=replace(recipe.augment, epochs=(0, 0)))
    if args.qat:  # no restart: its best weights are in another layout than what trains
        schedule = replace(recipe.schedule, restart_epoch=recipe.schedule.epochs)
        recipe = replace(recipe, schedule=schedule)
    if args.no_denoising:
        recipe = replace(recipe, denoising=replace(recipe.denoising, queries=0))
    return recipe
