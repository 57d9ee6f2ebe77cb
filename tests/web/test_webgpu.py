"""The web page in a Chromium whose GPU is a software one."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from deimv2.tests.verification.chromium import Chromium, chromium
from deimv2.tests.web.sites import PROBLEM, READY, ROWS, STATUS, WEBGPU, at, with_another_score

pytestmark = pytest.mark.browser


# The page leaves software GPUs alone, as WebAssembly is quicker.
HARDWARE = "Object.defineProperty(GPUAdapterInfo.prototype, 'isFallbackAdapter', {value: false})"


@pytest.fixture(scope="module")
def gpu(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chromium]:
    with chromium(tmp_path_factory.mktemp("gpu") / "profile", WEBGPU) as found:
        yield found


def test_webgpu_passes_the_check(gpu: Chromium, fp32: Path) -> None:
    with at(fp32) as address, gpu.tab(address) as tab:
        assert tab.wait(READY) is True
        assert "on WASM" in tab.value(STATUS)
        tab.value("choice.value = 'webgpu'; choice.dispatchEvent(new Event('change'))")
        tab.wait(f"{STATUS}.endsWith('on WebGPU') || {PROBLEM}")
        tab.value("document.querySelector('#check').click()")
        tab.wait(f"{STATUS}.startsWith('Check ')", 120)
        found = {on.split(",")[0]: verdict for _, on, verdict, *_ in tab.value(ROWS)}
        assert found == {"WASM": "passed", "WebGPU": "passed"}


def test_a_gpu_that_passes_is_taken_and_remembered(gpu: Chromium, fp32: Path) -> None:
    with at(fp32) as address:
        with gpu.tab(address, before=HARDWARE) as tab:
            assert tab.wait(READY, 120) is True
            assert tab.value(STATUS).endswith("on WebGPU")
            asked = [each for each in tab.visit.requests if "/golden/" in each]
            assert len(asked) == 12
        with gpu.tab(address, before=HARDWARE) as tab:
            assert tab.wait(READY, 120) is True
            assert tab.value(STATUS).endswith("on WebGPU")
            assert not [each for each in tab.visit.requests if "/golden/" in each]


def test_a_browser_that_says_nothing_of_its_gpu_opens(gpu: Chromium, fp32: Path) -> None:
    """As before `GPUAdapter.info`."""
    silent = "Object.defineProperty(GPUAdapter.prototype, 'info', {value: undefined})"
    with at(fp32) as address, gpu.tab(address, before=silent) as tab:
        assert tab.wait(READY, 120) is True
        assert tab.value(STATUS).startswith("Ready")


def test_a_gpu_that_fails_is_not_taken(gpu: Chromium, fp32: Path, tmp_path: Path) -> None:
    with at(with_another_score(fp32, tmp_path)) as address:
        for _ in range(2):  # tried, and remembered
            with gpu.tab(address, before=HARDWARE) as tab:
                assert tab.wait(READY, 120) is True
                said = tab.value(STATUS)
                assert "on WASM, " in said and "(not on WebGPU: a score is 0.0" in said
