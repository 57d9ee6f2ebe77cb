"""The page on an export folder says everything, escapes everything and loads nothing."""

import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from deimv2.converters.manifest import Manifest, describe
from deimv2.model.detections import Detections
from deimv2.model.errors import InputError
from deimv2.tests.tiny import found, write_folder, write_onnx
from deimv2.verification.parity import Errors
from deimv2.verification.report import page
from deimv2.verification.report.charts import charts
from deimv2.verification.report.render import linked
from deimv2.verification.verify import entry, verify_folder

VOID = {"img", "link", "meta"}


class Reader(HTMLParser):
    """Every element with its attributes, all text, and elements that are not closed."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.pieces: list[str] = []
        self.open: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag, f"</{tag}> where another element is open"

    def handle_data(self, data: str) -> None:
        self.pieces.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.pieces).split())

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]


def read(folder: Path) -> Reader:
    reader = Reader(page(verify_folder(folder)))
    assert reader.open == []
    return reader


def change(folder: Path, **parts: Any) -> Manifest:
    changed = replace(Manifest.read(folder), **parts)
    changed.write(folder / "manifest.json")
    return changed


def give(folder: Path, detections: Detections) -> None:
    """An export folder whose first artifact detects this."""
    write_folder(folder)
    write_onnx(folder / "tiny-0.onnx", detections)
    change(folder, files=tuple(describe(folder / f"tiny-{i}.onnx") for i in range(2)))


def test_all_of_a_good_folder_is_there(tmp_path: Path) -> None:
    write_folder(tmp_path)
    manifest = change(tmp_path, toolchain={"torch": "1.2.3"})
    shown = read(tmp_path)
    assert (
        "✓ Passed. tiny-0.onnx, tiny-1.onnx agree with the float32 model, 3 golden photographs."
        in shown.text
    )
    hashes = [manifest.weights.sha256, *(file.sha256 for file in manifest.files)]
    hashes += [each.image_sha256 for each in manifest.golden]
    hashes += [each.detections_sha256 for each in manifest.golden]
    for part in (
        *hashes,
        "made up",
        "32 × 64",
        "cat, dog",
        "torch 1.2.3",
        "6 of 6",
        "limit 0.05 px",
    ):
        assert part in shown.text
    assert len(shown.all("img")) == 3 * 3  # three photographs; the model and two artifacts
    assert shown.text.count("dog 0.900, cat 0.500") == 3 * 3
    assert "FAIL" not in shown.text


def test_what_failed_stands_first(tmp_path: Path) -> None:
    write_folder(tmp_path, scores=(0.9, 0.8))
    shown = read(tmp_path)
    assert "✗ Failed: 1 of 2 checks." in shown.text
    problems = verify_folder(tmp_path).rows[1].problems
    assert problems
    for problem in problems:
        assert shown.text.index(problem) < shown.text.index("Photographs")
    assert shown.text.count("✗ FAIL") == shown.text.count("✓ pass") == 1
    assert "dog 0.800" in shown.text
    assert [each["class"] for each in shown.all("rect")].count("over") == 1


def test_what_did_not_run_has_no_pictures_and_no_delegates(tmp_path: Path) -> None:
    write_folder(tmp_path)
    (tmp_path / "tiny-0.onnx").write_bytes(b"another file")
    shown = read(tmp_path)
    alts = [each["alt"] for each in shown.all("img")]
    assert len(alts) == 6
    assert not any("tiny-0" in (alt or "") for alt in alts)
    assert shown.text.count("it was damaged or replaced") == 2  # above, and in place of operations


def test_without_confidence_the_best_are_shown(tmp_path: Path) -> None:
    write_folder(tmp_path)
    change(tmp_path, score_threshold=0.6)
    assert "cat 0.500" not in read(tmp_path).text
    change(tmp_path, score_threshold=0.95)
    shown = read(tmp_path).text
    assert shown.count("Nothing scores above 0.95 here; the 10 best are shown instead") == 3
    assert "dog 0.900, cat 0.500" in shown


def test_of_very_many_detections_the_best_are_shown(tmp_path: Path) -> None:
    many = Detections(
        np.float32([[0.1, 0.1, 0.5, 0.5]] * 50),
        np.linspace(0.99, 0.5, 50, dtype=np.float32),
        np.zeros(50, np.int32),
    )
    give(tmp_path, many)
    shown = read(tmp_path).text
    assert "cat 0.800 and 30 more" in shown
    assert "cat 0.790" not in shown


@pytest.mark.parametrize(
    "broken",
    [
        replace(found(), labels=np.int32([7, 0])),
        replace(found(), labels=np.int32([-1, 0])),
        replace(found(), boxes=np.float32([[np.nan] * 4, [0.3, 0.3, 0.9, 0.8]])),
        replace(found(), scores=np.float32([np.inf, 0.5])),
    ],
)
def test_numbers_that_cannot_be_drawn_are_counted(tmp_path: Path, broken: Detections) -> None:
    give(tmp_path, broken)
    shown = read(tmp_path).text
    assert "✗ Failed" in shown
    assert shown.count("cat 0.500 1 without a finite box and score or a known label") == 3


EVIL = "<script>alert(1)</script>\"'><img src=http://example.com/x>"


def test_whatever_comes_from_files_is_escaped(tmp_path: Path) -> None:
    manifest = write_folder(tmp_path / EVIL.replace("/", ""), scores=(0.9, 0.8))
    folder = tmp_path / EVIL.replace("/", "")
    sources = (EVIL, f"[{EVIL}](https://example.com/a{EVIL})", "[x](javascript:alert(1)) <data:,x>")
    change(
        folder,
        labels=(EVIL, f"{EVIL}2"),
        weights=replace(manifest.weights, source=EVIL),
        toolchain={EVIL: EVIL},
        golden=tuple(
            replace(each, source=source)
            for each, source in zip(manifest.golden, sources, strict=True)
        ),
    )
    html = page(verify_folder(folder))
    shown = Reader(html)
    assert shown.open == []
    assert EVIL in shown.text
    assert shown.all("script") == []
    assert all(str(each["src"]).startswith("data:image/jpeg;base64,") for each in shown.all("img"))
    assert len(shown.all("img")) == 9
    assert {str(each["href"])[:8] for each in shown.all("a")} <= {"https://"}


def test_nothing_is_loaded(tmp_path: Path) -> None:
    manifest = write_folder(tmp_path)
    linking = tuple(replace(each, source="<https://example.com/a>") for each in manifest.golden)
    change(tmp_path, golden=linking)
    html = page(verify_folder(tmp_path))
    shown = Reader(html)
    assert {tag for tag, _ in shown.elements}.isdisjoint({"script", "iframe", "object", "embed"})
    assert len(shown.all("a")) == 3
    for tag, attributes in shown.elements:
        assert not any(name.startswith("on") for name in attributes)
        for name in {"src", "href", "srcset", "data", "poster"} & set(attributes):
            expected = "https://example.com/a" if tag == "a" else "data:"
            assert str(attributes[name]).startswith(expected), (tag, name)
    assert "url(" not in html and "@import" not in html
    assert "default-src 'none'; img-src data:" in html


def test_the_page_is_small(exported: Path) -> None:
    html = page(verify_folder(exported))
    assert len(html) < 3_000_000
    shown = Reader(html)
    manifest = Manifest.read(exported)
    assert len(shown.all("img")) == len(manifest.golden) * (1 + len(manifest.files))
    for part in ("XNNPACK takes 100.0 %", "Neural Engine takes", "no such operation", "TOPK_V2"):
        assert part in shown.text


def test_the_same_folder_gives_the_same_page(tmp_path: Path) -> None:
    write_folder(tmp_path)
    assert page(verify_folder(tmp_path)) == page(verify_folder(tmp_path))


def test_links_in_attributions() -> None:
    assert linked("a; `b` <https://c.d/e>, [f](http://g)") == [
        ("a; b ", None),
        ("https://c.d/e", "https://c.d/e"),
        (", ", None),
        ("f", "http://g"),
    ]
    for plain in ("", "[x](javascript:alert(1))", "<file:///etc/passwd>", "a [b] (c) <d>"):
        assert [url for _, url in linked(plain) if url] == []


LATENCY = {
    "machine": "a machine", "threads": 1, "median_ms": 4.0, "p95_ms": 5.25, "first_ms": 9.0,
    "load_ms": 12.0, "memory_mb": 33.0, "ratio": 0.8,
}  # fmt: skip


ARM = {"cpu": "cortex-a76", "instructions": 1_234_500_000}
AP = {"AP": 0.25, "AP50": 0.5, "photos": 200, "annotations_sha256": "ab" * 32}


def measured(folder: Path, **parts: Any) -> Manifest:
    """The manifest of two artifacts, of which this was measured."""
    write_folder(folder)
    names = ("tiny-0.onnx", "tiny-1.onnx")
    entries = {
        name: {part: values[i] for part, values in parts.items() if values[i] is not None}
        for i, name in enumerate(names)
    }
    return change(folder, measured=entries)


def test_what_was_recorded_is_charted(tmp_path: Path) -> None:
    faster = LATENCY | {"median_ms": 2.0, "threads": 2}
    arm = ARM | {"measured": {}, "limits": {}}
    manifest = measured(tmp_path, ap=(AP, None), latency=(LATENCY, faster), arm64=(None, arm))
    size, precision, latency, instructions = charts(manifest, "out")
    assert [(bar.value, bar.share) for bar in size.bars] == [("0.00 MB", 1.0)] * 2
    assert [(bar.value, bar.share) for bar in precision.bars] == [("0.250", 0.25)]
    assert "AP50 0.500" in precision.bars[0].detail
    assert precision.missing == ("tiny-1.onnx",)
    assert precision.conditions == "200 photos, annotations with SHA-256 abababababab"
    assert [(bar.value, bar.share) for bar in latency.bars] == [("4.0 ms", 1.0), ("2.0 ms", 0.5)]
    assert "below 5.2 ms, 0.80 of the time" in latency.bars[0].detail
    assert latency.bars[1].detail.endswith("a machine, 2 threads")
    assert latency.conditions == ""
    assert [(bar.name, bar.value) for bar in instructions.bars] == [("tiny-1.onnx", "1,234.5 M")]
    assert instructions.conditions == "cortex-a76"


def test_nothing_recorded_of_the_instructions_is_no_number(tmp_path: Path) -> None:
    arm = {"cpu": "cortex-a76", "measured": {}, "limits": {}}
    *_, instructions = charts(measured(tmp_path, arm64=(arm, arm)), "out")
    assert instructions.bars == ()
    assert instructions.missing == ("tiny-0.onnx", "tiny-1.onnx")


def test_parity_recorded_on_another_device_stands_in_the_table(tmp_path: Path) -> None:
    write_folder(tmp_path)
    row = verify_folder(tmp_path).rows[0]
    assert row.parity is not None and row.limits is not None
    arm = ARM | entry(replace(row.parity, box_px=Errors.of([0.025])), row.limits)
    measured(tmp_path, arm64=(arm, None))
    shown = read(tmp_path).text
    assert "recorded earlier: ARM64 (cortex-a76) 6 of 6" in shown
    assert "0.025, 0.025, 0.025, 0.025 px limit 0.05 px" in shown
    measured(tmp_path, arm64=(ARM | {"measured": {}, "limits": {}}, None))
    with pytest.raises(InputError, match=r"record of 'tiny-0.onnx' on ARM64 has no parity"):
        read(tmp_path)


def test_what_was_not_measured_names_its_command(tmp_path: Path) -> None:
    folder = tmp_path / "my export"
    write_folder(folder)
    shown = read(folder).text
    for command in ("evaluate", "benchmark", "verify"):
        assert re.search(rf"deimv2 {command} '\S*/my export' (--[^.]*)?--record", shown), command
