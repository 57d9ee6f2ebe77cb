"""What a training tells is right, and reaches the disk when it is told."""

from pathlib import Path
from typing import Any

import pytest

from deimv2.model.progress import SILENT
from deimv2.tests.told import Told
from deimv2.training.loop import Place
from deimv2.training.run_log import TABLE, ProgressLogger, read_log


class Board:
    """In place of TensorBoard's writer, which keeps what it gets until it is full."""

    def __init__(self) -> None:
        self.kept: list[tuple[str, float, int]] = []
        self.written: list[tuple[str, float, int]] = []

    def add_scalar(self, name: str, value: float, step: int) -> None:
        self.kept.append((name, value, step))

    def flush(self) -> None:
        self.written, self.kept = [*self.written, *self.kept], []


def test_every_report_is_in_tensorboards_file_at_once(tmp_path: Path) -> None:
    board = Board()
    logger = ProgressLogger(tmp_path, SILENT, board)
    report = {"loss": 0.5, "lr": 1e-3, "images_per_second": 8.0, "waiting": 0.25}
    logger.step(Place(2, 4, 0), report)
    assert board.written == [(name, value, 2) for name, value in report.items()]
    logger.epoch(Place(2, 4, 0), {"AP": 0.25, "AP50": None}, (0.25, 1))
    assert board.written[4:] == [("AP", 0.25, 2)] and not board.kept


@pytest.mark.parametrize("every", [1, 2, 4, 5, 20])
def test_the_numbers_of_an_epoch_do_not_depend_on_how_often_it_is_reported(
    tmp_path: Path, every: int
) -> None:
    """Ten steps of loss 1, 2, ... 10 and a rate of a hundredth, in two epochs of five."""
    told = Told()
    logger = ProgressLogger(tmp_path, told)
    since: list[float] = []
    for step in range(1, 11):
        place = Place(step, 10, (step - 1) // 5, 2)
        since.append(step)
        if step % every == 0 or step % 5 == 0:
            loss = sum(since) / len(since)
            speed = {"images_per_second": 8.0, "waiting": 0.25}
            logger.step(place, {"loss": loss, "lr": step / 100} | speed)
            since = []
        if step % 5 == 0:
            logger.epoch(place, {"AP": step / 100}, (step / 100, place.epoch + 1))
    assert (tmp_path / TABLE).read_text().splitlines() == [
        "epoch,step,loss,lr,images_per_second,waiting,AP",
        "1,5,3,0.05,8,0.25,0.05",
        "2,10,8,0.1,8,0.25,0.1",
    ]
    assert [line.split("  ")[:3] for line in told.lines] == [
        ["epoch 1/2", "loss 3.000", "lr 0.05"],
        ["epoch 2/2", "loss 8.000", "lr 0.1"],
    ]


def test_an_epoch_that_is_not_evaluated_has_a_line_too(tmp_path: Path) -> None:
    told, called = Told(), list[dict[str, Any]]()
    report = {"loss": 0.5, "lr": 1e-3, "images_per_second": 8.0, "waiting": 0.25}
    logger = ProgressLogger(tmp_path, told, on_epoch=called.append)
    for epoch, metrics in enumerate((None, {"AP": 0.25})):
        place = Place(epoch + 1, 2, epoch, 2)
        logger.step(place, report)
        logger.epoch(place, metrics, (0.25, 2) if metrics else (-1.0, 0))
        logger.saved()
    first, second = told.lines
    assert first == "epoch 1/2  loss 0.500  lr 0.001  8.0 images/s, 25% waiting for data"
    assert second.endswith("AP 0.2500  best 0.2500 in epoch 2")
    assert called == [{"step": 2, "epoch": 1, "AP": 0.25}]
    assert [row.get("AP") for row in read_log(tmp_path)] == [None, None, 0.25]
