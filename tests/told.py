"""A progress that keeps what it is told."""

from deimv2.model.progress import Progress


class Told(Progress):
    def __init__(self) -> None:
        self.lines: list[str] = []

    def log(self, message: str) -> None:
        self.lines.append(message)
