"""The exports that the page is opened with."""

from pathlib import Path

import pytest

from deimv2.tests.conftest import once


@pytest.fixture(scope="session")
def fp32(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Path:
    return once(tmp_path_factory, worker_id, "web-fp32", "--format", "tflite", "--no-verify")


@pytest.fixture(scope="session")
def int8(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Path:
    given = ("--format", "tflite", "--precision", "int8", "--no-verify")
    return once(tmp_path_factory, worker_id, "web-int8", *given)
