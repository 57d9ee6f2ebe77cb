"""A good export folder, and what Python says of it after each of many changes.

manifests.json: `changes`: by path, the text that a file then has, or null where it is deleted;
`sentence`: the refusal, with {folder} for the folder's path, or null if nothing is wrong. It is the
first of: reading the manifest, the hash of each file in its order, the hash of each golden file.
`labels`: which names a label may stand for, and what is said of one without a name.
"""

import io
import json
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from deimv2.converters.golden import MADE_BY as GOLDEN_MADE_BY
from deimv2.converters.manifest import (
    NAME,
    GoldenFile,
    Input,
    Manifest,
    Weights,
    check_golden,
    describe,
    file_problem,
    outputs,
)
from deimv2.model.detections import Detections
from deimv2.model.errors import CheckError, InputError
from deimv2.model.files import sha256_of
from deimv2.tests.tiny import LABELS, SIZE, found
from deimv2.tests.vectors.text import to_bytes

MADE_BY = "python -m deimv2.tests.vectors: sentence(folder) in tests/vectors/manifests.py"
GOOD = "folder"
MODEL = "tiny.tflite"
PACKAGE = "tiny.mlpackage/Data/weights.bin"
TRANSLATIONS = {"de": ("Katze", "Hund"), "pt-BR": ("gato", "cão")}  # of LABELS
LATENCY = {
    "machine": "made up", "threads": 1, "median_ms": 4.0, "p95_ms": 5.0, "first_ms": 6.0,
    "load_ms": 7.0, "memory_mb": 41.5,
}  # fmt: skip
GPU = {
    "float32": {"passed": True, "problems": [], "measured": {"counted": 6}, "limits": {"px": 0.05}},
    "default": {"passed": False, "problems": ["a box is 9 px off, the limit is 4 px"]},
}


def make() -> dict[str, bytes]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        _write_good(folder)
        good = {p.relative_to(folder).as_posix(): p.read_bytes() for p in _files(folder)}
        cases = []
        for title, changes in _changes(json.loads(good[NAME])).items():
            _apply(folder, good, changes)
            said = sentence(folder)
            text = None if said is None else said.replace(str(folder), "{folder}")
            cases.append({"name": title, "changes": changes, "sentence": text})
    index = {"made_by": MADE_BY, "folder": GOOD, "cases": cases, "labels": _labels()}
    return {"manifests.json": to_bytes(index)} | {f"{GOOD}/{p}": c for p, c in good.items()}


def sentence(folder: Path) -> str | None:
    """What is wrong with an export folder, the first thing."""
    try:
        manifest = Manifest.read(folder)
        for file in manifest.files:
            if problem := file_problem(folder, file.name, file.sha256):
                return problem
        check_golden(folder, manifest.golden)
    except (InputError, CheckError) as error:
        return str(error)
    return None


Files = dict[str, str | None]  # what a file holds instead; None: it is not there


def _changes(good: dict[str, Any]) -> dict[str, Files]:
    text = json.dumps(good, indent=2)

    def field(*place: str | int, value: Any) -> Files:
        """The manifest with another value at a place; None: without it."""
        content = json.loads(text)
        part = content
        for step in place[:-1]:
            part = part[step]
        if value is None:
            del part[place[-1]]
        else:
            part[place[-1]] = value
        return {NAME: json.dumps(content)}

    return (
        _shapes(text, field)
        | _translations(field)
        | _values(good, field)
        | _measured(field)
        | _beside(field)
    )


def _shapes(text: str, field: Callable[..., Files]) -> dict[str, Files]:
    """What is no manifest, or lacks a part."""
    return {
        "nothing": {},
        "no manifest": {NAME: None},
        "an empty manifest": {NAME: ""},
        "a manifest cut in half": {NAME: text[: len(text) // 2]},
        "a manifest of zeros": {NAME: "\0" * 16},
        "a web page": {NAME: "<!DOCTYPE html><title>404</title>"},
        "lists without an end": {NAME: "[" * 5000},
        "a list": {NAME: "[]"},
        "a number": {NAME: "1"},
        "a newer schema": field("schema_version", value=3),
        "the first schema": field("schema_version", value=1),
        "an accelerator that is none": field("files", 0, "accelerators", value=["gpu", "tpu"]),
        "accelerators, but none": field("files", 0, "accelerators", value=[]),
        "no accelerators": field("files", 0, "accelerators", value=None),
        "a newer schema, with what nobody knows yet": {NAME: '{"schema_version": 7, "models": []}'},
        "an older schema": field("schema_version", value=0),
        "a schema version in quotes": field("schema_version", value="1"),
        "no schema version": field("schema_version", value=None),
        "only a schema version": {NAME: '{"schema_version": 1}'},
        "no labels": field("labels", value=None),
        "an empty list of labels": field("labels", value=[]),
        "a label without text": field("labels", 1, value=""),
        "a label that is a number": field("labels", 1, value=3),
        "labels in one text": field("labels", value="cat, dog"),
    }


def _translations(field: Callable[..., Files]) -> dict[str, Files]:
    def with_tags(*tags: str) -> Files:
        return field("translations", value={tag: LABELS for tag in tags})

    return {
        "no translations": field("translations", value=None),
        "translations, but none": with_tags(),
        "translations in a list": field("translations", value=[TRANSLATIONS["de"]]),
        "a language with an underscore": with_tags("de", "pt_BR"),
        "a language of one letter": with_tags("x"),
        "a language without text": with_tags(""),
        "two languages that are none": with_tags("two words", "de", "a"),
        "a translation in one text": field("translations", "de", value="Katze, Hund"),
        "a translation with a number": field("translations", "de", 1, value=3),
        "a translation without text": field("translations", "de", 0, value=""),
        "a translation without names": field("translations", "de", value=[]),
        "a translation of one class": field("translations", "de", value=["Katze"]),
        "a translation of three classes": field("translations", "pt-BR", value=["a", "b", "c"]),
        "two translations of one class": field("translations", value={"fr": ["a"], "de": ["a"]}),
    }


def _values(good: dict[str, Any], field: Callable[..., Files]) -> dict[str, Files]:
    """Of a manifest with all its parts, one that cannot be."""
    return {
        "an unknown variant": field("variant", value="huge"),
        "an unknown precision": field("precision", value="bf16"),
        "a side that is no multiple of 32": field("input", "size", 1, value=50),
        "a side with a point and a zero": field("input", "size", 0, value=32.0),
        "a shape with a point and a zero": field("outputs", 0, "shape", 1, value=2.0),
        "a side of zero": field("input", "size", 0, value=0),
        "a side that is half a pixel": field("input", "size", 0, value=32.5),
        "a size of three": field("input", "size", value=[1, 32, 64]),
        "BGR": field("input", "colour_order", value="BGR"),
        "no name of the input": field("input", "name", value=None),
        "outputs in another order": field("outputs", value=good["outputs"][::-1]),
        "two outputs": field("outputs", value=good["outputs"][:2]),
        "an output without a shape": field("outputs", 1, "shape", value=None),
        "boxes with two axes": field("outputs", 0, "shape", value=[1, 2]),
        "labels as floats": field("outputs", 2, "dtype", value="float32"),
        "weights with a short hash": field("weights", "sha256", value="abc"),
        "weights that are true": field("weights", value=True),
        "no files": field("files", value=[]),
        "a file outside the folder": field("files", 0, "name", value="../tiny.tflite"),
        "a file of an unknown format": field("files", 1, "format", value="gguf"),
        "a file without a size": field("files", 1, "size", value=None),
        "a file with a point and a zero": field("files", 0, "size", value=12.0),
        "a file that is listed twice": field("files", value=[*good["files"], good["files"][1]]),
        "two golden photographs": field("golden", value=good["golden"][:2]),
        "a golden file outside the folder": field("golden", 0, "image", value="golden/../../a.png"),
        "a very long value": field("golden", 0, "image_sha256", value="0123456789" * 50),
        "a version that is a number": field("toolchain", value={"torch": 2}),
        "parity without limits": field("parity", value={MODEL: {"measured": {}}}),
        "a threshold above one": field("score_threshold", value=2),
        "a threshold below zero": field("score_threshold", value=-0.5),
        "a threshold in quotes": field("score_threshold", value="0.4"),
        "an unknown field": field("extra", value=1),
        "a field that every object of JavaScript has": field("constructor", value=1),
    }


def _measured(field: Callable[..., Files]) -> dict[str, Files]:
    """What was found of the files."""

    def trial(*place: str | int, value: Any) -> Files:
        return field("measured", MODEL, "gpu", *place, value=value)

    def computation(**shares: Any) -> Files:
        return field("files", 1, "computation", value={"macs": 9, "integer_share": 0.5} | shares)

    return {
        "nothing measured": field("measured", value=None),
        "memory below zero": field("measured", MODEL, "latency", "memory_mb", value=-1),
        "threads that are true": field("measured", MODEL, "latency", "threads", value=True),
        "a trial that failed": trial("float32", "passed", value=False),
        "a trial that passed in quotes": trial("float32", "passed", value="yes"),
        "a trial that passed once": trial("default", "passed", value=1),
        "a trial without a verdict": trial("default", "passed", value=None),
        "a computation without a delegate": computation(),
        "a delegate with its share": computation(delegate="XNNPACK", delegated_share=0.9),
        "a delegate without its share": computation(delegate="XNNPACK"),
        "a share without its delegate": computation(delegated_share=0.9),
        "a share without its delegate, and more": computation(delegated_share=0.9, calls=1),
    }


def _beside(field: Callable[..., Files]) -> dict[str, Files]:
    """What does not fit the manifest."""
    return {
        "two things wrong": field("variant", value="huge") | {MODEL: ""},
        "a truncated model": {MODEL: "TFL"},
        "an empty model": {MODEL: ""},
        "a changed model of the same size": {MODEL: _content(MODEL).replace("T", "t")},
        "no model": {MODEL: None},
        "no second model": {"tiny.pte": None},
        "a package with a changed part": {PACKAGE: "other"},
        "a package with a part too many": {"tiny.mlpackage/more": "more"},
        "a changed golden photograph": {"golden/b.png": "no photograph"},
        "no golden detections": {"golden/c.json": None},
    }


def _labels() -> list[dict[str, Any]]:
    cases: list[dict[str, Any]] = []
    for label in (0, len(LABELS) - 1, len(LABELS), -1):
        one = Detections(np.zeros((1, 4), np.float32), np.float32([0.5]), np.int32([label]))
        try:
            one.require_names(LABELS)
            said = None
        except InputError as error:
            said = str(error)
        cases.append({"label": label, "names": LABELS, "sentence": said})
    return cases


def _content(name: str) -> str:
    return f"This stands in for {name}: its hash is checked, it is never run.\n"


def _write_good(folder: Path) -> None:
    for name in (MODEL, "tiny.pte", PACKAGE, "tiny.mlpackage/Manifest.json"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(_content(name))
    (folder / "golden").mkdir()
    Manifest(
        variant="atto",
        precision="fp32",
        input=Input(SIZE),
        outputs=outputs(2),
        labels=tuple(LABELS),
        weights=Weights("made up", "0" * 64),
        files=(
            replace(describe(folder / MODEL), accelerators=("gpu", "cpu")),
            describe(folder / "tiny.pte"),
            describe(folder / "tiny.mlpackage"),
        ),
        golden=tuple(_golden(folder, name) for name in "abc"),
        toolchain={"torch": "2.13.0"},
        parity={MODEL: {"measured": {"counted": 6}, "limits": {"score": 0.0001}}},
        measured={MODEL: {"latency": LATENCY, "gpu": GPU}},
        translations=TRANSLATIONS,
    ).write(folder / NAME)


def _golden(folder: Path, name: str) -> GoldenFile:
    image, text = folder / "golden" / f"{name}.png", folder / "golden" / f"{name}.json"
    buffer = io.BytesIO()
    Image.new("RGB", SIZE[::-1], (ord(name), 0, 0)).save(buffer, "PNG")
    image.write_bytes(buffer.getvalue())
    rows = found().to_json()
    text.write_bytes(to_bytes({"made_by": GOLDEN_MADE_BY, "detections": rows, "candidates": rows}))
    return GoldenFile(
        f"golden/{name}.png", sha256_of(image), f"golden/{name}.json", sha256_of(text), "made up"
    )


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def _apply(folder: Path, good: dict[str, bytes], changes: dict[str, str | None]) -> None:
    """Makes the folder good again, and then changes it."""
    for path in _files(folder):
        if path.relative_to(folder).as_posix() not in good:
            path.unlink()
    for name, content in good.items():
        (folder / name).write_bytes(content)
    for name, text in changes.items():
        if text is None:
            (folder / name).unlink()
        else:
            (folder / name).write_bytes(text.encode())
