"""Core AI's `.aimodel` in its own runtime: the demo weights at a quarter of the pixels."""

import asyncio
import hashlib
import json
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from deimv2.api.apps import formats_of
from deimv2.api.exporting import Export, export
from deimv2.cli.main import main
from deimv2.converters import DEFAULT_FORMATS, FORMATS
from deimv2.converters.aimodel.asset import (
    CUSTOM,
    HASH,
    METADATA,
    PROGRAM,
    check_files,
    operations,
    read_graph,
)
from deimv2.converters.aimodel.convert import numbered
from deimv2.converters.aimodel.inspect import why_not
from deimv2.converters.artifact import inspect, open_model
from deimv2.converters.manifest import NAME, Manifest, describe
from deimv2.converters.metadata import KEY
from deimv2.converters.photographs import PHOTOGRAPHS
from deimv2.converters.precision import PRECISIONS
from deimv2.model.errors import InputError, MissingExtraError
from deimv2.model.images import load_photo, resize
from deimv2.model.optional import quiet
from deimv2.tests.verification import broken
from deimv2.verification.parity import compare
from deimv2.verification.verify import verify_folder

SMALLER = [name for name in FORMATS["aimodel"].precisions if name != "fp32"]
SIDE = 160
MIB = 1 << 20


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Export]:
    """An export, verified as every export is; each precision is made once."""
    exports: dict[str, Export] = {}

    def of(precision: str) -> Export:
        if precision not in exports:
            exports[precision] = export(
                "atto",
                formats=["aimodel"],
                precision=precision,
                image_size=(SIDE, SIDE),
                output=tmp_path_factory.mktemp(precision),
            )
        return exports[precision]

    return of


def path_of(made: Export) -> Path:
    (file,) = made.files
    return made.folder / file.name


@pytest.fixture
def copy(made: Callable[[str], Export], tmp_path: Path) -> Path:
    """The float32 asset alone, without a manifest beside it."""
    source = path_of(made("fp32"))
    return Path(shutil.copytree(source, tmp_path / source.name))


def complaint(path: Path) -> str:
    with pytest.raises(InputError) as error:
        open_model(path)
    assert "\n" not in str(error.value) and path.name in str(error.value)
    return str(error.value)


# -- what is made


@pytest.mark.parametrize(
    "precision", ["fp32", *(pytest.param(name, marks=pytest.mark.long) for name in SMALLER)]
)
def test_it_detects_what_its_reference_detects(
    made: Callable[[str], Export], precision: str
) -> None:
    done = made(precision)
    (row,) = done.report.rows
    assert row.problems == () and row.parity is not None and row.parity.counted >= 20
    limits = PRECISIONS[precision].limits
    assert row.limits == limits
    assert path_of(done).name == f"deimv2-atto-{precision}.aimodel"
    assert 0 < row.parity.score.worst < (1e-5 if limits.least == 0 else 0.1)


@pytest.mark.long
def test_smaller_numbers_make_smaller_files(made: Callable[[str], Export]) -> None:
    sizes = {name: describe(path_of(made(name))).size for name in ("fp32", *SMALLER)}
    assert sizes["fp16"] < 0.6 * sizes["fp32"]
    assert sizes["int8-weight"] < 0.4 * sizes["fp32"]
    found = inspect(path_of(made("int8-weight")))
    weights = sum(c.size for c in found.constants if c.dtype == "int8")
    assert weights > 0.85 * 480_000 and found.integer_share == 0
    assert inspect(path_of(made("fp16"))).delegated_share("Neural Engine") > 0.99
    assert inspect(path_of(made("fp32"))).delegated_share("Neural Engine") == 0


def test_the_manifest_lists_it(made: Callable[[str], Export]) -> None:
    manifest = Manifest.read(made("fp32").folder)
    (file,) = manifest.files
    assert (file.format, file.input) == ("aimodel", "tensor")
    assert file.computation is not None and file.computation["delegate"] == "Neural Engine"
    assert manifest.toolchain.keys() >= {"coreai-torch", "coreai-core"}


def test_it_is_for_newer_iphones_and_asked_for_by_name() -> None:
    assert "aimodel" not in DEFAULT_FORMATS
    assert "aimodel" in formats_of("ios") and "aimodel" not in formats_of("android")


def test_it_tells_nothing_of_the_machine_and_the_hour(made: Callable[[str], Export]) -> None:
    path = path_of(made("fp32"))
    program, metadata = (path / PROGRAM).read_bytes(), json.loads((path / METADATA).read_text())
    assert sorted(part.name for part in path.iterdir()) == [HASH, PROGRAM, METADATA]
    assert b"weight_0" in program
    for trace in (b"resource_", str(Path(__file__).parents[2]).encode(), b"site-packages"):
        assert trace not in program
    assert metadata.keys() == {"assetVersion", CUSTOM, "description", "license", "producer"}
    assert metadata[CUSTOM].keys() == {KEY}


class Pooled(nn.Module):
    """As the ViTs have it, an average that the converter makes a function of its own."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.conv = nn.Conv2d(3, 64, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return nn.functional.avg_pool2d(self.conv(x), 3, 2, 1)


def test_names_follow_from_the_program_alone(tmp_path: Path) -> None:
    with quiet(None):  # it warns of local tags of PyTorch's version
        import coreai_torch

    example = torch.zeros(1, 3, 16, 16)
    texts = []
    for turn in range(2):
        with quiet(None):
            exported = torch.export.export(Pooled().eval(), (example,))
            exported = exported.run_decompositions(coreai_torch.get_decomp_table())
            converter = coreai_torch.TorchConverter(mode=coreai_torch.TorchConverter.Mode.RELEASE)
            converter.add_exported_program(exported, input_names=["x"], output_names=["y"])
            converted = converter.to_coreai()
            program = numbered(converted)
        assert "resource_" in str(converted) and "_composite_" in str(converted)
        texts.append(str(program))
        path = tmp_path / f"{turn}.aimodel"
        program.save_asset(path)
        called = [op.name for op in operations(read_graph(path))]
        assert "coreai.conv2d" in called and called[-1] == "coreai.output"
    assert texts[0] == texts[1]
    assert "resource_" not in texts[0] and "@avg_pool2d_composite_" in texts[0]
    first, second = ((tmp_path / f"{turn}.aimodel" / PROGRAM).read_bytes() for turn in range(2))
    assert first == second


# -- how it runs


def test_it_runs_also_inside_an_event_loop(copy: Path) -> None:
    runner = open_model(copy)
    frame = resize(load_photo(PHOTOGRAPHS[0]), runner.size)
    first = runner.detect(frame)

    async def inside() -> bool:
        again = open_model(copy).detect(frame)
        return compare(first, again, runner.size, PRECISIONS["fp32"].limits).box_px.worst == 0

    assert (runner.size, len(first)) == ((SIDE, SIDE), 100)
    assert runner.labels is not None and len(runner.labels) == 8
    assert asyncio.run(inside())


def test_what_it_cannot_take_is_refused(copy: Path) -> None:
    with pytest.raises(InputError, match="2 threads asked for, but Core AI chooses itself"):
        open_model(copy, threads=2)
    with pytest.raises(InputError, match=r"expected uint8 \[160, 160, 3\]"):
        open_model(copy).detect(np.zeros((SIDE, SIDE + 1, 3), np.uint8))


def test_a_missing_runtime_names_its_extra(copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "coreai.authoring", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'deimv2\[coreai\]'"):
        open_model(copy)


# -- files that are not what they should be: Core AI's own reader ends the process over them


@pytest.mark.parametrize("name", [PROGRAM, HASH, METADATA])
def test_a_missing_part_is_named(copy: Path, name: str) -> None:
    (copy / name).unlink()
    assert f"it lacks {name}" in complaint(copy)


@pytest.mark.parametrize("share", [0.0, 0.001, 0.5, 0.999])
def test_a_truncated_program_is_refused(copy: Path, share: float) -> None:
    program = (copy / PROGRAM).read_bytes()
    (copy / PROGRAM).write_bytes(program[: int(len(program) * share)])
    assert f"{PROGRAM} is " in complaint(copy)
    with pytest.raises(InputError, match=r"no whole \.aimodel file"):
        inspect(copy)


def test_one_changed_byte_is_refused(copy: Path) -> None:
    program = bytearray((copy / PROGRAM).read_bytes())
    program[len(program) // 2] ^= 1
    (copy / PROGRAM).write_bytes(program)
    assert f"{PROGRAM} is not the one of {HASH}" in complaint(copy)


@pytest.mark.parametrize("text", ["", "{", "[]", '{"creatorDefinedMetadata": 3}'])
def test_unreadable_metadata_is_refused(copy: Path, text: str) -> None:
    (copy / METADATA).write_text(text)
    complaint(copy)


def test_a_foreign_program_is_refused(copy: Path) -> None:
    broken.patch_asset(copy, lambda text: text.replace("@main", "@other"))
    assert "its functions are other, expected main" in complaint(copy)


def test_the_command_line_refuses_in_one_line(
    copy: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    foreign = tmp_path / "foreign.aimodel"
    foreign.mkdir()
    (copy / HASH).write_bytes(b"0" * 32)
    for path in (foreign, copy, tmp_path / "none.aimodel"):
        for command in (("predict", path, PHOTOGRAPHS[0]), ("inspect", path)):
            assert main([str(part) for part in command]) == 2
            line = capsys.readouterr().err.splitlines()[-1]
            assert line.startswith("deimv2: error: ") and path.name in line


# -- programs that run and are wrong


@pytest.fixture
def folder(made: Callable[[str], Export], tmp_path: Path) -> Iterator[Path]:
    """The float32 export with three of its golden photographs: `verify` runs some of them often."""
    copied = Path(shutil.copytree(made("fp32").folder, tmp_path / "folder"))
    manifest = Manifest.read(copied)
    replace(manifest, golden=manifest.golden[:3]).write(copied / NAME)
    yield copied


@pytest.mark.parametrize(
    ("change", "part"),
    [
        (broken.nothing, None),
        (broken.outputs_swapped, "they are swapped or misnamed"),
        (broken.weight_damaged, "a damaged weight, other weights"),
        *(
            pytest.param(change, part, marks=pytest.mark.long)
            for change, part in [
                (broken.labels_shifted, "all labels are one more than expected"),
                (broken.channels_reversed, "the channels are read as BGR, expected RGB"),
                (broken.normalisation_missing, "the normalisation is missing"),
                (broken.boxes_doubled, "all boxes are 2 times what is expected"),
            ]
        ),
    ],
)
def test_a_broken_program_fails_with_its_cause(
    folder: Path, change: broken.Change, part: str | None
) -> None:
    (path,) = folder.glob("*.aimodel")
    change(path)
    check_files(path)
    assert (path / HASH).read_bytes() == hashlib.sha256((path / PROGRAM).read_bytes()).digest()
    replace(Manifest.read(folder), files=(describe(path),)).write(folder / NAME)
    (row,) = verify_folder(folder).rows
    if part is None:
        assert row.problems == ()
    else:
        assert part in row.problems[-1]


# -- rules of the Neural Engine


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ([((1, 4, 8, 8), "float16")], None),
        ([((1, 4, 8, 8), "float16"), ((4,), "int8")], None),
        ([((1, 4, 8, 8), "float16"), ((4,), "float32")], "is typed float32"),
        ([((4,), "int32")], "is typed int32"),
        ([((1, 1, 1, 1, 1, 1), "float16")], "has 6 dimensions"),
    ],
)
def test_neural_engine_rules(values: list[tuple[tuple[int, ...], str]], reason: str | None) -> None:
    found = why_not(values)
    assert found is None if reason is None else found is not None and reason in found
