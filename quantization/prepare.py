"""From a float network to one that rounds as its int8 artifacts will, in place.

Batch normalisation and affines are folded first, so that what is rounded (and trained) is what will
run. Then every layer that the recipe names gets int8 weights, and every point beside one a fake
quantizer. Points whose values meet unchanged, as in a concatenation, share one: int8 kernels move
such values without computing.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_leaves

from deimv2.model import DEIMv2
from deimv2.model.errors import InputError
from deimv2.model.layers import Affine, ConvNorm, QuantPoint, fuse
from deimv2.quantization.recipe import in_int8, outside
from deimv2.quantization.rounding import Clamp, FakeQuantize, Range, RoundedConv, RoundedLinear

# Functions whose results are values of their inputs, moved.
MOVES = {
    "cat", "pad", "max_pool2d", "_max_pool2d", "boolean_dispatch", "__getitem__", "flatten",
    "transpose", "reshape", "view", "permute", "contiguous",
}  # fmt: skip
LIMITS = {"relu", "hardtanh"}  # int8 kernels do these while they store
Chosen = Callable[[str], bool]


def prepare(net: DEIMv2, chosen: Chosen = in_int8) -> list[FakeQuantize]:
    """Fold, and put rounding into `net` (training form or fused); gives its fake quantizers.

    They have no range yet, and round nothing until they have one. chosen: whether the layer of a
    name is to compute in int8.
    """
    fold(net)
    layers = replace_layers(net, chosen)
    sharing = Sharing(net, layers)
    for group in sharing.groups():
        quantizer = FakeQuantize(group[0])
        for name in group:
            parent, _, child = name.rpartition(".")
            setattr(net.get_submodule(parent), child, quantizer)
    return fake_quantizers_of(net)


def fake_quantizers_of(net: DEIMv2) -> list[FakeQuantize]:
    """The fake quantizers of a prepared network, each once, in the network's order."""
    return [module for module in net.modules() if isinstance(module, FakeQuantize)]


def apply_ranges(
    net: DEIMv2, ranges: Mapping[str, tuple[float, float]], float_blocks: Iterable[str] = ()
) -> None:
    """Prepare `net` with known ranges, by the names that its fake quantizers will have.

    float_blocks: blocks that stay in float though the recipe has them in int8.

    Raises InputError if the names are not those of this network's fake quantizers.
    """
    quantizers = prepare(net, outside(float_blocks))
    names = [quantizer.name for quantizer in quantizers]
    if set(names) != set(ranges):
        odd = sorted(set(names) ^ set(ranges))
        raise InputError(
            f"the checkpoint has {len(ranges)} int8 ranges, expected the {len(names)} of variant "
            f"'{net.variant.name}' (first difference: {odd[0]}); quantize it again"
        )
    set_ranges(net, ranges)


def freeze_float(net: nn.Module) -> None:
    """Freezes all parameters of a prepared network but those of its int8 layers."""
    net.requires_grad_(False)
    for layer in net.modules():
        if isinstance(layer, RoundedConv | RoundedLinear):
            layer.requires_grad_(True)


def set_ranges(net: DEIMv2, ranges: Mapping[str, tuple[float, float]]) -> None:
    """Let a prepared network round to these ranges, by the names of its fake quantizers."""
    for quantizer in fake_quantizers_of(net):
        quantizer.range = Range(*ranges[quantizer.name])
    for block in net.modules():
        if not isinstance(block, ConvNorm) or not isinstance(block.act, Clamp):
            continue
        if isinstance(block.out, FakeQuantize) and block.out.range is not None:
            block.act.snap(block.out.range.scale)


def fold(net: DEIMv2) -> None:
    """Put what only training keeps apart (normalisation, affines) into the layers, in place."""
    for part in (net.backbone, net.encoder):
        fuse(part)
    for module in net.modules():
        if isinstance(module, ConvNorm):
            fold_affine(module)


@torch.no_grad()
def fold_affine(block: ConvNorm) -> None:
    """Put the affine behind a ReLU into the convolution; what is left is a bound."""
    if not isinstance(block.affine, Affine):
        return
    gain, shift = block.affine.scale.item(), block.affine.bias.item()
    assert isinstance(block.act, nn.ReLU) and block.conv.bias is not None
    block.conv.weight *= gain
    block.conv.bias.mul_(gain).add_(shift)
    block.act, block.affine = Clamp(shift, below=gain >= 0), nn.Identity()


def replace_layers(net: nn.Module, chosen: Chosen = in_int8) -> dict[str, nn.Module]:
    """Every chosen layer, replaced by one that rounds its weight.

    Average pooling stays: in the mobile form it is a convolution whose weight needs no rounding.
    """
    layers: dict[str, nn.Module] = {}
    for name, module in list(net.named_modules()):
        if isinstance(module, nn.Conv2d | nn.Linear) and chosen(name):
            layers[name] = (
                RoundedConv(module) if isinstance(module, nn.Conv2d) else RoundedLinear(module)
            )
            parent, _, child = name.rpartition(".")
            setattr(net.get_submodule(parent), child, layers[name])
        elif isinstance(module, nn.AvgPool2d) and chosen(name):
            layers[name] = module
    return layers


class Sharing(TorchFunctionMode):
    """Runs a network once and follows the values of its points.

    inputs, outputs: of every int8 layer, the points before and behind it, call by call.
    """

    def __init__(self, net: DEIMv2, layers: dict[str, nn.Module]) -> None:
        super().__init__()
        self.net, self.layers = net, layers
        self.points = [name for name, m in net.named_modules() if isinstance(m, QuantPoint)]
        self.leader = {name: name for name in self.points}
        self.needed: set[str] = set()
        self.origin: dict[int, str] = {}  # of a tensor, the point whose values it holds
        self.fresh: dict[int, str] = {}  # of a tensor, the int8 layer that has just made it
        self.inputs: dict[str, list[str]] = {name: [] for name in layers}
        self.outputs: dict[str, list[str]] = {name: [] for name in layers}
        self.kept: list[Tensor] = []  # so that no id is used twice
        self._run()

    def groups(self) -> Iterable[list[str]]:
        """Names of the points that one fake quantizer serves, of those that int8 layers touch.

        In the order of the network; the fake quantizer has the name of the first.
        """
        found: dict[str, list[str]] = {}
        for name in self.points:
            found.setdefault(self._find(name), []).append(name)
        return [group for group in found.values() if self.needed & set(group)]

    @torch.no_grad()
    def _run(self) -> None:
        height, width = self.net.image_size
        weight = next(self.net.parameters())
        frame = torch.zeros(1, 3, height, width, device=weight.device)
        training = self.net.training
        with self._hooks(), self:
            self.net.eval()(frame)
        self.net.train(training)
        self.kept.clear()

    @contextmanager
    def _hooks(self) -> Iterator[None]:
        handles = []
        for name in self.points:
            hook = self._passed(name)
            handles.append(self.net.get_submodule(name).register_forward_hook(hook))
        for name, layer in self.layers.items():
            handles.append(layer.register_forward_pre_hook(self._entered(name)))
            handles.append(layer.register_forward_hook(self._made(name)))
        try:
            yield
        finally:
            for handle in handles:
                handle.remove()

    def _passed(self, name: str) -> Any:
        def hook(_: nn.Module, __: Any, x: Tensor) -> None:
            before = self.origin.get(id(x))
            if before is not None:
                self._join(before, name)
            if id(x) in self.fresh:
                self.outputs[self.fresh.pop(id(x))].append(name)
                self.needed.add(name)
            self._set_origin(x, name)

        return hook

    def _entered(self, layer: str) -> Any:
        def hook(_: nn.Module, inputs: tuple[Tensor, ...]) -> None:
            point = self.origin.get(id(inputs[0]))
            if point is None:
                raise RuntimeError(f"no point before {layer}, which is to compute in int8")
            self.inputs[layer].append(point)
            self.needed.add(point)

        return hook

    def _made(self, layer: str) -> Any:
        return lambda _, __, x: self._set_fresh(x, layer)

    def _set_origin(self, x: Tensor, point: str) -> None:
        self.origin[id(x)] = point
        self.kept.append(x)

    def _set_fresh(self, x: Tensor, layer: str) -> None:
        self.fresh[id(x)] = layer
        self.kept.append(x)

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        result = func(*args, **(kwargs or {}))
        name = getattr(func, "__name__", "")
        tensors = [x for x in tree_leaves(args) if isinstance(x, Tensor)]
        if not isinstance(result, Tensor) or not tensors:
            return result
        if name in LIMITS and id(tensors[0]) in self.fresh:
            self._set_fresh(result, self.fresh[id(tensors[0])])
        nearest = name == "interpolate" and (kwargs or {}).get("mode") == "nearest"
        if name in MOVES or nearest:
            origins = [self.origin[id(x)] for x in tensors if id(x) in self.origin]
            if len(origins) == len(tensors):
                for other in origins[1:]:
                    self._join(origins[0], other)
                self._set_origin(result, origins[0])
        return result

    def _find(self, name: str) -> str:
        while self.leader[name] != name:
            name = self.leader[name]
        return name

    def _join(self, a: str, b: str) -> None:
        self.leader[self._find(b)] = self._find(a)
