"""Logits and boxes become the best detections, best first."""

import numpy as np
import pytest
import torch

from deimv2.model import DEIMv2, build_model
from deimv2.model.errors import InputError
from deimv2.model.postprocess import detect, postprocess
from deimv2.tests.nets import random_net


@pytest.fixture(scope="module")
def net() -> DEIMv2:
    return random_net("atto", 4, (128, 256))


@pytest.fixture(scope="module")
def frames() -> np.ndarray:
    return np.random.default_rng(1).integers(0, 256, (2, 128, 256, 3), dtype=np.uint8)


def test_the_best_pairs_of_query_and_class_come_first() -> None:
    rng = np.random.default_rng(0)
    logits = rng.normal(size=(2, 6, 5)).astype(np.float32)
    boxes = rng.uniform(size=(2, 6, 4)).astype(np.float32)
    found = postprocess(torch.from_numpy(logits), torch.from_numpy(boxes), top_k=9)
    assert [len(detections) for detections in found] == [9, 9]
    for image, detections in enumerate(found):
        pairs = [(logits[image, q, c], q, c) for q in range(6) for c in range(5)]
        best = sorted(pairs, reverse=True)[:9]
        for i, (logit, query, label) in enumerate(best):
            cx, cy, w, h = boxes[image, query]
            corners = (cx - w / 2, cy - h / 2, cx + w / 2, cy + h / 2)
            assert detections.labels[i] == label
            # the same formula in float64 and float32
            assert detections.scores[i] == pytest.approx(1 / (1 + np.exp(-logit)), abs=1e-6)
            assert detections.boxes[i] == pytest.approx(corners, abs=1e-6)


def test_boxes_beyond_the_image_are_not_clipped() -> None:
    boxes = torch.tensor([[[0.0, 1.0, 0.5, 2.0]]])
    (found,) = postprocess(torch.zeros(1, 1, 1), boxes, top_k=1)
    assert found.boxes.tolist() == [[-0.25, 0.0, 0.25, 2.0]]


def test_more_detections_than_pairs_are_all_pairs() -> None:
    (found,) = postprocess(torch.zeros(1, 3, 2), torch.zeros(1, 3, 4), top_k=300)
    assert len(found) == 6


@pytest.mark.parametrize("top_k", [0, -1])
def test_no_detection_at_all_cannot_be_asked_for(top_k: int) -> None:
    with pytest.raises(InputError, match=f"top_k is {top_k}, expected at least 1"):
        postprocess(torch.zeros(1, 3, 2), torch.zeros(1, 3, 4), top_k)


def test_frames_are_scaled_then_normalised_with_the_variants_statistics() -> None:
    net = build_model("s", image_size=160).eval()
    seen = []
    net.backbone.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    frame = np.random.default_rng(2).integers(0, 256, (160, 160, 3), dtype=np.uint8)
    detect(net, frame)
    mean = np.array([0.485, 0.456, 0.406], np.float32)
    std = np.array([0.229, 0.224, 0.225], np.float32)
    wanted = (frame.astype(np.float32) / np.float32(255) - mean) / std
    # one float32 operation after the other: the same bits
    np.testing.assert_array_equal(seen[0][0].permute(1, 2, 0).numpy(), wanted)


def test_detect_gives_what_network_and_postprocessing_give(net, frames) -> None:
    images = torch.from_numpy(frames).permute(0, 3, 1, 2).float().contiguous() / 255
    with torch.inference_mode():
        out = net(images)
    wanted = postprocess(out.logits, out.boxes, net.variant.decoder.queries)
    for found, expected in zip(detect(net, frames), wanted, strict=True):
        assert len(found) == 100
        np.testing.assert_array_equal(found.labels, expected.labels)
        # the same program, but memory may be aligned in another way
        np.testing.assert_allclose(found.scores, expected.scores, atol=1e-6)
        np.testing.assert_allclose(found.boxes, expected.boxes, atol=1e-6)


def test_a_single_frame_is_a_batch_of_one(net, frames) -> None:
    (alone,), batched = detect(net, frames[0], top_k=7), detect(net, frames[:1], top_k=7)
    np.testing.assert_allclose(alone.scores, batched[0].scores, atol=1e-6)
    assert len(alone) == 7


@pytest.mark.parametrize("shape", [(256, 128, 3), (128, 256), (2, 64, 256, 3), (0, 128, 256, 3)])
def test_frames_of_another_size_are_refused(net, shape) -> None:
    with pytest.raises(InputError, match=r"frames have shape .*, expected \[B, 128, 256, 3\]"):
        detect(net, np.zeros(shape, np.uint8))


@pytest.mark.parametrize(
    "frame", [np.zeros((128, 256, 4), np.uint8), np.zeros((128, 256, 3), np.float32)]
)
def test_frames_of_another_type_are_refused(net, frame) -> None:
    with pytest.raises(InputError, match=r"expected uint8 \[H, W, 3\]"):
        detect(net, frame)


def test_a_net_in_training_mode_is_refused(net, frames) -> None:
    try:
        with pytest.raises(InputError, match="training mode"):
            detect(net.train(), frames)
    finally:
        net.eval()
