"""The Swift package and its sample app, compiled, linted and tested by `ios/check`.

The first run sets up Debian's Swift in a folder (`ios/check help`), which takes minutes.
"""

import subprocess
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[1]

pytestmark = pytest.mark.apps


@pytest.mark.parametrize("task", ["lint", "test", "apple", "bite"])
def test_ios(task: str) -> None:
    done = subprocess.run(
        [REPOSITORY / "ios/check", task],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-4000:]


def test_a_folder_that_holds_no_swift_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("mine")
    done = subprocess.run(
        [REPOSITORY / "ios/check", "toolchain"],
        env={"PATH": "/usr/bin:/bin", "DEIMV2_SWIFT_ROOT": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert "holds no Swift" in done.stderr
    assert (tmp_path / "mine").read_text() == "mine"
