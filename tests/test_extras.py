"""Without a package of an extra, what needs it says which extra brings it, and the rest works."""

import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest

import deimv2
from deimv2.model.errors import MissingExtraError
from deimv2.training.data.description import read_yaml
from deimv2.training.matcher import Matcher
from deimv2.training.recipes import RECIPES
from deimv2.verification.report import page

OPTIONAL = (
    "ai_edge_litert", "ai_edge_quantizer", "av", "coreai", "coreai_torch", "coremltools",
    "executorch", "faster_coco_eval", "flatbuffers", "huggingface_hub", "jinja2", "jsonschema",
    "litert_torch", "matplotlib", "onnx", "onnxruntime", "onnxscript", "rich", "scipy", "torchao",
    "tqdm", "yaml",
)  # fmt: skip
NEEDS: dict[str, tuple[str, Callable[[Path], object]]] = {
    "scipy": ("train", lambda folder: Matcher(RECIPES["atto"].matching)),
    "yaml": ("train", lambda folder: read_yaml(folder / "data.yaml")),
    "jinja2": ("cli", lambda folder: page()),
    "tqdm": ("cli", lambda folder: deimv2.NotebookProgress()),
}


@pytest.mark.parametrize("package", NEEDS)
def test_what_needs_a_package_names_the_extra_that_lists_it(
    package: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    extra, call = NEEDS[package]
    for name in [package, *(name for name in sys.modules if name.startswith(f"{package}."))]:
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(MissingExtraError, match=rf"'{package}'.*pip install 'deimv2\[{extra}\]'"):
        call(tmp_path)
    brings = {"yaml": "pyyaml"}.get(package, package)
    project = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text())["project"]
    assert any(each.startswith(brings) for each in project["optional-dependencies"][extra])


def test_a_page_is_refused_before_the_work_for_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "jinja2", None)
    with pytest.raises(MissingExtraError, match="jinja2"):
        deimv2.verify(tmp_path / "none", report=tmp_path / "page.html")
    with pytest.raises(MissingExtraError, match="jinja2"):
        deimv2.report(tmp_path / "none", tmp_path / "page.html")


def test_every_function_can_be_imported_without_any_extra() -> None:
    code = (
        f"import sys; sys.modules.update(dict.fromkeys({OPTIONAL}))\n"
        "import deimv2\n"
        "for name in deimv2.__all__: getattr(deimv2, name)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
