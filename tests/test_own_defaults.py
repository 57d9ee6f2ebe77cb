"""What a notebook has set for all of PyTorch changes nothing that is computed here."""

import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch

import deimv2
from deimv2.api.options import takes
from deimv2.model.defaults import own_defaults
from deimv2.tests.tiny import write_folder

PHOTO = Path(deimv2.__file__).parent / "data/garments/val/000003.jpg"


@contextmanager
def default_type(dtype: torch.dtype):
    torch.set_default_dtype(dtype)
    try:
        yield
    finally:
        torch.set_default_dtype(torch.float32)


@contextmanager
def default_device(name: str):
    torch.set_default_device(name)
    try:
        yield
    finally:
        torch.set_default_device(None)


# "meta" stands for a GPU: what is made there cannot be used on the CPU either.
SETTINGS = {
    "float64": lambda: default_type(torch.float64),
    "float16": lambda: default_type(torch.float16),
    "set_default_device": lambda: default_device("meta"),
    "with a device": lambda: torch.device("meta"),
    "autocast": lambda: torch.autocast("cpu"),
    "no gradients": torch.no_grad,
    "inference mode": torch.inference_mode,
}
settings = pytest.mark.parametrize("setting", SETTINGS.values(), ids=SETTINGS)
Setting = Callable[[], AbstractContextManager[object]]


@settings
def test_a_checkpoint_detects_the_same(setting: Setting) -> None:
    expected = deimv2.load("atto", weights="demo")(PHOTO)
    with setting():
        detector = deimv2.load("atto", weights="demo")
        found = detector(PHOTO)
    assert len(expected) and found.names == expected.names
    np.testing.assert_array_equal(found.boxes, expected.boxes)
    np.testing.assert_array_equal(found.scores, expected.scores)


@dataclass
class Nothing:
    """No options."""


@takes(Nothing)
def learn(options: Nothing) -> torch.Tensor:
    """As training does: a layer, a loss and gradients."""
    layer = torch.nn.Linear(2, 1)
    layer(torch.ones(1, 2)).sum().backward()
    assert layer.weight.grad is not None
    return layer.weight.grad


@settings
def test_training_has_gradients_in_float32_on_the_cpu(setting: Setting) -> None:
    with setting():
        gradient = learn()
    assert (gradient.dtype, gradient.device.type) == (torch.float32, "cpu")


@pytest.mark.parametrize(
    ("work", "call"),
    [
        ("verifying.verify_folder", lambda folder: deimv2.verify(folder)),
        ("reporting.verify_folder", lambda folder: deimv2.report(folder, folder / "page.html")),
        ("benchmarking.time_in_turn", lambda folder: deimv2.benchmark(folder, baseline=False)),
    ],
    ids=["verify", "report", "benchmark"],
)
def test_artifacts_run_in_float32_on_the_cpu(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, work: str, call: Callable[[Path], object]
) -> None:
    """A `.mlpackage` is computed by PyTorch here."""

    def look(*_: object, **__: object) -> None:
        found = torch.zeros(1)
        assert (found.dtype, found.device.type) == (torch.float32, "cpu")
        raise deimv2.InputError("looked")

    write_folder(tmp_path)
    monkeypatch.setattr(f"deimv2.api.{work}", look)
    raises = pytest.raises(deimv2.InputError, match="looked")
    with default_type(torch.float64), default_device("meta"), raises:
        call(tmp_path)


@settings
def test_what_was_set_holds_again_afterwards(setting: Setting) -> None:
    def state() -> tuple[object, ...]:
        return (
            torch.get_default_dtype(), torch.get_default_device(), torch.is_grad_enabled(),
            torch.is_inference_mode_enabled(), torch.is_autocast_enabled("cpu"),
        )  # fmt: skip

    ours = state()
    with setting():
        theirs = state()
        assert theirs != ours
        with own_defaults(), own_defaults():
            assert state() == ours
        assert state() == theirs


@contextmanager
def call_in_a_thread() -> Iterator[None]:
    """Which has begun, and ends with this."""
    inside, leave = threading.Event(), threading.Event()

    def work() -> None:
        with own_defaults():
            inside.set()
            leave.wait()

    thread = threading.Thread(target=work)
    thread.start()
    inside.wait()
    try:
        yield
    finally:
        leave.set()
        thread.join()


def test_threads_leave_the_default_type_as_it_was() -> None:
    with default_type(torch.float64), ExitStack() as first:
        first.enter_context(own_defaults())
        with call_in_a_thread():
            first.close()  # the first to come leaves first
            assert torch.get_default_dtype() == torch.float32
        assert torch.get_default_dtype() == torch.float64


def test_a_default_type_that_is_set_during_a_call_holds_for_none_of_ours_and_stays() -> None:
    with ExitStack() as setting:
        with call_in_a_thread():
            setting.enter_context(default_type(torch.float64))
            with own_defaults():
                assert torch.get_default_dtype() == torch.float32
        assert torch.get_default_dtype() == torch.float64


def test_an_error_leaves_what_was_set() -> None:
    with default_type(torch.float64):
        with pytest.raises(deimv2.InputError):
            deimv2.load("no-such.tflite")
        assert torch.get_default_dtype() == torch.float64
