"""The processes that train together: one, or those that torchrun started."""

import os
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from torch import Tensor, nn

from deimv2.model.errors import InputError

T = TypeVar("T")
PATIENCE = timedelta(hours=2)  # the others wait while rank 0 evaluates


@dataclass(frozen=True)
class DistributedContext:
    """This process: its rank among `size` processes, and its device."""

    rank: int
    size: int
    device: torch.device

    @property
    def is_main(self) -> bool:
        return self.rank == 0

    @property
    def command(self) -> str:
        """What starts `deimv2` in as many processes; of torchrun on several machines, which needs
        to know of them, no more than the name."""
        if self.size == 1:
            return "deimv2"
        here = os.environ.get("LOCAL_WORLD_SIZE") == str(self.size)
        return f"torchrun {f'--nproc-per-node {self.size}' if here else '...'} -m deimv2"

    def mean(self, values: Tensor) -> Tensor:
        """Over all processes."""
        if self.size > 1:
            values = values.clone()
            dist.all_reduce(values)
            values /= self.size
        return values

    def gather(self, part: list[T]) -> list[T]:
        """The parts of all processes in the order of their ranks."""
        if self.size == 1:
            return part
        parts: list[Any] = [None] * self.size
        dist.all_gather_object(parts, part)
        return [item for each in parts for item in each]

    def share(self, value: T) -> T:
        """Rank 0's value, in every process. It also makes the others wait for it."""
        if self.size == 1:
            return value
        values = [value]
        dist.broadcast_object_list(values, src=0)
        return values[0]


def usable_device(name: str | None) -> torch.device:
    """The device of this name, None for the GPU where there is one. Raises InputError otherwise."""
    try:
        device = torch.device(name or ("cuda" if torch.cuda.is_available() else "cpu"))
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:
        reason = str(error).strip().splitlines()[0].split(". ")[0]  # a list of all backends follows
        raise InputError(
            f"device '{name}' cannot be used ({reason}), expected cpu, cuda or mps; leave --device "
            "out, or install a build of PyTorch for it"
        ) from error
    return device


def join(device: str | None = None) -> DistributedContext:
    """Joins the processes that torchrun announces in the environment; without it, one alone."""
    size, rank = int(os.environ.get("WORLD_SIZE", 1)), int(os.environ.get("RANK", 0))
    place = usable_device(device)
    if size > 1:
        if place.type == "cuda":
            place = torch.device("cuda", int(os.environ.get("LOCAL_RANK", 0)))
            torch.cuda.set_device(place)
        if not dist.is_initialized():
            dist.init_process_group("nccl" if place.type == "cuda" else "gloo", timeout=PATIENCE)
    return DistributedContext(rank, size, place)


def leave() -> None:
    if dist.is_initialized():
        dist.destroy_process_group()


class SumOfAll(torch.autograd.Function):
    """Over all processes. Each gets the gradients of all, as each has a part in all results."""

    @staticmethod
    def forward(ctx: Any, values: Tensor) -> Tensor:
        total = values.clone(memory_format=torch.contiguous_format)
        dist.all_reduce(total)
        return total

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Any:
        return SumOfAll.forward(ctx, gradient)


class GlobalBatchNorm2d(nn.BatchNorm2d):
    """BatchNorm over the batches of all processes, on the CPU, where PyTorch's own does not run.

    x: [B, C, H, W], of the same B, H and W in every process.
    """

    def forward(self, x: Tensor) -> Tensor:
        if not self.training:
            return super().forward(x)
        assert self.running_mean is not None and self.running_var is not None
        assert self.num_batches_tracked is not None
        mean = self._of_all(x.mean((0, 2, 3)))
        # Not mean squares less squared means, which may be below 0.
        centred = x - mean[:, None, None]
        variance = self._of_all(centred.square().mean((0, 2, 3)))
        count = x.numel() // x.shape[1] * dist.get_world_size()
        with torch.no_grad():
            rate = self.momentum or 0.0
            self.running_mean.lerp_(mean, rate)
            self.running_var.lerp_(variance * count / max(count - 1, 1), rate)
            self.num_batches_tracked.add_(1)
        scale = self.weight * (variance + self.eps).rsqrt()
        return centred * scale[:, None, None] + self.bias[:, None, None]

    @staticmethod
    def _of_all(mean: Tensor) -> Tensor:
        total: Tensor = SumOfAll.apply(mean)  # type: ignore[no-untyped-call]
        return total / dist.get_world_size()


def synchronise(net: nn.Module, world: DistributedContext) -> None:
    """In place: normalise over all processes' batches, so that they train as one process would."""
    if world.size == 1:
        return
    for module in net.modules():
        for name, child in module.named_children():
            if type(child) is nn.BatchNorm2d:
                if world.device.type == "cpu":
                    child.__class__ = GlobalBatchNorm2d
                else:
                    setattr(module, name, nn.SyncBatchNorm.convert_sync_batchnorm(child))
