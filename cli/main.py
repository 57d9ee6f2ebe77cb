"""Entry point of `deimv2`: reads the command line and turns every failure into one line.

Exit codes: 0 success, 1 a check that was asked for failed, 2 bad usage or bad input,
130 interrupted, 141 the reader of standard output went away.
"""

import argparse
import io
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

from deimv2 import __version__
from deimv2.cli import (
    app,
    benchmark,
    console,
    distill,
    evaluate,
    export,
    predict,
    preview,
    quantize,
    report,
    scenes,
    sensitivity,
    train,
    verify,
)
from deimv2.cli import inspect as inspect_command
from deimv2.cli import list as list_command
from deimv2.model.errors import CheckError, InputError
from deimv2.model.files import reason_of
from deimv2.model.signals import stoppable

COMMANDS = (
    list_command, export, verify, report, inspect_command, benchmark, predict, evaluate, train,
    preview, quantize, sensitivity, distill, scenes, app,
)  # fmt: skip


class Help(argparse.HelpFormatter):
    """Keeps the example on one line, ready to copy."""

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        return text if text.startswith("example:") else super()._fill_text(text, width, indent)


class Parser(argparse.ArgumentParser):
    def __init__(self, **options: Any) -> None:
        super().__init__(**{"formatter_class": Help} | options)
        self.register("type", Path, place)

    def parse_known_args(  # type: ignore[override]
        self, args: Sequence[str] | None = None, namespace: argparse.Namespace | None = None
    ) -> tuple[argparse.Namespace, list[str]]:
        """Of a command, whose own help is pointed to."""
        found, rest = super().parse_known_args(args, namespace)
        if rest:
            self.error(f"unrecognized arguments: {' '.join(rest)}")
        return found, rest

    def error(self, message: str) -> NoReturn:
        console.error(f"{message}; see '{self.prog} --help'")
        raise SystemExit(2)


def place(text: str) -> Path:
    """What `type=Path` means: an empty path, mostly of a variable that is not set, is not here."""
    if not text:
        raise argparse.ArgumentTypeError("'' is no path, expected one; name a file or a folder")
    return Path(text)


def parser() -> Parser:
    main = Parser(
        prog="deimv2",
        description="DEIMv2 object detectors for phones: train, quantize, export and verify.",
        epilog="example: deimv2 export --variant atto --output artifacts/atto",
    )
    main.add_argument("--version", action="version", version=f"deimv2 {__version__}")
    subparsers = main.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for command in COMMANDS:
        command.add(subparsers)
    return main


def prepare_streams() -> None:
    """What was closed takes anything, and standard output also text that its encoding lacks."""
    sys.stdout = sys.stdout or Path(os.devnull).open("w")  # noqa: SIM115 (until the process ends)
    sys.stderr = sys.stderr or Path(os.devnull).open("w")  # noqa: SIM115
    if isinstance(sys.stdout, io.TextIOWrapper) and sys.stdout.errors == "strict":
        sys.stdout.reconfigure(errors="backslashreplace")


def main(arguments: Sequence[str] | None = None) -> int:
    prepare_streams()
    try:
        args = parser().parse_args(arguments)
        with stoppable():
            code: int = args.run(args)
        sys.stdout.flush()
        return code
    except SystemExit as stop:  # argparse: 0 after --help, 2 on bad usage
        return int(stop.code or 0)
    except CheckError as error:
        console.error(str(error))
        return 1
    except InputError as error:
        console.error(str(error))
        return 2
    except KeyboardInterrupt:
        console.error("interrupted; run the command again to finish")
        return 130
    except BrokenPipeError:
        # What is still buffered has no reader; without this, Python complains at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    except OSError as error:
        console.error(_sentence(error))
        return 2


def _sentence(error: OSError) -> str:
    where = f" '{error.filename}'" if error.filename else ""
    return (
        f"cannot read or write{where}: {reason_of(error)}; "
        "check the path, its permissions and the free space"
    )


if __name__ == "__main__":
    raise SystemExit(main())
