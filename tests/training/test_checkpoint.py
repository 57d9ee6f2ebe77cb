"""What is said of the state of a training, whichever command it is of."""

import errno
from pathlib import Path

import pytest

from deimv2.model.errors import InputError
from deimv2.training.checkpoint import BEST, LAST, guarded, read_state, require_unused


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A damaged one, in a folder whose name has a blank."""
    (made := tmp_path / "my run").mkdir()
    (made / LAST).write_bytes(b"none")
    return made


def test_commands_to_copy_have_paths_in_quotes(folder: Path) -> None:
    def full() -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(InputError, match=f"continue with --resume '{folder}', or choose"):
        require_unused(folder)
    with pytest.raises(InputError, match=f"then continue with --resume '{folder}'"):
        guarded(folder, full)


def test_of_a_damaged_state_the_best_weights_are_named_where_there_are_any(folder: Path) -> None:
    with pytest.raises(InputError, match=r"is damaged .*; start again with another --output$"):
        read_state(folder)
    (folder / BEST).touch()
    with pytest.raises(InputError, match=f"output; the best weights until then are in .*{BEST}'$"):
        read_state(folder)
