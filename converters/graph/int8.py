"""The int8 parts in the operations that every toolchain reads as such: quantize and dequantize.

A fake quantizer becomes a pair of them. A weight is stored as int8 behind a dequantize where a
toolchain folds constants itself (ExecuTorch, Core ML); LiteRT's takes it as float behind a pair.
"""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, fx, nn
from torch.ao.quantization.fx import _decomposed  # noqa: F401  registers the operations

from deimv2.converters.graph.layers import ConvAvgPool, ShiftedReLU
from deimv2.converters.graph.sampling import MatmulSampler
from deimv2.model.layers import ConvNorm
from deimv2.quantization.rounding import (
    HIGH,
    LOW,
    WEIGHT,
    Clamp,
    FakeQuantize,
    Range,
    RoundedConv,
    RoundedLinear,
    weight_scales,
)

ops = torch.ops.quantized_decomposed
WEIGHT_MAPS = Range(0.0, 1.0)  # attention's weights, which add up to 1, times tents


class Pair(nn.Module):
    """Quantize and dequantize, per tensor."""

    def __init__(self, range_: Range) -> None:
        super().__init__()
        self.settings = range_.scale, range_.zero_point, LOW, HIGH, torch.int8

    def forward(self, x: Tensor) -> Tensor:
        if x.dtype == torch.float16:  # Core ML's converter knows these operations on float32
            return self(x.float()).half()
        return ops.dequantize_per_tensor(ops.quantize_per_tensor(x, *self.settings), *self.settings)


class Weight(nn.Module):
    """An int8 weight, per output channel."""

    value: Tensor
    scales: Tensor
    zeros: Tensor

    def __init__(self, weight: Tensor, folded: bool, half: bool) -> None:
        super().__init__()
        self.folded, self.dtype = folded, torch.float16 if half else torch.float32
        self.register_buffer("scales", weight_scales(weight).to(self.dtype))
        self.register_buffer("zeros", torch.zeros(len(weight), dtype=torch.int64))
        self.settings = 0, -WEIGHT, WEIGHT, torch.int8
        weight = weight.detach().clone()
        self.register_buffer("value", self._int8(weight) if folded else weight)

    def _int8(self, value: Tensor) -> Tensor:
        return ops.quantize_per_channel(value, self.scales.float(), self.zeros, *self.settings)

    def forward(self) -> Tensor:
        value = self.value if self.folded else self._int8(self.value)
        wide = {} if self.dtype == torch.float32 else {"out_dtype": self.dtype}
        return ops.dequantize_per_channel(value, self.scales, self.zeros, *self.settings, **wide)


class Int8Conv(nn.Module):
    def __init__(self, layer: RoundedConv, folded: bool, half: bool) -> None:
        super().__init__()
        self.weight, self.bias = Weight(layer.weight, folded, half), layer.bias
        self.settings = layer.settings
        if half and self.bias is not None:
            self.bias.data = self.bias.data.half()

    def forward(self, x: Tensor) -> Tensor:
        return F.conv2d(x, self.weight(), self.bias, **self.settings)


class Int8Linear(nn.Module):
    def __init__(self, layer: RoundedLinear, folded: bool, half: bool) -> None:
        super().__init__()
        self.weight, self.bias = Weight(layer.weight, folded, half), layer.bias
        if half:
            self.bias.data = self.bias.data.half()

    def forward(self, x: Tensor) -> Tensor:
        return F.linear(x, self.weight(), self.bias)


class Extreme(nn.Module):
    """A bound by a constant tensor: in half precision Core ML's converter takes no other."""

    value: Tensor

    def __init__(self, bound: Clamp) -> None:
        super().__init__()
        self.below = bound.below
        self.register_buffer("value", torch.tensor([bound.value]))

    def forward(self, x: Tensor) -> Tensor:
        value = self.value.to(x.dtype)
        return torch.maximum(x, value) if self.below else torch.minimum(x, value)


class Int8ShiftedReLU(ShiftedReLU):
    """With an int8 sum; the bound is a multiple of the step, so rounding twice changes nothing."""

    def __init__(self, block: ConvNorm) -> None:
        super().__init__(block)
        rounding = block.out
        assert isinstance(rounding, FakeQuantize) and rounding.range is not None
        reach = rounding.range.scale * (HIGH - LOW)
        self.pair = Pair(Range(0.0, reach))
        # Of the same step, or XNNPACK leaves the sum to LiteRT's own, slow kernel.
        self.constant = Pair(Range(0.0, reach) if self.value > 0 else Range(-reach, 0.0))

    def forward(self, x: Tensor) -> Tensor:
        return self.shifted(self.pair(F.relu(x)), self.constant(self.value))


def saturates(block: ConvNorm) -> bool:
    """Whether the range ends at the block's bound, so that storing as int8 limits by itself."""
    bound, rounding = block.act, block.out
    assert (
        isinstance(bound, Clamp)
        and isinstance(rounding, FakeQuantize)
        and rounding.range is not None
    )
    code = round(bound.value / rounding.range.scale) + rounding.range.zero_point
    return code <= LOW if bound.below else code >= HIGH


def int8_form(form: nn.Module, frame: Tensor, folded: bool, half: bool) -> nn.Module:
    """A mobile form that rounds, as a graph whose int8 parts every toolchain knows.

    folded: int8 weights are stored as such, and bounds are fused into convolutions; LiteRT wants
    neither. half: what is not int8 is in half precision. The graph is exported once more by the
    toolchain.
    """
    for block in form.modules():
        if isinstance(block, ConvNorm) and isinstance(block.act, Clamp):
            if saturates(block):
                block.act = nn.Identity()
            elif block.act.value == 0 and block.act.below:
                block.act = nn.ReLU()
            elif half:
                block.act = Extreme(block.act)
            elif not folded:
                block.act = Int8ShiftedReLU(block)
    to_int8(form, folded, half, {})
    module = torch.export.export(form, (frame,)).module()
    assert isinstance(module, fx.GraphModule)
    spread(module.graph)
    if half:
        unround_weight_maps(module.graph)
    separate(module.graph)
    module.recompile()
    return module


def to_int8(module: nn.Module, folded: bool, half: bool, pairs: dict[int, nn.Module]) -> None:
    """Replace all that rounds below `module`, in place. pairs: those made so far."""
    for name, child in module.named_children():
        if isinstance(child, FakeQuantize):
            assert child.range is not None
            setattr(module, name, pairs.setdefault(id(child), Pair(child.range)))
        elif isinstance(child, RoundedConv):
            setattr(module, name, Int8Conv(child, folded, half))
        elif isinstance(child, RoundedLinear):
            setattr(module, name, Int8Linear(child, folded, half))
        elif isinstance(child, ConvAvgPool):
            if not isinstance(module.pooled, FakeQuantize):
                continue  # its block stays in float
            assert isinstance(child.conv, nn.Conv2d)
            child.conv.weight.data = torch.full(child.conv.weight.shape, 1 / 9)  # not of a half
            child.conv = Int8Conv(RoundedConv(child.conv), folded, half)
        elif isinstance(child, MatmulSampler) and half:
            child.maps = Pair(WEIGHT_MAPS)  # Core ML alone has products of two int8 maps
        else:
            to_int8(child, folded, half, pairs)


ATEN = torch.ops.aten
MOVES = {
    ATEN.cat.default, ATEN.slice.Tensor, ATEN.max_pool2d.default, ATEN.constant_pad_nd.default,
    ATEN.pad.default, ATEN.upsample_nearest2d.vec, ATEN.permute.default, ATEN.transpose.int,
    ATEN.view.default, ATEN.reshape.default, ATEN.flatten.using_ints,
}  # fmt: skip
CAST = ATEN.to.dtype
STORE, LOAD = ops.quantize_per_tensor.default, ops.dequantize_per_tensor.default


def spread(graph: fx.Graph) -> None:
    """Store as int8 what operations that only move values make of int8 ones of one range.

    Toolchains look for int8 kernels one operation at a time, between a dequantize and a quantize.
    """
    for node in list(graph.nodes):
        sources = [before_cast(n) for n in node.all_input_nodes]
        given = [n for n in sources if n.target == LOAD]
        zeros = [n for n in sources if n.target != LOAD]
        if node.target not in MOVES or not given or not all(map(is_zero, zeros)):
            continue
        if len({n.args[1:] for n in given}) > 1 or all(n.target == STORE for n in used_by(node)):
            continue
        half = node.meta["val"].dtype == torch.float16
        for zero in zeros:
            with graph.inserting_before(node):
                stored = graph.call_function(STORE, (zero, *given[0].args[1:]))
                loaded = graph.call_function(LOAD, (stored, *given[0].args[1:]))
            node.replace_input_with(zero, loaded)
        made = [node]

        def then(target: Any, *arguments: Any, made: list[fx.Node] = made) -> None:
            with graph.inserting_after(made[-1]):
                made.append(graph.call_function(target, (made[-1], *arguments)))

        if half:
            then(CAST, torch.float32)
        then(STORE, *given[0].args[1:])
        then(LOAD, *given[0].args[1:])
        if half:
            then(CAST, torch.float16)
        first, last = made[1], made[-1]
        node.replace_all_uses_with(last, delete_user_cb=lambda user, f=first: user is not f)


def is_zero(node: fx.Node) -> bool:
    """A constant that every range holds exactly."""
    module = node.graph.owning_module
    assert module is not None
    return node.op == "get_attr" and not module.get_buffer(str(node.target)).any()


def before_cast(node: fx.Node) -> fx.Node:
    """What made a node's value before it was cast, if it was."""
    return before_cast(node.all_input_nodes[0]) if node.target == CAST else node


def used_by(node: fx.Node) -> list[fx.Node]:
    """A node's users; a cast is replaced by its own users."""
    return [u for n in node.users for u in (n.users if n.target == CAST else [n])]


def unround_weight_maps(graph: fx.Graph) -> None:
    """Leave attention's weights exact where the values are in float: no int8 product follows."""
    settings = Pair(WEIGHT_MAPS).settings
    for node in [n for n in graph.nodes if n.target == ATEN.bmm.default]:
        maps, values = map(before_cast, node.all_input_nodes)
        if maps.target == LOAD and maps.args[1:] == settings and values.target != LOAD:
            stored = maps.all_input_nodes[0]
            exact = before_cast(stored.all_input_nodes[0])
            node.replace_input_with(node.all_input_nodes[0], exact)
    # The assertions on types, which nothing uses, would keep the pairs: they go, too.
    graph.eliminate_dead_code(lambda node: node.op != "call_function")


def separate(graph: fx.Graph) -> None:
    """Give every user of a dequantized value a dequantize of its own, as partitioners expect."""
    for node in [n for n in graph.nodes if n.target == LOAD]:
        for user in list(node.users)[1:]:
            with graph.inserting_before(user):
                user.replace_input_with(node, graph.call_function(LOAD, node.args))
