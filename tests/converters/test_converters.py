"""Each converter's file holds what its runtime runs well, and its check refuses any other file."""

import json
import shutil
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import onnx
import pytest

from deimv2.converters.aimodel import asset
from deimv2.converters.aimodel import convert as coreai
from deimv2.converters.contract import INPUT
from deimv2.converters.manifest import Manifest
from deimv2.converters.metadata import KEY, ModelCard
from deimv2.converters.mlpackage import convert as coreml
from deimv2.converters.onnx import convert as onnx_converter
from deimv2.converters.onnx import run as onnx_run
from deimv2.converters.pte import convert as executorch
from deimv2.converters.tflite import convert as litert
from deimv2.converters.toolchain import prepare
from deimv2.mil.package import SPECIFICATION, read_specification
from deimv2.model import build_model
from deimv2.model.errors import CheckError, InputError
from deimv2.model.ports import Port
from deimv2.tests.converters.artifacts import artifact, copy_of, transposed

CHECKS: dict[str, Callable[[Path, ModelCard], None]] = {
    "tflite": litert.check,
    "mlpackage": coreml.check_package,
    "pte": executorch.check,
    "onnx": onnx_converter.check,
    "aimodel": coreai.check,
}
kinds = pytest.mark.parametrize("kind", CHECKS)


@pytest.fixture(scope="module")
def card(exported: Path) -> ModelCard:
    """What the artifacts of the shared export say of themselves."""
    manifest = Manifest.read(exported)
    return ModelCard(
        variant="atto",
        precision="fp32",
        image_size=(320, 320),
        queries=100,
        labels=manifest.labels,
        weights=manifest.weights.source,
        weights_sha256=manifest.weights.sha256,
    )


def card_in(path: Path) -> str | None:
    match path.suffix:
        case ".tflite":
            return litert.read_card(path)
        case ".mlpackage":
            return coreml.read_card(path)
        case ".pte":
            return executorch.read_card(executorch.open_program(path))
        case ".aimodel":
            return asset.read_card(path)
    return onnx_run.read_card(onnx_run.open_session(path))


def test_a_card_survives_the_round_trip(card: ModelCard) -> None:
    odd = replace(card, labels=("Käse", 'a "b"', "猫"), image_size=(64, 96))
    assert ModelCard.from_json(odd.to_json()) == odd
    assert odd.to_json().startswith('{"image_size":[64,96],"labels":["Käse","a \\"b\\"","猫"],')


@pytest.mark.parametrize("text", ["", "{}", '{"labels": 3}', "[]"])
def test_what_is_no_card_is_refused(text: str) -> None:
    with pytest.raises((ValueError, KeyError, TypeError, AttributeError)):
        ModelCard.from_json(text)


@kinds
def test_every_artifact_carries_its_card(exported: Path, card: ModelCard, kind: str) -> None:
    text = card_in(artifact(exported, kind))
    assert text is not None
    assert ModelCard.from_json(text) == card


@kinds
@pytest.mark.parametrize(
    ("fields", "part"),
    [
        ({"image_size": (320, 352)}, "inputs and outputs is .* expected .*352"),
        ({"queries": 101}, "inputs and outputs is .* expected .*101"),
        ({"labels": ("cat",)}, "card is .* expected .*cat"),
        ({"precision": "fp16"}, "card is .* expected .*fp16"),
    ],
)
def test_the_check_refuses_what_the_card_does_not_say(
    exported: Path, card: ModelCard, kind: str, fields: dict[str, object], part: str
) -> None:
    CHECKS[kind](artifact(exported, kind), card)
    with pytest.raises(CheckError, match=part):
        CHECKS[kind](artifact(exported, kind), replace(card, **fields))  # type: ignore[arg-type]


def test_a_tflite_file_is_of_built_in_operations(exported: Path) -> None:
    found = litert.operations(artifact(exported, "tflite"))
    assert found["CONV_2D"] > 20
    foreign = [name for name in found if name.startswith(("CUSTOM", "Flex", "STABLEHLO"))]
    assert foreign == []
    assert not any(name.islower() for name in found)  # names of custom operations


def test_an_onnx_file_of_foreign_operators_is_refused(
    exported: Path, card: ModelCard, tmp_path: Path
) -> None:
    path = copy_of(exported, "onnx", tmp_path)
    net = onnx.load(path)
    net.opset_import.append(onnx.helper.make_opsetid("com.microsoft", 1))
    net.graph.node.append(
        onnx.helper.make_node("Gelu", ["scores"], ["unused"], domain="com.microsoft")
    )
    onnx.save(net, path)
    with pytest.raises(CheckError, match=r"operators of \{'com\.microsoft'\}"):
        onnx_converter.check(path, card)


def test_an_onnx_file_tells_nothing_of_the_machine_that_made_it(exported: Path) -> None:
    net = onnx.load(artifact(exported, "onnx"))
    assert [entry.key for entry in net.metadata_props] == [KEY]
    values = (*net.graph.input, *net.graph.output, *net.graph.value_info)
    for part in (net.graph, *net.graph.node, *values):
        assert not part.doc_string
        assert not part.metadata_props
    assert [(opset.domain, opset.version) for opset in net.opset_import] == [
        ("", onnx_converter.OPSET)
    ]


def test_a_package_is_for_ios_17_and_describes_itself(exported: Path) -> None:
    path = artifact(exported, "mlpackage")
    proto = read_specification(path)
    assert proto.specificationVersion == 8  # iOS 17, macOS 14
    assert list(proto.mlProgram.functions) == ["main"]
    description = proto.description
    assert dict(description.metadata.userDefined).keys() == {KEY}  # no date, no versions
    assert description.metadata.shortDescription.startswith("DEIMv2-Atto object detector, fp32")
    inputs, outputs = coreml.interface(path)
    assert inputs == [Port(INPUT, (320, 320), "RGB")]
    assert [port.name for port in outputs] == ["boxes", "scores", "labels"]
    assert all(f.shortDescription for f in (*description.input, *description.output))


def test_a_package_holds_what_its_manifest_names_and_no_more(exported: Path) -> None:
    path = artifact(exported, "mlpackage")
    files = {p.relative_to(path).as_posix() for p in path.rglob("*") if p.is_file()}
    data = "Data/com.apple.CoreML"
    assert files == {"Manifest.json", f"{data}/model.mlmodel", f"{data}/weights/weight.bin"}
    manifest = json.loads((path / "Manifest.json").read_text())
    assert manifest["rootModelIdentifier"] in manifest["itemInfoEntries"]


def test_a_damaged_package_is_refused(exported: Path, card: ModelCard, tmp_path: Path) -> None:
    path = copy_of(exported, "mlpackage", tmp_path)
    shutil.rmtree(path / "Data/com.apple.CoreML/weights")
    with pytest.raises(InputError, match=r"lacks Data/com\.apple\.CoreML/weights"):
        coreml.check_package(path, card)
    shutil.rmtree(path)
    path = copy_of(exported, "mlpackage", tmp_path)
    (path / SPECIFICATION).write_bytes(b"\xff" * 100)
    with pytest.raises(InputError, match="broken Core ML specification"):
        coreml.check_package(path, card)


def test_a_package_of_unknown_operations_is_refused(
    exported: Path, card: ModelCard, tmp_path: Path
) -> None:
    path = copy_of(exported, "mlpackage", tmp_path)
    proto = read_specification(path)
    (block,) = proto.mlProgram.functions["main"].block_specializations.values()
    block.operations[-1].type = "guess"
    (path / SPECIFICATION).write_bytes(proto.SerializeToString(deterministic=True))
    with pytest.raises(CheckError, match="contains guess; expected documented operations"):
        coreml.check_package(path, card)


def calls(path: Path) -> Counter[str]:
    """How often `forward` in a `.pte` calls each operator, and a delegate."""
    from executorch.exir._serialize._program import deserialize_pte_binary

    program = deserialize_pte_binary(path.read_bytes()).program
    (plan,) = [plan for plan in program.execution_plan if plan.name == "forward"]
    assert {delegate.id for delegate in plan.delegates} == {"XnnpackBackend"}
    found: Counter[str] = Counter()
    for chain in plan.chains:
        for instruction in chain.instructions:
            call = instruction.instr_args
            if type(call).__name__ == "KernelCall":
                found[plan.operators[call.op_index].name] += 1
            else:
                found[type(call).__name__] += 1
    return found


def test_xnnpack_takes_a_pte_file_in_few_pieces(exported: Path) -> None:
    """Gathers cut it: the choice of queries, that of detections, and sampling in each layer."""
    found = calls(artifact(exported, "pte"))
    assert 1 <= found.pop("DelegateCall") <= 6
    assert found.total() <= 21, found
    assert found["quantized_decomposed::dequantize_per_tensor"] == 1  # of the frame
    assert not [name for name in found if "conv" in name or "mm" in name or "linear" in name]


@kinds
def test_conversion_leaves_the_net_as_it_was(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A converter takes a copy: the next one and the golden files need the net itself."""
    from deimv2.converters.graph import Target

    net = build_model("atto").eval()
    before = {name: value.clone() for name, value in net.state_dict().items()}
    own = kind == "pte"
    target = Target(
        gather=True, nearest=not own, pads=kind == "mlpackage", bounds=own,
        frame=kind != "mlpackage", half=True,
    )  # fmt: skip
    prepare(net, target)
    after = net.state_dict()
    assert before.keys() == after.keys()
    assert all(after[name].equal(value) for name, value in before.items())


def test_no_pad_or_sum_of_the_tflite_transposes_its_map(exported: Path) -> None:
    """LiteRT's converter has no other padding, and sums of maps with four dimensions alone."""
    assert transposed(artifact(exported, "tflite")) == []
