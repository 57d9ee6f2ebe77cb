"""Every rewrite of the mobile form gives the numbers of what it replaces, and so does the whole.

Unless a test says otherwise its tolerance is float32 rounding: products and sums in another order.
"""

import copy
import dataclasses
import math

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from deimv2.converters.graph.decoder import (
    LOGIT_LIMIT,
    MatmulEdgeMove,
    MatmulIntegral,
    NetworkQualityEstimator,
    StaticDeformableAttention,
)
from deimv2.converters.graph.form import Selection, Target, mobile_form
from deimv2.converters.graph.int8 import LOAD, STORE, int8_form
from deimv2.converters.graph.layers import (
    ConvAvgPool,
    FixedResize,
    MatmulLayerNorm,
    MatmulRMSNorm,
    RepeatUpsample,
    SplitRotaryAttention,
    SplitSelfAttention,
    StaticPosition,
    StaticVisionTransformer,
    ZerosBeside,
)
from deimv2.converters.graph.sampling import GatherSampler, MatmulSampler
from deimv2.model import VARIANTS, build_model
from deimv2.model.decoder import EdgeMove, Integral, QualityEstimator, inverse_sigmoid
from deimv2.model.deformable import DeformableAttention, GridSampler
from deimv2.model.dinov3 import Attention, RotaryAngles, TransformerBlock, VisionTransformer
from deimv2.model.encoder import SinePosition
from deimv2.model.hgnetv2 import Stem
from deimv2.model.layers import Affine, RMSNorm, SelfAttention, flatten_maps, fuse
from deimv2.model.postprocess import postprocess
from deimv2.tests.converters.artifacts import fake_quantizer

SIZES, POINTS, HEADS = [(4, 6), (2, 3)], (3, 2), 2
samplers = pytest.mark.parametrize("gather", [False, True], ids=["tents", "gather"])


@pytest.fixture(autouse=True)
def same_numbers_every_time():
    torch.manual_seed(0)
    with torch.no_grad():
        yield


def randomised(module: nn.Module) -> nn.Module:
    """Every parameter random, so that none is left out unnoticed because it is zero or one."""
    for parameter in module.parameters():
        nn.init.normal_(parameter, std=1 / math.sqrt(parameter.shape[-1]))
    return module.eval()


def assert_close(found: Tensor, wanted: Tensor, tolerance: float = 1e-5) -> None:
    torch.testing.assert_close(found, wanted, atol=tolerance, rtol=tolerance)


# -- layers


@pytest.mark.parametrize("scale", [1e-4, 1.0, 1e3])
def test_rms_norm_by_products(scale) -> None:
    norm = randomised(RMSNorm(64))
    x = scale * torch.randn(1, 7, 64)
    assert_close(MatmulRMSNorm(norm)(x), norm(x))


@pytest.mark.parametrize("eps", [1e-6, 1e-5])
@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e3])
def test_layer_norm_by_products(scale, eps) -> None:
    norm = randomised(nn.LayerNorm(192, eps))
    x = scale * (torch.randn(1, 7, 192) + 2)
    # subtracting the mean loses a digit
    assert_close(MatmulLayerNorm(norm)(x), norm(x), 1e-4)


def test_self_attention_with_separate_projections() -> None:
    attention = randomised(SelfAttention(64, 8))
    x, position = torch.randn(1, 9, 64), torch.randn(1, 9, 64)
    assert_close(SplitSelfAttention(attention)(x, position), attention(x, position))


@pytest.mark.parametrize("still", [1, 5])
@pytest.mark.parametrize("masked", [False, True])
def test_rotary_attention_with_separate_projections(masked, still) -> None:
    attention = randomised(Attention(128, 2, masked_key_bias=masked))
    fuse(attention)
    cos, sin = RotaryAngles(64, 100.0)(3, 4)
    x = torch.randn(1, still + 12, 128)
    assert_close(SplitRotaryAttention(attention, cos, sin, still)(x), attention(x, cos, sin))


@pytest.mark.parametrize("variant", ["s", "l", "x"])
def test_layer_scales_folded_into_projections(variant) -> None:
    block = randomised(TransformerBlock(VARIANTS[variant].backbone))
    cos, sin = RotaryAngles(64, 100.0)(2, 3)
    x = torch.randn(1, 7, VARIANTS[variant].backbone.width)
    wanted = block(x, cos, sin)
    block.fuse()
    y = x + block.attn(block.norm1(x), cos, sin)
    assert_close(y + block.mlp(block.norm2(y)), wanted, 1e-4)


@pytest.mark.parametrize("variant", ["s", "l", "x"])
def test_the_static_vit(variant) -> None:
    config = dataclasses.replace(VARIANTS[variant].backbone, depth=3, taps=(0, 1, 2))
    vit = randomised(VisionTransformer(config))
    fuse(vit)
    image = torch.randn(1, 3, 64, 96)
    wanted = vit(image)
    found = StaticVisionTransformer(copy.deepcopy(vit), 64, 96)(image)
    assert len(found) == 3
    for one, other in zip(found, wanted, strict=True):
        # three blocks amplify rounding
        assert_close(one, other, 1e-4)


def test_the_position_embedding_as_a_constant() -> None:
    position = SinePosition(32)
    device = torch.device("cpu")
    assert torch.equal(StaticPosition(position, 3, 5)(3, 5, device), position(3, 5, device))


@pytest.mark.parametrize("size", [(6, 8), (5, 7)])
def test_average_pooling_as_a_convolution(size) -> None:
    x = torch.randn(1, 4, *size)
    assert_close(ConvAvgPool(4)(x), F.avg_pool2d(x, 3, 2, 1))


def test_the_stems_padding_by_concatenation() -> None:
    stem = randomised(Stem(8))
    x = torch.randn(1, 3, 12, 16)
    wanted = stem(x)
    stem.pad = ZerosBeside(stem, (6, 8))
    assert torch.equal(stem(x), wanted)


def test_zeros_beside_int8_values_are_int8_of_the_same_step() -> None:
    stem = Stem(8)
    form = nn.Sequential(fake_quantizer("given"), ZerosBeside(stem, (6, 8)))
    x = torch.randn(1, 8, 6, 8)
    wanted = form(x)
    graph = int8_form(form, x, folded=True, half=False)
    assert torch.equal(graph(x), wanted)
    joins = [node for node in graph.graph.nodes if node.target == torch.ops.aten.cat.default]
    assert len(joins) == 2
    steps = {given.args[1:] for node in joins for given in node.args[0] if given.target == LOAD}
    assert len(steps) == 1
    for node in joins:
        assert all(given.target == LOAD for given in node.args[0])
        assert all(user.target == STORE for user in node.users)


class Sampled(nn.Module):
    """Samples from what it is given, as int8 or as it is."""

    def __init__(self, int8: bool) -> None:
        super().__init__()
        self.sampler = MatmulSampler(SIZES, POINTS, HEADS)
        self.given = fake_quantizer("given") if int8 else nn.Identity()

    def forward(self, memory: Tensor) -> Tensor:
        values = self.sampler.prepare(self.given(memory).half(), SIZES)
        points = torch.ones(HEADS * 2, sum(POINTS))
        return self.sampler(values, points, points, points / sum(POINTS))


@pytest.mark.parametrize("int8", [False, True])
def test_attentions_weights_round_where_they_meet_int8(int8: bool) -> None:
    memory = torch.randn(1, sum(h * w for h, w in SIZES), 4 * HEADS)
    exact = Sampled(int8)(memory)
    graph = int8_form(Sampled(int8), memory, folded=True, half=True)
    stored = [n for n in graph.graph.nodes if n.target == STORE and n.args[1] < 0.005]
    assert len(stored) == (len(SIZES) if int8 else 0)
    assert torch.equal(graph(memory), exact) is not int8


@pytest.mark.parametrize("ratio", [2.0, 1.0, 0.5])
def test_a_resize_by_a_fixed_ratio(ratio) -> None:
    x = torch.randn(1, 4, 6, 10)
    size = (int(6 * ratio), int(10 * ratio))
    assert_close(FixedResize(ratio)(x), F.interpolate(x, size=size, mode="bilinear"))


def test_a_resize_by_another_ratio_is_refused() -> None:
    with pytest.raises(ValueError, match=r"ratio 4; expected 2, 1 or 0\.5"):
        FixedResize(4)


def test_upsampling_as_a_product_is_exact() -> None:
    x = torch.randn(1, 4, 3, 5)
    wanted = F.interpolate(x, scale_factor=2.0, mode="nearest")
    assert torch.equal(RepeatUpsample()(x), wanted)


@pytest.mark.parametrize("bounds", [True, False])
@pytest.mark.parametrize("gain", [1.7, -0.8])
def test_an_affine_costs_no_product(gain: float, bounds: bool) -> None:
    """Scale and bias go into the convolution before the ReLU; a bound is left, or a sum."""
    net = build_model("atto").eval().fuse()
    blocks = [name for name, m in net.named_modules() if isinstance(m, Affine)]
    assert blocks
    name = blocks[0].rpartition(".")[0]
    for block in blocks:
        affine = net.get_submodule(block)
        affine.scale.data.fill_(gain)
        affine.bias.data.fill_(-0.3)
    before = copy.deepcopy(net.get_submodule(name))
    form = mobile_form(net, Target(gather=True, nearest=not bounds, bounds=bounds))
    assert not any(isinstance(module, Affine) for module in form.modules())
    after = form.get_submodule(name)
    x = torch.randn(1, before.conv.in_channels, 9, 7)
    assert_close(after(x), before(x))
    graph = torch.export.export(after, (x,)).module().graph
    found = [str(node.target) for node in graph.nodes if node.op == "call_function"]
    rest = ["hardtanh"] if bounds else ["relu", "add" if gain > 0 else "sub"]
    assert [each.split(".")[1] for each in found] == ["conv2d", *rest], found


# -- deformable attention


def static_sampler(gather: bool, queries: int) -> MatmulSampler | GatherSampler:
    if gather:
        return GatherSampler(SIZES, POINTS, HEADS)
    return MatmulSampler(SIZES, POINTS, HEADS)


def special_cells(size: int) -> list[float]:
    """Positions on one axis, in cells of a map: inside, on every kind of border, and far away."""
    last = size - 1
    inside = [0.0, 0.5, 1.0, last - 0.25, float(last)]
    borders = [-1.0, -0.75, -0.5, last + 0.5, last + 0.75, float(size)]
    return [*inside, *borders, -1.25, size + 0.25, -2.0, size + 2.0, -1e4, 1e4]


@samplers
def test_sampling_inside_on_borders_and_far_away(gather) -> None:
    """Every pair of special positions, in both levels at once."""
    places = [
        [((x + 0.5) / w, (y + 0.5) / h) for x in special_cells(w) for y in special_cells(h)]
        for h, w in SIZES
    ]
    queries, total = len(places[0]), sum(POINTS)
    level_of = [0] * POINTS[0] + [1] * POINTS[1]
    locations = torch.empty(1, queries, HEADS, total, 2)
    for head in range(HEADS):
        for point, level in enumerate(level_of):
            # each point and head walks through the places in another order
            order = torch.randperm(queries)
            locations[0, :, head, point] = torch.tensor(places[level])[order]
    weights = torch.rand(1, queries, HEADS, total)
    maps = [torch.randn(1, HEADS * 4, h, w) for h, w in SIZES]
    memory = flatten_maps(maps)

    eager = GridSampler(HEADS)
    wanted = eager(eager.prepare(memory, SIZES), locations, weights, POINTS)
    extent = torch.tensor([[SIZES[level][1], SIZES[level][0]] for level in level_of])
    x, y = (locations * extent - 0.5)[0].transpose(0, 1).flatten(0, 1).unbind(-1)
    static = static_sampler(gather, queries)
    found = static(static.prepare(memory, SIZES), x, y, weights[0].transpose(0, 1).flatten(0, 1))
    # the weights of neighbours are continuous, so rounding at a cell's edge does not matter
    assert_close(found, wanted, 1e-4)


@samplers
@pytest.mark.parametrize("reach", [0.1, 1.0, 30.0])
def test_deformable_attention(gather, reach) -> None:
    queries, width = 40, HEADS * 8
    attention = randomised(DeformableAttention(width, HEADS, POINTS))
    attention.sampling_offsets.weight *= reach
    query, memory = torch.randn(1, queries, width), torch.randn(1, 30, width)
    boxes = torch.rand(1, queries, 4)
    boxes[:, :5, 2:] = 0  # no extent
    boxes[:, 5:10] = 1  # as of an anchor on the border
    wanted = attention(query, boxes, attention.sampler.prepare(memory, SIZES))
    sampler = static_sampler(gather, queries)
    found = StaticDeformableAttention(attention, sampler)(
        query, boxes[0], sampler.prepare(memory, SIZES)
    )
    # a position of hundreds of cells has lost three digits
    assert_close(found, wanted, 1e-4)


def test_weight_maps_lie_between_0_and_1() -> None:
    """int8 rests on it: their step is fixed."""
    queries, width = 40, HEADS * 8
    attention = randomised(DeformableAttention(width, HEADS, POINTS))
    sampler = MatmulSampler(SIZES, POINTS, HEADS)
    seen: list[Tensor] = []
    sampler.maps.register_forward_hook(lambda _, __, out: seen.append(out))
    query, memory = torch.randn(1, queries, width), torch.randn(1, 30, width)
    boxes = torch.rand(queries, 4) * torch.tensor([1, 1, 0.05, 0.05])  # points fall together
    StaticDeformableAttention(attention, sampler)(query, boxes, sampler.prepare(memory, SIZES))
    assert len(seen) == len(SIZES)
    assert all(maps.min() == 0 and maps.max() <= 1 + 1e-6 for maps in seen)
    assert max(float(maps.max()) for maps in seen) > 0.3


# -- boxes and scores


@pytest.mark.parametrize("scale", [0.0, 1.0, 50.0])
def test_the_integral_as_a_product(scale) -> None:
    integral = Integral(33)
    edges = scale * torch.randn(1, 50, 4 * 33)
    assert_close(MatmulIntegral(integral)(edges[0]), integral(edges)[0])


def test_moving_edges_by_products() -> None:
    boxes, offsets = torch.rand(1, 50, 4), 2 * torch.randn(1, 50, 4)
    found = MatmulEdgeMove(4.0)(boxes[0], offsets[0])
    assert_close(found, EdgeMove()(boxes, offsets, torch.tensor([4.0]))[0])
    cx, cy, w, h = boxes[0].unbind(-1)
    left, top, right, bottom = offsets[0].unbind(-1)
    x1, x2 = cx - w / 2 - left * w / 4, cx + w / 2 + right * w / 4
    y1, y2 = cy - h / 2 - top * h / 4, cy + h / 2 + bottom * h / 4
    assert_close(found, torch.stack([(x1 + x2) / 2, (y1 + y2) / 2, x2 - x1, y2 - y1], -1))


def edge_logits(kind: str) -> Tensor:
    random = torch.randn(1, 200, 4 * 33)
    if kind == "ties":
        return random.round()
    if kind == "uniform":
        return torch.zeros(1, 3, 4 * 33)
    if kind == "one bin":  # each bin in turn takes everything
        return 200 * torch.eye(33).repeat(1, 4)[None]
    if kind == "four bins":  # the best four at every distance from each other, in every place
        rows = [torch.zeros(33) for _ in range(33 * 8)]
        for i, row in enumerate(rows):
            for value in range(4):
                row[(i + value * (i // 33 + 1)) % 33] += 4.0 - value
        return torch.stack(rows).repeat(1, 4)[None]
    return random * (10 if kind == "peaked" else 1)


@pytest.mark.parametrize("kind", ["random", "peaked", "ties", "uniform", "one bin", "four bins"])
def test_the_best_bins_from_a_sorting_network(kind) -> None:
    estimator = randomised(QualityEstimator(33))
    edges = edge_logits(kind)
    assert_close(NetworkQualityEstimator(estimator)(edges[0]), estimator(edges)[0])


def test_a_sorting_network_for_other_bins_is_refused() -> None:
    with pytest.raises(ValueError, match="17 bins, top 4; expected 33 and 4"):
        NetworkQualityEstimator(QualityEstimator(17))


def test_sigmoid_and_back_is_a_clamp() -> None:
    x = torch.cat([torch.linspace(-20, 20, 4001), torch.tensor([-1e4, 1e4])])
    difference = (inverse_sigmoid(x.sigmoid()) - x.clamp(-LOGIT_LIMIT, LOGIT_LIMIT)).abs()
    # near 1 the release's sigmoid has few bits left of its distance to 1; the clamp keeps them
    lost = 2.0**-23 / (1 - x.double().sigmoid()).clamp(min=1e-5)
    assert (difference <= lost + 1e-5).all()
    assert difference[-2:].max() < 2e-6


@pytest.mark.parametrize("classes", [1, 3, 80, 365])
def test_the_best_pairs_equal_the_postprocessing(classes) -> None:
    # all of them apart, and below 2: close to 1 the sigmoid of different logits is the same float32
    count = 100 * classes
    logits = (torch.randperm(count) / count * 8 - 6).view(100, classes)
    boxes = torch.rand(100, 4)
    found, scores, labels = Selection(100, classes)(logits, boxes)
    (wanted,) = postprocess(logits[None], boxes[None], 100)
    assert found.dtype == scores.dtype == torch.float32 and labels.dtype == torch.int32
    assert torch.equal(labels[0], torch.from_numpy(wanted.labels))
    assert_close(scores[0], torch.from_numpy(wanted.scores), 1e-6)
    assert_close(found[0], torch.from_numpy(wanted.boxes), 1e-6)
