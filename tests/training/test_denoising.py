"""Denoising queries carry the objects with the noise they should, and give nothing away."""

import dataclasses

import pytest
import torch

from deimv2.model.decoder import DecoderOutput, ExtraQueries, Prediction
from deimv2.model.errors import InputError
from deimv2.tests.nets import random_net
from deimv2.tests.training.cases import pairs, random_targets
from deimv2.training.boxes import cxcywh_to_xyxy
from deimv2.training.denoising import Denoising, denoise
from deimv2.training.losses import Criterion
from deimv2.training.recipes import RECIPES

CLASSES = 7
SIZES = {"atto": 160, "n": 256}  # the smallest that give enough queries
RECIPE = RECIPES["atto"].denoising


def made(counts: list[int], classes: int = CLASSES, selected: int = 10, **changes) -> Denoising:
    g = torch.Generator().manual_seed(sum(counts))
    targets = random_targets(counts, classes, g)
    found = denoise(targets, classes, selected, dataclasses.replace(RECIPE, **changes), g)
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("counts", "groups"), [([1], 100), ([3, 7], 14), ([0, 60], 1), ([300], 1), ([100, 1], 1)]
)
def test_the_groups_fill_the_number_of_queries(counts, groups) -> None:
    found, most = made(counts), max(counts)
    total = 2 * most * groups
    assert found.groups == groups
    assert found.queries.labels.shape == (len(counts), total)
    assert found.queries.boxes.shape == (len(counts), total, 4)
    assert found.queries.hidden.shape == (total + 10, total + 10)
    assert found.queries.boxes.isfinite().all()
    assert len(found.matches) == groups * sum(counts)


def test_no_object_no_queries() -> None:
    g = torch.Generator()
    assert denoise(random_targets([0, 0], CLASSES, g), CLASSES, 10, RECIPE, g) is None


def test_without_noise_every_match_is_its_object() -> None:
    g = torch.Generator().manual_seed(4)
    targets = random_targets([2, 0, 5], CLASSES, g)
    quiet = dataclasses.replace(RECIPE, label_noise=0.0, box_noise=0.0)
    found = denoise(targets, CLASSES, 10, quiet, g)
    labels = torch.cat([t.labels for t in targets])
    boxes = torch.cat([t.boxes for t in targets])
    assert len(set(pairs(found.matches))) == 20 * 7  # twenty groups of seven objects
    assert torch.equal(found.matches.of(found.queries.labels), labels[found.matches.target])
    near = found.matches.of(found.queries.boxes.sigmoid())
    torch.testing.assert_close(near, boxes[found.matches.target], atol=1e-5, rtol=0)
    images = torch.tensor([0] * 2 + [2] * 5)
    assert torch.equal(found.matches.image, images[found.matches.target])


def test_positive_queries_are_near_and_negative_ones_are_not() -> None:
    g = torch.Generator().manual_seed(4)
    targets = random_targets([5], CLASSES, g, least=0.1)
    targets[0].boxes[:, :2] = 0.5  # far from the border, where edges are clipped
    targets[0].boxes[:, 2:].clamp_(max=0.3)
    found = denoise(targets, CLASSES, 10, RECIPE, g)
    objects = cxcywh_to_xyxy(targets[0].boxes)
    half = targets[0].boxes[:, 2:].repeat(1, 2) / 2
    boxes = cxcywh_to_xyxy(found.queries.boxes.sigmoid()).reshape(found.groups, 2, 5, 4)
    moved = (boxes - objects).abs() / half
    assert moved[:, 0].max() <= 1 + 1e-3 and moved[:, 0].min() < 0.1
    # edges that both moved inwards have crossed, and are each other
    crossed = (boxes[..., [2, 3, 0, 1]] - objects).abs() / half
    fair = [(m > 1 - 1e-3) & (m < 2 + 1e-3) for m in (moved[:, 1], crossed[:, 1])]
    by_axis = [f.unflatten(-1, (2, 2)).all(-2) for f in fair]
    assert (by_axis[0] | by_axis[1]).all()
    positive = found.matches.query.reshape(found.groups, 5)
    assert torch.equal(positive, 10 * torch.arange(found.groups)[:, None] + torch.arange(5))


def test_a_quarter_of_the_labels_is_drawn_anew() -> None:
    g = torch.Generator().manual_seed(0)
    targets = random_targets([100, 50] * 20, 1000, g)
    found = denoise(targets, 1000, 10, RECIPE, g)
    wrong = (
        found.matches.of(found.queries.labels)
        != torch.cat([t.labels for t in targets])[found.matches.target]
    )
    assert wrong.float().mean().item() == pytest.approx(0.25, abs=0.03)
    padding = found.queries.labels[1::2].reshape(20, 2, 100)[..., 50:]
    assert (padding == 1000).all()
    assert found.queries.labels.min() >= 0 and found.queries.labels.max() <= 1000


def test_the_mask_by_hand() -> None:
    """Two groups of two, then two selected queries; 1 is hidden."""
    found = made([1], selected=2, queries=2)
    assert found.queries.hidden.int().tolist() == [
        [0, 0, 1, 1, 0, 0],
        [0, 0, 1, 1, 0, 0],
        [1, 1, 0, 0, 0, 0],
        [1, 1, 0, 0, 0, 0],
        [1, 1, 1, 1, 0, 0],
        [1, 1, 1, 1, 0, 0],
    ]


def network(variant: str):
    net = random_net(variant, CLASSES, SIZES[variant]).train()
    for module in net.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.eval()  # the same answer every time
    return net


def image(net) -> torch.Tensor:
    return torch.rand(2, 3, *net.image_size, generator=torch.Generator().manual_seed(9))


def predictions(out: DecoderOutput) -> list[Prediction]:
    return [*out.layers, out.first]


def same(a: Prediction, b: Prediction, queries: slice = slice(None)) -> bool:
    return torch.equal(a.logits[:, queries], b.logits[:, queries]) and torch.equal(
        a.boxes[:, queries], b.boxes[:, queries]
    )


@torch.no_grad()
def test_what_is_noised_reaches_neither_the_selected_queries_nor_other_groups() -> None:
    net = network("atto")
    selected = net.variant.decoder.queries
    found = made([3, 2], selected=selected, queries=9)  # three groups of six
    before = net(image(net), found.queries)
    assert before.logits.shape == (2, selected, CLASSES)
    assert before.extra.logits.shape == (2, 18, CLASSES)
    labels, boxes = found.queries.labels.clone(), found.queries.boxes.clone()
    labels[:, 6:12] = (labels[:, 6:12] + 1) % CLASSES  # the middle group
    boxes[:, 6:12] = torch.randn(2, 6, 4, generator=torch.Generator().manual_seed(1))
    after = net(image(net), ExtraQueries(labels, boxes, found.queries.hidden))
    for a, b in zip(predictions(before), predictions(after), strict=True):
        assert same(a, b)
    for a, b in zip(predictions(before.extra), predictions(after.extra), strict=True):
        assert same(a, b, slice(0, 6)) and same(a, b, slice(12, 18))
        assert not same(a, b, slice(6, 12))
    # with an open mask the same change does reach them
    open_ = torch.zeros_like(found.queries.hidden)
    a = net(image(net), ExtraQueries(found.queries.labels, found.queries.boxes, open_))
    b = net(image(net), ExtraQueries(labels, boxes, open_))
    assert not same(a.layers[-1], b.layers[-1])


@torch.no_grad()
def test_the_selected_queries_answer_as_without_denoising() -> None:
    net = network("atto")
    plain, denoised = net(image(net)), net(image(net), made([3, 2], selected=100).queries)
    assert plain.extra is None
    assert denoised.extra.encoder is None
    torch.testing.assert_close(denoised.logits, plain.logits, atol=1e-4, rtol=0)
    torch.testing.assert_close(denoised.boxes, plain.boxes, atol=1e-5, rtol=0)
    assert torch.equal(denoised.encoder.logits, plain.encoder.logits)


def test_denoising_is_for_training_alone() -> None:
    net = network("atto").eval()
    with pytest.raises(InputError, match=r"eval mode; call train\(\) first"):
        net(image(net), made([1], selected=100).queries)


@pytest.mark.parametrize("variant", ["atto", "n"])
def test_every_parameter_learns(variant) -> None:
    """From the network to the losses and back; with denoising no parameter is left out."""
    net, g = network(variant), torch.Generator().manual_seed(2)
    targets, recipe = random_targets([3, 5], CLASSES, g), RECIPES[variant]
    found = denoise(targets, CLASSES, net.variant.decoder.queries, recipe.denoising, g)
    losses = Criterion(recipe, net.decoder.integral)(
        net(image(net), found.queries), targets, 0, found
    )
    layers = net.variant.decoder.layers
    assert sum(name.startswith("mal") for name in losses) == 2 * layers + 3
    assert sum(name.startswith("ddf") for name in losses) == (variant == "n") * 2 * (layers - 1)
    sum(losses.values()).backward()
    gradients = {name: p.grad for name, p in net.named_parameters()}
    for name, gradient in gradients.items():
        assert gradient is not None and gradient.isfinite().all(), name
    assert gradients["decoder.denoising_class_embed.weight"][:-1].any()
    assert not gradients["decoder.denoising_class_embed.weight"][-1].any()  # no object
