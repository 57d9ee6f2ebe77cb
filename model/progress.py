"""How a long call reports what it is doing."""

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import TypeVar

Item = TypeVar("Item")


class Progress:
    """Silent; a subclass shows what it is told. The command line has one for terminals."""

    def log(self, message: str) -> None:
        """One line that stays."""

    def status(self, message: str) -> AbstractContextManager[None]:
        """While a step of unknown length runs."""
        return nullcontext()

    def track(self, items: Sequence[Item], message: str, rate: bool = False) -> Iterator[Item]:
        """Yields the items and shows how many have passed. rate: also how many pass per second, for
        work of many minutes."""
        yield from items


SILENT = Progress()
