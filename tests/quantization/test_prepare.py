"""A prepared network: the same numbers while nothing is rounded, and rounding in its places."""

import copy

import pytest
import torch
from torch import nn

from deimv2.quantization.prepare import prepare
from deimv2.quantization.recipe import in_int8
from deimv2.quantization.rounding import Clamp, FakeQuantize, Range, RoundedConv, RoundedLinear
from deimv2.tests.quantization.nets import assert_alike, maps_of, random_net

# Of both kinds of backbone, encoder and ViT.
VARIANTS = ["atto", "pico", "n", "s", pytest.param("x", marks=pytest.mark.long)]


def switch(module: nn.Module, on: bool) -> None:
    for layer in module.modules():
        if isinstance(layer, RoundedConv | RoundedLinear | FakeQuantize):
            layer.on = on


@pytest.mark.parametrize("variant", VARIANTS)
def test_unrounded_it_gives_the_numbers_of_the_network(variant: str) -> None:
    plain = random_net(variant)
    prepared = copy.deepcopy(plain)
    prepare(prepared)
    switch(prepared, on=False)
    image = torch.rand(1, 3, 320, 320)
    assert_alike(maps_of(prepared, image), maps_of(plain, image))


@pytest.mark.parametrize("variant", VARIANTS)
def test_every_layer_of_the_recipe_is_rounded_and_no_other(variant: str) -> None:
    plain = random_net(variant)
    wanted = {
        name
        for name, m in plain.fuse().named_modules()
        if isinstance(m, nn.Conv2d | nn.Linear) and in_int8(name)
    }
    prepared = random_net(variant)
    prepare(prepared)
    found = {
        name for name, m in prepared.named_modules() if isinstance(m, RoundedConv | RoundedLinear)
    }
    assert found == wanted
    assert not any(isinstance(m, nn.Conv2d) for m in prepared.backbone.modules())


def test_concatenated_maps_share_a_fake_quantizer() -> None:
    prepared = random_net("atto")
    quantizers = {quantizer.name for quantizer in prepare(prepared)}
    stem = prepared.backbone.stem
    assert stem.stem1.out is stem.stem2b.out  # pooled and convolved, side by side
    assert stem.stem1.out is not stem.stem2a.out
    block = prepared.backbone.stages[0].blocks[0]
    assert all(layer.out is stem.stem4.out for layer in block.layers)
    fusion = prepared.encoder.fpn_block
    assert fusion.cv1.out is fusion.cv2[1].out is fusion.cv3[1].out
    assert "image" in quantizers
    assert len(quantizers) == len(
        {id(m) for m in prepared.modules() if isinstance(m, FakeQuantize)}
    )


@pytest.mark.parametrize("variant", VARIANTS)
def test_each_input_of_an_int8_layer_is_rounded(variant: str) -> None:
    """Told by values: whatever enters lies on the steps of the range."""
    prepared = random_net(variant)
    for quantizer in prepare(prepared):
        quantizer.range = Range(-2.0, 2.0)
    step = Range(-2.0, 2.0).scale
    off: list[str] = []

    def check(name: str, x: torch.Tensor) -> None:
        distance = (x / step - (x / step).round()).abs().max()
        if distance > 1e-3:
            off.append(name)

    for name, module in prepared.named_modules():
        if isinstance(module, RoundedConv | RoundedLinear):
            module.register_forward_pre_hook(lambda _, x, name=name: check(name, x[0]))
    with torch.no_grad():
        prepared(torch.rand(1, 3, 320, 320))
    assert off == []


def test_it_trains_after_being_prepared() -> None:
    prepared = random_net("atto").train()
    for quantizer in prepare(prepared):
        quantizer.range = Range(-4.0, 4.0)
    prepared.train()
    out = prepared(torch.rand(1, 3, 160, 160))
    (out.logits.square().mean() + out.boxes.square().mean()).backward()
    assert prepared.backbone.stem.stem1.conv.weight.grad.abs().max() > 0


def test_affines_of_either_sign_are_folded() -> None:
    plain = random_net("atto")
    block = plain.backbone.stem.stem1
    block.affine.scale.data.fill_(-0.8)
    block.affine.bias.data.fill_(0.3)
    x = torch.randn(1, 3, 32, 32)
    with torch.no_grad():
        expected = block(x)
        prepare(plain)
        switch(plain, on=False)
        assert isinstance(block.act, Clamp) and not block.act.below
        assert block.act.value == pytest.approx(0.3)
        assert torch.allclose(block(x), expected, atol=1e-5)
