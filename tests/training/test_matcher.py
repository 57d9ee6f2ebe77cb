"""The matching is the cheapest there is, and its cost is what the papers say."""

from itertools import permutations

import numpy as np
import pytest
import torch

from deimv2.model.decoder import Prediction
from deimv2.model.errors import InputError
from deimv2.tests.training.cases import pairs, random_output, random_targets
from deimv2.training.boxes import cxcywh_to_xyxy, giou, iou
from deimv2.training.data.targets import Target, padded
from deimv2.training.matcher import Matcher, Matches, union
from deimv2.training.recipes import RECIPES

EPOCHS = pytest.mark.parametrize("epoch", [0, 449, 450])
MATCHING = RECIPES["atto"].matching


def cost_by_hand(logits: torch.Tensor, box: torch.Tensor, label: int, wanted, epoch: int) -> float:
    p = logits[label].sigmoid().item()
    found, object_ = cxcywh_to_xyxy(box), cxcywh_to_xyxy(wanted)
    if epoch >= 450:
        return -p * iou(found, object_).item() ** 4
    focal = -0.25 * (1 - p) ** 2 * np.log(p) + 0.75 * p**2 * np.log(1 - p)
    return 2 * focal + 5 * (box - wanted).abs().sum().item() - 2 * giou(found, object_).item()


@EPOCHS
@pytest.mark.parametrize(("objects", "queries"), [(1, 5), (3, 5), (5, 5), (6, 4)])
def test_the_matching_equals_brute_force(objects, queries, epoch) -> None:
    g = torch.Generator().manual_seed(objects + epoch)
    (target,) = random_targets([objects], 3, g)
    prediction = random_output(1, queries, 3, 1, g).layers[0]
    with torch.no_grad():
        table = [
            [
                cost_by_hand(prediction.logits[0, q], prediction.boxes[0, q], label, wanted, epoch)
                for label, wanted in zip(target.labels.tolist(), target.boxes, strict=True)
            ]
            for q in range(queries)
        ]
        labels, boxes, _ = padded([target], label=0)
        cost = Matcher(MATCHING).cost(prediction.logits, prediction.boxes, labels, boxes, epoch)
    np.testing.assert_allclose(cost[0].numpy(), table, atol=1e-4)

    found = pairs(Matcher(MATCHING)(prediction, [target], epoch))
    count = min(objects, queries)
    assert len(found) == count
    assert len({q for _, q, _ in found}) == len({t for *_, t in found}) == count
    total = sum(table[q][t] for _, q, t in found)
    short, long = sorted((objects, queries))
    rows = table if objects >= queries else np.transpose(table)
    best = min(
        sum(rows[i][j] for i, j in zip(range(short), chosen, strict=True))
        for chosen in permutations(range(long), short)
    )
    assert total == pytest.approx(best, abs=1e-5)


@EPOCHS
def test_a_batch_matches_as_its_images_alone(epoch) -> None:
    g = torch.Generator().manual_seed(7)
    counts = [4, 0, 12, 1]
    targets = random_targets(counts, 5, g)
    prediction = random_output(4, 20, 5, 1, g).layers[0]
    matcher, alone, before = Matcher(MATCHING), [], 0
    for i, target in enumerate(targets):
        single = Prediction(prediction.logits[i : i + 1], prediction.boxes[i : i + 1])
        for _, query, chosen in pairs(matcher(single, [target], epoch)):
            alone.append((i, query, before + chosen))
        before += counts[i]
    assert pairs(matcher(prediction, targets, epoch)) == alone


def test_without_objects_nothing_matches() -> None:
    g = torch.Generator().manual_seed(0)
    matches = Matcher(MATCHING)(
        random_output(2, 5, 3, 1, g).layers[0], random_targets([0, 0], 3, g), 0
    )
    assert len(matches) == 0 and matches.of(torch.zeros(2, 5, 4)).shape == (0, 4)


def test_predictions_that_are_not_numbers_still_match() -> None:
    g = torch.Generator().manual_seed(0)
    prediction = random_output(1, 5, 3, 1, g).layers[0]
    broken = Prediction(prediction.logits * float("nan"), prediction.boxes)
    assert len(Matcher(MATCHING)(broken, random_targets([2], 3, g), 0)) == 2


def some(*rows: tuple[int, int, int]) -> Matches:
    return Matches(*torch.tensor(rows, dtype=torch.int64).reshape(-1, 3).T)


def test_the_union_gives_each_query_its_most_frequent_object() -> None:
    joined = union(
        [
            some((0, 1, 0), (0, 2, 1), (1, 1, 2)),
            some((0, 1, 1), (0, 3, 0), (1, 1, 2)),
            some((0, 1, 1), (0, 2, 0), (1, 4, 2)),
        ]
    )
    # query 2 of image 0 got two objects equally often: the first matching's counts
    assert pairs(joined) == [(0, 1, 1), (0, 2, 1), (0, 3, 0), (1, 1, 2), (1, 4, 2)]


def test_the_union_of_nothing_is_nothing() -> None:
    assert len(union([some(), some()])) == 0


def test_targets_of_other_shapes_are_refused() -> None:
    with pytest.raises(InputError, match=r"labels have shape \[2\] and boxes \[3, 4\]; expected"):
        Target(torch.zeros(2, dtype=torch.int64), torch.zeros(3, 4))
    with pytest.raises(InputError, match=r"boxes \[4\]"):
        Target(torch.zeros(0, dtype=torch.int64), torch.zeros(4))
