"""Progress in a notebook."""

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext

from deimv2.model.optional import require
from deimv2.model.progress import Item, Progress


class NotebookProgress(Progress):
    """Bars by tqdm, as a notebook or a terminal shows them, and lines by print.

    deimv2.export("atto", progress=deimv2.NotebookProgress())
    """

    def __init__(self) -> None:
        self._tqdm = require("tqdm.auto", "cli").tqdm

    def log(self, message: str) -> None:
        self._tqdm.write(message)

    def status(self, message: str) -> AbstractContextManager[None]:
        self.log(message)
        return nullcontext()

    def track(self, items: Sequence[Item], message: str, rate: bool = False) -> Iterator[Item]:
        yield from self._tqdm(items, desc=message)
