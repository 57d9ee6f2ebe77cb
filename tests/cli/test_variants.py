"""Every variant exports, and shows what PyTorch shows. The large ones take minutes each."""

from pathlib import Path

import pytest

from deimv2.cli.main import main
from deimv2.converters.manifest import Manifest
from deimv2.model import VARIANTS
from deimv2.tests.training.scenes import GARMENTS


def files_of(folder: Path) -> set[str]:
    return {file.format for file in Manifest.read(folder).files}


@pytest.mark.long
def test_a_vit_variant_exports_to_litert(tmp_path: Path) -> None:
    """The ViT export that CI runs; Atto in all formats is the shared fixture `exported`."""
    folder = tmp_path / "s"
    assert main(["export", "--variant", "s", "--format", "tflite", "--output", str(folder)]) == 0
    assert files_of(folder) == {"tflite"}


@pytest.mark.slow
@pytest.mark.parametrize("variant", VARIANTS)
def test_a_variant_exports_to_all_three_formats(variant: str, tmp_path: Path) -> None:
    folder = tmp_path / variant
    assert main(["export", "--variant", variant, "--output", str(folder)]) == 0
    assert files_of(folder) == {"tflite", "mlpackage", "pte"}
    assert main(["verify", str(folder)]) == 0


@pytest.mark.slow
@pytest.mark.parametrize(("variant", "share"), [("femto", 0.89), ("pico", 0.93), ("n", 0.86)])
def test_most_of_a_small_variant_is_in_int8(variant: str, share: float, tmp_path: Path) -> None:
    """Whatever the weights, so these are random ones, too sensitive to hold verify's limits."""
    given = ["--weights", "random", "--calibration", str(GARMENTS), "--calibration-photos", "8"]
    given += ["--precision", "int8", "--no-verify", "--output", str(tmp_path)]
    assert main(["export", "--variant", variant, *given]) == 0
    files = Manifest.read(tmp_path).files
    assert {file.format for file in files} == {"tflite", "mlpackage", "pte"}
    assert all((file.computation or {})["integer_share"] >= share for file in files)
