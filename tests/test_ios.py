"""What Python and the Swift code must agree on; `./dev ios` compiles and tests the latter."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from deimv2.converters.schema import SCHEMA

ROOT = Path(__file__).parents[1]
IOS = ROOT / "ios"


def test_the_library_carries_the_schema_of_the_manifest() -> None:
    source = (IOS / "Sources/DEIMv2Kit/ManifestSchema.swift").read_text()
    (literal,) = re.findall(r'#"""\n(.*)  """#', source, re.DOTALL)
    lines = [line.removeprefix("  ") for line in literal.splitlines(keepends=True)]
    assert "".join(lines) == SCHEMA.read_text(), f"paste {SCHEMA.name} into it"


def test_the_phones_runtime_is_the_exporters() -> None:
    (version,) = re.findall(
        r'revision: "[0-9a-f]{40}"\),  // swiftpm-([0-9.]+);',
        (IOS / "ExecuTorch/Package.swift").read_text(),
    )
    (exporter,) = re.findall(r"^executorch==(.+)$", (ROOT / "requirements.lock").read_text(), re.M)
    assert version.split(".")[:2] == exporter.split(".")[:2]  # not every patch has a package


@pytest.mark.skipif(sys.platform == "darwin", reason="macOS has a Swift of its own")
def test_a_folder_that_holds_no_swift_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("mine")
    done = subprocess.run(
        [IOS / "check", "toolchain"],
        env={"PATH": "/usr/bin:/bin", "DEIMV2_SWIFT_ROOT": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert "holds no Swift" in done.stderr
    assert (tmp_path / "mine").read_text() == "mine"
