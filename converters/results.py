"""Writing what was measured of artifacts into the manifest beside them."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from deimv2.converters.manifest import NAME, SCHEMA_VERSION, Manifest
from deimv2.model.errors import InputError


def require_listed(paths: Sequence[Path]) -> None:
    """Raises InputError for an artifact that no manifest beside it lists."""
    for path in paths:
        if path.name not in [file.name for file in Manifest.read(path.parent).files]:
            raise InputError(
                f"the manifest beside '{path}' does not list it; export it again, or leave out "
                "--record"
            )


def record_all(part: str, found: Mapping[Path, Mapping[str, Any]]) -> None:
    """As `record`, of artifacts in any number of folders, by their paths."""
    for folder in {path.parent for path in found}:
        record(folder, part, {path.name: e for path, e in found.items() if path.parent == folder})


def record(
    folder: Path,
    part: str,
    found: Mapping[str, Mapping[str, Any]],
    accelerators: Mapping[str, tuple[str, ...]] | None = None,
) -> None:
    """Writes into a folder's manifest what was measured of its artifacts.

    part: `ap`, `latency`, `arm64` or `gpu`; found: by artifact, as the schema has them.
    accelerators: by artifact, those on which it showed what it should, best first. Raises
    InputError for what the schema forbids.
    """
    manifest = Manifest.read(folder)
    measured = {name: dict(parts) for name, parts in (manifest.measured or {}).items()}
    for name, entry in found.items():
        measured.setdefault(name, {})[part] = dict(entry)
    files = tuple(
        replace(file, accelerators=(accelerators or {}).get(file.name, file.accelerators))
        for file in manifest.files
    )
    changed = replace(manifest, measured=measured, files=files, schema_version=SCHEMA_VERSION)
    changed.write(folder / NAME)
