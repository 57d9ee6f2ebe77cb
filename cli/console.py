"""What commands print: results on standard output, everything else on standard error."""

import json
import shlex
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO, TypeVar

from deimv2.model.errors import MissingExtraError
from deimv2.model.progress import Progress

if TYPE_CHECKING:
    from rich.console import Console

Item = TypeVar("Item")
WIDE = 240  # columns for a table that goes to a file or a pipe
PAUSE = 30.0  # seconds between two lines of progress in a file or a pipe


def error(message: str) -> None:
    """One line, whatever the message holds."""
    print("deimv2: error:", " ".join(message.split()), file=sys.stderr)


def log(message: str) -> None:
    print(message, file=sys.stderr)


def print_json_line(content: Any) -> None:
    """A result of several, at once, on a line of its own."""
    print(_json(content), flush=True)


def print_json(content: Any) -> None:
    """The machine-readable result, alone on standard output."""
    print(_json(content, indent=2))


def _json(content: Any, indent: int | None = None) -> str:
    """In ASCII where standard output cannot encode all of it."""
    text = json.dumps(content, indent=indent, ensure_ascii=False, allow_nan=False)
    try:
        text.encode(sys.stdout.encoding or "utf-8")
    except UnicodeEncodeError:
        return json.dumps(content, indent=indent, allow_nan=False)
    return text


def print_table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """A table on standard output; numbers stand on the right."""
    screen = _console(sys.stdout)
    from rich.table import Table
    from rich.text import Text

    rows = list(rows)
    table = Table(box=None, pad_edge=False)
    for i, name in enumerate(header):
        numbers = all(_is_number(row[i]) for row in rows)
        table.add_column(Text(name), justify="right" if numbers else "left")
    for row in rows:
        table.add_row(*map(Text, row))
    screen.print(table)


def track_rate(items: Iterable[Item], message: str, total: int) -> Iterator[Item]:
    """The items, with how many pass per second and the time left, for work of many minutes.

    Under a progress bar; where there is no terminal, a line every half a minute. total: how many
    there will be, about.
    """
    screen = _console(sys.stderr)
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
    from rich.progress import TimeRemainingColumn as TimeLeft

    cells = "{task.description}", BarColumn(), MofNCompleteColumn(), "{task.fields[rate]}"
    columns = [TextColumn(cell, markup=False) if isinstance(cell, str) else cell for cell in cells]
    shown = screen.is_terminal
    bar = Progress(*columns, TimeLeft(), console=screen, transient=True, disable=not shown)
    task = bar.add_task(message, total=total, rate="")
    if not shown:
        log(f"{message}: {total}")
    start = said = time.monotonic()
    with bar:
        for done, item in enumerate(items, 1):
            yield item
            now = time.monotonic()
            rate = f"{done / max(now - start, 1e-9):.1f}/s"
            bar.update(task, completed=done, rate=rate)
            if not shown and now - said >= PAUSE:
                said = now
                log(f"{message}: {done} of {total}, {rate}")


class TerminalProgress(Progress):
    """On standard error: spinners and bars on a terminal, lines elsewhere."""

    def log(self, message: str) -> None:
        log(message)

    @contextmanager
    def status(self, message: str) -> Iterator[None]:
        screen = _console(sys.stderr)
        from rich.text import Text

        if screen.is_terminal:
            with screen.status(Text(message)):  # no markup: a path may hold brackets
                yield
        else:
            log(message)
            yield

    def track(self, items: Sequence[Item], message: str, rate: bool = False) -> Iterator[Item]:
        if rate:
            yield from track_rate(items, message, len(items))
            return
        screen = _console(sys.stderr)
        from rich.markup import escape
        from rich.progress import track

        if screen.is_terminal:
            yield from track(items, escape(message), console=screen, transient=True)
        else:
            log(f"{message}: {len(items)}")
            yield from items


PROGRESS = TerminalProgress()


def _console(stream: TextIO) -> "Console":
    try:
        from rich.console import Console
    except ImportError as error:
        raise MissingExtraError("rich", "cli") from error
    return Console(file=stream, width=None if stream.isatty() else WIDE)


def _is_number(text: str) -> bool:
    try:
        float(text.replace(",", ""))
    except ValueError:
        return False
    return True


def log_unverified(names: Sequence[str], folder: Path) -> None:
    """Says which files of an export were not run when they were made."""
    if names:
        files, check = ", ".join(names), f"deimv2 verify {shlex.quote(str(folder))}"
        log(
            f"not verified: {files} (exported with --no-verify); run `{check}` to check them now, "
            "or export again without --no-verify to note the result in the manifest"
        )
