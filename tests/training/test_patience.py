"""Patience ends a training only where AP was measured."""

from pathlib import Path

import pytest

from deimv2.model import DEIMv2
from deimv2.tests.training.test_trainer import recipe, trainer
from deimv2.training.loop import Metrics


@pytest.mark.parametrize(
    ("every", "patience", "found", "epochs", "said"),
    [
        (5, 3, [0.2, 0.3, 0.1], 15, "no better AP for 5 epochs: stopped"),
        (5, 6, [0.2, 0.1, 0.1], 15, "no better AP for 10 epochs: stopped"),
        (1, 1, [0.2, 0.1], 2, "no better AP for 1 epoch: stopped"),
    ],
)
def test_patience_waits_for_the_next_measurement(
    tmp_path: Path, every: int, patience: int, found: list[float], epochs: int, said: str
) -> None:
    made, notes = trainer(tmp_path, recipe(epochs=20), evaluate_every=every, patience=patience)
    values = iter(found)

    def step(_: object) -> dict[str, float]:
        made.step += 1
        return {"loss": 1.0}

    def evaluate(_: DEIMv2) -> Metrics:
        return {"AP": next(values)}

    made._step = step  # type: ignore[method-assign]
    made._restart_if_due = lambda: None  # type: ignore[method-assign]
    made.run(evaluate)
    assert made.step == epochs * made.steps_per_epoch
    assert [metrics["AP"] for metrics in notes.epochs if metrics] == found
    assert notes.said == [said]
