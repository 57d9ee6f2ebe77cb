"""The order of the tests, and one export of Atto in every format for all that need artifacts."""

from pathlib import Path

import pytest
from filelock import FileLock

FORMATS = ("tflite", "pte", "onnx", "mlpackage")
# Files with tests of a minute and more, the longest first, so that none is left for the end, when
# the other workers have nothing to do.
LONG = (
    "test_read_back.py", "test_export.py", "test_demo.py", "test_overfit.py", "test_variants.py",
    "test_converters.py", "test_inspect.py", "test_train.py", "test_quantize.py",
)  # fmt: skip


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: LONG.index(item.path.name) if item.path.name in LONG else len(LONG))


@pytest.fixture(scope="session")
def exported(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Path:
    """The folder of an export; read it, do not change it. Takes minutes, once for all workers."""
    from cli.main import main

    base = tmp_path_factory.getbasetemp()
    shared = base if worker_id == "master" else base.parent
    folder, done = shared / "exported", shared / "exported.done"
    with FileLock(shared / "exported.lock"):
        if not done.exists():
            arguments = ["--variant", "atto", "--weights", "random", "--format", *FORMATS]
            assert main(["export", *arguments, "--output", str(folder)]) == 0
            done.touch()
    return folder
