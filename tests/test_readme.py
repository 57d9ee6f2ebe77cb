"""What the README shows works as typed."""

import json
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from deimv2.cli.main import parser
from deimv2.model import build_model
from deimv2.model.weights import random_state
from deimv2.model.weights.places import DEMO
from deimv2.model.weights.sources import chosen
from deimv2.tests.training.scenes import few
from deimv2.training.data.layouts import Part

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
PAGES = [
    *(ROOT / folder / "README.md" for folder in (".", "android", "ios")),
    *sorted((ROOT / "docs").rglob("*.md")),
]
PHOTO = ROOT / "converters" / "photographs" / "cat.jpg"


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", README, re.MULTILINE | re.DOTALL)


def run_in(folder: Path, code: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=folder, text=True, capture_output=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "photo.jpg").write_bytes(PHOTO.read_bytes())
    return tmp_path


def test_the_artifact_in_ten_lines_of_python_runs(folder: Path, exported: Path) -> None:
    (folder / "artifacts").mkdir()
    (folder / "artifacts" / "atto").symlink_to(exported)
    (folder / "photo.jpg").write_bytes((DEMO / "photographs" / "000074.jpg").read_bytes())
    (code,) = [block for block in blocks("python") if "Interpreter" in block]
    assert len(code.strip().splitlines()) <= 12
    printed = run_in(folder, code).splitlines()
    detections = [line for line in printed if re.match(r"\d+ 0\.\d+ \[", line)]
    assert detections


def test_the_model_in_python_runs(folder: Path) -> None:
    from safetensors.torch import save_file

    save_file(random_state(build_model("s")), folder / "model.safetensors")
    (code,) = [block for block in blocks("python") if "build_model" in block]
    assert run_in(folder, f"{code}\nprint(len(detections))").strip() == "300"


@pytest.mark.long
def test_the_interface_in_five_lines_runs(folder: Path, exported: Path) -> None:
    (folder / "artifacts").mkdir()
    (folder / "artifacts" / "atto").symlink_to(exported)
    (code,) = [block for block in blocks("python") if "deimv2.load" in block]
    assert run_in(folder, code).splitlines()[-1] == "True True"


def test_every_block_of_python_is_run_by_a_test() -> None:
    assert len(blocks("python")) == 3


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_command_shown_is_one(page: Path) -> None:
    """Its options are there; what it needs (weights, photos) need not be. int8 of random weights,
    the default of all variants but Atto, would be rejected."""
    shown = re.findall(r"^```\w*\n(.*?)^```", page.read_text(), re.MULTILINE | re.DOTALL)
    lines = "\n".join(shown).replace("\\\n", " ").splitlines()
    commands = [line.strip() for line in lines if re.match(r"\s*(\.venv/bin/)?deimv2 ", line)]
    for command in commands:
        words = shlex.split(re.split(r" (?:\||>|&&) ", command)[0], comments=True)[1:]
        if not {"...", "COMMAND"} & set(words):
            options = parser().parse_args(words)  # SystemExit otherwise
            if words[0] == "export" and options.precision == "int8" and options.verify:
                assert chosen(options.weights, options.variant) != "random", command


def as_yolo(part: Part, root: Path, name: str) -> list[str]:
    """The photos and boxes as Ultralytics keeps them; gives the class names."""
    content = json.loads(part.annotations.read_text())
    places = {c["id"]: i for i, c in enumerate(content["categories"])}
    for image in content["images"]:
        lines = []
        for row in content["annotations"]:
            if row["image_id"] == image["id"]:
                x, y, w, h = row["bbox"]
                sides = image["width"], image["height"]
                shares = [
                    (x + w / 2) / sides[0],
                    (y + h / 2) / sides[1],
                    w / sides[0],
                    h / sides[1],
                ]
                lines.append(" ".join(map(str, [places[row["category_id"]], *shares])))
        for kind in ("images", "labels"):
            (root / kind / name).mkdir(parents=True, exist_ok=True)
        (part.images / image["file_name"]).rename(root / "images" / name / image["file_name"])
        stem = Path(image["file_name"]).stem
        (root / "labels" / name / f"{stem}.txt").write_text("\n".join(lines))
    return [category["name"] for category in content["categories"]]


@pytest.mark.long
def test_a_folder_of_yolo_becomes_three_verified_files_as_typed(folder: Path) -> None:
    """In a fraction of the time: one epoch, from the weights that are at hand."""
    shelves = folder / "shelves"
    for name, part in (("train", few(folder / "a", 8)), ("val", few(folder / "b", 3, start=8))):
        names = as_yolo(part, shelves, name)
    yaml = f"path: .\ntrain: images/train\nval: images/val\nnames: {names}\n"
    (shelves / "data.yaml").write_text(yaml)
    (block,) = re.findall(
        r"<!-- train command -->\n```\n(.*?)^```", README, re.DOTALL | re.MULTILINE
    )
    lines = block.splitlines()
    assert len(lines) == 5
    for line in lines:
        words = shlex.split(line, comments=True)
        assert words[0] == "deimv2"
        if words[1] == "train":
            words += ["--weights", "demo", "--epochs", "1", "--lr", "1e-5", "--workers", "0"]
        command = [sys.executable, "-m", "deimv2", *words[1:]]
        done = subprocess.run(command, cwd=folder, text=True, capture_output=True, timeout=300)
        assert done.returncode == 0, done.stderr
    made = json.loads((folder / "artifacts" / "shelves" / "manifest.json").read_text())
    assert {each["format"] for each in made["files"]} == {"tflite", "mlpackage", "pte"}
    assert made["labels"] == names
    for name in ("sheet.jpg", "runs/shelves/confusion.png", "runs/shelves/validation.jpg"):
        assert (folder / name).exists()


def anchors(page: Path) -> set[str]:
    """Of the headings, as GitHub makes them."""
    prose = re.sub(r"^```.*?^```", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)
    headings = re.findall(r"^#+ (.*)$", prose, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_what_a_page_links_to_is_there(page: Path) -> None:
    links = re.findall(r"\]\(([^)#:]*)(?:#([^):]+))?\)", page.read_text())
    for name, anchor in links:
        target = page.parent / name if name else page
        assert target.exists(), name
        assert not anchor or anchor in anchors(target), f"{name}#{anchor}"
