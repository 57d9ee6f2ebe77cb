"""On a GPU and on ARM64, too, a file must be the one that the manifest describes."""

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from deimv2.converters.manifest import NAME, Manifest
from deimv2.emulation import check
from deimv2.emulation.emulator import Emulator
from deimv2.verification.gpu import verify_on_gpu
from deimv2.verification.verify import Report


@pytest.mark.parametrize("verify", [verify_on_gpu, check.verify_on_arm64])
def test_a_manifest_that_calls_a_file_another_precision_fails(
    exported: Path, tmp_path: Path, monkeypatch, verify: Callable[[Path], Report]
) -> None:
    """By the limits of int8, much would pass."""
    monkeypatch.setattr(check, "find_emulator", lambda: Emulator(exported))
    folder = tmp_path / "folder"
    shutil.copytree(exported, folder)
    replace(Manifest.read(folder), precision="int8").write(folder / NAME)
    rows = verify(folder).rows
    assert len(rows) == 2
    for row in rows:
        assert (
            "says that its precision is fp32, expected int8 as in the manifest" in row.problems[0]
        )
        assert row.parity is None
