"""Blocks of the encoder that stay in float, where rounding costs most for the work that it saves.

The encoder is a tenth of the work of Atto and Femto and has half of what int8 costs them.
"""

from copy import deepcopy
from dataclasses import replace

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from deimv2.model import DEIMv2
from deimv2.quantization.calibration import Calibration, calibrate
from deimv2.quantization.distillation import Teacher
from deimv2.quantization.prepare import fake_quantizers_of
from deimv2.quantization.recipe import in_int8, outside
from deimv2.quantization.rounding import Images, switched

LOOKED_AT = 32  # photos, of those to calibrate on, that the blocks are measured on


def calibrate_share(net: DEIMv2, images: Images, share: float) -> Calibration:
    """As `calibrate`, but with blocks of the encoder in float, as many as leave at least `share`
    (0..1) of the network's multiply-accumulates in int8. The blocks with the highest cost for their
    work come first, and then whatever fits: some cost nothing only while their neighbours round.
    The result names them."""
    work = multiply_accumulates(net.eval())
    spare = sum(work.get(name, 0) for name in int8_layers(net)) - share * work[""]
    kept: list[str] = []
    if spare > 0:
        trial = deepcopy(net)
        photos = calibrate(trial, images).photos
        cost = costs(trial, Teacher(net), images, max(1, photos // LOOKED_AT))
        for block in sorted(cost, key=lambda name: -cost[name] / work[name]):
            if work[block] <= spare:
                kept.append(block)
                spare -= work[block]
    float_blocks = tuple(sorted(kept))
    found = calibrate(net, images, outside(float_blocks))
    return replace(found, float_blocks=float_blocks)


def most_in_int8(net: DEIMv2) -> float:
    """The share of the multiply-accumulates, 0..1, that the recipe has in int8."""
    work = multiply_accumulates(net.eval())
    return sum(work.get(name, 0) for name in int8_layers(net)) / work[""]


def int8_layers(net: DEIMv2) -> list[str]:
    """Names of the layers that the recipe has in int8."""
    layers = ((name, m) for name, m in net.named_modules() if isinstance(m, nn.Conv2d | nn.Linear))
    return [name for name, _ in layers if in_int8(name)]


def blocks_of(net: DEIMv2) -> list[str]:
    """Names of the encoder's blocks that have layers in int8."""
    found = []
    for name, child in net.encoder.named_children():
        inner = [f".{i}" for i in range(len(child))] if isinstance(child, nn.ModuleList) else [""]
        found += [f"encoder.{name}{index}" for index in inner]
    layers = int8_layers(net)
    return [block for block in found if any(name.startswith(f"{block}.") for name in layers)]


@torch.no_grad()
def multiply_accumulates(net: DEIMv2) -> dict[str, int]:
    """Of one image, by the name of the module; "" is the whole network."""
    parameter = next(net.parameters())
    height, width = net.image_size
    counter = FlopCounterMode(display=False)
    with counter:
        net(torch.zeros(1, 3, height, width, device=parameter.device))
    counts = {name: sum(each.values()) // 2 for name, each in counter.get_flop_counts().items()}
    return {name.partition(".")[2]: count for name, count in counts.items()}


@torch.no_grad()
def costs(net: DEIMv2, teacher: Teacher, images: Images, every: int) -> dict[str, float]:
    """By how much the teacher's loss falls where a block's values do not round.

    net: prepared, with ranges; only the teacher's hooks are added to it. every: one photo out of so
    many is looked at.
    """
    teacher.watch(net)
    blocks = blocks_of(teacher.net)
    quantizers = fake_quantizers_of(net)
    fallen = dict.fromkeys(blocks, 0.0)
    for index, image in enumerate(images()):
        if index % every:
            continue
        whole = loss(net, teacher, image)
        for block in blocks:
            inside = (each for each in quantizers if each.name.startswith(f"{block}."))
            with switched(inside, "on", False):
                fallen[block] += whole - loss(net, teacher, image)
    return fallen


def loss(net: DEIMv2, teacher: Teacher, image: Tensor) -> float:
    """The sum of the teacher's losses on an image [B, 3, H, W]."""
    net(image)
    return sum(each.item() for each in teacher().values())
