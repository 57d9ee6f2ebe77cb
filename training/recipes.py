"""How each variant was trained on COCO: every number of the eight recipes, in one table.

Source: the released configurations, which the tests compare with, number by number. The methods are
those of DEIM (arXiv 2412.04234: Dense O2O, MAL) and D-FINE (arXiv 2410.13842: FGL, DDF).
Epochs count from 0; a pair of them is the first epoch and the one after the last.
"""

from dataclasses import dataclass

Epochs = tuple[int, int]
Range = tuple[float, float]


@dataclass(frozen=True)
class Losses:
    """Weights of the losses.

    `local` variants have FGL and DDF, and regress boxes on the union of all layers' matches
    (D-FINE, section 4.2); the others go without, and each layer regresses on its own matches.
    """

    local: bool
    mal: float = 1.0
    l1: float = 5.0
    giou: float = 2.0
    fgl: float = 0.15
    ddf: float = 1.5
    gamma: float = 1.5  # exponent of MAL


@dataclass(frozen=True)
class Matching:
    """Cost of giving a query an object: weighted sum before `change_epoch`, a product from then."""

    change_epoch: int
    label: float = 2.0
    l1: float = 5.0
    giou: float = 2.0
    alpha: float = 0.25  # of the focal label cost
    gamma: float = 2.0
    iou_power: float = 4.0  # in the product, score x IoU ** iou_power


@dataclass(frozen=True)
class Denoising:
    """Queries made from noised objects."""

    queries: int = 100  # positive ones, about, and as many negative ones
    label_noise: float = 0.5  # half of this share of the labels is drawn anew
    box_noise: float = 1.0  # in half sides; negative queries move one half side more


@dataclass(frozen=True)
class Rule:
    """What parameters get whose released name contains one of `within` and one of `kinds`."""

    within: tuple[str, ...]
    kinds: tuple[str, ...] = ("",)  # every name contains ""
    lr: float | None = None  # None: the optimiser's own
    decay: float | None = None

    def matches(self, name: str) -> bool:
        return any(w in name for w in self.within) and any(k in name for k in self.kinds)


@dataclass(frozen=True)
class Optimizer:
    """AdamW. The first rule that matches a parameter holds."""

    lr: float
    rules: tuple[Rule, ...]
    decay: float = 1e-4
    betas: tuple[float, float] = (0.9, 0.999)
    clip_norm: float = 0.1

    def settings(self, name: str) -> tuple[float, float]:
        """Learning rate and weight decay of the parameter of this released name."""
        rule = next((r for r in self.rules if r.matches(name)), Rule(("",)))
        lr = self.lr if rule.lr is None else rule.lr
        return lr, self.decay if rule.decay is None else rule.decay


@dataclass(frozen=True)
class Schedule:
    """Quadratic warm-up, flat, half a cosine down to `final`, flat for the last `tail_epochs`."""

    epochs: int
    flat_epochs: int
    tail_epochs: int
    warmup_steps: int
    restart_epoch: int  # go back to the best weights so far; one image size, plain images from here
    batch: int
    final: float = 0.5  # of the learning rate


@dataclass(frozen=True)
class Ema:
    """Moving average of the weights, of decay x (1 - exp(-step / warmup_steps)).

    The release has a second decay, from the restart on, which equals the first in every
    configuration.
    """

    decay: float = 0.9999
    warmup_steps: int = 1000


@dataclass(frozen=True)
class Augment:
    """Changes of single images; before and after `epochs` they are only flipped and resized."""

    epochs: Epochs  # of colours, mosaic, zoom-out and crop
    mosaic_epochs: Epochs
    mosaic: float  # probability; these images are neither zoomed out nor cropped
    min_side: int  # of a box in pixels, smaller ones are dropped
    scale_repeats: int | None  # None: one image size; else the usual size counts this often
    tile: float = 0.5  # shorter side of a mosaic's four images, in sides of the input
    rotation: float = 10.0  # of the mosaic, in degrees to either side
    translation: Range = (0.1, 0.1)  # in sides of the mosaic, along x and y
    scaling: Range = (0.5, 1.5)
    cache: int = 50  # images that mosaics choose from
    fill: int = 0
    colours: float = 0.5  # probability
    crop: float = 0.8  # probability


@dataclass(frozen=True)
class Mixing:
    """Changes of whole batches, which make objects denser (Dense O2O; DEIM, section 3.2)."""

    mixup: float  # probability
    mixup_epochs: Epochs
    copyblend: float  # probability, of batches without mixup
    copyblend_epochs: Epochs
    min_area: int = 100  # of an object to copy, in pixels
    objects: int = 3  # copied into each image
    expand: Range = (0.1, 0.25)  # a copy's margin, in sides of its box


@dataclass(frozen=True)
class Recipe:
    losses: Losses
    matching: Matching
    optimizer: Optimizer
    schedule: Schedule
    augment: Augment
    mixing: Mixing | None = None
    denoising: Denoising = Denoising()
    ema: Ema = Ema()


# Parts of released names. HGNetv2's and the STA's normalisations are not among the spared kinds:
# their released names contain neither word, so they were trained with weight decay.
NORMS = ("norm", "bn")
SPARED = ("norm", "bn", "bias")
HEADS = ("encoder", "decoder")

ATTO = Recipe(
    losses=Losses(local=False),
    matching=Matching(change_epoch=450),
    optimizer=Optimizer(
        lr=2e-3, rules=(Rule(("backbone",), lr=1e-3), Rule(HEADS, NORMS, decay=0.0))
    ),
    schedule=Schedule(500, 250, 32, warmup_steps=4000, restart_epoch=468, batch=128),
    augment=Augment((4, 400), (4, 250), mosaic=0.3, min_side=12, scale_repeats=None),
)
FEMTO = Recipe(
    losses=Losses(local=False),
    matching=Matching(change_epoch=450),
    optimizer=Optimizer(
        lr=1.6e-3, rules=(Rule(("backbone",), lr=8e-4), Rule(HEADS, SPARED, decay=0.0))
    ),
    schedule=Schedule(500, 250, 32, warmup_steps=4000, restart_epoch=468, batch=128),
    augment=Augment((4, 400), (4, 250), mosaic=0.5, min_side=10, scale_repeats=None),
)
PICO = Recipe(
    losses=Losses(local=False),
    matching=Matching(change_epoch=450),
    optimizer=Optimizer(
        lr=1.6e-3, rules=(Rule(("backbone",), lr=8e-4), Rule(HEADS, SPARED, decay=0.0))
    ),
    schedule=Schedule(500, 250, 32, warmup_steps=4000, restart_epoch=468, batch=128),
    augment=Augment((4, 400), (4, 250), mosaic=0.5, min_side=8, scale_repeats=None),
)
N = Recipe(
    losses=Losses(local=True),
    matching=Matching(change_epoch=136),
    optimizer=Optimizer(
        lr=8e-4, rules=(Rule(("backbone",), lr=4e-4), Rule(HEADS, SPARED, decay=0.0))
    ),
    # flat to the end: the release writes a flat phase longer than the training, and a final of 1
    schedule=Schedule(160, 7800, 12, warmup_steps=2000, restart_epoch=148, batch=32, final=1.0),
    augment=Augment((4, 148), (4, 78), mosaic=0.5, min_side=1, scale_repeats=None),
    mixing=Mixing(0.5, (4, 78), copyblend=0.4, copyblend_epochs=(4, 78)),
)
S = Recipe(
    losses=Losses(local=True),
    matching=Matching(change_epoch=100),
    optimizer=Optimizer(
        lr=5e-4,
        rules=(
            Rule(("dinov3",), SPARED, lr=2.5e-5, decay=0.0),
            Rule(("dinov3",), lr=2.5e-5),
            Rule(("sta", *HEADS), SPARED, decay=0.0),
        ),
    ),
    schedule=Schedule(132, 64, 12, warmup_steps=2000, restart_epoch=120, batch=32),
    augment=Augment((4, 120), (4, 64), mosaic=0.5, min_side=1, scale_repeats=20),
    mixing=Mixing(0.5, (4, 64), copyblend=0.5, copyblend_epochs=(4, 120)),
)
M = Recipe(
    losses=Losses(local=True),
    matching=Matching(change_epoch=80),
    optimizer=Optimizer(
        lr=5e-4,
        rules=(
            Rule(("dinov3",), SPARED, lr=2.5e-5, decay=0.0),
            Rule(("dinov3",), lr=2.5e-5),
            Rule(("sta", *HEADS), SPARED, decay=0.0),
        ),
    ),
    schedule=Schedule(102, 49, 12, warmup_steps=2000, restart_epoch=90, batch=32),
    augment=Augment((4, 90), (4, 49), mosaic=0.5, min_side=1, scale_repeats=6),
    mixing=Mixing(0.5, (4, 49), copyblend=0.5, copyblend_epochs=(4, 90)),
)
L = Recipe(
    losses=Losses(local=True),
    matching=Matching(change_epoch=50),
    optimizer=Optimizer(
        lr=5e-4,
        decay=1.25e-4,
        rules=(
            Rule(("dinov3",), SPARED, lr=1.25e-5, decay=0.0),
            Rule(("dinov3",), lr=1.25e-5),
            Rule(("sta", *HEADS), SPARED, decay=0.0),
        ),
    ),
    schedule=Schedule(68, 34, 8, warmup_steps=2000, restart_epoch=60, batch=32),
    augment=Augment((4, 60), (4, 34), mosaic=0.5, min_side=1, scale_repeats=3),
    mixing=Mixing(0.5, (4, 34), copyblend=0.5, copyblend_epochs=(4, 60)),
)
X = Recipe(
    losses=Losses(local=True),
    matching=Matching(change_epoch=45),
    optimizer=Optimizer(
        lr=5e-4,
        decay=1.25e-4,
        rules=(
            Rule(("dinov3",), SPARED, lr=1e-5, decay=0.0),
            Rule(("dinov3",), lr=1e-5),
            Rule(("sta", *HEADS), SPARED, decay=0.0),
        ),
    ),
    schedule=Schedule(58, 29, 8, warmup_steps=2000, restart_epoch=50, batch=32),
    augment=Augment((4, 50), (4, 29), mosaic=0.5, min_side=1, scale_repeats=3),
    mixing=Mixing(0.5, (4, 29), copyblend=0.5, copyblend_epochs=(4, 50)),
)

RECIPES: dict[str, Recipe] = {
    "atto": ATTO,
    "femto": FEMTO,
    "pico": PICO,
    "n": N,
    "s": S,
    "m": M,
    "l": L,
    "x": X,
}
