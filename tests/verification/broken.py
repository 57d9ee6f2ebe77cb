"""What breaks a good artifact of Atto, in any format: files that its runtime runs all the same."""

import copy
import hashlib
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

Change = Callable[[Path], None]
CHANNELS_FIRST = (".mlpackage", ".aimodel")


def nothing(path: Path) -> None:
    """Read, and written as it was."""

    def keep(model: Any) -> None:
        pass

    patch(path, keep, keep, keep, lambda text: text)


# Constants, which lie in the files as they are.


def channels_reversed(path: Path) -> None:
    """The first convolution takes blue for red."""
    weight = first_weight(path)
    replace(path, weight, np.flip(weight, 1 if path.suffix in CHANNELS_FIRST else 3))


def normalisation_missing(path: Path) -> None:
    scale_pixels(path, 1)


def normalised_twice(path: Path) -> None:
    scale_pixels(path, 1 / 255**2)


def scale_pixels(path: Path, gain: float) -> None:
    """A `.pte` has the gain as the step by which it loads the frame, a number in 64 bits."""
    kind = np.float64 if path.suffix == ".pte" else np.float32
    replace(path, np.float32(1 / 255), gain, kind)


def boxes_doubled(path: Path) -> None:
    """By the matrix that turns centre and size to corners."""
    corners = np.float32([[1, 0, -0.5, 0], [0, 1, 0, -0.5], [1, 0, 0.5, 0], [0, 1, 0, 0.5]])
    replace(path, corners, 2 * corners)


def weight_damaged(path: Path) -> None:
    """One byte: the highest bit of an exponent, by which a weight becomes huge."""
    weight = first_weight(path)
    damaged = weight.copy()
    damaged.view(np.uint8).reshape(-1)[3] ^= 0x40
    replace(path, weight, damaged)


def decoder_layer_overflows(path: Path) -> None:
    """A bias of the second decoder layer is what float16 makes of 65520: infinite. Behind it the
    network limits its values, so what comes out are numbers, and wrong ones."""
    from deimv2.model.weights.sources import load

    net = load("atto", "demo", None, None).net
    bias = net.get_parameter("decoder.layers.1.ffn.w12.bias").detach().numpy()
    damaged = bias.copy()
    damaged[3] = np.float32(np.float16(65520.0))
    replace(path, bias, damaged)


def first_weight(path: Path) -> Any:
    """Of the first convolution: float32 [out, in, H, W] for Apple, else [out, H, W, in]."""
    from deimv2.converters.graph import Target, mobile_form
    from deimv2.model.weights.sources import load

    own = path.suffix == ".pte"
    form = mobile_form(
        load("atto", "demo", None, None).net, Target(gather=True, nearest=not own, bounds=own)
    )
    weight = form.get_parameter("backbone.stem.stem1.conv.weight").detach().numpy()
    axes = (0, 1, 2, 3) if path.suffix in CHANNELS_FIRST else (0, 2, 3, 1)
    return np.ascontiguousarray(weight.transpose(axes))


def replace(
    path: Path, old: npt.ArrayLike, new: npt.ArrayLike, dtype: npt.DTypeLike = np.float32
) -> None:
    """Puts numbers into the place of others, wherever in the artifact these lie."""
    before, after = (np.asarray(each, dtype).tobytes() for each in (old, new))
    files = [path] if path.is_file() else [each for each in path.rglob("*") if each.is_file()]
    found = [file for file in files if before in file.read_bytes()]
    assert found
    for file in found:
        file.write_bytes(file.read_bytes().replace(before, after))
    if path.suffix == ".aimodel":
        hash_again(path)


# Outputs.


def outputs_swapped(path: Path) -> None:
    """Boxes go by the name of scores, and the other way round; of a `.pte`, by the place."""

    def of_tflite(model: Any) -> None:
        boxes, scores = (entry_of(model, name) for name in ("boxes", "scores"))
        boxes.name, scores.name = scores.name, boxes.name

    def of_pte(program: Any) -> None:
        outputs = program.execution_plan[0].outputs
        outputs[0], outputs[1] = outputs[1], outputs[0]

    def of_package(proto: Any) -> None:
        boxes, scores, _ = proto.description.output
        boxes.name, scores.name = scores.name, boxes.name

    def of_asset(text: str) -> str:
        names = {'"boxes"': '"scores"', '"scores"': '"boxes"'}
        return re.sub("|".join(names), lambda found: names[found[0]], text)

    patch(path, of_tflite, of_pte, of_package, of_asset)


def labels_shifted(path: Path) -> None:
    """1 is added to them behind all that is there."""
    patch(path, add_in_tflite, add_in_pte, add_in_package, add_in_asset)


def add_in_tflite(model: Any) -> None:
    from ai_edge_litert import schema_py_generated as schema

    graph, entry = model.subgraphs[0], entry_of(model, "labels")
    one, shifted = (copy.copy(graph.tensors[entry.tensorIndex]) for _ in range(2))
    one.name, one.shape, one.buffer = b"one", np.array([1], np.int32), len(model.buffers)
    shifted.name = b"shifted"
    buffer = schema.BufferT()
    buffer.data = np.frombuffer(np.int32(1).tobytes(), np.uint8)
    model.buffers.append(buffer)
    add = schema.OperatorT()
    add.opcodeIndex = next(
        i for i, c in enumerate(model.operatorCodes) if c.builtinCode == schema.BuiltinOperator.ADD
    )
    add.builtinOptionsType, add.builtinOptions = (
        schema.BuiltinOptions.AddOptions, schema.AddOptionsT(),
    )  # fmt: skip
    count = len(graph.tensors)
    add.inputs, add.outputs = [entry.tensorIndex, count], [count + 1]
    graph.tensors += [one, shifted]
    graph.operators.append(add)
    graph.outputs = [count + 1 if i == entry.tensorIndex else i for i in graph.outputs]
    entry.tensorIndex = count + 1


def add_in_pte(program: Any) -> None:
    """labels = labels + 1 * 1, in their place."""
    from executorch.exir import schema

    plan = program.execution_plan[0]
    labels, one, operator = plan.outputs[2], len(plan.values), len(plan.operators)
    plan.values.append(schema.EValue(schema.Int(1)))
    plan.operators.append(schema.Operator("aten::add", "Scalar_out"))
    call = schema.KernelCall(operator, [labels, one, one, labels, labels])
    plan.chains[0].instructions.append(schema.Instruction(call))


def add_in_package(proto: Any) -> None:
    (block,) = proto.mlProgram.functions["main"].block_specializations.values()
    made = next(op for op in block.operations if op.outputs[0].name == "labels")
    made.outputs[0].name = "before"
    one, shifted = (block.operations.add() for _ in range(2))
    one.type = "const"
    kind = one.outputs.add(name="one").type.tensorType
    kind.dataType = made.outputs[0].type.tensorType.dataType
    value = one.attributes["val"]
    value.type.tensorType.CopyFrom(kind)
    value.immediateValue.tensor.ints.values.append(1)
    shifted.type = "add"
    shifted.inputs["x"].arguments.add(name="before")
    shifted.inputs["y"].arguments.add(name="one")
    shifted.outputs.add(name="labels").type.CopyFrom(made.outputs[0].type)
    for op in (one, shifted):
        op.attributes["name"].CopyFrom(made.attributes["name"])


def add_in_asset(text: str) -> str:
    (given,) = re.findall(r"coreai\.output %\w+, %\w+, (%\w+) :", text)
    kind = "tensor<1x100xsi32>"
    add = (
        f"%one = coreai.constant dense<1> : {kind}\n%shifted = coreai.decomposable."
        f"broadcasting_add {given}, %one : ({kind}, {kind}) -> {kind}\n"
    )
    return re.sub(r"(coreai\.output %\w+, %\w+, )%\w+", lambda end: f"{add}{end[1]}%shifted", text)


def entry_of(model: Any, name: str) -> Any:
    (entry,) = (each for each in model.signatureDefs[0].outputs if each.name.decode() == name)
    return entry


# Files as objects of their schemas: LiteRT's `ModelT`, ExecuTorch's `Program`, Core ML's `Model`;
# Core AI's program as text.


def patch(
    path: Path,
    of_tflite: Callable[[Any], None],
    of_pte: Callable[[Any], None],
    of_package: Callable[[Any], None],
    of_asset: Callable[[str], str],
) -> None:
    match path.suffix:
        case ".tflite":
            patch_tflite(path, of_tflite)
        case ".pte":
            patch_pte(path, of_pte)
        case ".aimodel":
            patch_asset(path, of_asset)
        case _:
            patch_package(path, of_package)


def patch_tflite(path: Path, change: Callable[[Any], None]) -> None:
    from ai_edge_litert.tools import flatbuffer_utils

    model = flatbuffer_utils.read_model(str(path))
    change(model)
    flatbuffer_utils.write_model(model, str(path))


def patch_pte(path: Path, change: Callable[[Any], None]) -> None:
    from executorch.exir._serialize._program import deserialize_pte_binary, serialize_pte_binary

    file = deserialize_pte_binary(path.read_bytes())
    change(file.program)
    path.write_bytes(bytes(serialize_pte_binary(file, extract_delegate_segments=True)))


def patch_asset(path: Path, change: Callable[[str], str]) -> None:
    from coreai._compiler import ir
    from coreai.authoring import AIModelAsset, AIProgram, Context

    text = change(str(AIModelAsset.load(path).program))
    program = AIProgram._from_mlir_module(ir.Module.parse(text, Context()._mlir_context))
    metadata = (path / "metadata.json").read_bytes()
    program.save_asset(path)
    (path / "metadata.json").write_bytes(metadata)


def hash_again(path: Path) -> None:
    program = (path / "main.mlirb").read_bytes()
    (path / "main.hash").write_bytes(hashlib.sha256(program).digest())


def patch_package(path: Path, change: Callable[[Any], None]) -> None:
    from deimv2.mil.package import SPECIFICATION, read_specification

    proto = read_specification(path)
    change(proto)
    (path / SPECIFICATION).write_bytes(proto.SerializeToString())
