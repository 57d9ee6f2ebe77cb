"""Writing what was measured of artifacts into the manifest beside them."""

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from converters.manifest import Manifest, record
from model.errors import InputError


def add_record(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--record",
        action="store_true",
        help="write the result into the manifest.json beside the artifact",
    )


def require_listed(paths: Sequence[Path]) -> None:
    """Raises InputError for an artifact that no manifest beside it lists."""
    for path in paths:
        if path.name not in [file.name for file in Manifest.read(path.parent).files]:
            raise InputError(
                f"the manifest beside '{path}' does not list it; export it again, or leave out "
                "--record"
            )


def record_all(part: str, found: Mapping[Path, Mapping[str, Any]]) -> None:
    for folder in {path.parent for path in found}:
        record(folder, part, {path.name: e for path, e in found.items() if path.parent == folder})
