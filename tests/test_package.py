"""One name to import, whatever lies beside it."""

import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

import deimv2

ROOT = Path(__file__).parents[1]
PACKAGES = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"]
ROOMS = [name.removeprefix("deimv2.") for name in PACKAGES if name.count(".") == 1]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built from what git knows of, so that nothing of this checkout gets into it by chance."""
    base = tmp_path_factory.mktemp("wheel")
    source = base / "deimv2-source"
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    ).stdout.splitlines()  # fmt: skip
    for name in listed:
        if (ROOT / name).is_file() and not name.startswith(("android/", "ios/", "data/")):
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            (source / name).symlink_to(ROOT / name)
    build = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation", "-q"]
    subprocess.run([*build, "-w", str(base), str(source)], check=True, timeout=300)
    (found,) = base.glob("*.whl")
    return found


def test_the_wheel_holds_one_package_and_all_of_it(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    top = {name.split("/")[0] for name in names}
    assert top == {"deimv2", f"deimv2-{deimv2.__version__}.dist-info"}
    assert not [name for name in names if name.startswith(("deimv2/tests", "deimv2/docs"))]
    sources = {
        f"deimv2/{path.relative_to(ROOT)}"
        for room in PACKAGES
        for path in (ROOT / room.removeprefix("deimv2").replace(".", "/").strip("/")).glob("*.py")
    }
    assert {name for name in names if name.endswith(".py")} == sources
    for needed in (
        "py.typed", "model/demo/atto.safetensors", "model/demo/atto-int8.safetensors",
        "converters/manifest.schema.json", "converters/photographs/cat.jpg", "emulation/setup.sh",
        "emulation/count.c", "verification/report/page.html", "web/page/index.html",
        "web/page/litert/litert_wasm_internal.wasm.gz",
    ):  # fmt: skip
        assert f"deimv2/{needed}" in names


def test_every_folder_with_modules_is_a_listed_package() -> None:
    outside = ("tests", "docs", "android", "ios", "web", "build")
    found = {
        ".".join(("deimv2", *path.parent.relative_to(ROOT).parts))
        for path in ROOT.rglob("*.py")
        if not path.relative_to(ROOT).parts[0].startswith((".", *outside))
    }
    assert found == set(PACKAGES)


def test_folders_named_like_ours_do_not_disturb_it(wheel: Path, tmp_path: Path) -> None:
    site, project = tmp_path / "site", tmp_path / "project"
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(site)
    for name in ROOMS:
        (project / name).mkdir(parents=True)
        (project / name / "__init__.py").write_text("raise RuntimeError('the wrong one')\n")
    code = (
        f"import sys; sys.path[:0] = ['{project}', '{site}']\n"
        "import deimv2, deimv2.cli.main\n"
        f"assert deimv2.__file__.startswith('{site}'), deimv2.__file__\n"
        "print(len(deimv2.VARIANTS), deimv2.cli.main.main(['list', '--json']) == 0)\n"
        f"print(*{set(ROOMS)} & set(sys.modules))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=project, capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[-2:] == ["8 True", ""]


def test_importing_it_loads_nothing_heavy() -> None:
    code = (
        "import sys, deimv2; dir(deimv2); deimv2.VARIANTS, deimv2.InputError\n"
        "print(*{'torch', 'numpy', 'PIL', 'rich'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


@pytest.mark.parametrize("format", ["tflite", "onnx"])
@pytest.mark.parametrize("command", ["predict", "inspect"])
def test_artifacts_do_not_wait_for_pytorch(exported: Path, command: str, format: str) -> None:
    (artifact,) = exported.glob(f"*.{format}")
    photos = [str(ROOT / "converters" / "photographs" / "cat.jpg")] if command == "predict" else []
    code = (
        "import sys; from deimv2.cli.main import main\n"
        f"print(main({[command, str(artifact), *photos]}), 'torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "0 False"


def test_all_that_it_offers_is_there() -> None:
    for name in deimv2.__all__:
        assert getattr(deimv2, name) is not None
    with pytest.raises(AttributeError, match="module 'deimv2' has no attribute 'nothing'"):
        _ = deimv2.nothing


def test_no_module_hides_a_function() -> None:
    """Importing a submodule sets it as an attribute of the package, in place of a function."""
    names = {path.stem for path in ROOT.glob("*.py")} | {
        path.name for path in ROOT.iterdir() if path.is_dir()
    }
    assert not names & set(deimv2.__all__)


def test_our_rooms_are_no_modules_by_themselves() -> None:
    assert not set(ROOMS) & set(sys.modules)


def test_it_runs_as_a_module_and_says_its_version() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "deimv2", "--version"], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == f"deimv2 {deimv2.__version__}"
    assert f"## [{deimv2.__version__}]" in (ROOT / "CHANGELOG.md").read_text()


def test_the_page_of_the_interface_is_that_of_the_docstrings() -> None:
    done = subprocess.run([sys.executable, "docs/make_api.py", "--check"], cwd=ROOT, check=False)
    assert done.returncode == 0, "run python docs/make_api.py"
