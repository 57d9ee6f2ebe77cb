"""Back from a prepared network to the common layout, and prepared again: the same numbers."""

import copy
from pathlib import Path

import pytest
import torch

from deimv2.model import DEIMv2, build_model
from deimv2.model.layers import Affine
from deimv2.model.weights import load_weights, read_metadata, save_weights
from deimv2.quantization.prepare import apply_ranges, prepare
from deimv2.quantization.restore import restore
from deimv2.quantization.rounding import FakeQuantize, Range, RoundedConv, RoundedLinear
from deimv2.tests.quantization.nets import assert_alike, maps_of, random_net


def net(variant: str) -> DEIMv2:
    """With affines of either sign."""
    built = random_net(variant)
    for index, module in enumerate(built.modules()):
        if isinstance(module, Affine):
            module.scale.data.fill_(-0.9 if index % 3 else 1.2)
            module.bias.data.fill_(0.1 if index % 2 else -0.1)
    return built


@pytest.mark.parametrize("variant", ["atto", "n", pytest.param("l", marks=pytest.mark.long)])
def test_the_restored_network_computes_the_same_without_rounding(variant: str) -> None:
    plain = net(variant)
    prepared = copy.deepcopy(plain)
    prepare(prepared)
    back = restore(prepared)
    image = torch.rand(1, 3, 320, 320)
    assert_alike(maps_of(back, image), maps_of(plain, image))


def test_prepared_again_it_rounds_alike_to_the_bit(tmp_path: Path) -> None:
    first = net("atto")
    quantizers = prepare(first)
    for quantizer in quantizers:
        quantizer.range = Range(-3.0, 3.0)
    ranges = {quantizer.name: (-3.0, 3.0) for quantizer in quantizers}
    path = tmp_path / "q.safetensors"
    save_weights(restore(first), path, list("abcde"), ranges=ranges)
    second = build_model("atto", 5, 320).eval()
    load_weights(second, path)
    stored = read_metadata(path).ranges
    assert stored == ranges
    apply_ranges(second, stored)
    weights = dict(second.named_parameters())
    for name, value in first.named_parameters():
        if name.endswith("conv.weight"):
            assert torch.equal(value, weights[name]), name
    image = torch.rand(1, 3, 320, 320)
    with torch.no_grad():
        a, b = first(image), second(image)
    assert (a.logits - b.logits).abs().max() < 1e-4
    kinds = (RoundedConv, RoundedLinear, FakeQuantize)
    assert sum(isinstance(m, kinds) for m in second.modules()) > 100
