"""The web page in Chromium: what it detects, what it checks, and what it says when it cannot."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from deimv2.api.site import write_site
from deimv2.converters.golden import read_golden
from deimv2.converters.manifest import Manifest
from deimv2.converters.precision import PRECISIONS, Limits
from deimv2.model.detections import Detections
from deimv2.tests.verification.chromium import Chromium, Tab, chromium
from deimv2.tests.web.sites import (
    FOUND,
    PROBLEM,
    READY,
    ROWS,
    STATUS,
    at,
    plain,
    with_another_score,
)
from deimv2.verification.parity import Parity

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def photo(fp32: Path) -> Path:
    return fp32 / Manifest.read(fp32).golden[0].image


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory, photo: Path) -> Iterator[Chromium]:
    """Without a GPU; its camera films the first golden photograph."""
    base = tmp_path_factory.mktemp("browser")
    options = (
        "--disable-gpu", "--use-fake-ui-for-media-stream", "--use-fake-device-for-media-stream",
        f"--use-file-for-fake-video-capture={film(photo, base / 'film.y4m')}",
    )  # fmt: skip
    with chromium(base / "profile", options) as found:
        yield found


def film(photo: Path, path: Path) -> Path:
    """Ten frames of a photograph, in the one form without compression that Chromium reads."""
    picture = Image.open(photo).convert("YCbCr")
    width, height = picture.size
    # A camera's levels are 16 to 235 (colours: 240), JPEG's 0 to 255.
    y, cb, cr = (np.asarray(band, np.float64) for band in picture.split())
    planes = [16 + y * 219 / 255]
    for band in (cb, cr):
        half = band.reshape(height // 2, 2, width // 2, 2).mean((1, 3))
        planes.append(128 + (half - 128) * 224 / 255)
    frame = b"FRAME\n" + b"".join(plane.round().astype(np.uint8).tobytes() for plane in planes)
    path.write_bytes(f"YUV4MPEG2 W{width} H{height} F30:1 Ip C420jpeg\n".encode() + frame * 10)
    return path


def rows(tab: Tab) -> list[tuple[str, float, list[float]]]:
    """Name, score and box in pixels of each detection in the page's table."""
    return [(name, float(score), list(map(float, box))) for name, score, *box in tab.value(FOUND)]


def expected(folder: Path, which: int = 0) -> tuple[Detections, list[str], tuple[int, int]]:
    manifest = Manifest.read(folder)
    golden = read_golden(folder, manifest.golden)[which]
    return golden.reference, list(manifest.labels), manifest.input.size


def assert_same(tab: Tab, folder: Path, threshold: float = 0.4) -> None:
    """The page shows the golden detections of the first photograph, to the digits that it shows.

    Of several labels on one box it shows the best.
    """
    reference, labels, (height, width) = expected(folder)
    found = rows(tab)
    boxes = reference.boxes[reference.scores > threshold]
    kept = [i for i, box in enumerate(boxes) if not (boxes[:i] == box).all(-1).any()]
    assert len(found) == len(kept) > 3
    scale = np.array([width, height, width, height])
    for i, (name, score, box) in zip(kept, found, strict=True):
        assert name == labels[reference.labels[i]]
        assert score == pytest.approx(float(reference.scores[i]), abs=0.0052)
        assert box == pytest.approx((reference.boxes[i] * scale).tolist(), abs=0.11)


def test_a_photograph_gives_the_golden_detections(
    browser: Chromium, fp32: Path, photo: Path
) -> None:
    with at(fp32) as address, browser.tab(address) as tab:
        assert tab.wait(READY) is True
        assert "on WASM, " in tab.value(STATUS) and "threads" in tab.value(STATUS)
        tab.give("#photo", photo)
        tab.wait(f"{FOUND}.length")
        assert_same(tab, fp32)
        assert tab.value(STATUS).startswith(f"{len(rows(tab))} detections: ")
        # Boxes are drawn over parts of the photograph.
        drawn = tab.value("[...picture.getContext('2d').getImageData(0, 0, 320, 320).data]")
        pixels = np.reshape(drawn, (320, 320, 4))[..., :3]
        original = np.asarray(Image.open(photo).convert("RGB"))
        changed = (pixels != original).any(-1).mean()
        assert 0.01 < changed < 0.5
        asked = tab.visit.requests
        assert all(each.startswith((address, "blob:")) for each in asked)
        assert any(each.endswith(".wasm.gz") for each in asked)  # workers' are seen too
        # LiteRT.js looks for a GPU and an NPU, whether or not they are to be used.
        looks = ("No available adapters", "default WebGPU device", "NPU accelerator could not be")
        said = [c for c in tab.visit.complaints if not any(look in c for look in looks)]
        assert said == []


def test_the_confidence_moves_by_keyboard(browser: Chromium, fp32: Path, photo: Path) -> None:
    with at(fp32) as address, browser.tab(address) as tab:
        assert tab.wait(READY) is True
        order = []
        for _ in range(7):
            tab.press("Tab")
            order.append(tab.value("document.activeElement.id"))
        assert order == ["file", "choice", "threshold", "camera", "photo", "sample", "check"]
        tab.value("document.querySelector('#sample').focus()")
        tab.press("Enter")
        tab.wait(f"{FOUND}.length")
        assert_same(tab, fp32)
        tab.value("document.querySelector('#threshold').focus()")
        for _ in range(20):
            tab.press("ArrowRight")
        assert tab.value("document.querySelector('#threshold-shown').value") == "0.60"
        assert_same(tab, fp32, 0.6)


def test_the_camera_gives_nearly_the_golden_detections(browser: Chromium, fp32: Path) -> None:
    with at(fp32) as address, browser.tab(address) as tab:
        assert tab.wait(READY) is True
        tab.value("document.querySelector('#camera').click()")
        tab.wait("document.querySelector('#speed').textContent.includes('frames a second')")
        tab.wait(f"{FOUND}.length > 3")
        canvas = tab.value("[picture.width, picture.height]")
        found = rows(tab)
        tab.value("document.querySelector('#camera').click()")
        tab.wait(f"{STATUS} === 'The camera is off'")
        assert tab.value(PROBLEM) is None
    # A film has a colour for four pixels, and another size.
    reference, labels, _ = expected(fp32)
    clear = [i for i in range(len(reference)) if reference.scores[i] > 0.6]
    assert len(clear) > 3
    for i in clear:
        name, box = labels[reference.labels[i]], reference.boxes[i]
        near = [
            np.abs(np.divide(place, canvas * 2) - box).max() for n, _, place in found if n == name
        ]
        assert min(near, default=1) < 0.03, (name, found)


@pytest.mark.parametrize(
    "event",
    [
        "new DragEvent('drop', {dataTransfer: data, cancelable: true})",
        "new ClipboardEvent('paste', {clipboardData: data, cancelable: true})",
    ],
)
def test_a_photograph_may_be_dropped_or_pasted(
    browser: Chromium, fp32: Path, photo: Path, event: str
) -> None:
    script = f"""(async () => {{
        const data = new DataTransfer();
        const content = await (await fetch('golden/{photo.name}')).blob();
        data.items.add(new File([content], 'given.png', {{type: 'image/png'}}));
        document.dispatchEvent({event});
    }})()"""
    with at(fp32) as address, browser.tab(address) as tab:
        assert tab.wait(READY) is True
        tab.value(script)
        tab.wait(f"{FOUND}.length")
        assert_same(tab, fp32)
        assert tab.value("document.querySelector('#caption').textContent") == "given.png"


def test_the_report_is_that_of_verify(browser: Chromium, fp32: Path) -> None:
    keep = "URL.createObjectURL = blob => { globalThis.saved = blob.text(); return '#'; }"
    with at(fp32) as address, browser.tab(address, before=keep) as tab:
        assert tab.wait(READY) is True
        tab.value("document.querySelector('#check').click()")
        tab.wait(f"{STATUS}.startsWith('Check ')")
        tab.value("document.querySelector('#report').click()")
        report = json.loads(tab.value("saved"))
    assert report["passed"] is True and report["folder"] == address.rstrip("/")
    (row,) = report["rows"]
    assert row["against"] == "the float32 model, 6 golden photographs"
    parity = Parity.from_json(row["measured"])
    limits = Limits(**row["limits"])
    assert limits == PRECISIONS["fp32"].limits
    assert parity.failures(limits) == row["problems"] == []
    assert parity.matched == 600 and len(row["milliseconds"]) == 6


@pytest.mark.parametrize("precision", ["fp32", "int8"])
def test_the_check_passes(
    browser: Chromium, precision: str, request: pytest.FixtureRequest
) -> None:
    folder = request.getfixturevalue(precision)
    with at(folder) as address, browser.tab(address) as tab:
        assert tab.wait(READY) is True
        tab.value("document.querySelector('#check').click()")
        tab.wait(f"{STATUS}.startsWith('Check ')")
        ((name, on, verdict, *_),) = tab.value(ROWS)
        assert (name, verdict) == (f"deimv2-atto-{precision}.tflite", "passed")
        assert on.startswith("WASM")
        assert tab.value(STATUS) == "Check passed"


def test_the_check_fails_for_another_model(browser: Chromium, fp32: Path, tmp_path: Path) -> None:
    folder = with_another_score(fp32, tmp_path)
    with at(folder) as address, browser.tab(address) as tab:
        assert tab.wait(READY) is True
        tab.value("document.querySelector('#check').click()")
        tab.wait(f"{STATUS}.startsWith('Check ')")
        assert tab.value(STATUS) == "Check failed: 1 of 1"
        ((_, _, verdict, *_),) = tab.value(ROWS)
        assert verdict.startswith("FAILED: a score is 0.0") and "the limit is 0.002" in verdict


def test_a_static_host_will_do(browser: Chromium, fp32: Path, photo: Path, tmp_path: Path) -> None:
    """Without headers, in a folder of a host, and with wasm of one thread."""
    write_site(fp32, tmp_path / "some where" / "site")
    with plain(tmp_path) as address, browser.tab(f"{address}some%20where/site/?a#b") as tab:
        assert tab.wait(READY) is True
        assert tab.value(STATUS).endswith("on WASM, 1 thread")
        tab.give("#photo", photo)
        tab.wait(f"{FOUND}.length")
        assert_same(tab, fp32)
        site = f"{address}some%20where/site/"
        assert all(each.startswith((site, "blob:")) for each in tab.visit.requests)


def test_the_build_for_older_browsers_passes_the_check(
    browser: Chromium, fp32: Path, tmp_path: Path
) -> None:
    """In the place of the one that this browser takes."""
    site = tmp_path / "site"
    write_site(fp32, site)
    for kind in ("js", "wasm.gz"):
        compat = site / "litert" / f"litert_wasm_compat_internal.{kind}"
        compat.rename(site / "litert" / f"litert_wasm_internal.{kind}")
    with plain(site) as address, browser.tab(address) as tab:
        assert tab.wait(READY) is True
        tab.value("document.querySelector('#check').click()")
        tab.wait(f"{STATUS}.startsWith('Check ')")
        assert tab.value(STATUS) == "Check passed"


def _no_manifest(site: Path) -> None:
    (site / "manifest.json").unlink()


def _half_a_manifest(site: Path) -> None:
    path = site / "manifest.json"
    path.write_bytes(path.read_bytes()[:500])


def _another_precision(site: Path) -> None:
    path = site / "manifest.json"
    path.write_text(path.read_text().replace('"fp32"', '"fp7"'))


def _a_changed_byte(site: Path) -> None:
    (path,) = site.glob("*.tflite")
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def _no_runtime(site: Path) -> None:
    (site / "litert" / "litert_wasm_internal.wasm.gz").unlink()


def _nonsense(site: Path) -> None:
    """No model, with its right hash in the manifest."""
    from deimv2.model.files import sha256_of

    (path,) = site.glob("*.tflite")
    manifest = site / "manifest.json"
    before = sha256_of(path)
    path.write_bytes(b"no model" * 100)
    manifest.write_text(manifest.read_text().replace(before, sha256_of(path)))


@pytest.mark.parametrize(
    ("harm", "sentence"),
    [
        (_no_manifest, "No manifest.json in '{address}', expected a folder that"),
        (_half_a_manifest, "'{address}/manifest.json' is not JSON, expected a manifest"),
        (_another_precision, "is no valid manifest at $.precision: found 'fp7', expected one of"),
        (_a_changed_byte, "deimv2-atto-fp32.tflite' has SHA-256 "),
        (_no_runtime, "litert/litert_wasm_internal.wasm.gz is missing (404), expected it beside"),
        (_nonsense, "Deimv2-atto-fp32.tflite does not compile for WASM"),
    ],
)
def test_a_broken_site_says_so_in_one_sentence(
    browser: Chromium, fp32: Path, tmp_path: Path, harm: Any, sentence: str
) -> None:
    write_site(fp32, tmp_path / "site")
    harm(tmp_path / "site")
    with plain(tmp_path / "site") as address, browser.tab(address) as tab:
        said = tab.wait(PROBLEM)
        assert sentence.replace("{address}", address.rstrip("/")) in said
        assert "\n" not in said and len(said) < 500
        assert tab.value(STATUS) == "The detector did not start"


@pytest.mark.parametrize(
    ("without", "sentence"),
    [
        ("delete globalThis.WebAssembly", "This browser has no WebAssembly, which the detector"),
        ("delete globalThis.Worker", "This browser has no Web Workers, which the detector needs"),
        (
            "delete globalThis.OffscreenCanvas; delete globalThis.DecompressionStream",
            "This browser has no OffscreenCanvas and no DecompressionStream, which",
        ),
    ],
)
def test_a_browser_that_lacks_something_says_so(
    browser: Chromium, fp32: Path, without: str, sentence: str
) -> None:
    with at(fp32) as address, browser.tab(address, before=without) as tab:
        assert tab.wait(PROBLEM).startswith(sentence)


def test_what_is_no_picture_is_refused(browser: Chromium, fp32: Path, tmp_path: Path) -> None:
    (tmp_path / "notes.png").write_text("no picture")
    with at(fp32) as address, browser.tab(address) as tab:
        assert tab.wait(READY) is True
        tab.give("#photo", tmp_path / "notes.png")
        assert tab.wait(PROBLEM).startswith("'notes.png' is no picture that this browser reads")


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("width", [390, 1280])
def test_it_fits_and_can_be_read(browser: Chromium, fp32: Path, width: int, dark: bool) -> None:
    with at(fp32) as address, browser.tab(address) as tab:
        assert tab.wait(READY) is True
        tab.look(width, dark)
        tab.value("document.querySelector('#sample').click()")
        tab.wait(f"{FOUND}.length")
        tab.value("document.querySelector('#check').click()")
        tab.wait(f"{STATUS}.startsWith('Check ')")
        assert tab.overflow() <= 0
        ratio, text = tab.contrasts()[0]
        assert ratio >= 4.5, text


def test_a_picture_with_holes_hides_the_one_before(
    browser: Chromium, fp32: Path, photo: Path, tmp_path: Path
) -> None:
    Image.new("RGBA", (320, 320)).save(tmp_path / "nothing.png")
    with at(fp32) as address, browser.tab(address) as tab:
        assert tab.wait(READY) is True
        tab.give("#photo", photo)
        tab.wait(f"{FOUND}.length")
        tab.give("#photo", tmp_path / "nothing.png")
        tab.wait("document.querySelector('#caption').textContent === 'nothing.png'")
        assert rows(tab) == []
        assert tab.value(STATUS) == "0 detections"
        assert not any(tab.value("[...picture.getContext('2d').getImageData(0, 0, 9, 9).data]"))
