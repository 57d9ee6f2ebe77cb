"""What `inspect` counts is what PyTorch and the runtimes count; and each rule."""

import json
import shutil
import subprocess
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from deimv2.converters import FORMATS
from deimv2.converters.artifact import inspect
from deimv2.converters.graph import Target, mobile_form
from deimv2.converters.manifest import Manifest
from deimv2.converters.mlpackage.convert import operations
from deimv2.converters.mlpackage.inspect import Value, why_not
from deimv2.converters.pte.convert import load_runtime
from deimv2.converters.pte.inspect import OFFERED, XNNPACK
from deimv2.converters.tflite.inspect import Node, Tensor, delegated, is_integer, macs
from deimv2.converters.tflite.run import open_interpreter
from deimv2.model import build_model
from deimv2.model.errors import InputError
from deimv2.model.optional import quiet
from deimv2.tests.converters.artifacts import (
    CONVOLUTION,
    DEPTHWISE,
    FLOAT_LINEAR,
    LINEAR,
    artifact,
    write_mixed,
)
from deimv2.tests.tiny import write_onnx
from deimv2.training.data.synthetic import CLASSES

KINDS = [".tflite", ".pte", ".mlpackage"]


# -- as many multiply-accumulates as PyTorch counts


@pytest.mark.parametrize("kind", FORMATS)
def test_the_cost_is_what_pytorch_counts(exported: Path, kind: str) -> None:
    target = Target(
        gather=kind not in ("mlpackage", "aimodel"),
        nearest=kind != "pte",
        frame=kind != "mlpackage",
    )
    net = build_model("atto", len(CLASSES)).eval()
    height, width = net.image_size
    form = mobile_form(net, target)
    frame = torch.zeros(1, height, width, 3, dtype=torch.uint8)
    with FlopCounterMode(display=False) as counter:
        form(frame if target.frame else frame.permute(0, 3, 1, 2).float())
    counted = counter.get_total_flops() // 2
    # Every decoder layer multiplies the same boxes [queries, 4] by the same 4x4; converters other
    # than ExecuTorch's see that once is enough.
    decoder = net.variant.decoder
    repeated = 0 if kind == "pte" else (decoder.layers - 1) * decoder.queries * 16
    assert inspect(artifact(exported, kind)).macs == counted - repeated


def test_formats_differ_by_what_was_rewritten_alone(exported: Path) -> None:
    found = {kind: inspect(artifact(exported, kind)) for kind in FORMATS}
    convolutions = {
        "tflite": ("CONV_2D", "DEPTHWISE_CONV_2D"),
        "pte": ("Conv2d", "DepthwiseConv2d"),
        "mlpackage": ("conv",),
        "onnx": ("Conv",),
        "aimodel": ("conv2d",),
    }
    costs = {
        kind: sum(op.macs for op in found[kind].operations if op.kind in names)
        for kind, names in convolutions.items()
    }
    assert len(set(costs.values())) == 1 and costs["tflite"] > 0.8 * found["tflite"].macs
    assert found["tflite"].macs == found["onnx"].macs


@pytest.mark.parametrize("kind", KINDS)
def test_int8_kernels_are_told_from_float(tmp_path: Path, kind: str) -> None:
    found = inspect(write_mixed(tmp_path / f"mixed{kind}"))
    products = Counter((op.precision, op.macs) for op in found.operations if op.macs)
    assert products == {
        ("int8", CONVOLUTION): 1, ("int8", DEPTHWISE): 1, ("int8", LINEAR): 1,
        ("float", FLOAT_LINEAR): 1,
    }  # fmt: skip
    int8 = CONVOLUTION + DEPTHWISE + LINEAR
    assert found.integer_share == int8 / (int8 + FLOAT_LINEAR)
    assert found.card is None and found.sizes()["int8 constants"] >= 8 * 4 * 9 + 8 * 9 + 96 * 16
    if kind == ".pte":
        kernels = Counter(kernel for kernel in kernels_of(tmp_path / "mixed.pte") if "8W" in kernel)
        assert kernels.total() == 1
        assert sum("QC8" in kernel for kernel in kernels_of(tmp_path / "mixed.pte")) == 3


# -- what the runtimes report


def test_xnnpack_in_litert_keeps_what_is_inside_in_no_memory(exported: Path) -> None:
    """A tensor that only nodes within one delegate call see is never allocated."""
    path = artifact(exported, "tflite")
    interpreter = open_interpreter(path)
    details = interpreter._get_ops_details()
    nodes = [node for node in details if node["op_name"] != "DELEGATE"]
    calls = [node for node in details if node["op_name"] == "DELEGATE"]
    allocated = set()
    for tensor in (int(tensor) for node in nodes for tensor in node["outputs"]):
        try:
            interpreter.get_tensor(tensor)
            allocated.add(tensor)
        except ValueError as error:
            assert "Tensor data is null" in str(error)
    found = inspect(path)
    assert len(found.operations) == len(nodes)
    assert [op.kind for op in found.operations] == [node["op_name"] for node in nodes]
    outside = {
        int(tensor)
        for node, op in zip(nodes, found.operations, strict=True)
        if XNNPACK in op.outside
        for tensor in node["outputs"]
    }
    assert allocated == outside | {int(tensor) for call in calls for tensor in call["outputs"]}
    assert found.delegates[0].calls == len(calls) > 0
    assert 0 < len(outside) < len(nodes) / 10


def test_without_delegates_nothing_is_inside(exported: Path) -> None:
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    plain = OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
    path = str(artifact(exported, "tflite"))
    interpreter = Interpreter(path, experimental_op_resolver_type=plain)
    interpreter.allocate_tensors()
    assert delegated(interpreter) == (set(), 0)


def trace(path: Path) -> list[Any]:
    """The events that ExecuTorch records in a run."""
    runtime = load_runtime()
    with quiet(None):
        program = runtime._load_program(str(path), enable_etdump=True)
        method = program.load_method("forward")
        info = method.method_meta().input_tensor_meta(0)
        kind = {0: torch.uint8, 6: torch.float32}[info.dtype()]
        method([torch.zeros(tuple(info.sizes()), dtype=kind)])
    dump = path.with_suffix(".etdump")
    program.write_etdump_result_to_file(str(dump))
    package = Path(runtime.__file__).parents[2]
    schema = package / "devtools" / "etdump" / "etdump_schema_flatcc.fbs"
    flatc = [package / "data" / "bin" / "flatc", "--json", "--strict-json", "--raw-binary"]
    subprocess.run([*flatc, "--size-prefixed", "-o", path.parent, schema, "--", dump], check=True)
    runs = json.loads(path.with_suffix(".json").read_text())["run_data"]
    return [event["profile_event"] for event in runs[-1]["events"] if "profile_event" in event]


def kernels_of(path: Path) -> list[str]:
    """The kernels that XNNPACK ran inside delegates, by its own names."""
    return [event["delegate_debug_id_str"] for event in trace(path) if "name" not in event]


def test_executorch_runs_what_the_file_was_read_to_hold(exported: Path, tmp_path: Path) -> None:
    path = Path(shutil.copy(artifact(exported, "pte"), tmp_path))
    found = inspect(path)
    events = trace(path)
    names = Counter(event["name"] for event in events if "name" in event)
    assert names["DELEGATE_CALL"] == found.delegates[0].calls
    called = Counter()
    for name, count in names.items():
        if name.startswith("native_call_"):
            called[name.removeprefix("native_call_").rpartition(".")[0]] += count
    assert called == Counter(op.kind for op in found.operations if XNNPACK in op.outside)
    kernels = [event["delegate_debug_id_str"] for event in events if "name" not in event]
    multiplying = ("Fully Connected", "Convolution", "Deconvolution", "Batch Matrix Multiply")
    ran = [kernel for kernel in kernels if kernel.startswith(multiplying)]
    assert len(ran) == sum(op.macs > 0 for op in found.taken(XNNPACK)) > 0
    assert not any("8" in kernel.partition("#")[0] for kernel in ran)  # F32, not QS8


def test_executorch_offers_what_its_partitioner_lists() -> None:
    from executorch.backends.xnnpack.partition.config import ALL_PARTITIONER_CONFIGS

    assert {config.target_name.partition(".")[0] for config in ALL_PARTITIONER_CONFIGS} == OFFERED


def test_core_ml_operations_are_those_of_the_specification(exported: Path) -> None:
    path = artifact(exported, "mlpackage")
    counted = operations(path)
    del counted["const"]
    assert Counter(op.kind for op in inspect(path).operations) == counted


# -- sizes, ports, card


@pytest.mark.parametrize("kind", FORMATS)
def test_everything_else_is_in_the_file(exported: Path, kind: str) -> None:
    path = artifact(exported, kind)
    found = inspect(path)
    (entry,) = (file for file in Manifest.read(exported).files if file.format == kind)
    assert found.size == entry.size == sum(found.sizes().values())
    parameters = sum(p.numel() for p in build_model("atto").parameters())
    assert 0.8 * 4 * parameters < found.sizes()["float32 constants"] < found.size
    assert found.sizes()["graph"] > 0
    assert found.card is not None and found.card["variant"] == "atto"
    assert [port.dtype for port in found.outputs] == ["float32", "float32", "int32"]
    assert found.outputs[0].shape == (1, 100, 4)
    assert found.inputs[0].shape == ((320, 320) if kind == "mlpackage" else (1, 320, 320, 3))
    assert entry.computation == found.computation()
    assert json.loads(json.dumps(found.to_json(), allow_nan=False))["macs"] == found.macs


# -- rules


def tensor(*shape: int, dtype: str = "float32", step: float | None = None, size: int = 0) -> Tensor:
    return Tensor("t", shape, dtype, step, size, size)


MAP, FILTER = tensor(1, 4, 4, 8), tensor(16, 3, 3, 8, size=1)
INT8_MAP = tensor(1, 4, 4, 8, dtype="int8", step=0.1)
INT8_FILTER = tensor(16, 3, 3, 8, dtype="int8", step=0.1, size=1)
IDS, WORD = tensor(5, dtype="int32"), tensor(1, 4, dtype="int32")
PLACE = tensor(4, dtype="int32", size=16)


@pytest.mark.parametrize(
    ("filters", "given", "integer"),
    [
        (INT8_FILTER, INT8_MAP, True),
        (INT8_FILTER, MAP, False),  # weights alone
        (FILTER, INT8_MAP, False),
        (FILTER, MAP, False),
    ],
)
def test_int8_means_weights_and_activations(filters: Tensor, given: Tensor, integer: bool) -> None:
    node = Node("CONV_2D", (given, filters), (tensor(1, 4, 4, 16),))
    assert macs(node) == 4 * 4 * 16 * 9 * 8
    assert is_integer(node) is integer


@pytest.mark.parametrize(
    ("kind", "inputs", "output", "cost"),
    [
        ("DEPTHWISE_CONV_2D", (MAP, tensor(1, 3, 5, 8)), (1, 2, 2, 8), 2 * 2 * 8 * 15),
        ("FULLY_CONNECTED", (tensor(7, 8), tensor(3, 8)), (7, 3), 7 * 3 * 8),
        ("TRANSPOSE_CONV", (IDS, tensor(6, 2, 2, 8), MAP), (1, 8, 8, 6), 4 * 4 * 8 * 6 * 4),
        ("BATCH_MATMUL", (tensor(2, 5, 7), tensor(2, 7, 3)), (2, 5, 3), 2 * 5 * 7 * 3),
        ("BATCH_MATMUL", (tensor(2, 7, 5), tensor(2, 7, 3)), (2, 5, 3), 2 * 5 * 7 * 3),
        ("ADD", (MAP, MAP), (1, 4, 4, 8), 0),
    ],
)
def test_costs(kind: str, inputs: tuple[Tensor, ...], output: tuple[int, ...], cost: int) -> None:
    assert macs(Node(kind, inputs, (tensor(*output),))) == cost


@dataclass(frozen=True)
class Maker:
    type: str


@pytest.mark.parametrize(
    ("kind", "values", "reason"),
    [
        ("conv", [Value((1, 4, 8, 8), "float16")], None),
        ("conv", [Value((1, 4, 8, 8), "float16"), Value((8,), "float32", Maker("const"))], None),
        ("conv", [Value((1, 4, 8, 8), "float32")], "is typed float32"),
        ("transpose", [Value((1, 1, 1, 1, 1, 1), "float16")], "has 6 dimensions"),
        ("transpose", [Value((1, 1, 1, 1, 1), "float16")], None),
        ("gather_along_axis", [Value((1, 4), "float16")], "known to stay"),
    ],
)
def test_neural_engine_rules(kind: str, values: list[Value], reason: str | None) -> None:
    found = why_not(kind, values)
    assert found is None if reason is None else found is not None and reason in found


def test_core_ml_weights_alone_in_int8_compute_in_float(tmp_path: Path) -> None:
    import coremltools as ct
    from coremltools.converters.mil import Builder

    @Builder.program(input_specs=[Builder.TensorSpec(shape=(1, 8))], opset_version=ct.target.iOS17)
    def program(x: Any) -> Any:
        weight = Builder.constexpr_affine_dequantize(
            quantized_data=np.ones((3, 8), np.int8),
            zero_point=np.zeros(3, np.int8),
            scale=np.ones(3, np.float32),
            axis=0,
        )
        whole = Builder.linear(x=x, weight=weight)
        step, zero = np.float32(0.1), np.int8(0)
        stored = Builder.quantize(input=x, scale=step, zero_point=zero, output_dtype="int8")
        back = Builder.dequantize(input=stored, scale=step, zero_point=zero)
        return Builder.add(x=whole, y=Builder.linear(x=back, weight=weight))

    path = tmp_path / "weights.mlpackage"
    with quiet(None):
        target = ct.target.iOS17
        precision = ct.precision.FLOAT32
        ct.convert(
            program, minimum_deployment_target=target, compute_precision=precision,
            skip_model_load=True,
        ).save(str(path))  # fmt: skip
    found = inspect(path)
    assert [(op.macs, op.integer) for op in found.operations if op.macs] == [
        (24, False), (24, True),
    ]  # fmt: skip


def test_nothing_to_multiply_is_a_share_of_nothing(tmp_path: Path) -> None:
    found = inspect(write_onnx(tmp_path / "a.onnx"))
    assert (found.macs, found.integer_share, found.computation()) == (
        0, 0.0, {"macs": 0, "integer_share": 0.0},
    )  # fmt: skip


def test_an_onnx_constant_has_its_bytes_in_any_field(tmp_path: Path) -> None:
    """Its values are in `raw_data` or, as some exporters write them, in a field of their type."""
    path = write_onnx(tmp_path / "a.onnx")
    model = onnx.load(path)
    values = np.ones((2, 3), np.float16)
    model.graph.initializer.extend(
        [
            onnx.numpy_helper.from_array(values, "raw"),
            onnx.helper.make_tensor("listed", onnx.TensorProto.FLOAT16, (2, 3), values),
        ]
    )
    onnx.save(model, path)
    assert not model.graph.initializer[1].raw_data
    assert [constant.size for constant in inspect(path).constants] == [12, 12]


def test_free_sides_are_named(tmp_path: Path) -> None:
    with pytest.raises(
        InputError, match=r"leaves N of its input free .*N, 32, 64, 3.*; name a file"
    ):
        inspect(write_onnx(tmp_path / "a.onnx", shape=("N", 32, 64, 3)))
