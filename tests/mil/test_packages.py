"""A whole `.mlpackage` runs here, and a broken or foreign one is refused in one line."""

import json
import random
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import coremltools as ct
import numpy as np
import pytest

from deimv2.cli.main import main
from deimv2.converters.artifact import open_model
from deimv2.converters.manifest import Manifest, describe
from deimv2.converters.mlpackage.run import UNITS, ReferenceRunner
from deimv2.converters.precision import PRECISIONS
from deimv2.mil.package import SPECIFICATION, read_specification
from deimv2.model.detections import Detections
from deimv2.model.errors import InputError, MissingExtraError
from deimv2.tests.mil.packages import save_detector
from deimv2.tests.tiny import LABELS, SIZE, found, write_folder
from deimv2.verification.verify import verify_folder

WEIGHTS = "Data/com.apple.CoreML/weights/weight.bin"
WHITE = np.full((*SIZE, 3), 255, np.uint8)


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_detector(tmp_path_factory.mktemp("packages") / "tiny.mlpackage")


@pytest.fixture
def copied(package: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(package, tmp_path / "tiny.mlpackage"))


def complaint(path: Path) -> str:
    with pytest.raises(InputError) as error:
        open_model(path)
    message = str(error.value)
    assert "\n" not in message
    assert str(path) in message
    return message


def change(path: Path, edit: Callable[[Any], None]) -> None:
    proto = read_specification(path)
    edit(proto)
    (path / SPECIFICATION).write_bytes(proto.SerializeToString())


def main_block(proto: Any) -> Any:
    (block,) = proto.mlProgram.functions["main"].block_specializations.values()
    return block


def close(detections: Detections, expected: Detections) -> None:
    np.testing.assert_allclose(detections.boxes, expected.boxes, rtol=1e-6)
    np.testing.assert_allclose(detections.scores, expected.scores, rtol=1e-6)
    assert detections.labels.tolist() == expected.labels.tolist()
    assert detections.labels.dtype == np.int32


def test_a_package_detects_by_its_weight_file(package: Path) -> None:
    runner = open_model(package, threads=1)
    assert (runner.size, runner.labels) == (SIZE, LABELS)
    close(runner.detect(WHITE), found())
    grey = runner.detect(WHITE // 5)
    np.testing.assert_allclose(grey.scores, found().scores / 5, rtol=1e-6)
    close(runner.detect(WHITE), found())


def test_a_frame_of_another_shape_is_refused(package: Path) -> None:
    with pytest.raises(InputError, match=r"expected uint8 \[32, 64, 3\]"):
        open_model(package).detect(np.zeros((64, 32, 3), np.uint8))


def test_outputs_in_another_order_are_told_apart(tmp_path: Path) -> None:
    path = save_detector(tmp_path / "a.mlpackage", ("labels", "scores", "boxes"))
    close(open_model(path).detect(WHITE), found())


def test_other_inputs_and_outputs_are_named(tmp_path: Path) -> None:
    path = save_detector(tmp_path / "a.mlpackage", ("boxes", "scores"))
    assert "gives boxes float32 [1, 2, 4], scores float32 [1, 2], expected" in complaint(path)
    path = save_detector(tmp_path / "b.mlpackage", color_layout=ct.colorlayout.BGR)
    assert "takes image colour space 30 [32, 64], expected one RGB image" in complaint(path)


def test_a_description_that_is_not_its_programs_is_refused(copied: Path) -> None:
    def widen(proto: Any) -> None:
        proto.description.input[0].type.imageType.width = 96

    change(copied, widen)
    assert "its program has image float32 [1, 3, 32, 64]" in complaint(copied)


@pytest.mark.parametrize("share", [0, 0.02, 0.5, 0.999])
def test_a_cut_weight_file_is_refused(copied: Path, share: float) -> None:
    content = (copied / WEIGHTS).read_bytes()
    (copied / WEIGHTS).write_bytes(content[: int(len(content) * share)])
    assert "no whole .mlpackage file" in complaint(copied)


def test_weights_that_lie_elsewhere_are_refused(copied: Path) -> None:
    def weight(proto: Any) -> Any:
        constants = [op for op in main_block(proto).operations if op.type == "const"]
        values = [value for op in constants for value in op.attributes.values()]
        (value,) = [value for value in values if value.HasField("blobFileValue")]
        return value.blobFileValue

    def beyond(proto: Any) -> None:
        weight(proto).offset = 10**9

    def between(proto: Any) -> None:
        weight(proto).offset += 1

    def elsewhere(proto: Any) -> None:
        weight(proto).fileName = "@model_path/../secret.bin"

    whole = (copied / SPECIFICATION).read_bytes()
    for edit, part in (
        (beyond, "index out of bounds"),
        (between, "Invalid sentinel"),
        (elsewhere, "keeps weights in '@model_path/../secret.bin'"),
    ):
        (copied / SPECIFICATION).write_bytes(whole)
        change(copied, edit)
        assert part in complaint(copied)


def test_missing_parts_are_named(copied: Path, tmp_path: Path) -> None:
    (copied / WEIGHTS).unlink()
    assert "no whole .mlpackage file" in complaint(copied)
    (copied / WEIGHTS).parent.rmdir()
    assert "lacks Data/com.apple.CoreML/weights, which its manifest names" in complaint(copied)
    (copied / "Manifest.json").unlink()
    assert "has no Manifest.json that says where its model is" in complaint(copied)
    assert "no file at" in complaint(tmp_path / "none.mlpackage")
    (tmp_path / "file.mlpackage").touch()
    assert "a file at" in complaint(tmp_path / "file.mlpackage")


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"itemInfoEntries": {"a": 1}}', "\0"])
def test_a_manifest_that_says_nothing_is_refused(copied: Path, text: str) -> None:
    (copied / "Manifest.json").write_text(text)
    assert "has no Manifest.json that says where its model is" in complaint(copied)


def test_a_manifest_with_another_root_is_refused(copied: Path) -> None:
    manifest = json.loads((copied / "Manifest.json").read_text())
    root = manifest["itemInfoEntries"][manifest["rootModelIdentifier"]]
    root["path"] = "com.apple.CoreML/weights"
    (copied / "Manifest.json").write_text(json.dumps(manifest))
    assert "has its model at 'Data/com.apple.CoreML/weights', expected" in complaint(copied)


def test_a_broken_specification_is_refused(copied: Path) -> None:
    path = copied / SPECIFICATION
    content = path.read_bytes()
    seed = random.Random(0)
    for length in [0, 1, 100, len(content) - 1, *seed.sample(range(len(content)), 10)]:
        path.write_bytes(content[:length])
        complaint(copied)


def test_a_program_of_other_operations_is_refused(copied: Path) -> None:
    def rename(name: str) -> Callable[[Any], None]:
        def edit(proto: Any) -> None:
            main_block(proto).operations[-1].type = name

        return edit

    def older(proto: Any) -> None:
        proto.specificationVersion = 7

    change(copied, rename("guess"))
    assert "no whole .mlpackage file" in complaint(copied)
    change(copied, rename("floor_div"))
    assert "has operation 'floor_div', which is not computed here" in complaint(copied)
    change(copied, older)
    assert "is of version 7" in complaint(copied)


def test_without_coremltools_the_extra_is_named(
    package: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "coremltools.converters.mil.frontend.milproto.load", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'deimv2\[coreml\]'"):
        open_model(package)


def with_package(folder: Path, package: Path) -> None:
    """An export folder whose goldens are white frames in which `package` is right."""
    manifest = write_folder(folder)
    shutil.copytree(package, folder / package.name)
    files = (*manifest.files, describe(folder / package.name))
    manifest = Manifest(**{**vars(manifest), "files": files})
    manifest.write(folder / "manifest.json")


class FakeCoreML:
    """Stands in for `coremltools.models.MLModel`; one of the units is wrong."""

    def __init__(self, path: str, compute_units: Any) -> None:
        self.runner = ReferenceRunner(Path(path))
        self.shift = 0.005 if compute_units == ct.ComputeUnit.CPU_AND_NE else 0

    def predict(self, inputs: dict[str, Any]) -> dict[str, Any]:
        (image,) = inputs.values()
        assert image.mode == "RGB"
        detections = self.runner.detect(np.asarray(image))
        return {
            "boxes": detections.boxes[None] + self.shift,
            "scores": detections.scores[None],
            "labels": detections.labels[None],
        }


@pytest.fixture
def mac(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("deimv2.converters.mlpackage.run.on_mac", lambda: True)
    monkeypatch.setattr(ct.models, "MLModel", FakeCoreML)


@pytest.mark.usefixtures("mac")
def test_on_a_mac_core_ml_itself_runs(package: Path) -> None:
    runner = open_model(package)
    assert (type(runner).__name__, runner.size, runner.labels) == ("CoreMLRunner", SIZE, LABELS)
    close(runner.detect(WHITE), found())
    with pytest.raises(InputError, match="2 threads asked for, but Core ML"):
        open_model(package, threads=2)


@pytest.mark.usefixtures("mac")
def test_on_a_mac_every_compute_unit_is_compared(package: Path, tmp_path: Path) -> None:
    with_package(tmp_path / "export", package)
    rows = verify_folder(tmp_path / "export").rows
    units = {row.artifact.split()[-1]: row for row in rows if "mlpackage " in row.artifact}
    assert tuple(units) == UNITS
    failed = [unit for unit, row in units.items() if row.problems]
    assert failed == ["CPU_AND_NE"]
    assert "px), the limit is 0.05 px" in " ".join(units["CPU_AND_NE"].problems)


@pytest.mark.long
def test_demo_weights_in_half_precision_detect_what_pytorch_detects(tmp_path: Path) -> None:
    """float32 is in tests/verification/test_verify.py, by the export that all tests share."""
    arguments = ["--weights", "demo", "--precision", "fp16", "--format", "mlpackage"]
    assert main(["export", *arguments, "--output", str(tmp_path)]) == 0
    (file,) = Manifest.read(tmp_path).files
    measured = Manifest.read(tmp_path).parity[file.name]["measured"]
    assert measured["counted"] >= 50
    assert 0 < measured["box_px"]["p99"] <= PRECISIONS["fp16"].limits.box_px  # it does round


@pytest.mark.slow
@pytest.mark.parametrize("variant", ["pico", "n", "s"])
def test_larger_variants_detect_what_pytorch_detects(tmp_path: Path, variant: str) -> None:
    arguments = ["--variant", variant, "--weights", "random", "--format", "mlpackage"]
    assert main(["export", *arguments, "--output", str(tmp_path)]) == 0
    assert Manifest.read(tmp_path).parity
