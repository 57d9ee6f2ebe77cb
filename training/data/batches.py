"""Batches for the training, made in worker processes.

A batch follows from the seed, the epoch, its place in the epoch and the rank alone, whatever worker
makes it: so a training that goes on after a stop sees what it would have seen. Several processes
have the pictures of one, in order and augmented alike, at the size that is drawn for all of them.
MixUp and Copy-Blend are done by all or by none, each among its own pictures, as in the authors'
code: to take partners from the whole batch, each would have to read the whole batch.
"""

import os
import signal
import sys
from collections import OrderedDict
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from multiprocessing.queues import Queue
from typing import Any, TypeVar

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader
from torch.utils.data import Dataset as TorchDataset

from deimv2.model.detector import tokens
from deimv2.model.errors import InputError
from deimv2.model.images import load_photo, normalise, to_tensor
from deimv2.model.signals import handling
from deimv2.model.variants import Variant
from deimv2.training.boxes import xyxy_to_cxcywh
from deimv2.training.data.augment import Picture, augment, shrink
from deimv2.training.data.dataset import Dataset, Sample, other_size
from deimv2.training.data.mixing import mix, rescale, sizes
from deimv2.training.data.targets import Target
from deimv2.training.recipes import Recipe

Source = TypeVar("Source")
Read = TypeVar("Read")
ATTEMPTS = 20  # photos tried in place of an unreadable one
CUT_OFF = EOFError, ConnectionError  # from a worker that ended before its batch was taken over
ORDER, SAMPLE, BATCH = range(3)  # sorts of random draws


@dataclass
class Batch:
    """images: float32 [B, 3, H, W], normalised. unreadable: why photos were passed over."""

    images: Tensor
    targets: list[Target]
    unreadable: list[str] = field(default_factory=list)

    def pin_memory(self) -> "Batch":
        return Batch(self.images.pin_memory(), self.targets, self.unreadable)


class Batches(TorchDataset[Batch]):
    """By (epoch, step). The size of a batch here is one process's; `rank` of `processes`.

    variant: no size is drawn that is too small for it.
    """

    def __init__(
        self,
        dataset: Dataset,
        recipe: Recipe,
        size: tuple[int, int],
        statistics: tuple[tuple[float, ...], tuple[float, ...]],
        seed: int = 0,
        rank: int = 0,
        processes: int = 1,
        variant: Variant | None = None,
    ) -> None:
        self.dataset, self.recipe, self.size, self.seed = dataset, recipe, size, seed
        self.statistics = statistics  # mean and standard deviation of the channels
        self.rank, self.processes = rank, processes
        batch = recipe.schedule.batch
        require_shared(batch, processes)
        self.share = batch // processes
        self.steps = max(1, len(dataset.samples) // batch)  # an incomplete batch is left out
        repeats = recipe.augment.scale_repeats
        self.sizes = [] if repeats is None else sizes(size, repeats)  # to choose from
        if variant is not None:
            least = variant.decoder.queries
            self.sizes = [each for each in self.sizes if tokens(*each, variant) >= least]
        self._order: tuple[int, np.ndarray] = (-1, np.empty(0, int))
        self._tiles: OrderedDict[int, Picture] = OrderedDict()

    def __getitem__(self, place: tuple[int, int]) -> Batch:
        epoch, step = place
        start = step * self.recipe.schedule.batch + self.rank * self.share
        unreadable: list[str] = []
        pictures = [
            self._picture(epoch, position, unreadable)
            for position in range(start, start + self.share)
        ]
        rng = self._rng(BATCH, epoch, step)  # alike in all processes
        images = torch.cat([to_tensor(np.array(picture.image)) for picture in pictures])
        targets = [_target(picture) for picture in pictures]
        c = self.recipe
        if c.mixing is not None:
            images, targets = mix(images, targets, c.mixing, epoch, rng, self.rank)
        if self.sizes and epoch < c.schedule.restart_epoch:
            images = rescale(images, self.sizes, rng)
        return Batch(normalise(images, *self.statistics), targets, unreadable)

    def places(self, start: int) -> Iterator[tuple[int, int]]:
        """Those of the whole training from this step on."""
        end = self.recipe.schedule.epochs * self.steps
        return (divmod(step, self.steps) for step in range(start, end))

    def _picture(self, epoch: int, position: int, unreadable: list[str]) -> Picture:
        rng = self._rng(SAMPLE, epoch, position)
        c = self.recipe.augment

        def partners(count: int) -> list[Picture]:
            """Of the latest pictures of this epoch, as a cache of that many would hold them."""
            chosen = position - rng.integers(0, c.cache, count)
            return [self._tile(self._index(epoch, int(p)), unreadable) for p in chosen]

        picture = self._load(self._index(epoch, position), unreadable)
        return augment(picture, partners, c, epoch, self.size, rng)

    def _index(self, epoch: int, position: int) -> int:
        """Of a sample, by its position in the epoch's order."""
        if self._order[0] != epoch:
            order = self._rng(ORDER, epoch).permutation(len(self.dataset.samples))
            self._order = epoch, order
        return int(self._order[1][position % len(self._order[1])])

    def _tile(self, index: int, unreadable: list[str]) -> Picture:
        """The sample's picture as small as a mosaic needs it; the latest ones are remembered."""
        if index not in self._tiles:
            picture = self._load(index, unreadable)
            self._tiles[index] = shrink(picture, self.recipe.augment, self.size)
            if len(self._tiles) > self.recipe.augment.cache:
                self._tiles.popitem(last=False)
        return self._tiles[index]

    def _load(self, index: int, unreadable: list[str]) -> Picture:
        """The sample's picture, or that of the next sample that can be used."""
        return first_usable(read_picture, self.dataset.samples, index, unreadable)

    def _rng(self, *key: int) -> np.random.Generator:
        return np.random.default_rng([self.seed, *key])


def require_shared(batch: int, processes: int) -> None:
    """Raises InputError for a batch that is not as many photos for each process."""
    if batch % processes:
        raise InputError(
            f"a batch of {batch} cannot be shared by {processes} processes; "
            "choose a multiple with --batch"
        )


def first_usable(
    read: Callable[[Source], Read], sources: Sequence[Source], index: int, unreadable: list[str]
) -> Read:
    """What `read` gives for the source at this index, or for the next one that it can read.

    unreadable: gets the reason for each that is passed over. Raises InputError after ATTEMPTS.
    """
    attempts = min(ATTEMPTS, len(sources))
    for attempt in range(attempts):
        try:
            return read(sources[(index + attempt) % len(sources)])
        except InputError as error:
            unreadable.append(str(error))
    raise InputError(
        f"{attempts} photos in a row cannot be used, the last because {unreadable[-1]}"
    )


def read_picture(sample: Sample) -> Picture:
    """Raises InputError for a photo that cannot be read, or is not of the size annotated."""
    photo = load_photo(sample.path)
    if sample.size is not None and sample.size != photo.size:
        raise InputError(
            f"{other_size(sample.path, photo.size, sample.size)}; use the photo that was annotated"
        )
    return Picture(photo, sample.labels, sample.boxes).kept(0)


def _target(picture: Picture) -> Target:
    scale = torch.tensor([*picture.image.size] * 2, dtype=torch.float32)
    boxes = xyxy_to_cxcywh(torch.from_numpy(picture.boxes).float().reshape(-1, 4) / scale)
    return Target(torch.from_numpy(picture.labels), boxes)


def load(
    batches: TorchDataset[Batch], places: Iterable[Any], workers: int, pinned: bool
) -> Generator[Batch, None, None]:
    """The batches at these places, by so many worker processes, which closing it ends."""
    loader = DataLoader(
        batches,
        batch_size=None,
        sampler=places,
        num_workers=workers,
        pin_memory=pinned,
        prefetch_factor=4 if workers else None,
        worker_init_fn=in_worker,
    )
    # PyTorch's handler would raise in the middle of a step, or of saving, when a worker dies;
    # without it, the same is raised here, where the next batch is asked for. It does not come back.
    try:
        with handling([signal.SIGCHLD] if workers else [], signal.SIG_DFL) as again:
            source = iter(loader)
            again()
            yield from source
    except InputError as error:  # a worker's comes with its whole traceback as the message
        message = str(error).rpartition(f"{InputError.__module__}.{InputError.__name__}: ")[2]
        raise InputError(message.strip()) from None
    except (RuntimeError, *CUT_OFF) as error:
        if isinstance(error, RuntimeError) and "DataLoader worker" not in str(error):
            raise
        raise InputError(
            "a worker process for the data ended, expected it to last (often memory runs "
            "short, or shared memory); continue with --resume and fewer --workers"
        ) from error


def in_worker(_: int) -> None:
    """A Ctrl-C reaches every process of a terminal; what follows from it, the trainer decides.

    SIGTERM ends a worker: it is how Python ends those that are left when it ends itself.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # A batch that cannot be handed over, for want of shared memory or open files, would be dropped
    # and waited for.
    Queue._on_queue_feeder_error = staticmethod(end)  # type: ignore[attr-defined]


def end(error: Exception, batch: object) -> None:
    print(f"deimv2: a batch cannot be handed over: {error}", file=sys.stderr, flush=True)
    os._exit(1)
