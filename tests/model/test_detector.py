"""The detector takes any size and class count, trains, fuses, and says what it does not take."""

import cmath
import math
import warnings

import pytest
import torch
from torch import Tensor, nn

from deimv2.model import build_model
from deimv2.model.dinov3 import RotaryAngles, rotate
from deimv2.model.encoder import SinePosition
from deimv2.model.errors import InputError
from deimv2.model.layers import SelfAttention
from deimv2.tests.model.golden import matched_errors
from deimv2.tests.nets import random_net

# What must be equal is compared in float64, but for the norms, which compute in float32: in float32
# sums in another order decide which of two nearly equal queries is chosen.
kinds = pytest.mark.parametrize("variant", ["atto", "n", "s"])  # one of each backbone and encoder


def random_images(batch: int, height: int, width: int) -> Tensor:
    return torch.rand(batch, 3, height, width, generator=torch.Generator().manual_seed(4))


@kinds
@torch.inference_mode()
def test_a_batch_gives_what_single_images_give(variant) -> None:
    net, images = random_net(variant).double(), random_images(3, 256, 256).double()
    batched = net(images)
    for i in range(3):
        alone = net(images[i : i + 1])
        partners, logit_error, box_error = matched_errors(
            batched.logits[i], batched.boxes[i], alone.logits[0], alone.boxes[0]
        )
        assert partners == len(batched.logits[i])
        assert logit_error < 1e-5 and box_error < 1e-6


@pytest.mark.parametrize(("classes", "size"), [(1, (320, 320)), (3, (384, 256)), (365, (256, 416))])
@kinds
@torch.inference_mode()
def test_any_size_and_class_count_works_fused_and_not(variant, classes, size) -> None:
    net, image = random_net(variant, classes).double(), random_images(1, *size).double()
    eager, fused = net(image), net.fuse()(image)
    queries = net.variant.decoder.queries
    assert eager.logits.shape == (1, queries, classes)
    assert eager.boxes.shape == (1, queries, 4)
    # Both ways: on small images some queries are the same border token, so partners may repeat.
    for one, other in ((eager, fused), (fused, eager)):
        _, logit_error, box_error = matched_errors(
            one.logits[0], one.boxes[0], other.logits[0], other.boxes[0]
        )
        assert logit_error < 1e-5 and box_error < 1e-6


@pytest.mark.parametrize(
    ("variant", "classes", "size"),
    [("atto", 80, 320), ("atto", 1, 224), ("n", 3, 416), ("n", 365, 320), ("s", 365, 256)],
)
@torch.inference_mode()
def test_another_implementation_gives_the_same(variant, classes, size) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the library's own, on import
        from deimv2.tests.model.independent import independent_net

    net, images = random_net(variant, classes), random_images(2, size, size).double()
    other = independent_net(net).double()
    ours, theirs = net.double()(images), other(images)
    for i in range(2):
        partners, logit_error, box_error = matched_errors(
            ours.logits[i], ours.boxes[i], theirs.logits[i], theirs.pred_boxes[i]
        )
        assert partners == len(ours.logits[i])
        # measured: 1.2e-6 and 2.3e-7, from the norms and positions, which are float32
        assert logit_error < 1e-5 and box_error < 1e-6


def test_positions_run_column_by_column() -> None:
    height, width, temperature = 3, 5, 10000.0
    table = SinePosition(16)(height, width, torch.device("cpu"))[0]
    omega = [1 / temperature ** (i / 4) for i in range(4)]
    for column in range(width):
        for row in range(height):
            expected = [
                wave(place * w)
                for place in (column, row)
                for wave in (math.sin, math.cos)
                for w in omega
            ]
            # float32 against float64
            assert table[column * height + row].tolist() == pytest.approx(expected, abs=1e-6)


def test_rotary_angles_turn_planes_with_y_and_x() -> None:
    height, width, planes = 2, 3, 4  # per axis
    cos, sin = RotaryAngles(4 * planes, 100.0)(height, width)
    x = torch.randn(height * width, 4 * planes, generator=torch.Generator().manual_seed(1))
    turned = rotate(x, cos, sin)
    for patch in range(height * width):
        y_place = (patch // width + 0.5) / height * 2 - 1
        x_place = (patch % width + 0.5) / width * 2 - 1
        for plane in range(2 * planes):
            place = y_place if plane < planes else x_place
            angle = 2 * math.pi * place / 100.0 ** (plane % planes / planes)
            point = complex(x[patch, plane], x[patch, plane + 2 * planes]) * cmath.exp(1j * angle)
            assert turned[patch, plane].item() == pytest.approx(point.real, abs=1e-5)
            assert turned[patch, plane + 2 * planes].item() == pytest.approx(point.imag, abs=1e-5)


def test_a_mask_hides_tokens_from_attention() -> None:
    torch.manual_seed(0)
    attention, x, position = SelfAttention(16, 2), torch.randn(1, 6, 16), torch.randn(1, 6, 16)
    mask = torch.zeros(6, 6, dtype=torch.bool)
    mask[:4, 4:] = True  # the first four do not see the last two
    seen = attention(x, position, mask)
    torch.testing.assert_close(seen[:, :4], attention(x[:, :4], position[:, :4]))
    assert not torch.allclose(seen[:, :4], attention(x, position)[:, :4])


@kinds
def test_every_layer_answers_in_training_mode(variant) -> None:
    net = random_net(variant, classes=3).train()
    c, out = net.variant.decoder, net(random_images(2, 256, 256))
    assert len(out.layers) == c.layers
    for prediction in (*out.layers, out.first, out.encoder):
        assert prediction.logits.shape == (2, c.queries, 3)
        assert prediction.boxes.shape == (2, c.queries, 4)
    for prediction in out.layers:
        assert prediction.edges.shape == (2, c.queries, 4 * c.bins)
        assert torch.equal(prediction.reference, out.first.boxes)
    assert out.logits is out.layers[-1].logits
    assert out.boxes is out.layers[-1].boxes


@kinds
def test_gradients_reach_every_part(variant) -> None:
    net = random_net(variant, classes=3).train()
    out = net(random_images(2, 256, 256))
    predictions = (*out.layers, out.first, out.encoder)
    sum(p.logits.square().mean() + p.boxes.square().mean() for p in predictions).backward()
    gradients = {name: parameter.grad for name, parameter in net.named_parameters()}
    # for denoising queries alone
    assert gradients.pop("decoder.denoising_class_embed.weight") is None
    assert all(gradient is not None for gradient in gradients.values())
    # biases in front of a batch normalisation have none but rounding
    assert all(gradient.any() for gradient in gradients.values() if gradient.ndim > 1)


def test_no_gradient_goes_from_the_decoder_into_the_chosen_queries() -> None:
    net = random_net("atto", classes=3).train()
    net(random_images(2, 256, 256)).logits.sum().backward()
    assert net.decoder.enc_score_head.weight.grad is None
    assert net.decoder.enc_bbox_head.layers[0].weight.grad is None
    assert net.backbone.stem.stem1.conv.weight.grad.any()


@kinds
@torch.inference_mode()
def test_the_last_layer_in_training_is_the_answer_in_evaluation(variant) -> None:
    net, images = random_net(variant), random_images(2, 256, 256)
    evaluated = net(images)
    assert evaluated.layers == () and evaluated.first is None and evaluated.encoder is None
    net.train()
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.eval()
    trained = net(images)
    # the same operations on the same numbers
    torch.testing.assert_close(trained.logits, evaluated.logits, atol=1e-5, rtol=0)
    torch.testing.assert_close(trained.boxes, evaluated.boxes, atol=1e-6, rtol=0)


@kinds
@torch.inference_mode()
def test_fusing_twice_is_fusing_once(variant) -> None:
    net, image = random_net(variant).train(), random_images(1, 256, 256)
    assert net.fuse() is net
    assert not any(module.training for module in net.modules())
    before, once = {k: v.clone() for k, v in net.state_dict().items()}, net(image)
    net.fuse()
    after, twice = net.state_dict(), net(image)
    assert before.keys() == after.keys()
    assert all(torch.equal(before[key], after[key]) for key in before)
    torch.testing.assert_close(once.logits, twice.logits, atol=1e-6, rtol=0)


def test_the_fused_form_cannot_be_trained() -> None:
    net = build_model("atto").fuse().train()
    with pytest.raises(InputError, match="the model is fused, expected its training form"):
        net(random_images(2, 256, 256))


def test_fusing_keeps_the_keys_bias_switched_off() -> None:
    net = build_model("l", num_classes=1, image_size=160)
    qkv = net.backbone.vit.blocks[0].attn.qkv
    nn.init.ones_(qkv.bias)
    x = torch.randn(1, 4, 384, generator=torch.Generator().manual_seed(2))
    before = qkv(x)
    net.fuse()
    assert torch.equal(qkv.bias[384:768], torch.zeros(384))
    torch.testing.assert_close(qkv(x), before, atol=0, rtol=0)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"variant": "nano"}, "unknown variant 'nano', expected one of atto, femto, pico, n, s"),
        ({"variant": "Atto"}, "unknown variant 'Atto'"),
        ({"num_classes": 0}, "num_classes is 0; expected at least 1"),
        ({"num_classes": -3}, "num_classes is -3; expected at least 1"),
        ({"image_size": 100}, "image size 100x100 does not fit; height and width must be mult"),
        ({"image_size": (320, 300)}, "image size 320x300 does not fit; .* 32, such as 320x288"),
        ({"image_size": 150}, "image size 150x150 does not fit; .* such as 160x160"),
        ({"image_size": (0, 320)}, r"image_size is \(0, 320\), expected a side or"),
        ({"image_size": -320}, "image_size is -320, expected a side or"),
        (
            {"image_size": 128},
            "128x128 is too small for variant 'atto': it gives 80 tokens for 100",
        ),
        ({"variant": "s", "image_size": 96}, "'s': it gives 189 tokens for 300 queries"),
    ],
)
def test_a_model_that_cannot_be_is_refused(arguments, message) -> None:
    with pytest.raises(InputError, match=message) as error:
        build_model(**{"variant": "atto", **arguments})
    assert "\n" not in str(error.value)


def test_the_smallest_image_that_fits_works() -> None:
    net = build_model("atto", image_size=160).eval()
    assert net(random_images(1, 160, 160)).boxes.shape == (1, 100, 4)


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ((3, 320, 320), r"images have shape \[3, 320, 320\]; expected \[B, 3, H, W\]"),
        ((1, 320, 320, 3), r"images have shape \[1, 320, 320, 3\]"),
        ((1, 3, 320, 330), "image size 320x330 does not fit"),
        ((1, 3, 64, 64), "image size 64x64 is too small for variant 'atto'"),
    ],
)
def test_images_of_another_shape_are_refused(shape, message) -> None:
    with pytest.raises(InputError, match=message):
        build_model("atto")(torch.zeros(shape))
