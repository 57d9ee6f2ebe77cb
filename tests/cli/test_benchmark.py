"""`deimv2 benchmark` as people type it: files in turn beside a baseline, and complaints."""

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

import onnxruntime
import pytest

from deimv2.api.benchmarking import benchmark, find, write
from deimv2.converters.artifact import inspect
from deimv2.converters.manifest import Manifest, describe
from deimv2.converters.metadata import ModelCard
from deimv2.model import build_model
from deimv2.model.errors import InputError
from deimv2.model.progress import SILENT
from deimv2.model.weights import save_weights
from deimv2.model.weights.sources import load
from deimv2.profiling.timing import BASELINE, MATMUL, MOST_OUTSIDE, SIDE, Runner, time_in_turn
from deimv2.tests.cli.commands import Capture, complaint, output
from deimv2.tests.converters.artifacts import write_mixed
from deimv2.tests.tiny import write_folder, write_onnx
from deimv2.tests.told import Told

FEW = ("--rounds", "3")


class Scripted:
    """In place of a process: times of turn after turn."""

    TIMES: ClassVar = {
        MATMUL: [1.0] * 9, BASELINE: [9.0] * 4 + [2.0, 4.0, 2.0], "a.onnx": [9.0] * 4 + [5, 4, 3],
    }  # fmt: skip

    OUTSIDE: ClassVar[float | None] = 0.01

    def __init__(
        self, path: Path | str, threads: int, device: str = "cpu", name: str | None = None
    ) -> None:
        self.name = name or Path(path).name
        self.times = iter(self.TIMES[Path(path).name])

    def __enter__(self) -> "Scripted":
        return self

    def __exit__(self, *_: object) -> None: ...

    def ask(self, what: str) -> float:
        fixed = {"load": 0.5, "memory": 7, "outside": self.OUTSIDE}
        return fixed[what] if what in fixed else next(self.times)


def test_ratios_are_of_the_same_round_and_the_first_rounds_do_not_count(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("deimv2.profiling.timing.Runner", Scripted)
    baseline, row = time_in_turn([Path("a.onnx")], Path(BASELINE), 1, {"a.onnx": SIDE**3}, 3)
    assert (baseline.median, baseline.ratio) == (2.0, None)
    assert (row.load, row.first, row.median, row.memory) == (0.5, 9.0, 4.0, 7)
    assert row.ratio == 1.5  # the median of 5/2, 4/4 and 3/2; that of medians is 2
    assert row.p95 == pytest.approx(4.9) and row.peak_share == pytest.approx(1 / 4)


def test_two_exports_of_a_model_are_timed_side_by_side(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("deimv2.profiling.timing.Runner", Scripted)
    for week in ("last", "this"):
        folder = tmp_path / week / "atto"
        folder.mkdir(parents=True)
        write_onnx(folder / "a.onnx")
        manifest = replace(write_folder(folder), files=(describe(folder / "a.onnx"),))
        manifest.write(folder / "manifest.json")
    folders = [tmp_path / week / "atto" for week in ("last", "this")]
    rows = benchmark(folders, rounds=3, baseline=False)
    assert [row.name for row in rows] == ["last/atto/a.onnx", "this/atto/a.onnx"]
    benchmark([folders[0], folders[1] / "a.onnx"], rounds=3, baseline=False, record=True)
    for folder in folders:
        assert (Manifest.read(folder).measured or {})["a.onnx"]["latency"]["median_ms"] == 4000


@pytest.mark.parametrize(("outside", "ratio"), [(None, 1.5), (0.05, 1.5), (0.06, None)])
def test_a_time_that_is_not_the_runtimes_has_no_ratio(
    monkeypatch: pytest.MonkeyPatch, outside: float | None, ratio: float | None
) -> None:
    monkeypatch.setattr("deimv2.profiling.timing.Runner", Scripted)
    monkeypatch.setattr(Scripted, "OUTSIDE", outside)
    _, row = time_in_turn([Path("a.onnx")], Path(BASELINE), 1, {}, 3)
    assert (row.outside, row.ratio) == (outside, ratio)


def test_every_file_is_timed_against_the_baseline_and_stands_in_the_manifest(
    exported: Path, tmp_path: Path, capsys: Capture
) -> None:
    folder = Path(shutil.copytree(exported, tmp_path / "export"))
    given = ("benchmark", folder, *FEW, "--threads", 2, "--record", "--json")
    rows = json.loads(output(capsys, *given))
    names = [BASELINE, "deimv2-atto-fp32.onnx", "deimv2-atto-fp32.pte", "deimv2-atto-fp32.tflite"]
    assert [(row["name"], row["threads"]) for row in rows] == [(n, 2) for n in names]
    for row in rows:
        assert 0 < row["median"] <= row["p95"] and row["first"] > 0 and row["load"] > 0
        assert 0 < row["memory"] < 2e9
        assert (row["outside"] is None) == (row["name"] == BASELINE)
        without = row["name"] == BASELINE or row["outside"] > MOST_OUTSIDE
        assert (row["ratio"] is None) == without
        assert row["ratio"] is None or 0.01 < row["ratio"] < 100
        assert row["name"] == BASELINE or row["peak_share"] > 0
    measured = Manifest.read(folder).measured
    assert measured is not None and sorted(measured) == names[1:]
    for row in rows[1:]:
        latency = measured[row["name"]]["latency"]
        assert latency["median_ms"] == pytest.approx(1e3 * row["median"], abs=0.01)
        assert latency["threads"] == 2 and latency["machine"]


@pytest.mark.long
def test_files_of_others_are_timed_beside(exported: Path, tmp_path: Path, capsys: Capture) -> None:
    other = write_mixed(tmp_path / "other.tflite")  # float32 numbers in, and no card
    artifact = exported / "deimv2-atto-fp32.tflite"
    given = ("benchmark", artifact, *FEW, "--no-baseline", "--beside")
    rows = json.loads(output(capsys, *given, other, "--json"))
    assert [row["name"] for row in rows] == [artifact.name, other.name]
    assert rows[1]["median"] > 0 and rows[1]["ratio"] is None and rows[1]["peak_share"] is None
    assert "no .tflite file at 'nowhere.tflite'" in complaint(capsys, *given, "nowhere.tflite")
    other.write_bytes(b"none")
    assert "could not be run here" in complaint(capsys, *given, other)


def test_ratios_come_first_in_the_table(
    tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("deimv2.profiling.timing.Runner", Scripted)
    monkeypatch.setattr("deimv2.api.benchmarking.write", lambda *_: None)
    artifact = write_onnx(tmp_path / "a.onnx")
    header, *rows = (
        line.split() for line in output(capsys, "benchmark", artifact, *FEW).splitlines()
    )
    assert header[:3] == ["file", "threads", "ratio"]
    assert [row[:4] for row in rows] == [
        [BASELINE, "1", "-", "2000.0"], ["a.onnx", "1", "1.50", "4000.0"],
    ]  # fmt: skip


def test_one_number_of_threads_is_recorded(exported: Path, capsys: Capture) -> None:
    two = complaint(capsys, "benchmark", exported, "--record", "--threads", 1, 2)
    assert "--record holds one number of threads, found 2" in two


def test_other_weights_are_no_baseline(exported: Path, capsys: Capture) -> None:
    artifact = exported / "deimv2-atto-fp32.tflite"
    line = complaint(capsys, "benchmark", artifact, *FEW, "--weights", "random")
    assert "was made of other weights" in line and "name them with --weights" in line
    line = complaint(capsys, "benchmark", artifact, *FEW, "--weights", "")
    assert "weights '' is no path, expected one" in line


def test_the_baseline_has_the_classes_of_the_artifact(tmp_path: Path) -> None:
    names, size = ("cup", "plate", "fork"), (160, 160)
    sha256 = load("atto", "random", names, size).sha256
    card = ModelCard("atto", "fp32", size, 100, names, "random", sha256)
    artifact = inspect(write_onnx(tmp_path / "a.onnx", card=card.to_json()))
    write(None, artifact, path := tmp_path / BASELINE, SILENT)
    logits, _ = onnxruntime.InferenceSession(path).get_outputs()
    assert logits.shape[-1] == 3
    save_weights(build_model("atto", 2, 160), other := tmp_path / "other.safetensors", names[:2])
    with pytest.raises(InputError, match=r"other.safetensors' has 2 classes, expected 3"):
        write(other, artifact, path, SILENT)


def test_of_a_folder_the_files_of_its_manifest_are_timed(tmp_path: Path) -> None:
    write_folder(tmp_path)
    listed = find([tmp_path])
    assert {path.name for path in listed} <= {f.name for f in Manifest.read(tmp_path).files}
    rejected, other = tmp_path / "a.rejected.onnx", tmp_path / "a.onnx"
    for copy in (rejected, other):
        shutil.copy(listed[0], copy)
    assert find([tmp_path]) == listed
    (tmp_path / "manifest.json").unlink()
    assert find([tmp_path]) == [other, *listed]


def test_what_is_not_timed_in_a_folder_is_named(tmp_path: Path) -> None:
    told, names = Told(), ("a.onnx", "a.aimodel", "a.txt", "a.mlpackage")
    made = [tmp_path / name for name in names]
    for path in made:
        path.touch() if path.suffix in (".onnx", ".txt") else path.mkdir()
    assert find([tmp_path], progress=told) == made[:1]
    left = "not timed: a.aimodel, a.mlpackage, whose time here says nothing of phones"
    assert told.lines == [left]
    with pytest.raises(InputError, match="nothing to time at"):
        find(made[1:2])


def test_what_cannot_be_timed_is_named(exported: Path, tmp_path: Path, capsys: Capture) -> None:
    for path in (tmp_path, tmp_path / "none.tflite", exported / "deimv2-atto-fp32.mlpackage"):
        assert f"nothing to time at '{path}'" in complaint(capsys, "benchmark", path)
    twice = [exported / "deimv2-atto-fp32.tflite"] * 2
    assert "is named 2 times, expected each file once" in complaint(capsys, "benchmark", *twice)


def test_a_process_that_ends_is_told(tmp_path: Path) -> None:
    with Runner(tmp_path / "none.tflite", 1) as runner, pytest.raises(InputError) as error:
        runner.ask("load")
    assert "'none.tflite' could not be run here" in str(error.value)
