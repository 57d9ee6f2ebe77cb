"""Every variant exports, and shows what PyTorch shows. The large ones take minutes each."""

from pathlib import Path

import pytest

from cli.main import main
from converters.manifest import Manifest
from model import VARIANTS


def files_of(folder: Path) -> set[str]:
    return {file.format for file in Manifest.read(folder).files}


def test_a_vit_variant_exports_to_litert(tmp_path: Path) -> None:
    """The one ViT export of every run; Atto in all formats is the shared fixture `exported`."""
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
