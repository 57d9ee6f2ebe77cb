"""One export of Atto in every format, shared by all tests that need real artifacts."""

from pathlib import Path

import pytest
from filelock import FileLock

FORMATS = ("tflite", "pte", "onnx", "mlpackage")


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
