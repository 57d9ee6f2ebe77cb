"""The training of a detector: steps, moving average, evaluation, checkpoints that go on exactly.

All that a step depends on is either in the checkpoint or follows from the seed and the step's
number. A training that was stopped at any moment and resumed from its last checkpoint therefore has
the losses that it would have had.
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import fmean
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from deimv2.model import DEIMv2
from deimv2.model.decoder import Integral
from deimv2.model.errors import CheckError, InputError
from deimv2.model.weights import load_weights, read_checkpoint, released_name, save_weights
from deimv2.model.words import plural, shortened
from deimv2.training.best import Best
from deimv2.training.checkpoint import BEST, guarded, save_state
from deimv2.training.data.batches import Batch, Batches, load
from deimv2.training.data.targets import Target
from deimv2.training.denoising import Denoising, denoise
from deimv2.training.distributed import DistributedContext, synchronise
from deimv2.training.ema import MovingAverage
from deimv2.training.loop import Loop, Metrics, TrainingLogger, shown
from deimv2.training.losses import Criterion
from deimv2.training.meter import Meter
from deimv2.training.recipes import Recipe
from deimv2.training.schedule import factor

AGREE_EVERY = 10  # steps between which several processes do not ask each other to stop
Evaluate = Callable[[DEIMv2], Metrics]
Save = Callable[[DEIMv2, Path, tuple[str, ...]], None]
Teach = Callable[[], Mapping[str, Tensor]]  # losses by name for images just seen


@dataclass(frozen=True)
class Options:
    """What is the machine's or the person's choice, not the recipe's."""

    workers: int = 2
    save_seconds: float = 300.0  # between two checkpoints within an epoch
    report_every: int = 20  # steps
    evaluate_every: int = 1  # epochs
    amp: bool = True  # half precision on GPUs
    compiled: bool = False
    accumulate: int = 1  # parts that a batch is computed in, one after the other
    patience: int | None = None  # epochs without a better AP, after which to stop
    measure_start: bool = False  # so that what is kept is never worse than what it started from
    measured: int | None = None  # photos that AP is measured on
    about: dict[str, Any] = field(default_factory=dict)  # plain values, kept in the checkpoint


class Trainer(Loop):
    """Trains `net` in place. `folder` gets LAST and BEST, from rank 0.

    save: writes the average as BEST. teacher: gives the losses in place of the recipe's.
    """

    def __init__(
        self,
        net: DEIMv2,
        names: tuple[str, ...],
        recipe: Recipe,
        batches: Batches,
        folder: Path,
        world: DistributedContext,
        logger: TrainingLogger,
        options: Options,
        save: Save = save_weights,
        teacher: Teach | None = None,
    ) -> None:
        schedule = recipe.schedule
        super().__init__(logger, schedule.epochs, batches.steps, schedule.batch)
        self.save_best, self.teacher = save, teacher
        self.names, self.recipe, self.batches = names, recipe, batches
        self.folder, self.world, self.options = folder, world, options
        if batches.share % options.accumulate:
            raise InputError(
                f"{schedule.batch} photos per step cannot be computed by {world.size} processes in "
                f"{options.accumulate} parts; choose a multiple of the processes with --batch"
            )
        self.net = net.to(world.device).train()
        if world.device.type == "cpu":
            self.net.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.average = MovingAverage(self.net, recipe.ema)
        synchronise(self.net, world)
        if options.compiled:
            self.net.backbone.compile()
            self.net.encoder.compile()
        self.wrapped: nn.Module = self.net
        if world.size > 1:
            # denoising's class embedding is unused in a batch without any object
            self.wrapped = DistributedDataParallel(self.net, find_unused_parameters=True)
        integral = self.net.decoder.integral
        assert isinstance(integral, Integral)
        self.criterion = Criterion(recipe, integral)
        self.optimizer = optimizer(self.net, recipe)
        self.half = options.amp and world.device.type == "cuda"
        self.scaler = torch.amp.GradScaler(world.device.type, enabled=self.half)
        self.best, self.restarted = Best(), False
        self.evaluate: Evaluate | None = None

    @property
    def best_epoch(self) -> int:
        """That of the best weights, from 1; 0 for those that it started from."""
        return self.best.step // self.steps_per_epoch

    @property
    def since_best(self) -> int:
        """Epochs since the best AP; 0 where none was measured."""
        return (self.step - self.best.step) // self.steps_per_epoch if self.best.ap >= 0 else 0

    def run(self, evaluate: Evaluate | None) -> None:
        """To the end.

        Raises StopError after Ctrl-C or SIGTERM, once the state is saved; CheckError for a loss
        that is no number; InputError where nothing can be written or read.
        """
        self.evaluate = evaluate
        if self.options.measure_start and self.step == 0 and evaluate is not None:
            measured = ", ".join(f"{name} {value}" for name, value in shown(self._keep_if_best()))
            self.logger.say(f"before the first step: {measured}")
        pinned = self.world.device.type == "cuda"
        places = self.batches.places(self.step)
        with closing(load(self.batches, places, self.options.workers, pinned)) as source:
            self.loop(source, self.options.save_seconds, self.options.report_every)

    def _next(self, source: Iterator[Batch], meter: Meter, asked: Sequence[int]) -> Batch:
        self._restart_if_due()
        return super()._next(source, meter, asked)

    def _asked(self, here: bool, ended: bool) -> bool:
        """Several processes must agree on it, so they ask only now and then."""
        if self.world.size > 1 and not ended and self.step % AGREE_EVERY:
            return False
        return any(self.world.gather([here]))

    def _rates(self) -> dict[str, float]:
        rates = [group["lr"] for group in self.optimizer.param_groups]
        # The backbone's is the lower one in every recipe.
        return {"lr": max(rates), "lr_backbone": min(rates)}

    def _step(self, batch: Batch) -> dict[str, float]:
        """One update. Gives the losses by kind, summed over all layers, and all of them together.

        Raises CheckError, with the weights as they were, for a loss that is no number.
        """
        c = self.recipe
        rate = factor(self.step, self.steps_per_epoch, c.schedule)
        for group in self.optimizer.param_groups:
            group["lr"] = group["base_lr"] * rate
        extra = self._denoising(batch.targets)
        self.optimizer.zero_grad()
        parts = [self._part(batch, extra, part) for part in range(self.options.accumulate)]
        self.scaler.unscale_(self.optimizer)
        nn.utils.clip_grad_norm_(self.net.parameters(), c.optimizer.clip_norm)
        self.scaler.step(self.optimizer)
        self.scaler.update()
        self.average.update(self.net)
        self.step += 1
        return {name: fmean(values[name] for values in parts) for name in parts[0]}

    def _part(self, batch: Batch, extra: Denoising | None, part: int) -> dict[str, float]:
        """Adds the gradient of one part of the batch. Gives its losses, as `_step` does."""
        device, parts = self.world.device, self.options.accumulate
        size = self.batches.share // parts
        own = slice(part * size, (part + 1) * size)
        images = batch.images[own].to(device, non_blocking=True)
        if device.type == "cpu":
            images = images.contiguous(memory_format=torch.channels_last)
        targets = [target.to(device) for target in batch.targets[own]]
        counts = [len(target.labels) for target in batch.targets]
        if extra is not None:
            extra = extra.part(part * size, size, counts)

        def average(found: Tensor) -> Tensor:
            """Objects and regressed pairs of a part: the pairs of the others, which are not known
            yet, as many for each object as here."""
            objects = sum(counts) / parts
            pairs = found[1] * objects / max(1, sum(counts[own]))
            return self.world.mean(torch.stack([torch.full_like(pairs, objects), pairs]))

        with torch.autocast(device.type, torch.float16, enabled=self.half):
            out = self.wrapped(images, None if extra is None else extra.queries)
        losses: Mapping[str, Tensor]
        if self.teacher is None:
            epoch = self.step // self.steps_per_epoch
            losses = self.criterion(out, targets, epoch, extra, average)
        else:
            losses = self.teacher()
        total = torch.stack(list(losses.values())).sum()
        values = self._values(total, losses)
        self.scaler.scale(total / parts).backward()
        return values

    def _values(self, total: Tensor, losses: Mapping[str, Tensor]) -> dict[str, float]:
        """Means over the processes; the denoising queries' losses under names of their own."""
        sums = {"loss": total.detach()}
        for name, value in losses.items():
            kind = name.split("/")[0]
            kind = f"denoising_{kind}" if "/denoised" in name else kind
            sums[kind] = sums.get(kind, torch.zeros_like(total)) + value.detach()
        values = dict(
            zip(sums, self.world.mean(torch.stack(list(sums.values()))).tolist(), strict=True)
        )
        if not math.isfinite(values["loss"]):
            raise CheckError(
                f"the loss is {values['loss']} at step {self.step}, expected a number; start again "
                f"with a smaller --lr, from '{self.folder / BEST}' if there is one"
            )
        return values

    def _denoising(self, targets: list[Target]) -> Denoising | None:
        """Drawn for the whole batch in every process alike; this process's part of it."""
        if self.recipe.denoising.queries == 0:
            return None
        generator = torch.Generator().manual_seed(self.batches.seed * 1_000_003 + self.step)
        every = self.world.gather(targets)
        drawn = denoise(
            every,
            self.net.num_classes,
            self.net.variant.decoder.queries,
            self.recipe.denoising,
            generator,
        )
        if drawn is None:
            return None
        share = self.batches.share
        counts = [len(target.labels) for target in every]
        return drawn.part(self.world.rank * share, share, counts).to(self.world.device)

    def _end_epoch(self) -> bool:
        """Evaluates the average and keeps it if it is the best so far. False where patience ends:
        only in an epoch in which AP is measured."""
        place = self.place
        due = self.step == self.steps or (place.epoch + 1) % self.options.evaluate_every == 0
        metrics = self._keep_if_best() if due or self.evaluate is None else {}
        self.logger.epoch(place, metrics if due else None, (self.best.ap, self.best_epoch))
        patience = self.options.patience
        hopeless = due and patience is not None and self.since_best >= patience
        if hopeless:
            self.logger.say(f"no better AP for {plural(self.since_best, 'epoch')}: stopped")
        return not hopeless

    def _keep_if_best(self) -> Metrics:
        """Gives what was measured; where nothing can be, the average is kept in any case."""
        evaluate = self.evaluate
        metrics: Metrics = {}
        if evaluate is not None and self.world.is_main:
            metrics = evaluate(self.average.net)
        metrics = self.world.share(metrics)
        if evaluate is None:
            self.best.step = self.step
        if (evaluate is None or self.best.takes(metrics, self.step)) and self.world.is_main:
            best = self.folder / BEST
            guarded(self.folder, lambda: self.save_best(self.average.net, best, self.names))
        return metrics

    def _restart_if_due(self) -> None:
        """At the recipe's restart epoch: back to the best weights so far, the average too."""
        due = self.step == self.recipe.schedule.restart_epoch * self.steps_per_epoch
        if not due or self.restarted or self.step == 0 or self.best.ap < 0:
            return
        self.restarted = True
        self.world.share(None)  # rank 0 may still be writing them
        state = read_checkpoint(self.folder / BEST)
        load_weights(self.average.net, state)
        self.net.load_state_dict(self.average.net.state_dict())
        self.logger.say(
            f"from the best weights so far (AP {self.best.ap:.4f}) into the last epochs"
        )

    def save(self) -> None:
        """Writes LAST."""
        if not self.world.is_main:
            return
        state = {
            "step": self.step,
            "best": asdict(self.best),
            "restarted": self.restarted,
            "model": self.net.state_dict(),
            "ema": {"module": self.average.net.state_dict(), "updates": self.average.updates},
            "optimizer": self.optimizer.state_dict(),
            "scaler": self.scaler.state_dict(),
            "about": self.options.about,
        }
        save_state(self.folder, state | self._data())

    def _data(self) -> dict[str, Any]:
        """What a training that goes on must find again."""
        return {
            "samples": len(self.batches.dataset.samples),
            "measured": self.options.measured,
            "names": list(self.names),
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """From what `read_state` gives. Raises InputError if the data are not those of then."""
        now = self._data()
        then = {name: state.get(name, value) for name, value in now.items()}  # "measured" is newer
        if now != then:
            raise InputError(
                f"the data have {_counted(now)}, expected {_counted(then)} as the training in "
                f"'{self.folder}' started with; bring them back, or start again from "
                f"'{self.folder / BEST}'"
            )
        load_weights(self.net, state["model"])
        load_weights(self.average.net, state["ema"]["module"])
        self.average.updates = state["ema"]["updates"]
        self.optimizer.load_state_dict(state["optimizer"])
        if state["scaler"]:  # that of a training in float32 is empty
            self.scaler.load_state_dict(state["scaler"])
        self.step, self.restarted = state["step"], state["restarted"]
        self.best = Best(**state["best"])
        if self.world.is_main:
            self.logger.rewind(self.step)


def _counted(data: Mapping[str, Any]) -> str:
    names = ", ".join(data["names"])
    return (
        f"{plural(data['samples'], 'photo')} to train on, {data['measured'] or 'none'} to measure "
        f"AP on and {plural(len(data['names']), 'class', 'classes')} ({shortened(names, 60)})"
    )


def optimizer(net: DEIMv2, recipe: Recipe) -> torch.optim.AdamW:
    """AdamW with one group per pair of learning rate and decay."""
    groups: dict[tuple[float, float], list[nn.Parameter]] = {}
    for name, parameter in net.named_parameters():
        if parameter.requires_grad:
            settings = recipe.optimizer.settings(released_name(name, net.variant))
            groups.setdefault(settings, []).append(parameter)
    return torch.optim.AdamW(
        [
            {"params": parameters, "lr": lr, "base_lr": lr, "weight_decay": decay}
            for (lr, decay), parameters in groups.items()
        ],
        betas=recipe.optimizer.betas,
        fused=True,
    )
