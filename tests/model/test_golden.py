"""Every variant is numerically the released model."""

import numpy as np
import pytest
import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from deimv2.model import VARIANTS, build_model, load_weights
from deimv2.model.dinov3 import LayerScale
from deimv2.model.variants import ViT
from deimv2.model.weights import DERIVED, our_name, random_state, released_name
from deimv2.tests.model.golden import (
    BY_COST,
    KEYS,
    REFERENCE,
    golden_image,
    matched_errors,
    released_state,
    sample,
)

variants = pytest.mark.parametrize("variant", VARIANTS)


@pytest.mark.parametrize("variant", BY_COST)
@torch.inference_mode()
def test_outputs_and_features_equal_the_release(variant):
    net = build_model(variant).eval()
    load_weights(net, released_state(variant))
    golden = np.load(REFERENCE / f"{variant}.npz")
    logits, boxes = torch.from_numpy(golden["logits"])[0], torch.from_numpy(golden["boxes"])[0]

    backbone = net.backbone(image := golden_image(*net.image_size))
    encoder = net.encoder(backbone)
    for name, maps in (("backbone", backbone), ("encoder", encoder)):
        for i, feature in enumerate(maps):
            wanted = golden[f"{name}_{i}"]
            error = np.abs(sample(feature) - wanted).max()
            assert error <= 2e-4 * np.abs(wanted).max(), (name, i)

    eager = net(image)
    # the release differs from its own fused form by about 1e-5 here
    for out in (eager, net.fuse()(image)):
        partners, logit_error, box_error = matched_errors(
            logits, boxes, out.logits[0], out.boxes[0]
        )
        assert partners == len(logits)
        assert logit_error < 5e-4
        assert box_error < 5e-5
    partners, logit_error, box_error = matched_errors(
        eager.logits[0], eager.boxes[0], out.logits[0], out.boxes[0]
    )
    assert logit_error < 1e-4 and box_error < 1e-4


@variants
def test_every_key_has_a_name_on_both_sides(variant):
    with torch.device("meta"):
        net = build_model(variant)
    for key in net.state_dict():
        released = released_name(key, net.variant)
        assert released in KEYS[variant]
        assert our_name(released, net.variant) == key
        assert our_name(key, net.variant) == key
    named = {released_name(k, net.variant) for k in net.state_dict()}
    assert {k for k in KEYS[variant] if not DERIVED.search(k)} == named


@variants
def test_random_weights_follow_the_rule(variant):
    net = build_model(variant)
    for seed in (0, 5) if net.variant.parameters < 4e6 else (5,):
        ours, released = random_state(net, seed), released_state(variant, seed)
        expected = {
            our_name(key, net.variant): value
            for key, value in released.items()
            if not DERIVED.search(key)
        }
        assert ours.keys() == expected.keys()
        for key, value in ours.items():
            assert torch.equal(value, expected[key]), key


@variants
def test_fused_parameters_are_the_tables(variant):
    """The release's fused form keeps what ours folds, drops or never had; with that, equal."""
    with torch.device("meta"):
        net = build_model(variant)
    constants = 2  # `up` and `reg_scale` count as parameters there
    denoising = net.decoder.denoising_class_embed.weight.numel()
    backbone = net.variant.backbone
    mask_token = isinstance(backbone, ViT) and backbone.pretrained_extras and backbone.width
    unfolded = [  # it folds no batch normalisation and no gains in these
        "backbone.",
        "encoder.input_proj",
        "encoder.down_sample1.",
        "encoder.down_sample2.",
    ]
    gains = sum(
        (m.gamma if isinstance(m, LayerScale) else m.weight).numel()
        for name, m in net.named_modules()
        if isinstance(m, torch.nn.BatchNorm2d | LayerScale) and name.startswith(tuple(unfolded))
    )
    ours = sum(p.numel() for p in net.fuse().parameters())
    assert ours + constants + denoising + mask_token + gains == net.variant.parameters
    assert not any(isinstance(m, torch.nn.BatchNorm2d) for m in net.modules())


@variants
@torch.inference_mode()
def test_gflops_are_the_tables(variant):
    with torch.device("meta"):  # shapes are enough to count
        net = build_model(variant).fuse()
        image = torch.empty(1, 3, *net.image_size)
    with sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:
        net(image)
    total = counter.get_total_flops()
    if isinstance(vit := net.variant.backbone, ViT):
        # the table leaves out the products of queries, keys and values inside the ViT
        tokens = 1 + vit.storage_tokens + image.shape[2] * image.shape[3] // 256
        total -= vit.depth * 4 * tokens**2 * vit.width
    assert total / 1e9 == pytest.approx(net.variant.gflops, rel=0.01)
