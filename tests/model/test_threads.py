"""What belongs to the whole process, its outputs and signals, is safe in threads."""

import os
import signal
import threading
from pathlib import Path

import pytest

from deimv2.api.install import uninterrupted, workplace
from deimv2.model.optional import quiet


def in_thread(work: object) -> None:
    """Runs it, and raises what it raises."""
    raised: list[BaseException] = []

    def guarded() -> None:
        try:
            work()  # type: ignore[operator]
        except BaseException as error:
            raised.append(error)

    thread = threading.Thread(target=guarded)
    thread.start()
    thread.join()
    if raised:
        raise raised[0]


def test_outputs_come_back_after_two_threads_were_quiet() -> None:
    before = os.fstat(1).st_ino, os.fstat(2).st_ino
    first_is_in, second_waits = threading.Event(), threading.Event()

    def first() -> None:
        with quiet(None):
            first_is_in.set()
            second_waits.wait()

    def second() -> None:
        first_is_in.wait()
        second_waits.set()
        with quiet(None):
            pass

    threads = [threading.Thread(target=each) for each in (first, second)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (os.fstat(1).st_ino, os.fstat(2).st_ino) == before


def test_a_log_that_cannot_be_opened_leaves_nothing_open(tmp_path: Path) -> None:
    count = len([*Path("/dev/fd").iterdir()])
    with pytest.raises(FileNotFoundError), quiet(tmp_path / "missing" / "log"):
        raise AssertionError
    assert len([*Path("/dev/fd").iterdir()]) == count


def test_an_export_may_run_in_any_thread(tmp_path: Path) -> None:
    def work() -> None:
        with workplace(tmp_path) as folder, uninterrupted():
            (folder / "file").touch()

    in_thread(work)
    assert list(tmp_path.iterdir()) == []


def test_ctrl_c_waits_and_is_not_lost(tmp_path: Path) -> None:
    done = tmp_path / "done"
    with pytest.raises(KeyboardInterrupt), uninterrupted():
        signal.raise_signal(signal.SIGINT)
        done.touch()
    assert done.exists()


def test_handlers_are_as_before_where_no_workplace_can_be_made(tmp_path: Path) -> None:
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(Exception, match="cannot write"), workplace(tmp_path / "missing"):
        raise AssertionError
    assert signal.getsignal(signal.SIGTERM) is before
