"""Artifacts compiled for phones' NPUs, beside those that they are made from."""

from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path

from deimv2.converters.manifest import Manifest, NpuFile
from deimv2.converters.tflite import TFLITE
from deimv2.converters.tflite.npu import Target, compile, target_of
from deimv2.model.errors import CheckError, InputError
from deimv2.model.files import sha256_of, size_of
from deimv2.model.progress import Progress
from deimv2.model.words import plural
from deimv2.verification.verify import Report, Row


def npu_targets(npu: Sequence[str], kinds: Sequence[str]) -> list[Target]:
    """Raises InputError for a chip that is not known, or where no .tflite is asked for."""
    if npu and TFLITE.name not in kinds:
        raise InputError(f"--npu {npu[0]} compiles the .tflite; add --format tflite")
    return [target_of(text) for text in dict.fromkeys(npu)]


def with_npu(
    report: Report, manifest: Manifest, targets: Sequence[Target], work: Path, progress: Progress
) -> tuple[Report, Manifest]:
    """Both with the manifest's `.tflite` compiled for each target, in `work`.

    Raises InputError where a maker's libraries are not installed.
    """
    rows, files = list(report.rows), list(manifest.npu or ())
    sources = [work / file.name for file in manifest.files if file.format == TFLITE.name]
    for source in sources:
        for target in targets:
            path = source.with_name(f"{source.stem}.{target.label}{source.suffix}")
            try:
                with progress.status(f"compiling {path.name}"):
                    found = compile(source, target, path)
            except CheckError as error:
                rows.append(Row(path.name, f"{target.maker}'s compiler", (str(error),)))
                continue
            files.append(
                NpuFile(
                    path.name, size_of(path), sha256_of(path), source.name,
                    target.maker, target.chip, **asdict(found),
                )
            )  # fmt: skip
            progress.log(
                f"{path.name}: by its compiler, {target.chip} takes {found.taken} of "
                f"{found.operations} operations, in {plural(found.calls, 'call')}; it was not run"
            )
    return replace(report, rows=tuple(rows)), replace(manifest, npu=tuple(files) or None)
