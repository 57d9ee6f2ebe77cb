"""Sensitivity: exactly one part rounds at a time, and all of them do again afterwards."""

import json
from collections import defaultdict
from pathlib import Path

import pytest
import torch
from torch import nn

from deimv2.evaluation.sensitivity import (
    ALL,
    FLOAT,
    part_of,
    recipe_costs,
    rounding,
    sensitivity,
    switches,
)
from deimv2.model import DEIMv2
from deimv2.quantization.prepare import Chosen, fold, prepare, set_ranges
from deimv2.quantization.recipe import RECIPE
from deimv2.quantization.rounding import Range
from deimv2.tests.cli.commands import Capture, complaint, output
from deimv2.tests.quantization.nets import maps_of, random_net
from deimv2.tests.training.scenes import GARMENTS


@pytest.fixture(scope="module")
def net() -> DEIMv2:
    built = random_net("atto", 160)
    quantizers = prepare(built)
    set_ranges(built, {quantizer.name: Range(-3.0, 3.0) for quantizer in quantizers})
    return built


@pytest.mark.parametrize(
    ("layer", "part"),
    [
        ("backbone.stem.stem1.conv", "backbone.stem"),
        ("backbone.stages.2.blocks.0.aggregation.0.conv", "backbone.stages.2"),
        ("encoder.fpn_block.cv1.conv", "encoder.fpn_block"),
        ("decoder.layers.1.ffn.w12", "decoder.layers.1"),
        ("image", "image"),
    ],
)
def test_parts(layer: str, part: str) -> None:
    assert part_of(layer) == part


def test_only_one_part_rounds(net: DEIMv2) -> None:
    with rounding(net, "backbone.stages.1"):
        on = {part for part, module in switches(net) if module.on}
    assert on == {"backbone.stages.1"}
    assert all(module.on for _, module in switches(net))


def test_every_part_is_measured_between_nothing_and_everything(net: DEIMv2) -> None:
    image = torch.rand(1, 3, 160, 160)

    def features(measured: DEIMv2) -> float:
        return sum(float(each.square().mean()) for each in maps_of(measured, image))

    rows = sensitivity(net, features)
    assert [rows[0].part, rows[-1].part] == [FLOAT, ALL]
    assert rows[0].layers == 0 and rows[-1].layers == sum(row.layers for row in rows[1:-1])
    changed = [row for row in rows[1:-1] if row.layers]
    assert len(changed) > 5 and all(row.value != rows[0].value for row in changed)


def test_every_part_of_the_recipe_is_measured_alone() -> None:
    net = random_net("atto", 160)
    image = torch.rand(1, 3, 160, 160)

    def to_int8(rounds: DEIMv2, chosen: Chosen) -> None:
        prepare(rounds, chosen)
        set_ranges(rounds, defaultdict(lambda: (-3.0, 3.0)))

    def measure(measured: DEIMv2) -> tuple[float, float]:
        with torch.no_grad():
            out = measured.eval()(image)
        return float(out.logits.sum()), float(out.boxes.sum())

    rows = recipe_costs(net, to_int8, measure)
    assert [row.part for row in rows] == [FLOAT, *(part.where for part in RECIPE), ALL]
    fold(net)
    layers = [m for m in net.modules() if isinstance(m, nn.Conv2d | nn.Linear)]
    assert sum(row.layers for row in rows[:-1]) == len(layers)
    wanted = sum(row.layers for row, part in zip(rows[1:], RECIPE, strict=False) if part.int8)
    assert rows[-1].layers == wanted < len(layers)
    assert all(row.value != rows[0].value or row.moved != rows[0].moved for row in rows[1:])


@pytest.mark.long
def test_the_command_prints_a_row_for_each_part_of_the_recipe(capsys: Capture) -> None:
    photos = ("--images", GARMENTS, "--annotations", GARMENTS / "annotations.json", "--limit", 2)
    ranges = ("--calibration", GARMENTS, "--calibration-photos", 8)
    rows = json.loads(output(capsys, "sensitivity", "--recipe", *photos, *ranges, "--json"))
    assert [row["part"] for row in rows[1:-1]] == [part.where for part in RECIPE]
    assert rows[0]["moved"] == 0 and all(row["moved"] > 0 for row in rows[1:])
    assert all(0 < row["value"] <= 1 for row in rows)


def test_the_recipe_cannot_be_measured_without_photos_for_ranges(capsys: Capture) -> None:
    photos = ("--images", GARMENTS, "--annotations", GARMENTS / "annotations.json")
    line = complaint(capsys, "sensitivity", "--recipe", "--weights", "mine.safetensors", *photos)
    assert "no photos to find the ranges of each part for 'mine.safetensors'" in line
    assert "--calibration DIR" in line


def test_a_plot_takes_the_place_of_no_other_file(
    capsys: Capture, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr("deimv2.api.sensitivity.load")
    given = ["--images", tmp_path, "--annotations", tmp_path / "a.json", "--plot"]
    line = complaint(capsys, "sensitivity", *given, tmp_path / "a.json")
    assert "a.json' ends in '.json', expected .png; rename it" in line
    assert list(tmp_path.iterdir()) == []


def test_the_folder_of_a_plot_is_made_before_the_work(capsys: Capture, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    photos = ("--images", GARMENTS, "--annotations", GARMENTS / "annotations.json")
    line = complaint(capsys, "sensitivity", *photos, "--plot", tmp_path / "file" / "a.png")
    assert f"as '{tmp_path / 'file'}' takes no files" in line
