"""What an app carries: the artifacts that its platform runs, the golden files, and a manifest of
those alone."""

import shutil
import tempfile
from collections.abc import Collection
from dataclasses import replace
from pathlib import Path

from deimv2.converters.golden import FOLDER
from deimv2.converters.manifest import (
    LOG,
    NAME,
    File,
    Manifest,
    check_golden,
    file_problem,
    is_ours,
)
from deimv2.model.errors import CheckError, InputError
from deimv2.model.files import make_folder, put_in_place


def wanted_files(
    folder: Path, manifest: Manifest, formats: Collection[str], without: Collection[str]
) -> tuple[File, ...]:
    """Those of an export that go to an app. Raises InputError where there are none, CheckError if
    one is not as the manifest says."""
    files = tuple(
        file
        for file in manifest.files
        if file.format in formats and (file.computation or {}).get("delegate") not in without
    )
    if not files:
        found = ", ".join(file.name for file in manifest.files)
        raise InputError(
            f"'{folder}' holds {found}, expected one of {', '.join(formats)}; "
            f"export with --format {' '.join(formats)}"
        )
    for file in files:
        if problem := file_problem(folder, file.name, file.sha256, file.size):
            raise CheckError(problem)
    return files


def require_bundle(folder: Path, target: Path) -> None:
    """Raises InputError for a target that exists and that no earlier call wrote: it would be lost.

    Bundles have a manifest like exports, but no log.
    """
    if target.exists() and not is_ours(target):
        raise InputError(
            f"'{target}' exists and is no folder that 'deimv2 app' wrote, expected one, which is "
            "replaced, or a new one; name another one, or remove it"
        )
    if target.resolve() in (folder.resolve(), *folder.resolve().parents):
        raise InputError(
            f"'{target}' holds the export itself, expected a folder for what an app takes of it; "
            "name another one"
        )
    if (target / LOG).exists():
        raise InputError(
            f"'{target}' is an export, expected a folder that 'deimv2 app' wrote, or a new one; "
            "name another one"
        )


def write_bundle(
    folder: Path,
    target: Path,
    formats: Collection[str],
    without: Collection[str] = (),
    beside: Path | None = None,
) -> Manifest:
    """Copies the artifacts of `formats` from an export folder to `target`, in place of what an
    earlier call left there, and gives the manifest written beside them.

    without: delegates whose files are left out; beside: a folder whose content goes there too.

    Raises InputError for a folder without such artifacts, or a target that holds something else;
    CheckError if a file is not the one of the manifest. Then `target` stays as it was.
    """
    manifest = Manifest.read(folder)
    require_bundle(folder, target)
    files = wanted_files(folder, manifest, formats, without)
    check_golden(folder, manifest.golden)

    names = [file.name for file in files]
    parity, measured = (
        {name: row for name, row in rows.items() if name in names}
        for rows in (manifest.parity, manifest.measured or {})
    )
    manifest = replace(manifest, files=files, parity=parity, measured=measured or None, npu=None)
    make_folder(target.parent)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=f".{target.name}.") as name:
        work = Path(name) / "new"
        if beside is None:
            work.mkdir()
        else:
            shutil.copytree(beside, work)
        for part in (*names, FOLDER):
            source = folder / part
            (shutil.copytree if source.is_dir() else shutil.copyfile)(source, work / part)
        manifest.write(work / NAME)
        put_in_place(work, target, Path(name) / "earlier")  # goes with the temporary folder
    return manifest
