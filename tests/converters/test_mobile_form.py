"""The whole mobile form gives the numbers of the model, and its graph is static and plain."""

import numpy as np
import pytest
import torch
from torch import Tensor

from deimv2.converters.graph import Target, mobile_form
from deimv2.converters.graph.form import PRECISE, FrameNormalisation, Normalisation
from deimv2.converters.graph.layers import SplitSelfAttention, Wide
from deimv2.model import build_model
from deimv2.model.images import normalise
from deimv2.model.postprocess import postprocess
from deimv2.model.variants import VARIANTS
from deimv2.tests.model.golden import matched_errors
from deimv2.tests.nets import random_net

samplers = pytest.mark.parametrize("gather", [False, True], ids=["tents", "gather"])


@pytest.fixture(autouse=True)
def same_numbers_every_time():
    torch.manual_seed(0)
    with torch.no_grad():
        yield


def assert_close(found: Tensor, wanted: Tensor, tolerance: float = 1e-5) -> None:
    torch.testing.assert_close(found, wanted, atol=tolerance, rtol=tolerance)


def random_frame(size: tuple[int, int]) -> Tensor:
    frame = np.random.default_rng(7).integers(0, 256, (1, *size, 3), dtype=np.uint8)
    return torch.from_numpy(frame)


@samplers
@pytest.mark.parametrize(
    ("variant", "classes", "size"),
    [
        ("atto", 80, (320, 320)),
        ("atto", 3, (160, 256)),
        ("atto", 1, (256, 160)),
        ("n", 365, (256, 384)),
        ("s", 80, (320, 256)),
    ],
)
def test_the_mobile_form_equals_the_model(variant, classes, size, gather) -> None:
    net, frame = random_net(variant, classes, size), random_frame(size)
    image = frame.permute(0, 3, 1, 2).float() / 255
    wanted = net(normalise(image, net.variant.mean, net.variant.std))
    form = mobile_form(net, Target(gather=gather, nearest=gather, pads=gather))
    raw: list[Tensor] = []
    form.decoder.register_forward_hook(
        lambda _module, _inputs, found: raw.extend((found.logits, found.boxes))
    )
    boxes, scores, labels = form(frame)
    # Both ways, because partners may repeat: queries of border tokens are alike.
    eager = (wanted.logits[0], wanted.boxes[0])
    for pair in ((*eager, *raw), (*raw, *eager)):
        _, logit_error, box_error = matched_errors(*pair)
        # measured up to 3e-5: the whole network in another order
        assert logit_error < 1e-4 and box_error < 1e-4
    queries = net.variant.decoder.queries
    (best,) = postprocess(wanted.logits, wanted.boxes, queries)
    # scores alone, because pairs whose scores are within rounding may swap places
    assert_close(scores[0], torch.from_numpy(best.scores), 1e-4)
    assert boxes.shape == (1, queries, 4) and boxes.dtype == torch.float32
    assert labels.shape == (1, queries) and labels.dtype == torch.int32
    assert set(labels[0].tolist()) <= set(range(classes))


@pytest.mark.parametrize("variant", ["atto", "s"])
def test_a_float_image_gives_what_a_frame_gives(variant) -> None:
    size = (192, 160)
    frame = random_frame(size)
    wanted = mobile_form(random_net(variant, 3, size), Target(False, False))(frame)
    form = mobile_form(random_net(variant, 3, size), Target(False, False, frame=False))
    for found, expected in zip(form(frame.permute(0, 3, 1, 2).float()), wanted, strict=True):
        assert_close(found, expected, 1e-6)


@pytest.mark.parametrize(
    ("variant", "sums"), [("atto", False), ("atto", True), ("n", True), ("s", False)]
)
def test_half_precision_spares_the_layers_that_need_more(variant, sums) -> None:
    net = build_model(variant, 3, 224 if variant != "n" else 256)
    form = mobile_form(net, Target(gather=True, nearest=True, half=True, sums_in_half=sums))
    attentions = [each for each in form.modules() if isinstance(each, SplitSelfAttention)]
    assert attentions
    assert all(isinstance(each, Wide) is sums for a in attentions for each in (a.q, a.k))
    precise = {module for module in form.modules() if type(module) in PRECISE}
    spared = {id(p) for module in precise for p in (*module.parameters(), *module.buffers())}
    for name, value in (*form.named_parameters(), *form.named_buffers()):
        if value.is_floating_point():
            wanted = torch.float32 if id(value) in spared else torch.float16
            assert value.dtype == wanted, name


@pytest.mark.parametrize("variant", ["atto", "s"], ids=["alike", "channels_differ"])
def test_a_dequantized_frame_is_a_cast_one_to_the_bit(variant: str) -> None:
    c, frame = VARIANTS[variant], random_frame((32, 48))
    wanted = Normalisation(c.mean, c.std, 48)(frame.float())
    assert FrameNormalisation(c.mean, c.std, 48)(frame).equal(wanted)


MAKERS = ("arange", "full", "zeros", "ones", "empty", "scalar_tensor", "linspace", "eye", "lift")


@pytest.mark.parametrize(
    "gather", [pytest.param(False, marks=pytest.mark.long), True], ids=["tents", "gather"]
)
def test_the_exported_graph_is_static_and_plain(gather) -> None:
    size = (160, 192)
    target = Target(gather=gather, nearest=False, pads=False)
    form = mobile_form(random_net("atto", 3, size), target)
    program = torch.export.export(form, (random_frame(size),)).run_decompositions({})
    kept = [*program.state_dict.values(), *program.constants.values()]
    assert {t.dtype for t in kept} <= {torch.float32, torch.int32}
    check = torch.ops.aten._assert_tensor_metadata.default  # made by tracing, gives nothing
    for node in program.graph.nodes:
        if node.op != "call_function" or node.target == check:
            continue
        name = str(node.target)
        assert not any(name.startswith(f"aten.{maker}") for maker in MAKERS), name
        values = node.meta["val"]
        for value in values if isinstance(values, list | tuple) else [values]:
            assert all(isinstance(length, int) for length in value.shape), node
            assert value.dtype != torch.float64, node
            if value.dtype == torch.int64:
                # the indices of a top-k, which the very next operation turns to int32
                source = node if "topk" in name else node.args[0]
                assert "topk" in str(source.target), node
                users = [user for user in node.users if user.target != check]
                cast = torch.ops.aten._to_copy.default
                assert node is source or all(user.target == cast for user in users), node
