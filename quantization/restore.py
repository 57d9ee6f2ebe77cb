"""From a prepared network back to the layout that every checkpoint has.

What was folded stays folded: batch normalisations are left that change nothing but for their bias,
affines with a gain of 1 or -1, gains of 1, and branches of zeros. Folding them again gives the same
weights to the bit, and loaders that know nothing of quantization, the release's too, get the
trained network.
"""

import torch
from torch import nn

from deimv2.model import DEIMv2, build_model
from deimv2.model.dinov3 import KeyMaskedLinear, LayerScale
from deimv2.model.layers import Affine, ConvNorm, RepVGG
from deimv2.quantization.rounding import Clamp


@torch.no_grad()
def restore(prepared: DEIMv2) -> DEIMv2:
    """A new network in training form that computes what `prepared` does without rounding."""
    net = build_model(prepared.variant.name, prepared.num_classes, prepared.image_size)
    theirs = dict(prepared.named_modules())
    state = prepared.state_dict()
    plain = {
        key: state[key]
        for key, value in net.state_dict().items()
        if key in state and state[key].shape == value.shape
    }
    net.load_state_dict(plain, strict=False)
    for name, block in net.named_modules():
        if isinstance(block, ConvNorm) and name in theirs:
            _unfold(block, theirs[name])
        if isinstance(block, RepVGG) and block.conv2 is not None:
            _silence(block.conv2)
        if isinstance(block, LayerScale):
            block.gamma.fill_(1)
        if isinstance(block, KeyMaskedLinear):
            block.bias_mask.fill_(1)
    return net.eval()


def _unfold(block: ConvNorm, prepared: nn.Module) -> None:
    """The weight is there already; the bias goes into the normalisation, a bound to the affine."""
    assert isinstance(prepared, ConvNorm)
    if isinstance(prepared.norm, nn.BatchNorm2d):
        return  # a part that is not prepared
    norm = _neutral(block)
    assert prepared.conv.bias is not None
    norm.bias.copy_(prepared.conv.bias)
    if isinstance(block.affine, Affine):
        bound = prepared.act
        assert isinstance(bound, Clamp)
        sign = 1 if bound.below else -1
        block.affine.scale.fill_(sign)
        block.affine.bias.fill_(bound.value)
        block.conv.weight.mul_(sign)
        norm.bias.sub_(bound.value).mul_(sign)


def _neutral(block: ConvNorm) -> nn.BatchNorm2d:
    norm = block.norm
    assert isinstance(norm, nn.BatchNorm2d)
    assert norm.running_mean is not None and norm.running_var is not None
    norm.weight.fill_(1)
    norm.bias.zero_()
    norm.running_mean.zero_()
    norm.running_var.fill_(1 - norm.eps)
    return norm


def _silence(block: ConvNorm) -> None:
    block.conv.weight.zero_()
    _neutral(block)
