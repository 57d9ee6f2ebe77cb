"""Distilling DINOv3's ViT-S into the small ViTs of S and M (DEIMv2, section 3.1).

The student learns, on any photos, to give the teacher's features: its class token and every patch
token, through a linear projection to the teacher's width that is thrown away afterwards. The loss
is the cosine distance, the mean over patches plus that of the class token, so that the few channels
in which a ViT's features are huge do not drown the others.
"""

from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor, nn
from torch.utils.data import Dataset as TorchDataset

from deimv2.model import VARIANTS, DEIMv2, build_model
from deimv2.model.dinov3 import PATCH, VisionTransformer
from deimv2.model.errors import CheckError, InputError
from deimv2.model.files import write_whole
from deimv2.model.images import load_photo, normalise
from deimv2.model.variants import IMAGENET, ViT
from deimv2.model.weights import load_backbone
from deimv2.training.checkpoint import BEST, guarded, save_state
from deimv2.training.data.batches import Batch, first_usable, load
from deimv2.training.loop import Loop, TrainingLogger
from deimv2.training.recipes import Schedule
from deimv2.training.schedule import factor

TEACHER = "l"  # the variant whose backbone is DINOv3's ViT-S
STUDENTS = {"vit-tiny": "s", "vit-tiny-plus": "m"}
CROP = 0.25, 1.0  # of a photo's area


@dataclass(frozen=True)
class Distillation:
    """How a student is trained."""

    epochs: int
    batch: int  # photos per step
    side: int = 224  # of the crops in pixels
    lr: float = 1e-3
    decay: float = 0.05  # of the weights
    seed: int = 0
    accumulate: int = 1  # parts that a step is computed in, one after the other


class Crops(TorchDataset[Batch]):
    """By step: images of side x side pixels, without targets. Each crop follows from the seed and
    its place."""

    def __init__(self, photos: Sequence[Path], c: Distillation) -> None:
        if c.side % PATCH or c.side <= 0:
            raise InputError(f"side {c.side} does not fit; expected a multiple of {PATCH}")
        self.photos, self.c = photos, c
        self.steps = max(1, len(photos) // c.batch)  # per epoch

    def __len__(self) -> int:
        return self.steps * self.c.epochs

    def __getitem__(self, step: int) -> Batch:
        epoch, step = divmod(step, self.steps)
        order = np.random.default_rng([self.c.seed, epoch]).permutation(len(self.photos))
        places = range(step * self.c.batch, (step + 1) * self.c.batch)
        unreadable: list[str] = []
        crops = [self._crop(epoch, int(order[i % len(order)]), unreadable) for i in places]
        images = torch.stack(crops).permute(0, 3, 1, 2).float() / 255
        return Batch(normalise(images, *IMAGENET), [], unreadable)

    def _crop(self, epoch: int, index: int, unreadable: list[str]) -> Tensor:
        """A part of the photo, perhaps mirrored; uint8 [side, side, 3]."""
        rng = np.random.default_rng([self.c.seed, epoch, index])
        photo = first_usable(load_photo, self.photos, index, unreadable)
        share = np.sqrt(rng.uniform(*CROP))
        width, height = (max(1, round(length * share)) for length in photo.size)
        x, y = (
            int(rng.integers(0, photo.width - width + 1)),
            int(rng.integers(0, photo.height - height + 1)),
        )
        part = photo.resize(
            (self.c.side, self.c.side), Image.Resampling.BILINEAR, (x, y, x + width, y + height)
        )
        if rng.random() < 0.5:
            part = part.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        return torch.from_numpy(np.array(part))


class Student(nn.Module):
    """A small ViT and the projection to the teacher's width."""

    def __init__(self, vit: VisionTransformer, teacher: ViT) -> None:
        super().__init__()
        self.vit = vit
        self.projection = nn.Linear(vit.cls_token.shape[-1], teacher.width)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        whole, patches = self.vit.features(images)
        return self.projection(whole), self.projection(patches)


def distance(ours: tuple[Tensor, Tensor], theirs: tuple[Tensor, Tensor]) -> Tensor:
    """Cosine distance of class tokens [B, D] plus that of patch tokens [B, N, D]."""
    return sum(
        ((1 - F.cosine_similarity(a, b, dim=-1)).mean() for a, b in zip(ours, theirs, strict=True)),
        start=torch.zeros((), device=ours[0].device),
    )


def load_teacher(path: Path) -> VisionTransformer:
    """DINOv3's ViT-S from its released weights. Raises InputError for any others."""
    net = build_model(TEACHER)
    load_backbone(net, path)
    return vit_of(net).eval().requires_grad_(False)


def new_student(name: str, seed: int) -> Student:
    if name not in STUDENTS:
        raise InputError(f"unknown student '{name}'; expected one of {', '.join(STUDENTS)}")
    torch.manual_seed(seed)
    net = build_model(STUDENTS[name])
    teacher = VARIANTS[TEACHER].backbone
    assert isinstance(teacher, ViT)
    return Student(vit_of(net), teacher)


def vit_of(net: DEIMv2) -> VisionTransformer:
    vit = net.backbone.vit
    assert isinstance(vit, VisionTransformer)
    return vit


class Distiller(Loop):
    """Trains a student; `folder` gets the state, and its ViT alone as BEST.

    Nothing is measured on the way: to the loop, all of it is one epoch.
    """

    def __init__(
        self,
        student: Student,
        teacher: VisionTransformer,
        crops: Crops,
        folder: Path,
        device: torch.device,
        logger: TrainingLogger,
        about: dict[str, Any],
    ) -> None:
        c = crops.c
        super().__init__(logger, 1, len(crops), c.batch)
        self.student, self.teacher = student.to(device).train(), teacher.to(device)
        self.crops, self.folder, self.device, self.about = crops, folder, device, about
        self.optimizer = torch.optim.AdamW(student.parameters(), c.lr, weight_decay=c.decay)
        warmup = max(1, round(0.05 * self.steps))
        self.schedule = Schedule(c.epochs, 0, 0, warmup, c.epochs, c.batch, final=0.0)

    def run(self, workers: int, save_seconds: float, report_every: int) -> None:
        """To the end. Raises StopError after Ctrl-C or SIGTERM, once the state is saved."""
        places = range(self.step, self.steps)
        with closing(load(self.crops, places, workers, pinned=False)) as source:
            self.loop(source, save_seconds, report_every)

    def _rates(self) -> dict[str, float]:
        return {"lr": self.optimizer.param_groups[0]["lr"]}

    def _step(self, batch: Batch) -> Mapping[str, float]:
        images = batch.images.to(self.device)
        for group in self.optimizer.param_groups:
            group["lr"] = self.crops.c.lr * factor(self.step, self.crops.steps, self.schedule)
        self.optimizer.zero_grad()
        parts = images.chunk(self.crops.c.accumulate)
        loss = sum(self._part(part) for part in parts) / len(parts)
        nn.utils.clip_grad_norm_(self.student.parameters(), 1.0)
        self.optimizer.step()
        self.step += 1
        return {"loss": loss}

    def _part(self, images: Tensor) -> float:
        """Adds the gradient of one part of the batch. Gives its loss."""
        with torch.no_grad():
            wanted = self.teacher.features(images)
        loss = distance(self.student(images), wanted)
        if not loss.isfinite():
            raise CheckError(
                f"the loss is {loss.item()} at step {self.step}, expected a number; start again "
                "with a smaller --lr"
            )
        (loss / self.crops.c.accumulate).backward()
        return loss.item()

    def save(self) -> None:
        """The state to go on from, and the student's ViT as `train --backbone` takes it."""
        from safetensors.torch import save

        state = {
            "step": self.step,
            "student": self.student.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "about": self.about,
            "photos": len(self.crops.photos),
        }
        save_state(self.folder, state)
        vit = {k: v.detach().cpu().clone() for k, v in self.student.vit.state_dict().items()}
        guarded(self.folder, lambda: write_whole(self.folder / BEST, save(vit)))

    def restore(self, state: dict[str, Any]) -> None:
        """From what `read_state` gives. Raises InputError if the photos are not those of then."""
        now, then = len(self.crops.photos), state["photos"]
        if now != then:
            raise InputError(
                f"there are {now} photos, expected {then} as the distillation in '{self.folder}' "
                "started with; bring them back, or start again"
            )
        self.student.load_state_dict(state["student"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.step = state["step"]
        self.logger.rewind(self.step)
