"""Class names that are stored with weights: text on one line, each its own, or refused at once."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from safetensors.torch import save_file

import deimv2
from deimv2.api.install import install
from deimv2.model import build_model
from deimv2.model.errors import InputError
from deimv2.model.labels import known_names
from deimv2.model.weights import random_state, save_weights, transfer_weights
from deimv2.tests.tiny import write_folder

BAD = [
    (["a", "b", "a"], "the model names 2 classes 'a', expected names of their own; name its"),
    (["a", "", "b"], r"the model has the name '', expected text on one line for class 1; name its"),
    (["a", "b", "  "], "the name '  ', expected text on one line for class 2"),
    (["a", "b\nc", "d"], r"the name 'b\\nc', expected text on one line for class 1"),
    (["a", "b", "\u2028c"], "expected text on one line for class 2"),
    (["a", "b", "\ud83d"], "expected text on one line for class 2"),
    (["a", "b", "c\0"], "expected text on one line for class 2"),
]


@pytest.mark.parametrize(("names", "line"), BAD)
def test_names_that_are_none_are_refused_unless_a_file_names_the_classes(
    names: list[str], line: str, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match=line) as error:
        known_names(3, None, names)
    assert str(error.value).endswith("with --labels FILE")
    (file := tmp_path / "names.txt").write_text("x\ny\nz\n")
    assert known_names(3, file, names) == ["x", "y", "z"]


def test_names_of_every_language_are_taken() -> None:
    names = ["犬", "👩‍💻", "نیم‌فاصله", "traffic light", "Säge, 3\xa0mm", "C#/C++"]
    assert known_names(len(names), None, names) == names


@pytest.mark.parametrize("last", ["a", "", None, "b\nc"])
def test_an_export_with_such_names_ends_before_it_writes(tmp_path: Path, last: object) -> None:
    hub, out = tmp_path / "hub", tmp_path / "out"
    hub.mkdir()
    save_file(random_state(net := build_model("atto", 3, 160)), hub / "model.safetensors")
    (hub / "config.json").write_text(json.dumps({"id2label": {"0": "a", "1": "b", "2": last}}))
    save_weights(net, own := tmp_path / "own.safetensors", ["a", "b", str(last or "")])
    for weights in (hub, own):
        for read in (lambda w: deimv2.export(weights=w, formats="onnx", output=out), deimv2.load):
            with pytest.raises(InputError, match=r"the model (names 2|has the name)"):
                read(weights)
    file = hub / "model.safetensors"  # training names the classes itself
    assert transfer_weights(build_model("atto", 3, 160), file, ["a", "x", "y"])
    assert not out.exists()


def test_a_label_file_with_another_kind_of_line_break_is_refused(tmp_path: Path) -> None:
    (file := tmp_path / "names.txt").write_bytes(b"cup\rplate\nfork\n")
    with pytest.raises(
        InputError, match=r"has the name 'cup\\rplate', expected text on one line for class 0"
    ):
        known_names(2, file, None)


def test_a_manifest_that_is_not_valid_moves_nothing(tmp_path: Path) -> None:
    made = write_folder(work := tmp_path / "work")
    (work / "manifest.json").unlink()
    (work / "export.log").touch()
    (output := tmp_path / "out").mkdir()
    wrong: Any = replace(made, labels=("", "dog"))
    with pytest.raises(InputError, match=r"no valid manifest at \$\.labels\[0\]"):
        install(work, output, wrong)
    assert not any(output.iterdir())
    install(work, output, made)
    assert (output / "manifest.json").is_file() and (output / "golden").is_dir()
