"""The order of the tests, and one export of Atto in every format for all that need artifacts."""

import os
import platform
import sys
from pathlib import Path

import pytest
from filelock import FileLock

# Before torch is loaded: workers share the cores, so a thread of OpenMP that waits is not to spin.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")
# Where Core AI's toolchain has wheels, as pyproject.toml says; elsewhere what needs it is left out.
CORE_AI = sys.platform == "linux" and platform.machine() == "x86_64"
FORMATS = ("tflite", "pte", "onnx", "mlpackage", *(["aimodel"] if CORE_AI else []))
# Files with tests of a minute and more first, so that none is left for the end, when the other
# workers have nothing to do; of these the one that makes the shared export, and then some that do
# not wait for it.
LONG = (
    "test_export.py", "test_train.py", "test_read_back.py", "test_quantize.py", "test_trainer.py",
    "test_aimodel.py", "test_calibration.py", "test_mixed.py", "test_demo.py", "test_overfit.py",
    "test_variants.py", "test_converters.py", "test_inspect.py",
)  # fmt: skip


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if not CORE_AI:
        items[:] = [item for item in items if "aimodel" not in item.nodeid]
    items.sort(key=lambda item: LONG.index(item.path.name) if item.path.name in LONG else len(LONG))


@pytest.fixture(scope="session", autouse=True)
def few_candidates() -> int:
    """Calibrating chooses each range among a tenth as many, in half of the time. Gives the usual
    number of positions for an end."""
    from deimv2.quantization import histogram

    usual, histogram.CANDIDATES = histogram.CANDIDATES, 12
    return usual


@pytest.fixture
def all_candidates(few_candidates: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """As many as usual, as processes of their own try."""
    monkeypatch.setattr("deimv2.quantization.histogram.CANDIDATES", few_candidates)


@pytest.fixture(scope="session")
def exported(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Path:
    """The folder of an export of the demo weights in every format; read it, do not change it. Takes
    minutes, once for all workers."""
    return once(tmp_path_factory, worker_id, "exported", "--format", *FORMATS)


def once(factory: pytest.TempPathFactory, worker: str, name: str, *arguments: str) -> Path:
    """The folder of an export of Atto that all workers share."""
    from deimv2.cli.main import main

    base = factory.getbasetemp()
    shared = base if worker == "master" else base.parent
    folder, done = shared / name, shared / f"{name}.done"
    with FileLock(shared / f"{name}.lock"):
        if not done.exists():
            command = ["export", "--variant", "atto", *arguments]
            assert main([*command, "--output", str(folder)]) == 0
            done.touch()
    return folder
