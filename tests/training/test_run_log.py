"""What a training tells reaches the disk when it is told."""

from pathlib import Path

from deimv2.model.progress import SILENT
from deimv2.training.loop import Place
from deimv2.training.run_log import ProgressLogger


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
    report = {"loss": 0.5, "lr": 1e-3, "images_per_second": 8.0}
    logger.step(Place(2, 4, 0), report)
    assert board.written == [(name, value, 2) for name, value in report.items()]
    logger.epoch(Place(2, 4, 0), {"AP": 0.25, "AP50": None}, (0.25, 1))
    assert board.written[3:] == [("AP", 0.25, 2)] and not board.kept
