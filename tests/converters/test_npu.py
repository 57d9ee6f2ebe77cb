"""Files compiled for an NPU, and those with the integers that NPUs take."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

import deimv2
from deimv2.api.install import install
from deimv2.cli.main import main
from deimv2.converters.manifest import NAME, Manifest, NpuFile
from deimv2.converters.tflite import npu
from deimv2.converters.tflite.npu import Target, compile, target_of
from deimv2.model.errors import CheckError, InputError
from deimv2.model.files import sha256_of
from deimv2.tests.cli.commands import Capture, complaint, output
from deimv2.tests.tiny import write_folder
from deimv2.tests.told import Told

DATA = Path(__file__).parents[2] / "data" / "garments" / "val"
on_npu = pytest.mark.npu


@pytest.fixture(scope="module")
def int8x16(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("int8x16")
    given = ["--precision", "int8x16", "--calibration", str(DATA), "--calibration-photos", "40"]
    assert main(["export", *given, "--output", str(folder)]) == 0
    return folder


@pytest.mark.long
def test_convolutions_have_int8_weights_and_int16_activations(int8x16: Path) -> None:
    from ai_edge_litert.schema_py_generated import BuiltinOperator, TensorType
    from ai_edge_litert.tools.flatbuffer_utils import read_model

    (path,) = int8x16.glob("*.tflite")
    model = read_model(str(path))
    graph = model.subgraphs[0]
    kinds = {}
    for op in graph.operators:
        code = model.operatorCodes[op.opcodeIndex].builtinCode
        types = tuple(graph.tensors[i].type for i in (*op.inputs[:2], *op.outputs))
        kinds.setdefault(code, set()).add(types)
    assert kinds[BuiltinOperator.CONV_2D] == {(TensorType.INT16, TensorType.INT8, TensorType.INT16)}
    for kept in (BuiltinOperator.DEPTHWISE_CONV_2D, BuiltinOperator.FULLY_CONNECTED):
        assert {types[0] for types in kinds[kept]} == {TensorType.FLOAT32}


@pytest.mark.long
def test_int8x16_is_judged_by_float32(int8x16: Path) -> None:
    manifest = Manifest.read(int8x16)
    (row,) = manifest.parity.values()
    assert row["measured"]["matched_share"] >= 0.98
    assert manifest.precision == "int8x16" and [f.format for f in manifest.files] == ["tflite"]


def test_int8x16_needs_photographs(capsys: Capture, tmp_path: Path) -> None:
    given = ["export", "--weights", "random", "--precision", "int8x16", "--output", tmp_path / "o"]
    assert "no photos to find them on" in complaint(capsys, *given)
    assert "pte has no int8x16 here, expected tflite" in complaint(
        capsys, *given, "--format", "pte", "--calibration", DATA
    )


@pytest.mark.long
def test_tensors_have_names_of_their_own(exported: Path, int8x16: Path) -> None:
    """AI Edge Quantizer refuses files in which two share one."""
    from ai_edge_litert.tools.flatbuffer_utils import read_model

    for path in (exported / "deimv2-atto-fp32.tflite", *int8x16.glob("*.tflite")):
        names = [tensor.name for tensor in read_model(str(path)).subgraphs[0].tensors]
        assert len(set(names)) == len(names)


# -- compiled


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("SM8750", "no NPU 'SM8750', expected MAKER:CHIP with one of qualcomm, mediatek"),
        ("apple:A19", "no NPU 'apple:A19', expected MAKER:CHIP"),
        ("qualcomm:SM1", "qualcomm has no NPU 'SM1' here, expected one of SA8255"),
        ("qualcomm", "qualcomm has no NPU '' here"),
        ("qualcomm:ALL", "qualcomm has no NPU 'ALL' here"),
    ],
)
def test_a_chip_that_is_not_known_is_refused(text: str, reason: str) -> None:
    with pytest.raises(InputError, match=reason):
        target_of(text)


def test_chips_are_named_by_maker() -> None:
    assert target_of("google-tensor:Tensor_G5") == Target("google_tensor", "Tensor_G5")
    assert target_of("google-tensor:Tensor_G5").label == "google-tensor-tensor-g5"


def test_npu_without_a_tflite_is_refused_before_anything_is_loaded(
    capsys: Capture, tmp_path: Path
) -> None:
    given = ("export", "--format", "pte", "--npu", "qualcomm:SM8750", "--output", tmp_path / "out")
    assert "--npu qualcomm:SM8750 compiles the .tflite" in complaint(capsys, *given)
    assert not (tmp_path / "out").exists()


def test_without_the_makers_libraries_the_set_up_is_named(
    exported: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(npu, "FOLDER", "share/none")
    path, target = exported / "deimv2-atto-fp32.tflite", target_of("qualcomm:SM8750")
    with pytest.raises(InputError, match=r"lacks a library \(libQnnHtp\.so\).*\./dev npu"):
        compile(path, target, tmp_path / "out.tflite")
    assert not list(tmp_path.iterdir())


@on_npu
def test_a_compiled_file_stands_beside_its_source(tmp_path: Path, capsys: Capture) -> None:
    given = ("export", "--precision", "fp16", "--format", "tflite", "--npu", "qualcomm:SM8750")
    output(capsys, *given, "--output", tmp_path)
    manifest = Manifest.read(tmp_path)
    assert manifest.npu is not None
    (file,) = manifest.npu
    assert file.name == "deimv2-atto-fp16.qualcomm-sm8750.tflite"
    assert file.compiled_from == "deimv2-atto-fp16.tflite"
    assert file.taken == file.operations > 500 and file.calls == 1
    assert [each.name for each in manifest.files] == ["deimv2-atto-fp16.tflite"]
    with pytest.raises(InputError, match="compiled for an NPU and runs on that alone"):
        deimv2.load(tmp_path / file.name)


@on_npu
def test_an_earlier_compiled_file_stays_until_its_source_goes(
    tmp_path: Path, capsys: Capture
) -> None:
    fp16 = ("export", "--precision", "fp16", "--format", "tflite", "--output", tmp_path)
    output(capsys, *fp16, "--npu", "qualcomm:SM8650")
    output(capsys, "export", "--format", "onnx", "--output", tmp_path)
    assert Manifest.read(tmp_path).npu is None  # of another precision: another folder's
    output(capsys, *fp16)
    assert Manifest.read(tmp_path).npu is None


@on_npu
def test_int8x16_is_taken_whole(int8x16: Path, tmp_path: Path) -> None:
    (source,) = int8x16.glob("*.tflite")
    found = compile(source, target_of("qualcomm:SM8750"), tmp_path / "out.tflite")
    assert found.taken == found.operations and found.calls == 1


@on_npu
def test_a_file_that_the_compiler_refuses_is_named_with_its_reason(tmp_path: Path) -> None:
    """Linear layers whose int8 weights have a step for each channel: why int8 keeps them in half
    precision."""
    given = ["export", "--precision", "int8-weight", "--format", "tflite", "--no-verify"]
    assert main([*given, "--npu", "qualcomm:SM8750", "--output", str(tmp_path)]) == 1
    log = json.loads((tmp_path / "manifest.json").read_text())
    assert "npu" not in log and len(log["files"]) == 1
    with pytest.raises(CheckError, match="Op Dequantize does not support"):
        path = tmp_path / "deimv2-atto-int8-weight.tflite"
        compile(path, target_of("qualcomm:SM8750"), tmp_path / "out.tflite")


@pytest.mark.parametrize("passed", [True, False])
def test_what_was_compiled_from_an_earlier_file_is_said_to_be_of_the_same_model(
    tmp_path: Path, passed: bool
) -> None:
    """Whether the file that it was compiled from was made again, or was rejected and stays."""
    folder, work, heard = tmp_path / "out", tmp_path / "work", Told()
    work.mkdir()
    earlier = write_folder(folder)
    first, other = earlier.files
    source = replace(first, name="tiny-0.tflite", format="tflite")
    (folder / first.name).rename(folder / source.name)
    compiled = folder / "tiny-0.google-tensor-tensor-g5.tflite"
    compiled.write_bytes(b"compiled")
    chip = "google_tensor", "Tensor_G5"
    file = NpuFile(compiled.name, 8, sha256_of(compiled), source.name, *chip, 2, 2, 1)
    earlier = replace(earlier, files=(source, other), npu=(file,))
    earlier.write(folder / NAME)
    (folder / "another.onnx").touch()
    made = replace(earlier, files=(source,) if passed else (other,), npu=None)
    install(work, folder, made, () if passed else (source.name,), heard)
    assert Manifest.read(folder).npu is None and compiled.is_file()
    (line,) = [line for line in heard.lines if compiled.name in line]
    assert line.startswith(
        f"left by an earlier export of this model, no longer listed: {compiled.name}, "
    )
    (line,) = [line for line in heard.lines if "another.onnx" in line]
    assert line.startswith("left by other exports, of this model or another, unlisted: another.o")
