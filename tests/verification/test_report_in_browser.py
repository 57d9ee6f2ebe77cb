"""The page as Chromium shows it: on a phone and a desk, by day and by night, without a network."""

import io
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from deimv2.tests.tiny import write_folder
from deimv2.tests.verification.chromium import Chromium, Visit, chromium
from deimv2.tests.verification.test_report import change
from deimv2.verification.report import page
from deimv2.verification.verify import verify_folder

pytestmark = pytest.mark.browser
PHONE, DESK = 390, 1280
AA = 4.5  # least contrast of text, WCAG 2
LONG = "supercalifragilistic" * 5
BAD = """<!doctype html><body style="background: #fff">
<p style="width: 2000px; color: #999">pale</p><img src="https://example.com/a.png">
<script>console.error("wrong"); undefinedFunction()</script>"""


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chromium]:
    with chromium(tmp_path_factory.mktemp("profile")) as found:
        yield found


@pytest.fixture(scope="module", params=["passed", "failed"])
def report(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """With names so long that they fit no phone, in words that cannot be broken."""
    folder = tmp_path_factory.mktemp(LONG)
    write_folder(folder, scores=(0.9, 0.9 if request.param == "passed" else 0.8))
    change(folder, labels=("cat", LONG) if request.param == "failed" else ("cat", "dog"))
    path = folder / "report.html"
    path.write_text(page(verify_folder(folder)))
    return path


def brightness(visit: Visit) -> float:
    """Of the page at its left edge, 0..255."""
    picture = Image.open(io.BytesIO(visit.screenshot)).convert("L")
    return float(np.asarray(picture)[:, 0].mean())


@pytest.mark.parametrize("width", [PHONE, DESK])
def test_it_fits_and_can_be_read(browser: Chromium, report: Path, width: int) -> None:
    light, dark = (browser.visit(report, width, dark) for dark in (False, True))
    for visit in (light, dark):
        assert visit.overflow <= 0
        assert visit.complaints == []
        assert visit.requests[0] == report.resolve().as_uri()
        assert all(address.startswith("data:") for address in visit.requests[1:])
        ratio, text = visit.contrasts[0]
        assert ratio >= AA, text
    assert brightness(light) > 200
    assert brightness(dark) < 60


def test_what_is_looked_for_can_be_found(browser: Chromium, tmp_path: Path) -> None:
    (tmp_path / "bad.html").write_text(BAD)
    visit = browser.visit(tmp_path / "bad.html", PHONE)
    assert visit.overflow > 1000
    assert visit.requests[1:] == ["https://example.com/a.png"]
    assert any("wrong" in each for each in visit.complaints)
    assert any("undefinedFunction is not defined" in each for each in visit.complaints)
    assert any("ERR_" in each for each in visit.complaints)
    assert visit.contrasts[0] == (pytest.approx(2.85, abs=0.01), "pale")
