"""Vulkan inside a `.pte`: what the file says is computed, and marked as not run by Vulkan."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

import deimv2
from deimv2.api.apps import put_into_app
from deimv2.api.install import with_earlier
from deimv2.cli.main import main
from deimv2.converters.artifact import inspect, open_model
from deimv2.converters.golden import read_golden
from deimv2.converters.manifest import Manifest
from deimv2.converters.pte.program import Program
from deimv2.converters.pte.vulkan import ATEN, rewritten, tensors
from deimv2.converters.pte.vulkan_run import VulkanProgramRunner, converted
from deimv2.model.errors import InputError
from deimv2.tests.cli.commands import Capture, complaint, output

NAME = "deimv2-atto-fp32-vulkan.pte"
OPTIONS = ("--format", "pte", "--delegate", "vulkan")
pytestmark = pytest.mark.long  # lowering takes a minute and a half of processor time


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An export of the demo's weights."""
    made = tmp_path_factory.mktemp("vulkan") / "export"
    assert main(["export", *OPTIONS, "--output", str(made)]) == 0
    return made


class Extremes(nn.Module):
    """The operations that are rewritten: a floor ahead of a cast, and one that is not."""

    def forward(self, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        return torch.maximum(x, y), x.abs().floor().to(torch.int32), y.floor()


def test_what_is_rewritten_stays_the_same_to_the_bit() -> None:
    torch.manual_seed(0)
    x, y = 9 * torch.randn(2, 50)
    x[:3], y[:3] = torch.tensor([0.0, -0.0, torch.inf]), torch.tensor([0.0, -1.0, 1.0])
    program = torch.export.export(Extremes(), (x, y))
    module = rewritten(program, (x, y)).module()
    targets = [node.target for node in module.graph.nodes]
    assert ATEN.maximum.default not in targets
    assert targets.count(ATEN.floor.default) == 1
    for found, wanted in zip(module(x, y), Extremes()(x, y), strict=True):
        assert torch.equal(found, wanted)


def test_three_calls_have_all_but_the_frames_cast_and_the_selection(folder: Path) -> None:
    (file,) = Manifest.read(folder).files
    assert (file.name, file.not_run) == (NAME, "Vulkan")
    assert file.computation is not None and file.computation["delegate"] == "Vulkan"
    found = inspect(folder / NAME)
    (vulkan,) = found.delegates
    assert (vulkan.name, vulkan.calls) == ("Vulkan", 3)
    left = {kind: count for kind, _, count, _ in found.left_outside("Vulkan")}
    assert left == {"topk": 2, "_to_dim_order_copy": 1}
    assert found.delegated_share("Vulkan") == 1.0
    assert [(port.dtype, *port.shape) for port in found.inputs] == [("uint8", 1, 320, 320, 3)]
    assert {each["id"] for each in Program.read(folder / NAME).forward["delegates"]} == {
        "VulkanBackend"
    }


def test_weights_of_convolutions_are_constants(folder: Path) -> None:
    """A delegate of Vulkan asks for that, and ends the process of one that computes them."""
    program = Program.read(folder / NAME)
    weights = []
    for delegate in program.forward["delegates"]:
        graph = program.graph(delegate)
        values = tensors(graph)
        for call in graph["chain"]:
            if call["name"].split(".")[1] in ("convolution", "conv_with_clamp"):
                weights.append(values[call["args"][1]])
    assert len(weights) == 51 and all(tensor["constant_id"] >= 0 for tensor in weights)


def test_verify_says_what_was_run(capsys: Capture, folder: Path) -> None:
    (row,) = json.loads(output(capsys, "verify", folder, "--json"))["rows"]
    assert row["passed"] and row["measured"]["matched_share"] == 1.0
    assert row["against"].endswith("its operations in PyTorch: Vulkan was not run")


def test_a_weight_that_is_wrong_in_the_file_shows(folder: Path, tmp_path: Path) -> None:
    (golden, *_) = read_golden(folder, Manifest.read(folder).golden)
    runner = open_model(folder / NAME)
    assert isinstance(runner, VulkanProgramRunner)
    assert runner.labels == list(Manifest.read(folder).labels)
    right = runner.detect(golden.frame)
    assert abs(right.scores - golden.reference.scores).max() < 1e-4
    largest = max(Program.read(folder / NAME).named().values(), key=len)
    damaged = Path(shutil.copytree(folder, tmp_path / "damaged"))
    content = (damaged / NAME).read_bytes()
    (damaged / NAME).write_bytes(content.replace(largest, bytes(len(largest))))
    wrong = open_model(damaged / NAME).detect(golden.frame)
    assert abs(wrong.scores - golden.reference.scores).max() > 1e-4
    assert not deimv2.verify(damaged).passed
    (damaged / NAME).write_bytes(content[: len(content) // 2])
    with pytest.raises(InputError, match=r"is no whole \.pte file"):
        open_model(damaged / NAME)


def test_no_app_takes_it(folder: Path, tmp_path: Path) -> None:
    for platform in ("android", "ios"):
        with pytest.raises(InputError, match=f"holds {NAME}, expected one of"):
            put_into_app(platform, folder, tmp_path / platform)


def test_it_comes_after_files_that_were_run(folder: Path) -> None:
    earlier = Manifest.read(folder)
    run = replace(earlier.files[0], name="deimv2-atto-fp32.pte", not_run=None)
    made = with_earlier(folder, replace(earlier, files=(run,)), earlier)
    names = [file.name for file in made.files]
    assert names == [run.name, NAME]


def test_its_time_here_says_nothing(capsys: Capture, folder: Path) -> None:
    assert "nothing to time" in complaint(capsys, "benchmark", folder)


def test_int8_is_one_line(capsys: Capture, tmp_path: Path) -> None:
    given = ("export", *OPTIONS, "--precision", "int8", "--output", tmp_path / "new")
    assert "has no int8 here, expected fp32 or fp16" in complaint(capsys, *given)
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize(
    ("given", "kind", "wanted"),
    [(0.0, "int", 0), (1, "bool", True), (0.5, "number", 0.5), (2.0, "Optional[int]", 2)],
)
def test_numbers_that_a_graph_shares_get_their_type_back(
    given: float, kind: str, wanted: float
) -> None:
    found = converted(given, kind)
    assert (type(found), found) == (type(wanted), wanted)
