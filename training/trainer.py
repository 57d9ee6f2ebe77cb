"""The training loop: steps, moving average, evaluation, checkpoints that go on exactly.

All that a step depends on is either in the checkpoint or follows from the seed and the step's
number. A training that was stopped at any moment and resumed from its last checkpoint therefore has
the losses that it would have had.
"""

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from model import DEIMv2
from model.errors import CheckError
from model.weights import load_weights, read_checkpoint, released_name, save_weights
from training.batches import Batch, Batches, load
from training.checkpoint import BEST, StopError, guarded, save_state, stop_signals
from training.denoising import Denoising, denoise
from training.ema import MovingAverage
from training.losses import Criterion
from training.recipes import Recipe
from training.schedule import factor
from training.targets import Target
from training.world import World, synchronise

Metrics = Mapping[str, float | None]  # by COCO's names; "AP" decides which weights are best
Evaluate = Callable[[DEIMv2], Metrics]


class Journal(Protocol):
    """Where the training tells what happens. Only rank 0's is asked."""

    def step(self, place: "Place", values: dict[str, float]) -> None: ...
    def epoch(self, place: "Place", metrics: Metrics) -> None: ...
    def say(self, message: str) -> None: ...
    def rewind(self, step: int) -> None:
        """Forget what was told of this step and later ones."""


@dataclass(frozen=True)
class Place:
    """Where a training stands: steps done, of how many, and the epoch that the last was of."""

    step: int
    steps: int
    epoch: int


@dataclass(frozen=True)
class Options:
    """What is the machine's or the person's choice, not the recipe's."""

    workers: int = 2
    save_seconds: float = 300.0  # between two checkpoints within an epoch
    report_every: int = 20  # steps
    evaluate_every: int = 1  # epochs
    amp: bool = True  # half precision on GPUs
    compiled: bool = False
    about: dict[str, Any] = field(default_factory=dict)  # plain values, kept in the checkpoint


class Trainer:
    """Trains `net` in place. `folder` gets LAST and BEST, from rank 0."""

    def __init__(
        self,
        net: DEIMv2,
        names: tuple[str, ...],
        recipe: Recipe,
        batches: Batches,
        folder: Path,
        world: World,
        journal: Journal,
        options: Options,
    ) -> None:
        self.names, self.recipe, self.batches = names, recipe, batches
        self.folder, self.world, self.journal, self.options = folder, world, journal, options
        self.net = net.to(world.device).train()
        if world.device.type == "cpu":
            self.net.to(memory_format=torch.channels_last)
        self.average = MovingAverage(self.net, recipe.ema)
        synchronise(self.net, world)
        if options.compiled:
            self.net.backbone.compile()
            self.net.encoder.compile()
        self.wrapped: nn.Module = self.net
        if world.size > 1:
            # denoising's class embedding is unused in a batch without any object
            self.wrapped = DistributedDataParallel(self.net, find_unused_parameters=True)
        self.criterion = Criterion(recipe, self.net.decoder.integral)
        self.optimizer = optimizer(self.net, recipe)
        self.half = options.amp and world.device.type == "cuda"
        self.scaler = torch.amp.GradScaler(world.device.type, enabled=self.half)
        self.step, self.best = 0, -1.0
        self.restarted = False

    @property
    def steps(self) -> int:
        return self.recipe.schedule.epochs * self.batches.steps

    @property
    def place(self) -> Place:
        return Place(self.step, self.steps, max(0, self.step - 1) // self.batches.steps)

    def run(self, evaluate: Evaluate | None) -> None:
        """To the end.

        Raises StopError after Ctrl-C or SIGTERM, once the state is saved; CheckError for a loss
        that is no number; InputError where nothing can be written or read.
        """
        loader = load(
            self.batches, self.step, self.options.workers, self.world.device.type == "cuda"
        )
        saved = told = time.monotonic()
        waited, steps, sums = 0.0, 0, torch.zeros(())
        with stop_signals() as asked:
            source = iter(loader)
            while self.step < self.steps:
                self._restart_if_due()
                start = time.monotonic()
                batch = next(source)
                waited += time.monotonic() - start
                for reason in batch.unreadable:
                    self.journal.say(f"passed over: {reason}")
                losses = self._step(batch)
                sums, steps = sums + losses["total"], steps + 1
                now = time.monotonic()
                if self.step % self.options.report_every == 0 or self.step == self.steps:
                    values = {name: float(v) for name, v in losses.items()}
                    values["loss"] = self._finite(float(self.world.mean(sums)) / steps)
                    values["lr"] = self.optimizer.param_groups[0]["lr"]
                    images = steps * self.recipe.schedule.batch
                    values["images_per_second"] = images / (now - told)
                    values["waiting"] = waited / (now - told)
                    self._tell(values)
                    told, waited, steps, sums = now, 0.0, 0, torch.zeros(())
                ended = self.step % self.batches.steps == 0
                if ended:
                    self._end_epoch(evaluate)
                stop = self.world.share(bool(asked)) if self._may_stop(ended) else False
                if ended or stop or self._is_late(now - saved):
                    self.save()
                    saved = time.monotonic()
                if stop:
                    raise StopError
                if ended:
                    told = time.monotonic()
        self.journal.say(f"done: {self.folder / BEST}")

    def _may_stop(self, ended: bool) -> bool:
        """Alone at any step; together where all processes ask at the same one."""
        return self.world.size == 1 or ended or self.step % 10 == 0

    def _is_late(self, seconds: float) -> bool:
        return self.world.leads and seconds >= self.options.save_seconds

    def _tell(self, values: dict[str, float]) -> None:
        if self.world.leads:
            self.journal.step(self.place, values)

    def _step(self, batch: Batch) -> dict[str, Tensor]:
        """One update. Gives the losses by kind, over all layers, and their total."""
        c, device = self.recipe, self.world.device
        epoch = self.step // self.batches.steps
        rate = factor(self.step, self.batches.steps, c.schedule)
        for group in self.optimizer.param_groups:
            group["lr"] = group["base_lr"] * rate
        images = batch.images.to(device, non_blocking=True)
        if device.type == "cpu":
            images = images.contiguous(memory_format=torch.channels_last)
        targets = [target.to(device) for target in batch.targets]
        extra = self._denoising(batch.targets)
        with torch.autocast(device.type, torch.float16, enabled=self.half):
            out = self.wrapped(images, None if extra is None else extra.queries)
        losses = self.criterion(out, targets, epoch, extra, self.world.mean)
        total = torch.stack(list(losses.values())).sum()
        self.optimizer.zero_grad()
        self.scaler.scale(total).backward()
        self.scaler.unscale_(self.optimizer)
        nn.utils.clip_grad_norm_(self.net.parameters(), c.optimizer.clip_norm)
        self.scaler.step(self.optimizer)
        self.scaler.update()
        self.average.update(self.net)
        self.step += 1
        return {"total": total.detach().cpu(), **_by_kind(losses)}

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

    def _finite(self, loss: float) -> float:
        if not math.isfinite(loss):
            raise CheckError(
                f"the loss is {loss} at step {self.step}, expected a number; start "
                f"again with a smaller --lr, from '{self.folder / BEST}' if there is one"
            )
        return loss

    def _end_epoch(self, evaluate: Evaluate | None) -> None:
        """Evaluates the average and keeps it if it is the best so far."""
        epoch = self.place.epoch
        last = self.step == self.steps
        due = last or (epoch + 1) % self.options.evaluate_every == 0
        metrics: Metrics = {}
        if evaluate is not None and due and self.world.leads:
            metrics = evaluate(self.average.net)
        metrics = self.world.share(metrics)
        found = metrics.get("AP")
        if evaluate is None or (found is not None and found > self.best):
            self.best = self.best if found is None else found
            if self.world.leads:
                best = self.folder / BEST
                guarded(self.folder, lambda: save_weights(self.average.net, best, self.names))
        if self.world.leads and due:
            self.journal.epoch(self.place, metrics)

    def _restart_if_due(self) -> None:
        """From the recipe's restart epoch on: the best weights so far, and a fresh average."""
        due = self.step == self.recipe.schedule.restart_epoch * self.batches.steps
        if not due or self.restarted or self.step == 0 or self.best < 0:
            return
        self.restarted = True
        self.world.share(None)  # rank 0 may still be writing them
        state = read_checkpoint(self.folder / BEST)
        load_weights(self.average.net, state)
        self.net.load_state_dict(self.average.net.state_dict())
        self.average.decay = self.recipe.ema.restart_decay
        self.journal.say(f"from the best weights so far (AP {self.best:.4f}) into the last epochs")

    def save(self) -> None:
        """Writes LAST, whole or not at all. Raises InputError where the disk is full."""
        if not self.world.leads:
            return
        state = {
            "step": self.step,
            "best": self.best,
            "restarted": self.restarted,
            "model": self.net.state_dict(),
            "ema": {"module": self.average.net.state_dict(), "updates": self.average.updates},
            "optimizer": self.optimizer.state_dict(),
            "scaler": self.scaler.state_dict(),
            "about": self.options.about,
        }
        save_state(self.folder, state)

    def restore(self, state: Mapping[str, Any]) -> None:
        """From what `read_state` gives. Raises InputError if it is of another training."""
        load_weights(self.net, state["model"])
        load_weights(self.average.net, state["ema"]["module"])
        self.average.updates = state["ema"]["updates"]
        self.optimizer.load_state_dict(state["optimizer"])
        self.scaler.load_state_dict(state["scaler"])
        self.step, self.best, self.restarted = state["step"], state["best"], state["restarted"]
        if self.restarted:
            self.average.decay = self.recipe.ema.restart_decay
        if self.world.leads:
            self.journal.rewind(self.step)


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
    )


def _by_kind(losses: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Summed over the layers: mal, l1, giou, fgl, ddf; the denoising queries' under their own."""
    sums: dict[str, Tensor] = {}
    for name, value in losses.items():
        kind = name.split("/")[0]
        kind = f"denoising_{kind}" if "/denoised" in name else kind
        sums[kind] = sums.get(kind, 0) + value.detach()
    return {name: value.cpu() for name, value in sums.items()}
