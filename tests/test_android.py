"""What Python and the Android code must agree on; `./dev android` compiles and tests the latter."""

import re
import runpy
import tomllib
from pathlib import Path

import pytest

from deimv2.converters.schema import SCHEMA

ROOT = Path(__file__).parents[1]
ANDROID = ROOT / "android"
VERSIONS = tomllib.loads((ANDROID / "gradle" / "libs.versions.toml").read_text())["versions"]


def test_the_library_carries_the_schema_of_the_manifest() -> None:
    (copy,) = (ANDROID / "detector" / "src" / "main" / "resources").rglob("*.schema.json")
    assert copy.read_bytes() == SCHEMA.read_bytes(), f"copy {SCHEMA.name} to {copy}"


def test_the_phones_runtime_is_the_exporters() -> None:
    lock = (ROOT / "requirements.lock").read_text()
    assert f"executorch=={VERSIONS['executorch']}\n" in lock


def test_the_libraries_are_published_under_the_packages_version() -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    for library in ("detector", "camera"):
        build = (ANDROID / library / "build.gradle.kts").read_text()
        assert f'version = "{version}"' in build
        assert f'"org.deimv2:{library}:{version}"' in (ANDROID / "README.md").read_text()


def test_the_check_compiles_with_the_apps_kotlin() -> None:
    assert f'"kotlin-compiler@{VERSIONS["kotlin"]}"' in (ANDROID / "check.py").read_text()


def test_stand_ins_are_of_the_versions_in_use() -> None:
    named = {
        "androidx.activity": "activity",
        "CameraX": "camerax",
        "Jetpack Compose, BOM": "compose-bom",
        "androidx.core": "core",
        "androidx.exifinterface": "exifinterface",
        "androidx.lifecycle": "lifecycle",
        "com.google.ai.edge.litert:litert": "litert",
        "androidx.test": "test-runner",
    }
    headers = {
        path.name: re.search(r"stand-in for (.+) ([\d.]+):", path.read_text())
        for path in (ANDROID / "compile-stubs").iterdir()
    }
    assert len(headers) > 20
    for name, header in headers.items():
        assert header is not None, name
        library, version = header.groups()
        if library not in ("androidx.annotation", "Android"):  # comes with the others; a platform
            assert VERSIONS[named[library]] == version, name


@pytest.mark.parametrize("module", ["app", "camera"])
def test_every_text_on_the_screen_is_used(module: str) -> None:
    main = ANDROID / module / "src" / "main"
    strings = (main / "res" / "values" / "strings.xml").read_text()
    code = "".join(p.read_text() for p in main.rglob("*.kt"))
    names = re.findall(r'name="(\w+)"', strings)
    assert names
    assert [n for n in names if f"R.string.{n}" not in code and n != "app_name"] == []


def test_the_stand_in_of_litert_names_its_sources(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Comparing needs a checkout (android/compare_stubs.py); whether one holds them does not."""
    monkeypatch.syspath_prepend(ANDROID)
    sources = runpy.run_path(str(ANDROID / "compare_stubs.py"))["sources"]
    with pytest.raises(SystemExit):
        sources(tmp_path)
    assert "expected a checkout of google-ai-edge/LiteRT" in capsys.readouterr().err
    folder = tmp_path / "litert/kotlin/src/main/kotlin/com/google/ai/edge/litert"
    folder.mkdir(parents=True)
    names = ["Common.kt", "Environment.kt", "LiteRtException.kt", "Model.kt", "TensorBuffer.kt"]
    for name in names:
        (folder / name).touch()
    assert [path.name for path in sources(tmp_path)] == names
