"""What the tests of `deimv2 export` share: a conversion that takes a moment, and hashes."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from deimv2.converters import FORMATS
from deimv2.model.files import sha256_of

ROOT = Path(__file__).parents[2]
# A shell's background jobs ignore Ctrl-C, and their children inherit that.
START = """
import signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)
from deimv2.cli.main import main
sys.exit(main(sys.argv[1:]))
"""
Convert = Callable[[Any, Any, Path, bool], None]


def copy_from(exported: Path) -> Convert:
    """A converter that takes the artifact of the shared export: Atto's demo in fp32."""

    def convert(net: Any, card: Any, path: Path, *_: Any) -> None:
        source = exported / path.name
        if source.is_dir():
            shutil.copytree(source, path)
        else:
            shutil.copy(source, path)

    return convert


def use(monkeypatch: pytest.MonkeyPatch, convert: Convert, *kinds: str) -> None:
    """Let artifacts of these kinds, by default all, be made by `convert`."""
    for kind in kinds or FORMATS:
        monkeypatch.setattr(f"deimv2.converters.{kind}.convert.convert", convert)


def hashes(folder: Path) -> dict[str, str]:
    """Of every file below, hidden ones too, but for the log, which holds times and addresses."""
    files = [path for path in folder.rglob("*") if path.is_file() and path.name != "export.log"]
    return {path.relative_to(folder).as_posix(): sha256_of(path) for path in sorted(files)}


def start(*arguments: object, **environment: str) -> "subprocess.Popen[str]":
    """The command in a process of its own."""
    return subprocess.Popen(
        [sys.executable, "-c", START, *map(str, arguments)],
        cwd=ROOT,
        env=os.environ | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
