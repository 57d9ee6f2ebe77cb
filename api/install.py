"""From a workplace into an export folder: whole or not at all, also when stopped halfway."""

import shutil
import signal
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from deimv2.converters import format_of
from deimv2.converters.golden import FOLDER
from deimv2.converters.manifest import LOG, NAME, Manifest, file_problem, is_ours
from deimv2.converters.metadata import ModelCard
from deimv2.model.errors import InputError
from deimv2.model.files import put_in_place, reason_of, require_room
from deimv2.model.progress import SILENT, Progress
from deimv2.model.signals import handling, stoppable

REJECTED = ".rejected"


def require_room_for(output: Path, weights: int, files: int) -> None:
    """Raises InputError where an export does not fit on the disk, which some toolchains answer by
    ending the process. weights: bytes in float32; files: how many artifacts.
    """
    few = 4 << 20  # golden photographs, logs
    require_room(output, files * weights * 5 // 4 + few, "export", "choose another --output")
    temporary = Path(tempfile.gettempdir())
    require_room(temporary, 2 * weights + few, "export", "set TMPDIR to another folder")


def require_own(output: Path) -> None:
    """Raises InputError where the golden files or the manifest would take the place of others. What
    an export left is replaced, also where its manifest is broken, or an older one."""
    if is_ours(output):
        return
    for path in (output / FOLDER, output / NAME):
        if path.exists():
            raise InputError(
                f"'{path}' is there and not of an export, expected none or that of an export, "
                "which is replaced; move it, or choose another --output"
            )


def tell_other_model(output: Path, card: ModelCard, progress: Progress) -> None:
    """Says, before the work, which files an export of another model lists that will not be listed
    any more."""
    earlier = manifest_in(output)
    if earlier is not None and not earlier.describes(card):
        names = ", ".join(file.name for file in earlier.files)
        progress.log(
            f"'{output}' holds an export of another model or precision, whose {NAME} this one "
            f"replaces: {names} will be replaced or listed no longer; to keep both, name another "
            "--output"
        )


@contextmanager
def workplace(output: Path) -> Iterator[Path]:
    """A folder inside `output` that is gone afterwards, also after Ctrl-C or a polite kill."""
    with stoppable():
        try:
            work = Path(tempfile.mkdtemp(prefix=".export-", dir=output))
        except OSError as error:
            raise unwritable(output, error) from error
        try:
            yield work
        except OSError as error:
            raise unwritable(output, error) from error
        finally:
            shutil.rmtree(work, ignore_errors=True)


@contextmanager
def uninterrupted() -> Iterator[None]:
    """Ctrl-C waits: stopped between two moves, a folder would hold files of two exports."""
    asked: list[int] = []
    with handling([signal.SIGINT, signal.SIGTERM], lambda number, _: asked.append(number)):
        yield
    if asked:
        raise KeyboardInterrupt


def unwritable(output: Path, error: OSError) -> InputError:
    return InputError(
        f"cannot write to '{output}' ({reason_of(error)}), expected a folder with room; "
        "choose another --output or free some space"
    )


def install(
    work: Path,
    output: Path,
    manifest: Manifest,
    rejected: Sequence[str] = (),
    progress: Progress = SILENT,
) -> None:
    """Move what passed from `work` into `output`, the manifest last, which apps go by; nothing
    where that is not valid, which raises InputError.

    Where nothing passed, what an earlier export left there stays whole, and the log and the
    `rejected` artifacts, under names of their own, are all that comes. Else an earlier artifact by
    the name of a rejected one stays there, unlisted.
    """
    earlier = manifest_in(output) if manifest.files else None
    if earlier is not None and not earlier.describes_same_model(manifest):
        earlier = None
    if earlier is not None:
        manifest = with_earlier(output, manifest, earlier, rejected)
    if manifest.files:
        manifest.checked(output / NAME)
    if (work / LOG).exists():
        move(work / LOG, output / LOG)
    for name in rejected:
        if (work / name).exists():
            move(work / name, output / rejected_name(name))
    if not manifest.files:
        return
    names = [file.name for file in manifest.files] + [file.name for file in manifest.npu or ()]
    for name in [*names, FOLDER]:
        if (work / name).exists():
            move(work / name, output / name)
        remove(output / rejected_name(name))  # of an earlier export
    manifest.write(output / NAME)
    report_unlisted(output, names, earlier, rejected, progress)


def report_unlisted(
    output: Path,
    listed: Sequence[str],
    earlier: Manifest | None,
    rejected: Sequence[str],
    progress: Progress,
) -> None:
    """Logs which artifacts of earlier exports lie beside those that are listed now. earlier: the
    manifest that was there, of the same model."""
    found = [p.name for p in sorted(output.iterdir()) if format_of(p) and p.name not in listed]
    others = [name for name in found if REJECTED not in Path(name).suffixes]
    if outdated := [name for name in others if name in rejected]:
        progress.log(
            f"left by an earlier export, no longer listed: {', '.join(outdated)}, which this "
            "export rejected; remove them, or export again"
        )
    ours: set[str] = set()
    if earlier is not None:
        ours = {file.name for file in earlier.files} | {file.name for file in earlier.npu or ()}
    if stale := [name for name in others if name in ours.difference(rejected)]:
        progress.log(
            f"left by an earlier export of this model, no longer listed: {', '.join(stale)}, "
            "damaged since, or compiled from a file that this export made again or rejected; "
            "remove them, or export again"
        )
    if foreign := [name for name in others if name not in ours.union(rejected)]:
        progress.log(
            f"left by other exports, of this model or another, unlisted: {', '.join(foreign)}; "
            "remove them, or give each model a folder of its own"
        )


def manifest_in(output: Path) -> Manifest | None:
    """None where there is none, or a broken one, which is replaced."""
    try:
        return Manifest.read(output)
    except InputError:
        return None


def with_earlier(
    output: Path, manifest: Manifest, earlier: Manifest, rejected: Sequence[str] = ()
) -> Manifest:
    """The manifest, and what the earlier one in `output` lists that is still whole, but for what
    this export made again, whether it passed or was rejected."""
    made = {file.name for file in manifest.files}.union(rejected)
    kept = [
        file
        for file in earlier.files
        if file.name not in made and not file_problem(output, file.name, file.sha256)
    ]
    names = {file.name for file in kept}

    npu = [each for each in earlier.npu or () if each.compiled_from in names]

    def of_kept(found: Mapping[str, Any] | None) -> dict[str, Any]:
        return {name: value for name, value in (found or {}).items() if name in names}

    return replace(
        manifest,
        translations=manifest.translations or (earlier.translations if kept else None),
        # an app takes the first of a format: what was not run here comes last
        files=tuple(sorted((*kept, *manifest.files), key=lambda file: file.not_run is not None)),
        parity={**of_kept(earlier.parity), **manifest.parity},
        measured=of_kept(earlier.measured) or None,
        npu=(*npu, *(manifest.npu or ())) or None,
    )


def move(source: Path, target: Path) -> None:
    """Put a file or folder in the place of an earlier one, which goes with the workplace."""
    put_in_place(source, target, source.with_name(f"{source.name}.earlier"))


def rejected_name(name: str) -> str:
    """`NAME.EXT` -> `NAME.rejected.EXT`."""
    path = Path(name)
    return f"{path.stem}{REJECTED}{path.suffix}"


def remove(path: Path) -> None:
    """A file, or a folder with all in it, where there is one."""
    if path.is_dir():
        shutil.rmtree(path)
    path.unlink(missing_ok=True)
