"""What `deimv2 export` cannot do ends in one line, and leaves what was there as it was."""

import errno
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import onnx
import pytest
from onnx import helper
from PIL import Image
from safetensors.torch import save_file

from deimv2.api import exporting
from deimv2.cli.main import main
from deimv2.converters.manifest import Manifest
from deimv2.converters.photographs import PHOTOGRAPHS
from deimv2.model import build_model
from deimv2.model.weights import random_state
from deimv2.tests.cli.commands import Capture, complaint
from deimv2.tests.cli.exports import ROOT, copy_from, hashes, start, use

ONNX = "deimv2-atto-fp32.onnx"
REJECTED = "deimv2-atto-fp32.rejected.onnx"
TFLITE = "deimv2-atto-fp32.tflite"


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("weights") / "atto.safetensors"
    save_file(random_state(build_model("atto")), path)
    return path


@pytest.fixture
def quick(exported: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Conversions take the artifacts of the shared export."""
    use(monkeypatch, copy_from(exported))


def export_to(folder: Path, *kinds: str) -> list[str]:
    return ["export", "--weights", "demo", "--format", *kinds, "--output", str(folder)]


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (["--variant", "huge"], "unknown variant 'huge', expected one of atto, femto"),
        (["--format", "torchscript"], "no format 'torchscript', expected tflite (LiteRT), mlpa"),
        (["--format", "tflite,pte"], "; name each by itself, without a comma"),
        (["--format", "onnx", "--precision", "int8x16"], "onnx has no int8x16 here, expected tf"),
        (["--format", "onnx", "--precision", "int8"], "onnx has no int8 here"),
        (
            ["--format", "pte", "--precision", "int8-weight"],
            "pte has no int8-weight here, expected ",
        ),
        (["--precision", "int4"], "invalid choice: 'int4'"),
        (
            ["--calibration", "photos"],
            "--calibration is for int8 and int8x16, the precision is fp32",
        ),
        (["--kept", "0.5"], "--kept is for int8, the precision is fp32"),
        (["--float-weights", "0.5"], "--float-weights is for int8, the precision is fp32"),
        (["--int8-share", "0.5"], "--int8-share is for int8, the precision is fp32"),
        (
            ["--precision", "int8", "--int8-share", "0.8"],
            "photos, and none are named; name a folder",
        ),
        (["--image-size", "33"], "image size 33x33 does not fit; height and width must be"),
        (["--image-size", "320x330"], "image size 320x330 does not fit"),
        (["--image-size", "0"], "image_size is (0, 0), expected a side or (height, width)"),
        (["--image-size", "32"], "image size 32x32 is too small for variant 'atto'"),
        (["--image-size", "99968"], "'99968' is too large, expected up to 2048"),
        (["--image-size", "9" * 5000], "is not a size, expected a side or HxW in pixels"),
        (["--image-size", "wide"], "'wide' is not a size, expected a side or HxW in pixels"),
        (["--image-size", "-320"], "image-size"),
        (["--image-size", "1x2x3"], "'1x2x3' is not a size"),
        (["--weights", "nowhere.pth"], "nowhere.pth"),
        (["--labels", "nowhere.txt"], "no label file at 'nowhere.txt'"),
        (["--translations", "de"], "'de' is no translation, expected LANGUAGE=FILE such as de="),
        (["--translations", "de="], "'de=' is no translation"),
        (["--translations", "pt_BR=a.txt"], "'pt_BR' is no language tag, expected one of BCP 47"),
        (["--translations", "de=a.txt", "DE=b.txt"], "language 'DE' is given twice"),
        (["--translations", "de=a.txt", "de=b.txt"], "language 'de' is given twice"),
        (["--translations", "de=nowhere.txt"], "no label file at 'nowhere.txt'"),
    ],
)
def test_bad_arguments_are_one_line(
    capsys: Capture, tmp_path: Path, arguments: list[str], part: str
) -> None:
    folder = tmp_path / "out"
    assert part in complaint(capsys, "export", *arguments, "--output", folder)
    assert not folder.exists()


def test_weights_that_do_not_fit_are_named(
    capsys: Capture, tmp_path: Path, checkpoint: Path
) -> None:
    arguments = ("export", "--output", tmp_path / "out", "--weights", checkpoint)
    line = complaint(capsys, *arguments, "--variant", "femto")
    assert "these are weights of variant 'atto'" in line
    names = tmp_path / "three.txt"
    names.write_text("cup\nplate\nfork\n")
    assert "has 3 class names, expected 80" in complaint(capsys, *arguments, "--labels", names)
    line = complaint(capsys, *arguments, "--translations", f"de={names}")
    assert "three.txt' has 3 names, expected 80, one for each class" in line
    cut = tmp_path / "cut.safetensors"
    cut.write_bytes(checkpoint.read_bytes()[:100_000])
    assert "cut.safetensors" in complaint(capsys, "export", "--weights", cut)
    assert not (tmp_path / "out").exists()


def test_too_few_photos_to_check_on_are_counted(capsys: Capture, tmp_path: Path) -> None:
    (photos := tmp_path / "photos").mkdir()
    for photo in PHOTOGRAPHS[:2]:
        shutil.copy(photo, photos)
    Image.open(PHOTOGRAPHS[0]).save(photos / f"{PHOTOGRAPHS[0].stem}.png")  # the same name
    line = complaint(capsys, *export_to(tmp_path / "out", "onnx"), "--photos", photos)
    assert f"'{photos}' has 2 photos to check on, expected at least 3 that can be read" in line
    assert line.endswith("add some, or leave --photos out")


def test_released_weights_without_a_network_are_one_line(tmp_path: Path) -> None:
    arguments = ("export", "--weights", "coco", "--output", tmp_path / "out")
    process = start(*arguments, HF_HUB_OFFLINE="1", HF_HOME=str(tmp_path / "cache"))
    out, errors = process.communicate(timeout=120)
    assert (process.returncode, out) == (2, "")
    assert "Traceback" not in errors
    last = errors.splitlines()[-1]
    assert last.startswith("deimv2: error: cannot fetch 'model.safetensors' of ")
    assert "HF_HUB_OFFLINE is set" in last
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("below", ["file", "file/below", "/proc/deimv2"])
def test_a_folder_that_cannot_be_made_is_one_line(
    capsys: Capture, tmp_path: Path, below: str
) -> None:
    (tmp_path / "file").write_text("a file")
    line = complaint(capsys, *export_to(tmp_path / below, "onnx"))
    assert "cannot make the folder" in line
    assert "choose another one" in line


@pytest.mark.parametrize("name", ["golden/mine.txt", "manifest.json"])
def test_what_others_left_is_not_replaced(capsys: Capture, tmp_path: Path, name: str) -> None:
    mine = tmp_path / name
    mine.parent.mkdir(exist_ok=True)
    mine.write_text('{"name": "a web page"}')
    before = hashes(tmp_path)
    line = complaint(capsys, *export_to(tmp_path, "onnx"))
    assert f"'{tmp_path / Path(name).parts[0]}' is there and not of an export" in line
    assert hashes(tmp_path) == before


@pytest.fixture(params=["64k", "3m"])  # full at the golden files; at the first artifact
def small_disk(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={request.param}", "none", str(folder)]
    if shutil.which("mount") is None or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("this user cannot mount a file system")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


@pytest.mark.parametrize("kind", ["onnx", "mlpackage"])
def test_a_full_disk_is_one_line_and_leaves_nothing(
    capsys: Capture, quick: None, small_disk: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exporting, "require_room_for", lambda *_: None)  # what if others fill it
    filler = small_disk / "filler"
    filler.write_bytes(b"\0" * (1 << 20) if shutil.disk_usage(small_disk).free > 2 << 20 else b"")
    line = complaint(capsys, *export_to(small_disk, kind))
    assert "No space left on device" in line
    assert "choose another --output or free some space" in line
    assert list(small_disk.iterdir()) == [filler]


def test_a_disk_without_room_is_one_line_before_any_work(
    capsys: Capture, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (small := tmp_path / "small").mkdir()
    usage = shutil.disk_usage

    def free(path: Path) -> Any:
        inside = small in (Path(path), *Path(path).parents)
        return SimpleNamespace(free=64 << 10) if inside else usage(path)

    monkeypatch.setattr("shutil.disk_usage", free)
    place = re.escape(str(small))
    line = complaint(capsys, *export_to(small, "tflite"))
    assert re.search(rf"MB are free at '{place}', expected [5-9]\.\d for .*choose another", line)
    monkeypatch.setattr(tempfile, "tempdir", str(small))
    line = complaint(capsys, *export_to(tmp_path / "out", "tflite"))
    assert re.search(rf"MB are free at '{place}', expected [5-9]\.\d for .*set TMPDIR", line)
    assert list(small.iterdir()) == []


def test_a_write_that_fails_is_one_line_and_leaves_nothing(
    capsys: Capture, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def convert(net: Any, card: Any, path: Path, *_: Any) -> None:
        path.write_bytes(b"half of it")
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))

    use(monkeypatch, convert)
    line = complaint(capsys, *export_to(tmp_path, "onnx"))
    assert f"cannot write to '{tmp_path}' (No space left on device)" in line
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "number", [signal.SIGINT, pytest.param(signal.SIGTERM, marks=pytest.mark.long)]
)
def test_an_interrupted_export_leaves_the_earlier_one_whole(
    exported: Path, tmp_path: Path, number: signal.Signals
) -> None:
    folder = tmp_path / "out"
    shutil.copytree(exported, folder)
    before = hashes(folder)
    process = start(*export_to(folder, "onnx"))
    assert process.stderr is not None
    assert any(line.startswith("converting to") for line in process.stderr)
    assert [path for path in folder.iterdir() if path.name.startswith(".export-")]
    process.send_signal(number)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert errors.splitlines()[-1].startswith("deimv2: error: interrupted")
    assert hashes(folder) == before
    assert not [path for path in folder.iterdir() if path.name.startswith(".")]


def shift_labels(path: Path) -> None:
    """Every label in an `.onnx` becomes the next one."""
    net = onnx.load(path)
    for node in net.graph.node:
        for i, name in enumerate(node.output):
            if name == "labels":
                node.output[i] = "labels_before"
    net.graph.initializer.append(helper.make_tensor("one", onnx.TensorProto.INT32, [1], [1]))
    net.graph.node.append(helper.make_node("Add", ["labels_before", "one"], ["labels"]))
    onnx.save(net, path)


@pytest.fixture
def wrong(exported: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As `quick`, but the labels in the `.onnx` are off by one."""

    def convert(net: Any, card: Any, path: Path, *_: Any) -> None:
        copy_from(exported)(net, card, path)
        shift_labels(path)

    use(monkeypatch, copy_from(exported))
    use(monkeypatch, convert, "onnx")


def test_an_artifact_that_detects_something_else_is_not_kept(
    capsys: Capture, wrong: None, tmp_path: Path
) -> None:
    assert main(export_to(tmp_path, "tflite", "onnx")) == 1
    captured = capsys.readouterr()
    (line,) = [line for line in captured.out.splitlines() if line.startswith(ONNX)]
    assert line.rstrip().endswith("FAIL")
    assert re.search(rf"{ONNX}: \d+ of ", captured.err)
    assert "the limit is 1 (worst label" in captured.err
    assert [file.name for file in Manifest.read(tmp_path).files] == [TFLITE]
    assert set(Manifest.read(tmp_path).parity) == {TFLITE}
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == [REJECTED, TFLITE, "export.log", "golden", "manifest.json"]
    assert main(["verify", str(tmp_path)]) == 0


def test_a_refused_artifact_goes_when_asked_or_when_a_good_one_comes(
    exported: Path, wrong: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert main([*export_to(tmp_path, "onnx"), "--no-keep-rejected"]) == 1
    assert not (tmp_path / REJECTED).exists()
    assert main(export_to(tmp_path, "onnx")) == 1
    assert (tmp_path / REJECTED).is_file()
    use(monkeypatch, copy_from(exported), "onnx")
    assert main(export_to(tmp_path, "onnx")) == 0
    assert not (tmp_path / REJECTED).exists() and (tmp_path / ONNX).is_file()


@pytest.mark.parametrize("keep", [True, False])
def test_what_is_refused_now_is_not_listed_as_it_was_before(
    capsys: Capture, exported: Path, wrong: None, tmp_path: Path, keep: bool
) -> None:
    folder = tmp_path / "out"
    shutil.copytree(exported, folder)
    kept = "--keep-rejected" if keep else "--no-keep-rejected"
    assert main([*export_to(folder, "tflite", "onnx"), kept]) == 1
    assert (folder / REJECTED).exists() == keep
    manifest = Manifest.read(folder)
    names = {file.name for file in manifest.files}
    assert names == {file.name for file in Manifest.read(exported).files} - {ONNX}
    assert manifest.parity.keys() == names
    lines = capsys.readouterr().err.splitlines()
    (line,) = [line for line in lines if line.startswith("left by")]
    assert line.startswith(f"left by an earlier export, no longer listed: {ONNX}, which this")
    assert (folder / ONNX).exists()


def test_where_nothing_passes_there_is_no_manifest(
    capsys: Capture, wrong: None, tmp_path: Path
) -> None:
    assert main([*export_to(tmp_path, "onnx"), "--json"]) == 1
    assert '"files": []' in capsys.readouterr().out
    assert sorted(path.name for path in tmp_path.iterdir()) == [REJECTED, "export.log"]


def test_where_nothing_passes_the_earlier_export_stays_whole(
    capsys: Capture, exported: Path, wrong: None, tmp_path: Path
) -> None:
    shutil.copytree(exported, tmp_path / "out")
    assert main([*export_to(tmp_path / "out", "onnx"), "--no-keep-rejected"]) == 1
    assert hashes(tmp_path / "out") == hashes(exported)


def test_a_toolchain_that_fails_is_one_line_that_names_the_log(
    capsys: Capture, quick: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def convert(net: Any, card: Any, path: Path, *_: Any) -> None:
        os.write(1, b"what the toolchain printed")  # as native code prints
        path.write_bytes(b"half of it")
        raise RuntimeError("no rule\nfor operator 7")

    use(monkeypatch, convert, "onnx")
    assert main(export_to(tmp_path, "onnx", "tflite")) == 1
    captured = capsys.readouterr()
    line = f"{ONNX}: ONNX could not convert it (no rule for operator 7); see export.log"
    assert captured.err.splitlines().count(line) == 1
    assert "Traceback" not in captured.err
    assert "what the toolchain printed" in (tmp_path / "export.log").read_text()
    assert "what the toolchain printed" not in captured.out + captured.err
    assert [file.name for file in Manifest.read(tmp_path).files] == [TFLITE]
    assert not (tmp_path / ONNX).exists()


HIDDEN = """
import sys
import tempfile

class Hide:
    def __init__(self, finder):
        self.finder = finder

    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] != sys.argv[1]:
            return self.finder.find_spec(name, path, target)

sys.meta_path[:] = [Hide(finder) for finder in sys.meta_path]
from deimv2.api import exporting
from deimv2.cli.main import main
sys.exit(main(sys.argv[2:]))
"""


@pytest.mark.parametrize(
    ("package", "kind", "extra"),
    [
        ("coremltools", "mlpackage", "coreml"),
        ("coreai_torch", "aimodel", "coreai"),
        ("executorch", "pte", "executorch"),
        ("ai_edge_quantizer", "tflite", "litert"),
        ("onnxruntime", "onnx", "onnx"),
    ],
)
def test_a_missing_toolchain_is_one_line_that_names_its_extra(
    tmp_path: Path, package: str, kind: str, extra: str
) -> None:
    done = subprocess.run(
        [sys.executable, "-c", HIDDEN, package, *export_to(tmp_path, kind)],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stdout) == (2, ""), done.stderr
    assert "Traceback" not in done.stderr
    line = done.stderr.splitlines()[-1]
    assert f"the package '{package}' is not installed" in line
    assert f"pip install 'deimv2[{extra}]'" in line
    assert list(tmp_path.iterdir()) == []
