"""Several exports on one page: a table of all files, plots, and what phones said."""

import itertools
import json
from pathlib import Path
from typing import Any

import pytest

from deimv2.model.errors import InputError
from deimv2.tests.cli.commands import Capture, complaint, output
from deimv2.tests.tiny import write_folder
from deimv2.tests.verification.test_report import AP, LATENCY, Reader, change
from deimv2.verification.report import page, read_phone
from deimv2.verification.report.overview import (
    BOTTOM,
    LEAST_SPAN,
    LEFT,
    LINE,
    TOP,
    WIDTH,
    Place,
    axis,
    label_place,
    plots,
)  # fmt: skip
from deimv2.verification.report.render import export
from deimv2.verification.verify import Report, verify_folder

SHARED = {
    "folder": "deimv2",
    "device": "A phone, Android 16",
    "passed": False,
    "rows": [
        {"artifact": "tiny-0.onnx", "against": "x", "passed": True, "problems": [],
         "runs_on": "CPU and GPU", "milliseconds": [9.0, 4.0, 5.0],
         "operations": {"GPU": 210, "CPU": 3}},
        {"artifact": "tiny-0.onnx", "against": "x", "passed": True, "problems": [],
         "runs_on": "LiteRT CPU", "milliseconds": [8.0], "benchmark": {
             "runs": 100, "warm_up": 10, "frame": "1280x720", "threads": 4, "heat_before": "none",
             "heat_after": "light", "prepare_ms": {"p50": 2.5, "p95": 3.1},
             "run_ms": {"p50": 7.5, "p95": 9.25}}},
        {"artifact": "tiny-1.onnx", "against": "x", "passed": False, "problems": ["it broke"]},
    ],
}  # fmt: skip


def verified(folder: Path, **measured: Any) -> Report:
    """An export of two files, of which this was recorded by file."""
    write_folder(folder)
    entries = {
        f"tiny-{i}.onnx": {part: values[i] for part, values in measured.items()} for i in (0, 1)
    }
    change(folder, measured=entries)
    return verify_folder(folder)


def test_several_exports_are_one_page(tmp_path: Path) -> None:
    first = verified(tmp_path / "a", ap=(AP, AP | {"AP": 0.3}), latency=(LATENCY, LATENCY))
    write_folder(tmp_path / "b", scores=(0.9, 0.8))
    change(tmp_path / "b", variant="pico")
    shown = Reader(page(first, verify_folder(tmp_path / "b"), command="deimv2 report a b"))
    assert shown.open == []
    assert "DEIMv2-Atto, Pico: 2 exports" in shown.text
    assert "✗ Failed: 1 of 4 checks." in shown.text
    table = shown.text[shown.text.index("All files") : shown.text.index("DEIMv2-Atto, fp32")]
    assert "a/tiny-0.onnx 0.00 0.250 0.500 4.0 ✓ pass a/tiny-1.onnx 0.00 0.300 0.500 4.0" in table
    assert "b/tiny-0.onnx 0.00 - - - ✓ pass b/tiny-1.onnx 0.00 - - - ✗ FAIL" in table
    assert shown.text.count("Hashes and versions") == shown.text.count("Who computes it") == 2
    assert len(shown.all("img")) == 2 * 9
    assert shown.text.endswith("Made by deimv2 report a b , of DEIMv2 Mobile.")


def test_files_of_one_name_are_told_apart_everywhere(tmp_path: Path) -> None:
    recorded = {"ap": (AP, AP | {"AP": 0.3}), "latency": (LATENCY, LATENCY)}
    both = [verified(tmp_path / week / "tiny", **recorded) for week in ("last", "this")]
    shown = Reader(page(*both)).text
    start = shown.index("All files")
    names = [f"{week}/tiny/tiny-{i}.onnx" for week in ("last", "this") for i in (0, 1)]
    assert f"Passed. {', '.join(names)} agree with" in shown[:start]
    plots = shown[shown.index("AP and size") : shown.index("DEIMv2-Atto, fp32")]
    assert all(shown[start:].count(f"{name} ") >= 3 and name in plots for name in names)


def test_ap_is_drawn_against_size_and_time(tmp_path: Path) -> None:
    slower = LATENCY | {"median_ms": 9.0}
    report = verified(tmp_path, ap=(AP, AP | {"AP": 0.5}), latency=(LATENCY, slower))
    size, time = plots(export(report).artifacts)
    assert time.conditions == "a machine, 1 thread" and len(size.points) == 2
    best, worst = time.points
    assert (best.name, worst.name) == ("tiny-1.onnx", "tiny-0.onnx")
    assert best.x > worst.x and best.y < worst.y
    across = dict((text, place) for place, text in time.x_ticks)
    up = dict((text, place) for place, text in time.y_ticks)
    assert worst.x == pytest.approx(across["4"]) and best.x == pytest.approx(across["9"])
    assert best.y == pytest.approx(up["0.5"]) and worst.y == pytest.approx(up["0.25"])


def test_labels_cover_neither_each_other_nor_points() -> None:
    points = [(300.0 + 3 * i, 150.0 + i % 2) for i in range(9)]
    labels: list[Place] = []
    for point in points:
        labels.append(label_place(point, "atto-int8.mlpackage", points, labels))
    for i, label in enumerate(labels):
        assert label.x > LEFT and label.x + label.width < WIDTH
        assert not any(label.covers(*point) for point in points)
        assert not any(label.covers(each.x, each.y, each.width) for each in labels[:i])
        assert abs(label.y - points[i][1]) <= 5 * LINE


def test_equal_aps_look_equal(tmp_path: Path) -> None:
    report = verified(tmp_path, ap=(AP, AP | {"AP": 0.2501}))
    (plot,) = plots(export(report).artifacts)
    assert abs(plot.points[0].y - plot.points[1].y) < 1
    values = [float(text) for _, text in plot.y_ticks]
    assert max(values) - min(values) >= LEAST_SPAN


def test_times_of_two_machines_are_not_one_plot(tmp_path: Path) -> None:
    other = LATENCY | {"threads": 4}
    report = verified(tmp_path, ap=(AP, AP), latency=(LATENCY, other))
    assert [each.title for each in plots(export(report).artifacts)] == ["AP and size"]


@pytest.mark.parametrize("values", [[], [0.3], [0.0, 0.0], [3.1, 3.2], [0.002, 812.0]])
def test_an_axis_has_round_numbers_around_all(values: list[float]) -> None:
    ticks = axis(values)
    assert 2 <= len(ticks) <= 9
    assert all(ticks[0] <= value <= ticks[-1] for value in values)
    steps = {round(b - a, 9) for a, b in itertools.pairwise(ticks)}
    assert len(steps) == 1


def test_points_lie_inside(tmp_path: Path) -> None:
    report = verified(tmp_path, ap=(AP, AP))
    (plot,) = plots(export(report).artifacts)
    assert all(p.x >= LEFT and TOP <= p.y <= BOTTOM for p in plot.points)


def test_what_phones_said_stands_there(capsys: Capture, tmp_path: Path) -> None:
    write_folder(tmp_path / "export")
    shared = tmp_path / "phone.json"
    shared.write_text(json.dumps(SHARED))
    place = tmp_path / "page"
    printed = output(capsys, "report", tmp_path / "export", "--output", place, "--phones", shared)
    assert printed.strip() == str(place / "index.html")
    shown = Reader((place / "index.html").read_text()).text
    said = "CPU and GPU operations: 210 on GPU, 3 on CPU 5.0 - - - - ✓ pass"
    assert f"tiny-0.onnx A phone, Android 16 {said}" in shown
    assert "tiny-1.onnx A phone, Android 16 - - - - - ✗ FAIL it broke" in shown
    timed = "LiteRT CPU 100 frames of 1280x720, 4 threads, heat none to light 8.0 2.5 3.1 7.5 9.2"
    assert f"{timed} ✓ pass" in shown


def test_a_page_that_cannot_be_made_leaves_nothing(capsys: Capture, tmp_path: Path) -> None:
    write_folder(tmp_path / "export")
    (tmp_path / "other.json").write_text('{"rows": [1]}')
    place = tmp_path / "page"
    for arguments, said in (
        ((tmp_path / "none",), "no manifest.json in"),
        ((tmp_path / "export", "--phones", tmp_path / "other.json"), "is not a phone's report"),
        ((tmp_path / "export", "--phones", tmp_path / "none.json"), "no file at"),
    ):
        assert said in complaint(capsys, "report", *arguments, "--output", place)
    line = complaint(capsys, "report", tmp_path / "export", "--output", tmp_path / "no" / "a.html")
    assert "no folder at" in line
    assert not place.exists() and not (tmp_path / "no").exists()


def test_a_report_of_python_can_be_read_as_a_phones(tmp_path: Path) -> None:
    """Apps write the same form, and say the device beside it."""
    write_folder(tmp_path)
    content = verify_folder(tmp_path).to_json() | {"device": "this machine"}
    path = tmp_path / "report.json"
    path.write_text(json.dumps(content))
    rows = read_phone(path)
    assert [row.artifact for row in rows] == ["tiny-0.onnx", "tiny-1.onnx"]
    assert all(row.passed and row.median_ms is None for row in rows)
    whole = {"artifact": "a", "passed": True, "problems": []}
    for broken in ({"artifact": "a"}, whole | {"benchmark": {"runs": 1}}):
        path.write_text(json.dumps(content | {"rows": [broken]}))
        with pytest.raises(InputError, match="is not a phone's report"):
            read_phone(path)
