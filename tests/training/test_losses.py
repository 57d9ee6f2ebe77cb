"""The losses are the released ones, stay finite whatever the objects, and scale as they should."""

import dataclasses
import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from contextlib import suppress
from itertools import product

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from deimv2.model.decoder import DecoderOutput, Integral, Prediction
from deimv2.tests.model.golden import REFERENCE
from deimv2.tests.training.cases import BINS, pairs, random_output, random_targets
from deimv2.training.boxes import cxcywh_to_xyxy, iou
from deimv2.training.data.targets import Target, joined
from deimv2.training.denoising import Denoising, denoise
from deimv2.training.edges import edge_targets
from deimv2.training.losses import Criterion, mal, selected_heads
from deimv2.training.matcher import Matches, union
from deimv2.training.recipes import RECIPES


def our_name(released: str) -> str:
    found = re.fullmatch(r"loss_(mal|bbox|giou|fgl|ddf)(?:_(aux|enc|pre)(?:_(\d))?)?", released)
    assert found, released
    name, where, index = found.groups()
    suffix = {None: "", "aux": f"/layer{index}", "enc": "/encoder", "pre": "/first"}[where]
    return {"bbox": "l1"}.get(name, name) + suffix


def golden(variant: str) -> tuple[DecoderOutput, list[Target], dict[int, dict[str, float]]]:
    data = dict(np.load(REFERENCE / f"loss-{variant}.npz"))
    arrays = {k: torch.from_numpy(v) for k, v in data.items() if v.ndim}

    def prediction(prefix: str) -> Prediction:
        fields = ("pred_logits", "pred_boxes", "pred_corners", "ref_points")
        return Prediction(*(arrays.get(prefix + field) for field in fields))

    layers = (prediction("aux0."), prediction("aux1."), prediction(""))
    last = layers[-1]
    out = DecoderOutput(last.logits, last.boxes, layers, prediction("pre."), prediction("enc."))
    targets = [Target(arrays[f"target{i}.labels"], arrays[f"target{i}.boxes"]) for i in (0, 1)]
    losses: dict[int, dict[str, float]] = {0: {}, 10000: {}}
    for key, value in data.items():
        if found := re.fullmatch(r"epoch(\d+)\.(.*)", key):
            losses[int(found[1])][our_name(found[2])] = value.item()
    return out, targets, losses


def criterion(variant: str) -> Criterion:
    return Criterion(RECIPES[variant], Integral(BINS))


def assert_released(losses: dict[str, torch.Tensor], wanted: dict[str, float]) -> None:
    assert losses.keys() == wanted.keys()
    for name, loss in losses.items():
        # the same operations in another order, in float32
        assert loss.item() == pytest.approx(wanted[name], rel=1e-5), name


@pytest.mark.parametrize("epoch", [0, 10000])
def test_every_loss_is_the_released_one(epoch) -> None:
    out, targets, wanted = golden("atto")
    assert_released(criterion("atto")(out, targets, epoch), wanted[epoch])


def unions(matchings: Sequence[Matches]) -> Iterator[Matches]:
    """The union for every way to break its ties."""
    votes = Counter(row for m in matchings for row in pairs(m))
    choices = defaultdict(list)
    for (image, query, target), count in votes.items():
        choices[image, query].append((count, target))
    best = [
        [target for count, target in found if count == max(found)[0]] for found in choices.values()
    ]
    image, query = torch.tensor(list(choices)).T
    for targets in product(*best):
        yield Matches(image, query, torch.tensor(targets))


@pytest.mark.parametrize("epoch", [0, 10000])
def test_every_loss_is_the_released_one_with_local_losses(epoch, monkeypatch) -> None:
    """The release breaks ties of the union by an unstable sort: one way must give all losses."""
    out, targets, wanted = golden("n")
    released = criterion("n")
    own = [released.matcher(p, targets, epoch) for _, p in selected_heads(out)]
    ways, right = list(unions(own)), 0
    for way in ways:
        distance = (way.of(out.boxes) - joined(targets).boxes[way.target]).abs().sum().item()
        if 5 * distance / len(way) != pytest.approx(wanted[epoch]["l1"], rel=1e-5):
            continue
        known = iter(own)
        monkeypatch.setattr(released, "matcher", lambda *_, known=known: next(known))
        monkeypatch.setattr("deimv2.training.losses.union", lambda _, way=way: way)
        losses = released(out, targets, epoch)
        with suppress(AssertionError):
            assert_released(losses, wanted[epoch])
            right += 1
    assert right == 1
    assert any(set(pairs(way)) == set(pairs(union(own))) for way in ways)


def case(
    variant: str, counts: list[int], classes: int = 7, queries: int = 40
) -> tuple[DecoderOutput, list[Target], Denoising | None]:
    """A random batch with denoising queries, if it has an object."""
    g = torch.Generator().manual_seed(len(counts) + sum(counts))
    targets = random_targets(counts, classes, g)
    out = random_output(len(counts), queries, classes, 3, g)
    denoising = denoise(targets, classes, queries, RECIPES[variant].denoising, g)
    if denoising is not None:
        extra = random_output(len(counts), denoising.queries.labels.shape[1], classes, 3, g)
        out = dataclasses.replace(out, extra=extra)
    return out, targets, denoising


def leaves(out: DecoderOutput) -> list[torch.Tensor]:
    predictions = [*out.layers, out.first, out.encoder]
    return [p.logits for p in predictions] + [p.edges for p in predictions if p.edges is not None]


@pytest.mark.parametrize("epoch", [0, 10000])
@pytest.mark.parametrize("variant", ["atto", "n"])
@pytest.mark.parametrize(
    ("counts", "classes"),
    [
        ([0, 0], 7),
        ([0, 3], 7),
        ([3, 0, 1], 1),
        ([5], 365),
        ([300, 2], 7),  # far more objects than queries
        ([40], 7),  # every query matched
    ],
)
def test_losses_and_gradients_are_finite(variant, counts, classes, epoch) -> None:
    out, targets, denoising = case(variant, counts, classes)
    losses = criterion(variant)(out, targets, epoch, denoising)
    assert all(loss.isfinite() and loss.ndim == 0 for loss in losses.values()), losses
    local = variant == "n"
    assert any(name.startswith("ddf") for name in losses) == local
    assert any("/denoised" in name for name in losses) == any(counts)
    sum(losses.values()).backward()
    for leaf in leaves(out):
        assert leaf.grad is not None or (not local and leaf.shape[-1] == 4 * BINS)
        assert leaf.grad is None or leaf.grad.isfinite().all()


def test_without_objects_only_the_scores_are_punished() -> None:
    out, targets, _ = case("n", [0, 0])
    losses = criterion("n")(out, targets)
    for name, loss in losses.items():
        assert (loss > 0) == name.startswith(("mal", "ddf")), name


@pytest.mark.parametrize("variant", ["atto", "n"])
def test_boxes_without_area_give_finite_losses(variant) -> None:
    g = torch.Generator().manual_seed(1)
    out = random_output(1, 10, 4, 2, g)
    flat = torch.tensor([[0.5, 0.5, 0, 0], [0.2, 0.2, 0.1, 0], [0.5, 0.5, 0, 0], [0.0, 0, 0, 0]])
    boxes = torch.cat([flat, flat, flat[:2]])[None]  # predictions without area, at the same places
    reference = boxes.clone()
    layers = [
        Prediction(p.logits, boxes.clone().requires_grad_(), p.edges, reference) for p in out.layers
    ]
    out = DecoderOutput(layers[-1].logits, boxes, tuple(layers), out.first, out.encoder)
    targets = [Target(torch.tensor([0, 1, 2, 3]), flat)]
    for epoch in (0, 10000):
        losses = criterion(variant)(out, targets, epoch)
        assert all(loss.isfinite() for loss in losses.values()), losses
        sum(losses.values()).backward(retain_graph=True)
        for layer in layers:
            assert layer.boxes.grad.isfinite().all() and layer.logits.grad.isfinite().all()


def test_negative_sides_of_a_refined_box_are_allowed() -> None:
    out, targets, _ = case("n", [2])
    layers = [
        dataclasses.replace(p, boxes=p.boxes - torch.tensor([0, 0, 0.9, 0.9])) for p in out.layers
    ]
    losses = criterion("n")(dataclasses.replace(out, layers=tuple(layers)), targets)
    assert all(loss.isfinite() for loss in losses.values())


@pytest.mark.parametrize("variant", ["atto", "n"])
def test_the_counts_of_all_processes_divide_the_losses(variant) -> None:
    out, targets, denoising = case(variant, [3, 2])
    seen = []

    def doubled(counts: torch.Tensor) -> torch.Tensor:
        seen.append(counts)
        return counts * 2

    alone = criterion(variant)(out, targets, 0, denoising)
    among = criterion(variant)(out, targets, 0, denoising, average=doubled)
    assert [tuple(c.shape) for c in seen] == [(2,)] and seen[0][0] == 5  # one call, five objects
    for name in alone:
        factor = 1 if name.startswith("ddf") else 2  # a mean, which no count divides
        torch.testing.assert_close(among[name] * factor, alone[name], msg=name)


def test_less_than_one_object_counts_as_one() -> None:
    out, targets, _ = case("atto", [1])
    alone = criterion("atto")(out, targets)
    few = criterion("atto")(out, targets, average=lambda counts: counts / 8)
    assert all(torch.equal(alone[name], few[name]) for name in alone)


@pytest.mark.parametrize("variant", ["atto", "n"])
def test_an_image_counts_the_same_in_any_place_of_the_batch(variant) -> None:
    out, targets, _ = case(variant, [4, 0, 7])

    def turned(p: Prediction) -> Prediction:
        parts = (p.logits, p.boxes, p.edges, p.reference)
        return Prediction(*(None if t is None else t.roll(1, 0) for t in parts))

    layers = tuple(turned(p) for p in out.layers)
    rolled = DecoderOutput(
        layers[-1].logits, layers[-1].boxes, layers, turned(out.first), turned(out.encoder)
    )
    once = criterion(variant)(out, targets)
    again = criterion(variant)(rolled, targets[-1:] + targets[:-1])
    for name in once:
        torch.testing.assert_close(again[name], once[name], msg=name)


def test_half_precision_outputs_are_summed_in_float32() -> None:
    out, targets, _ = case("n", [3])
    half = dataclasses.replace(
        out, layers=tuple(dataclasses.replace(p, logits=p.logits.half()) for p in out.layers)
    )
    with torch.autocast("cpu", dtype=torch.bfloat16):
        losses = criterion("n")(half, targets)
    assert all(loss.dtype == torch.float32 for loss in losses.values())


def test_mal_by_hand() -> None:
    logits = torch.tensor([[[2.0, -1.0], [0.5, 0.3]]])
    matches = Matches(torch.tensor([0]), torch.tensor([1]), torch.tensor([0]))
    found = mal(logits, torch.tensor([0]), torch.tensor([0.64]), matches, gamma=1.5)
    p, wanted = logits.sigmoid(), 0.64**1.5
    background = [
        -(p[0, q, c] ** 1.5) * (1 - p[0, q, c]).log() for q, c in ((0, 0), (0, 1), (1, 1))
    ]
    match = -wanted * p[0, 1, 0].log() - (1 - wanted) * (1 - p[0, 1, 0]).log()
    torch.testing.assert_close(found, sum(background) + match)


def test_edge_targets_are_undone_by_the_integral() -> None:
    """The two bins' weighted mean moves the reference's edges onto the object's."""
    g, integral = torch.Generator().manual_seed(3), Integral(BINS)
    reference = torch.rand(50, 4, generator=g) * 0.2 + 0.4
    boxes = reference + (torch.rand(50, 4, generator=g) - 0.5) * 0.1
    lower, share = edge_targets(reference, boxes, integral)
    assert lower.min() >= 0 and lower.max() <= BINS - 2 and share.min() >= 0 and share.max() <= 1
    one_hot = F.one_hot(lower, BINS) * (1 - share[..., None])
    one_hot = one_hot + F.one_hot(lower + 1, BINS) * share[..., None]
    offsets = (one_hot * integral.offsets()).sum(-1)
    side = reference[:, 2:] / integral.reg_scale
    now = cxcywh_to_xyxy(reference)
    moved = torch.cat([now[:, :2] - offsets[:, :2] * side, now[:, 2:] + offsets[:, 2:] * side], -1)
    torch.testing.assert_close(moved, cxcywh_to_xyxy(boxes), atol=1e-6, rtol=0)


def test_objects_out_of_reach_fall_on_the_outermost_bins() -> None:
    reference = torch.tensor([[0.5, 0.5, 0.01, 0.01]])
    lower, share = edge_targets(reference, torch.tensor([[0.5, 0.5, 0.9, 0.9]]), Integral(BINS))
    assert (lower == BINS - 2).all() and (share == 1).all()
    far = torch.tensor([[0.9, 0.9, 0.01, 0.01]])
    lower, share = edge_targets(reference, far, Integral(BINS))
    assert lower.tolist() == [[0, 0, BINS - 2, BINS - 2]]
    assert share.tolist() == [[0, 0, 1, 1]]


def test_the_last_layer_is_not_distilled_and_equal_layers_differ_by_nothing() -> None:
    out, targets, _ = case("n", [2])
    same = dataclasses.replace(out, layers=(out.layers[-1],) * 2 + out.layers[-1:])
    losses = criterion("n")(same, targets)
    assert "ddf" not in losses
    assert losses["ddf/layer0"].abs() < 1e-6


def test_the_perfect_answer_costs_nothing_for_boxes() -> None:
    g = torch.Generator().manual_seed(5)
    targets = random_targets([4], 3, g)
    out = random_output(1, 4, 3, 1, g)
    perfect = Prediction(10 * F.one_hot(targets[0].labels, 3)[None] - 5.0, targets[0].boxes[None])
    out = DecoderOutput(perfect.logits, perfect.boxes, (perfect,), perfect, perfect)
    losses = criterion("atto")(out, targets)
    quality = iou(cxcywh_to_xyxy(perfect.boxes[0]), cxcywh_to_xyxy(targets[0].boxes))
    assert (quality > 1 - 1e-5).all()
    assert losses["l1"] < 1e-6 and losses["giou"] < 1e-4 and losses["mal"] < 0.05
