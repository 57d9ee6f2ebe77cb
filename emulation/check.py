"""Do the artifacts of an export folder detect on ARM64 what they detect on this machine?"""

import platform
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from deimv2.converters import FORMATS
from deimv2.converters.golden import Golden, read_golden
from deimv2.converters.manifest import File, Manifest, check_golden
from deimv2.emulation.emulator import CPU, Emulator, find_emulator
from deimv2.model.errors import CheckError, InputError, MissingExtraError
from deimv2.verification.parity import compare, merge
from deimv2.verification.verify import (
    Report,
    Row,
    limits_between,
    require_card,
    require_size,
    unlike_manifest,
    verify_folder,
)
from deimv2.verification.verify import entry as numbers

PHOTOGRAPHS = 3  # an inference takes seconds to a minute; the first is not counted
AGAINST = f"{platform.machine()} on {PHOTOGRAPHS} golden photographs"


def native() -> bool:
    """Is this machine ARM64, so that there is nothing to emulate?"""
    return platform.machine() in ("aarch64", "arm64")


def verify_on_arm64(
    folder: Path, progress: Callable[[Sequence[File]], Iterable[File]] = iter
) -> Report:
    """Runs the `.tflite` and `.pte` files of an export folder on an emulated ARM64, on the first
    golden photographs, and compares the detections with those of this machine's runtimes.

    On an ARM64 machine this is `verify_folder`: its runtimes are the ARM64 ones.
    progress: passes the files through, and shows where it stands.

    Raises InputError without the emulator (with the command that sets it up), or for a folder
    without a valid manifest or without such files. What is wrong with one file is in its row.
    """
    if native():
        return verify_folder(folder)
    emulator = find_emulator()
    manifest = Manifest.read(folder)
    files = [file for file in manifest.files if FORMATS[file.format].arm64 and not file.not_run]
    if not files:
        raise InputError(f"no .tflite or .pte file in '{folder}', expected one; export it")
    check_golden(folder, manifest.golden)
    goldens = read_golden(folder, manifest.golden)[:PHOTOGRAPHS]
    rows = tuple(_row(emulator, folder, file, manifest, goldens) for file in progress(files))
    return Report(str(folder), rows)


def entry(row: Row) -> dict[str, Any] | None:
    """What a manifest records of a row; None where nothing was counted."""
    if row.instructions is None or row.parity is None or row.limits is None:
        return None
    counted = {"cpu": CPU, "instructions": row.instructions}
    return counted | numbers(row.parity, row.limits)


def _row(
    emulator: Emulator, folder: Path, file: File, manifest: Manifest, goldens: Sequence[Golden]
) -> Row:
    if unlike := unlike_manifest(folder, file):
        return unlike
    limits = replace(limits_between(manifest.precision), matched_share=1.0)
    frames = [golden.frame for golden in goldens]
    queries = manifest.outputs[0].shape[1]
    try:
        path = folder / file.name
        require_card(path, manifest.card)
        runner = FORMATS[file.format].open(path, None)
        require_size(path, runner, manifest.input.size)
        here = [runner.detect(frame) for frame in frames]
        there, count = emulator.detect(path, frames, runner.order, queries)
    except MissingExtraError:
        raise
    except (CheckError, InputError) as error:
        return Row(file.name, AGAINST, (str(error),))
    pairs = zip(here, there, strict=True)
    parity = merge([compare(x, arm, runner.size, limits) for x, arm in pairs])
    return Row(
        file.name, AGAINST, tuple(parity.failures(limits)), parity, limits, instructions=count
    )
