"""What LiteRT's GPU accelerator takes of our files, and what it does not take at all.

The last are bugs or limits of the runtime that our files go around: a test that fails here means
that a newer runtime needs that no more.
"""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import deimv2
from deimv2.cli.main import main
from deimv2.converters import PRECISIONS
from deimv2.converters.format import GPU, GPU_FLOAT32
from deimv2.converters.manifest import Manifest
from deimv2.converters.photographs import PHOTOGRAPHS
from deimv2.converters.tflite import convert, gpu
from deimv2.converters.tflite.gpu import GpuRunner, reason_in, refused_operations
from deimv2.model.errors import CheckError, InputError
from deimv2.model.variants import VARIANTS
from deimv2.tests.cli.commands import Capture, complaint
from deimv2.verification.gpu import limits_on, verify_on_gpu

on_gpu = pytest.mark.gpu


# -- without a GPU


def test_rows_are_gathered_by_what_a_gpu_takes(exported: Path) -> None:
    found = convert.operations(exported / "deimv2-atto-fp32.tflite")
    assert found["GATHER"] == 6 and "EMBEDDING_LOOKUP" not in found


def test_names_of_tensors_are_places_in_the_network(exported: Path) -> None:
    from ai_edge_litert.tools.flatbuffer_utils import read_model

    names = [
        tensor.name.decode()
        for tensor in read_model(str(exported / "deimv2-atto-fp32.tflite")).subgraphs[0].tensors
    ]
    assert any(name.startswith("decoder.2.ffn.w3") for name in names)
    assert not [name for name in names if "deimv2." in name or "torch." in name]


def test_half_precision_is_allowed_where_the_gpu_chooses() -> None:
    for name, precision in PRECISIONS.items():
        assert limits_on(GPU_FLOAT32, precision) == precision.limits
        wanted = name if name in ("int8", "int8x16") else "fp16"
        assert limits_on(GPU, precision) == PRECISIONS[wanted].limits


def test_what_the_delegate_leaves_is_read_from_what_it_says() -> None:
    said = (
        "INFO: created\nERROR: Following operations are not supported by GPU delegate:\n"
        "DEQUANTIZE: \nTOPK_V2: Not supported.\n488 operations will run on the GPU\nCAST: \n"
    )
    assert refused_operations(said) == ["DEQUANTIZE", "TOPK_V2"]
    assert refused_operations("nothing of the kind") == []


def test_a_run_that_takes_too_long_is_told() -> None:
    said = (
        "RuntimeError: ERROR: [x.h:1]\n└ Failed to lock custom tensor buffer.\nINFO: [y.cc:2] ends"
    )
    assert reason_in(said) == (
        "Failed to lock custom tensor buffer. LiteRT waits 120 seconds for a run, and a software "
        "driver may take longer"
    )


def test_without_a_driver_the_set_up_is_named(
    exported: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(gpu, "environment", lambda: {"VK_ICD_FILENAMES": str(tmp_path / "none")})
    with pytest.raises(InputError, match=r"no GPU and no driver .* set up a .* with \./dev gpu"):
        GpuRunner(exported / "deimv2-atto-fp32.tflite", float32=True)


def test_other_files_do_not_run_there(exported: Path, capsys: Capture) -> None:
    path = exported / "deimv2-atto-fp32.onnx"
    for command in (("predict", path, "photo.jpg"), ("inspect", path)):
        line = complaint(capsys, *command, "--device", "gpu")
        assert "gpu" in line and str(path) in line


def test_threads_are_of_the_cpu_alone(tmp_path: Path, capsys: Capture) -> None:
    path = tmp_path / "a.tflite"
    path.touch()
    said = "--threads is for the CPU, found --device gpu; leave it out"
    for command in (
        ("predict", path, PHOTOGRAPHS[0], "--threads", 1),
        ("benchmark", path, "--no-baseline", "--threads", 1, 2),
    ):
        assert said in complaint(capsys, *command, "--device", "gpu")
    for given in (("--no-baseline",), ("--threads", 1, 2)):  # the baseline's
        line = complaint(capsys, "benchmark", path, *given, "--device", "gpu")
        assert "--threads" not in line and str(path) in line


# -- with one, or the software driver of ./dev gpu


# The accelerator waits two minutes for a run, in which the software driver does not finish these
# at their own 640: L takes half a minute at 320.
LARGE = ("l", "x")


def exported_to(folder: Path, variant: str, precision: str, weights: str) -> Path:
    given = ["--variant", variant, "--weights", weights, "--precision", precision]
    if variant in LARGE:
        given += ["--image-size", "320"]
    if precision == "int8" and weights == "random":
        given += ["--calibration", str(Path(__file__).parents[2] / "data" / "garments" / "val")]
    command = ["export", *given, "--format", "tflite", "--no-verify", "--output", str(folder)]
    assert main(command) == 0
    return folder


@on_gpu
@pytest.mark.parametrize("precision", ["fp32", "fp16", "int8"])
def test_atto_detects_there_what_it_detects_here(tmp_path: Path, precision: str) -> None:
    folder = exported_to(tmp_path, "atto", precision, "demo")
    report = verify_on_gpu(folder)
    assert report.passed, [row.problems for row in report.rows]
    assert [row.artifact.split(" ", 1)[1] for row in report.rows] == [GPU_FLOAT32, GPU]
    if precision == "int8":  # sums that end between two steps are rounded either way
        return
    (file,) = Manifest.read(folder).files
    there, here = (deimv2.load(folder / file.name, device=device) for device in (GPU, "cpu"))
    for golden in Manifest.read(folder).golden:
        a, b = there(folder / golden.image, 0.3), here(folder / golden.image, 0.3)
        assert a.labels.tolist() == b.labels.tolist()
        np.testing.assert_allclose(a.scores, b.scores, atol=0.01)


@on_gpu
@pytest.mark.slow
@pytest.mark.parametrize("precision", ["fp32", "fp16"])
@pytest.mark.parametrize("variant", VARIANTS)
def test_every_variant_is_taken_whole(tmp_path: Path, variant: str, precision: str) -> None:
    """Random weights amplify rounding: float32 must agree, of float16 that it runs."""
    folder = exported_to(tmp_path, variant, precision, "random")
    rows = verify_on_gpu(folder).rows
    whole = [row for row in rows if row.parity is not None]
    assert len(whole) == 2, [row.problems for row in rows]
    assert precision == "fp16" or not rows[0].problems


@on_gpu
@pytest.mark.slow
@pytest.mark.parametrize("variant", ["femto", "pico", "n"])
def test_small_variants_are_taken_whole_in_int8(tmp_path: Path, variant: str) -> None:
    rows = verify_on_gpu(exported_to(tmp_path, variant, "int8", "random")).rows
    assert all(row.parity is not None for row in rows), [row.problems for row in rows]


def converted(path: Path, net: nn.Module, *given: Tensor) -> Path:
    import litert_torch

    litert_torch.convert(net.eval(), given).export(str(path))
    return path


RUN = """
import sys, numpy as np
from ai_edge_litert.compiled_model import CompiledModel
from ai_edge_litert.hardware_accelerator import HardwareAccelerator
from ai_edge_litert.options import Options
path, given, made, size = sys.argv[1:]
options = Options(hardware_accelerators=HardwareAccelerator.GPU)
options.gpu_options.enforce_f32 = True
net = CompiledModel.from_file(path, options=options)
inputs, outputs = net.create_input_buffers(0), net.create_output_buffers(0)
arrays = np.load(given)
for buffer, name in zip(inputs, arrays.files, strict=True):
    buffer.write(arrays[name])
net.run_by_index(0, inputs, outputs)
np.save(made, outputs[0].read(int(size), np.float32))
"""


def run_on_gpu(path: Path, size: int, **given: Tensor) -> np.ndarray | int:
    """What a net of one output gives; the exit code where the process ended."""
    arrays, made = path.with_suffix(".npz"), path.with_suffix(".npy")
    np.savez(arrays, **{name: value.numpy() for name, value in given.items()})
    done = subprocess.run(
        [sys.executable, "-P", "-c", RUN, str(path), str(arrays), str(made), str(size)],
        env=os.environ | gpu.environment(), capture_output=True, check=False,
    )  # fmt: skip
    return np.load(made) if done.returncode == 0 else done.returncode


class Offsets(nn.Module):
    """Adds a constant to each of 8 groups of rows of [800, 6]."""

    def __init__(self, shape: tuple[int, ...], view: tuple[int, ...]) -> None:
        super().__init__()
        self.view = view
        self.register_buffer("constant", torch.arange(8).float().view(shape) * 100)

    def forward(self, x: Tensor) -> Tensor:
        constant = self.get_buffer("constant")
        return (x.view(self.view) + constant).view(800, 6)


@on_gpu
@pytest.mark.parametrize(
    ("shape", "view", "right"),
    [((8, 1, 1), (8, 100, 6), False), ((1, 8, 1, 1), (1, 8, 100, 6), True)],
)
def test_a_constant_of_three_dimensions_is_added_wrongly(
    tmp_path: Path, shape: tuple[int, ...], view: tuple[int, ...], right: bool
) -> None:
    """Hence the four of `GatherSampler`."""
    x, net = torch.rand(800, 6), Offsets(shape, view)
    found = run_on_gpu(converted(tmp_path / "a.tflite", net, x), 4800, x=x)
    assert not isinstance(found, int)
    assert np.allclose(found.reshape(800, 6), net(x), atol=1e-3) == right


class Lookup(nn.Module):
    def forward(self, table: Tensor, places: Tensor) -> Tensor:
        return F.embedding(places.to(torch.int32), table * 2)


@on_gpu
@pytest.mark.parametrize("gathered", [False, True])
def test_a_lookup_in_a_computed_table_ends_the_process(tmp_path: Path, gathered: bool) -> None:
    """Hence `lookups_to_gathers`."""
    from ai_edge_litert.tools import flatbuffer_utils

    table, places = torch.rand(500, 64), torch.randint(0, 500, (75,)).float()
    path = converted(tmp_path / "a.tflite", Lookup(), table, places)
    if gathered:
        model = flatbuffer_utils.read_model(str(path))
        convert.lookups_to_gathers(model)
        flatbuffer_utils.write_model(model, str(path))
    found = run_on_gpu(path, 4800, table=table, places=places)
    if gathered:
        assert not isinstance(found, int)
        assert np.allclose(found.reshape(75, 64), Lookup()(table, places))
    else:
        assert found == -11


@on_gpu
def test_a_file_that_ends_the_process_is_a_result(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    monkeypatch.setattr(convert, "lookups_to_gathers", lambda model: None)
    folder = exported_to(tmp_path, "atto", "fp32", "demo")
    said = "it ended the GPU's process (signal 11, SIGSEGV)"
    assert [row.problems for row in verify_on_gpu(folder).rows] == [(said,)] * 2
    (path,) = folder.glob("*.tflite")
    assert said in complaint(capsys, "inspect", path, "--device", "gpu", code=1)


@on_gpu
def test_what_is_not_taken_is_named(tmp_path: Path) -> None:
    """A file whose weights beside int8 are int8 too, as all other formats have them."""
    given = ["--variant", "atto", "--precision", "int8-weight", "--format", "tflite"]
    assert main(["export", *given, "--no-verify", "--output", str(tmp_path)]) == 0
    (path,) = tmp_path.glob("*.tflite")
    with pytest.raises(CheckError, match=r"the GPU cannot run it .*Shape mismatch"):
        GpuRunner(path, float32=True)
