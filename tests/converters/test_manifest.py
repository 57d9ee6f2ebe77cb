"""A manifest survives the round trip, has the same bytes every time, and is checked when read."""

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from deimv2.converters.golden import attribution, one_thread, read_golden, write_golden
from deimv2.converters.manifest import (
    Manifest,
    check_beside,
    check_golden,
    describe,
    file_problem,
    outputs,
    toolchain,
)
from deimv2.converters.photographs import PHOTOGRAPHS
from deimv2.converters.schema import SCHEMA
from deimv2.model import build_model
from deimv2.model.errors import CheckError, InputError
from deimv2.model.files import sha256_of, size_of, write_whole
from deimv2.model.postprocess import detect
from deimv2.tests.nets import random_net
from deimv2.tests.tiny import write_folder


def change(folder: Path, **fields: Any) -> None:
    path = folder / "manifest.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | fields))


def complaint(folder: Path) -> str:
    with pytest.raises(InputError) as error:
        Manifest.read(folder)
    message = str(error.value)
    assert "\n" not in message
    assert len(message) < 500
    return message


def test_what_is_written_is_read(tmp_path: Path) -> None:
    manifest = replace(
        write_folder(tmp_path),
        toolchain=toolchain(),
        parity={"tiny-0.onnx": {"measured": {"score": 0.0}, "limits": {"score": 1e-4}}},
        translations={"de": ("Katze", "Hund"), "pt-BR": ("gato", "cão")},
    )
    manifest.write(tmp_path / "manifest.json")
    assert Manifest.read(tmp_path) == manifest
    assert "torch" in manifest.toolchain


def test_it_describes_the_model_on_its_card(tmp_path: Path) -> None:
    manifest = write_folder(tmp_path)
    card = manifest.card
    assert card.queries == manifest.outputs[1].shape[1]
    assert manifest.describes(card) and manifest.describes(replace(card, queries=7))
    for other in (
        {"variant": "x"}, {"precision": "fp16"}, {"image_size": (64, 32)}, {"labels": ("b", "a")},
        {"weights": "other"}, {"weights_sha256": "1" * 64},
    ):  # fmt: skip
        assert not manifest.describes(replace(card, **other)), other


def test_the_same_inputs_give_the_same_bytes(tmp_path: Path) -> None:
    for name in ("one", "two"):
        write_folder(tmp_path / name)
    one, two = (tmp_path / name / "manifest.json" for name in ("one", "two"))
    assert one.read_bytes() == two.read_bytes()
    assert str(tmp_path) not in one.read_text()


def test_the_schema_is_a_schema_and_describes_every_field() -> None:
    import jsonschema

    schema = json.loads(SCHEMA.read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    optional = {"measured", "npu", "translations"}
    assert set(schema["properties"]) == set(schema["required"]) | optional
    assert set(schema["properties"]) == set(Manifest.__dataclass_fields__)


@pytest.mark.parametrize(
    ("fields", "where"),
    [
        ({"variant": "huge"}, "$.variant: found 'huge', expected one of 'atto', "),
        ({"score_threshold": 2}, "$.score_threshold: found 2, expected 1 or less"),
        ({"labels": []}, "$.labels"),
        ({"labels": "cat"}, "$.labels"),
        ({"extra": 1}, "$: 'extra' is unknown"),
        ({"golden": []}, "$.golden"),
        ({"weights": {"source": "x", "sha256": "short"}}, "$.weights.sha256"),
        ({"schema_version": 0}, "$.schema_version"),
        ({"schema_version": "1"}, "$.schema_version"),
        ({"outputs": [{}]}, "$.outputs"),
    ],
)
def test_what_is_wrong_is_said_with_its_place(
    tmp_path: Path, fields: dict[str, Any], where: str
) -> None:
    write_folder(tmp_path)
    change(tmp_path, **fields)
    message = complaint(tmp_path)
    assert "is no valid manifest at" in message
    assert where in message


def test_a_missing_field_is_named(tmp_path: Path) -> None:
    write_folder(tmp_path)
    (tmp_path / "manifest.json").write_text('{"schema_version": 1}')
    assert "'variant' is missing" in complaint(tmp_path)


def test_a_file_outside_the_folder_is_refused(tmp_path: Path) -> None:
    manifest = write_folder(tmp_path)
    with pytest.raises(InputError, match=r"files\[0\]\.name"):
        replace(manifest, files=(replace(manifest.files[0], name="../a.onnx"),)).write(
            tmp_path / "manifest.json"
        )
    assert Manifest.read(tmp_path) == manifest  # the file on disk is the one before


def test_a_file_is_listed_once(tmp_path: Path) -> None:
    manifest = write_folder(tmp_path)
    with pytest.raises(InputError, match=r"lists 'tiny-0.onnx' twice, expected each file once"):
        replace(manifest, files=manifest.files[:1] * 2).write(tmp_path / "manifest.json")


def test_outputs_keep_their_order(tmp_path: Path) -> None:
    manifest = write_folder(tmp_path)
    with pytest.raises(InputError, match="outputs"):
        replace(manifest, outputs=outputs(2)[::-1]).write(tmp_path / "manifest.json")


def test_a_translation_has_a_name_for_each_class(tmp_path: Path) -> None:
    manifest = write_folder(tmp_path)
    path = tmp_path / "manifest.json"
    assert manifest.translations is None and "translations" not in path.read_text()
    short = replace(manifest, translations={"fr": ("chat", "chien"), "de": ("Katze",)})
    place = (
        r"at \$\.translations\.de: found a list of 1, expected 2, one for each class; export again"
    )
    with pytest.raises(InputError, match=place):
        short.write(path)
    change(tmp_path, translations={"fr": ["chat", "chien"], "de": ["Katze"]})
    assert re.search(place, complaint(tmp_path))


def test_a_newer_schema_version_has_its_own_sentence(tmp_path: Path) -> None:
    write_folder(tmp_path)
    change(tmp_path, schema_version=7, new_field={})
    assert "has schema version 7, this program reads up to 2; install a newer" in complaint(
        tmp_path
    )


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe\0", b"[]", b"1", b"[" * 100_000])
def test_what_is_no_manifest_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "manifest.json").write_bytes(content)
    assert "manifest" in complaint(tmp_path)


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity"])
def test_numbers_that_json_does_not_have_are_refused(tmp_path: Path, number: str) -> None:
    write_folder(tmp_path)
    change(tmp_path, score_threshold=float(number))
    assert f'"score_threshold": {number}' in (tmp_path / "manifest.json").read_text()
    assert "is not JSON, expected a manifest" in complaint(tmp_path)


def test_a_folder_without_a_manifest_is_refused(tmp_path: Path) -> None:
    assert "no manifest.json in" in complaint(tmp_path)
    assert "no manifest.json in" in complaint(tmp_path / "nowhere")


def test_an_artifact_in_place_of_its_folder_is_named(tmp_path: Path) -> None:
    write_folder(tmp_path)
    line = complaint(tmp_path / "tiny-0.onnx")
    assert "tiny-0.onnx' is a file, expected a folder that" in line
    assert f"name '{tmp_path}', where it lies" in line
    (tmp_path / "a.mlpackage").mkdir()
    assert "a.mlpackage' is one artifact, expected a folder" in complaint(tmp_path / "a.mlpackage")


def problem_in(folder: Path, manifest: Manifest) -> str | None:
    """What `verify` finds wrong with the files that the manifest lists, the first of them."""
    problems = [file_problem(folder, file.name, file.sha256) for file in manifest.files]
    try:
        check_golden(folder, manifest.golden)
    except CheckError as error:
        problems.append(str(error))
    return next((problem for problem in problems if problem), None)


def test_every_listed_file_is_checked(tmp_path: Path) -> None:
    manifest = write_folder(tmp_path)
    assert problem_in(tmp_path, manifest) is None
    for name in ("tiny-1.onnx", "golden/a.png", "golden/c.json"):
        content = (tmp_path / name).read_bytes()
        (tmp_path / name).write_bytes(content + b"\0")
        changed = problem_in(tmp_path, manifest)
        assert changed is not None
        assert re.search(f"{name}' has SHA-256 .* the manifest expects", changed)
        (tmp_path / name).unlink()
        missing = problem_in(tmp_path, manifest)
        assert missing is not None and f"{name}' is missing" in missing
        (tmp_path / name).write_bytes(content)


def test_an_artifact_is_held_against_the_manifest_beside_it(tmp_path: Path) -> None:
    write_folder(tmp_path)
    check_beside(tmp_path / "tiny-0.onnx")
    check_beside(tmp_path / "another.onnx")
    (tmp_path / "tiny-0.onnx").write_bytes(b"damaged")
    with pytest.raises(InputError, match="damaged or replaced"):
        check_beside(tmp_path / "tiny-0.onnx")


def test_a_folder_has_a_hash_over_its_names_and_contents(tmp_path: Path) -> None:
    def package(name: str, files: dict[str, bytes]) -> Path:
        for relative, content in files.items():
            path = tmp_path / name / relative
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        return tmp_path / name

    first = package("a.mlpackage", {"Data/x": b"12", "y": b"3"})
    assert describe(first).input == "image"
    assert describe(first).size == size_of(first) == 3
    same = package("b.mlpackage", {"y": b"3", "Data/x": b"12"})
    assert sha256_of(first) == sha256_of(same)
    for other in ({"Data/x": b"1", "y": b"23"}, {"Data/z": b"12", "y": b"3"}, {"y": b"3"}):
        assert sha256_of(package(f"{len(other)}{other}", other)) != sha256_of(first)


def test_a_write_that_fails_leaves_the_old_file_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    path = tmp_path / "file"
    write_whole(path, b"old")
    monkeypatch.setattr("os.replace", full)
    with pytest.raises(OSError, match=re.escape(f"No space left on device: '{path}'")):
        write_whole(path, b"new")
    with pytest.raises(OSError, match=re.escape(f"'{tmp_path / 'none' / 'file'}'")):
        write_whole(tmp_path / "none" / "file", b"new")
    assert [p.name for p in tmp_path.iterdir()] == ["file"]
    assert path.read_bytes() == b"old"


def test_golden_files_hold_the_models_detections(tmp_path: Path) -> None:
    net = random_net("atto")
    entries = write_golden(tmp_path, net, PHOTOGRAPHS)
    names = [entry.image for entry in entries]
    # in order, but without those on which the choice of queries is a tie
    assert names == [n for p in PHOTOGRAPHS if (n := f"golden/{p.stem}.png") in names]
    golden = read_golden(tmp_path, entries)[1]
    assert golden.frame.shape == (320, 320, 3)
    assert np.array_equal(np.asarray(Image.open(tmp_path / entries[1].image)), golden.frame)
    with one_thread():  # the golden files' sums are in that order
        expected = detect(net, golden.frame, top_k=200)[0]
    assert np.array_equal(golden.reference.scores, expected.scores[:100])
    assert np.array_equal(golden.candidates.boxes, expected.boxes[100:])
    assert (tmp_path / "golden" / "ATTRIBUTION.md").is_file()
    before = torch.get_num_threads()
    torch.set_num_threads(before % 2 + 1)
    try:
        assert write_golden(tmp_path, net, PHOTOGRAPHS) == entries  # the same bytes
    finally:
        torch.set_num_threads(before)


def test_too_few_photographs_are_refused(tmp_path: Path) -> None:
    net = build_model("atto").eval()
    with pytest.raises(InputError, match="expected at least 3"):
        write_golden(tmp_path, net, PHOTOGRAPHS[:2])
    with pytest.raises(InputError, match="each of its own name"):
        write_golden(tmp_path, net, [*PHOTOGRAPHS[:3], PHOTOGRAPHS[0]])


def test_a_broken_golden_file_is_refused(tmp_path: Path) -> None:
    manifest = write_folder(tmp_path)
    for content in (b"", b"[]", b'{"detections": 3}', b'{"detections": [1], "candidates": []}'):
        (tmp_path / "golden" / "a.json").write_bytes(content)
        with pytest.raises(InputError, match=r"a\.json' is not a golden file"):
            read_golden(tmp_path, manifest.golden)


def test_a_photograph_without_attribution_is_named_by_its_file(tmp_path: Path) -> None:
    assert attribution(tmp_path / "mine.jpg") == "mine.jpg"
    assert attribution(PHOTOGRAPHS[3]).endswith(
        "[CC BY 2.0](https://creativecommons.org/licenses/by/2.0/)"
    )
