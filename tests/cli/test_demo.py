"""The demo weights: what a newcomer gets without a download detects what it should."""

import json
from pathlib import Path

import numpy as np
import pytest

from deimv2.model.weights.places import DEMO
from deimv2.model.weights.sources import default
from deimv2.tests.cli.commands import complaint, output
from deimv2.tests.training.scenes import GARMENTS

CHECKPOINT = DEMO / "atto.safetensors"
MIN_AP = {"AP": 0.70, "AP50": 0.87}


def scores(capsys: pytest.CaptureFixture[str], model: Path, photos: int) -> dict[str, float]:
    annotations = GARMENTS / "annotations.json"
    command = ("evaluate", model, "--images", GARMENTS, "--annotations", annotations, "--json")
    return json.loads(output(capsys, *command, "--limit", photos))["metrics"]


def test_demo_weights_are_the_default_where_there_are_any() -> None:
    assert default("atto") == "demo"
    assert default("s") == "random"


def test_a_variant_without_demo_weights_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    line = complaint(capsys, "export", "--variant", "s", "--weights", "demo")
    assert "variant 's' has no demo weights, expected a variant that has (atto)" in line


def test_demo_weights_are_small() -> None:
    assert CHECKPOINT.stat().st_size < 1_200_000


def test_predict_without_a_model_finds_the_garments(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    content = json.loads((GARMENTS / "annotations.json").read_text())
    names = {row["id"]: row["name"] for row in content["categories"]}
    wanted = found = 0
    for image in content["images"][:12]:
        photo = GARMENTS / image["file_name"]
        (row,) = json.loads(output(capsys, "predict", photo, "--threshold", "0.3", "--json"))
        rows = [r for r in content["annotations"] if r["image_id"] == image["id"]]
        wanted += len(rows)
        for annotation in rows:
            x, y, w, h = annotation["bbox"]
            box = np.array([x, y, x + w, y + h]) / 320
            name = names[annotation["category_id"]]
            found += any(
                d["name"] == name and np.abs(np.array(d["box"]) - box).max() < 0.05
                for d in row["detections"]
            )
    assert wanted > 20
    assert found > 0.5 * wanted


@pytest.mark.long
def test_artifacts_have_the_ap_of_the_checkpoint(
    capsys: pytest.CaptureFixture[str], exported: Path
) -> None:
    checkpoint = scores(capsys, CHECKPOINT, 200)
    for name, least in MIN_AP.items():
        assert checkpoint[name] >= least
    few = scores(capsys, CHECKPOINT, 40)
    for kind in ("tflite", "pte", "onnx"):
        artifact = scores(capsys, exported / f"deimv2-atto-fp32.{kind}", 40)
        assert artifact == pytest.approx(few, abs=1e-3)
