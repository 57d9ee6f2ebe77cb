"""The release's plain ONNX export, which times are compared with, runs and computes the network."""

from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch

from deimv2.converters.onnx.baseline import write_baseline
from deimv2.tests.nets import random_net

VARIANTS = ["atto", "n", "s", *(pytest.param(v, marks=pytest.mark.slow) for v in "mlx")]


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_baseline_gives_what_the_network_gives(variant: str, tmp_path: Path) -> None:
    net = random_net(variant, size=(256, 320))
    write_baseline(net, tmp_path / "baseline.onnx")
    images = torch.rand(1, 3, 256, 320, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        expected = net.fuse()(images)
    session = onnxruntime.InferenceSession(tmp_path / "baseline.onnx")
    logits, boxes = session.run(None, {"images": images.numpy()})
    scores = [
        np.sort(each.max(axis=-1).ravel())[-20:] for each in (logits, expected.logits.numpy())
    ]
    assert np.abs(scores[0] - scores[1]).max() < 1e-3
    best = logits.max(axis=-1).ravel().argsort()[-5:]
    distance = np.abs(boxes[0, best, None] - expected.boxes.numpy()[0][None]).max(axis=-1)
    assert distance.min(axis=1).max() < 1e-3
