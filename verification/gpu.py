"""Do the artifacts of an export folder detect on a GPU what their reference detects?"""

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from deimv2.converters import FORMATS, artifact_format
from deimv2.converters.format import GPU, GPU_FLOAT32
from deimv2.converters.golden import Golden, read_golden
from deimv2.converters.manifest import File, Manifest, check_golden
from deimv2.converters.metadata import ModelCard
from deimv2.converters.precision import PRECISIONS, Limits, Precision, precision_of
from deimv2.converters.results import record
from deimv2.model.errors import CheckError, InputError
from deimv2.verification.parity import replay
from deimv2.verification.verify import Report, Row, entry, require_card, unlike_manifest


def verify_on_gpu(
    folder: Path, progress: Callable[[Sequence[File]], Iterable[File]] = iter
) -> Report:
    """Runs the files of an export folder that a GPU of this machine runs on the golden photographs,
    once with float32 arithmetic, and once as the GPU likes, which on phones is in float16.

    A file passes only if all of it is on the GPU. progress: passes the files through. Raises
    InputError for a folder without a valid manifest or such files, or where there is no driver.
    What is wrong with one file is in its row.
    """
    manifest = Manifest.read(folder)
    files = [file for file in manifest.files if GPU in FORMATS[file.format].devices]
    if not files:
        names = [f".{name}" for name, each in FORMATS.items() if GPU in each.devices]
        raise InputError(f"no {' or '.join(names)} file in '{folder}', expected one; export it")
    check_golden(folder, manifest.golden)
    goldens = read_golden(folder, manifest.golden)
    rows = []
    for file in progress(files):
        if unlike := unlike_manifest(folder, file):
            rows.append(unlike)
            continue
        for device in (GPU_FLOAT32, GPU):
            rows.append(_row(folder / file.name, device, manifest.card, goldens))
    return Report(str(folder), tuple(rows))


def limits_on(device: str, precision: Precision) -> Limits:
    """The precision's limits; where the GPU may compute in float16, at least as wide as fp16's."""
    own, half = precision.limits, PRECISIONS["fp16"].limits
    return half if device == GPU and own.min_score is None else own


def _row(path: Path, device: str, card: ModelCard, goldens: Sequence[Golden]) -> Row:
    precision = precision_of(card.precision)
    name, limits = _named(path.name, device), limits_on(device, precision)
    against = f"{precision.reference}, {len(goldens)} golden photographs"
    try:
        require_card(path, card)
        runner = artifact_format(path).open_on(path, device)
        found = tuple(runner.detect(golden.frame) for golden in goldens)
    except CheckError as error:
        return Row(name, against, (str(error),))
    parity = replay(goldens, found, runner.size, limits)
    return Row(name, against, tuple(parity.failures(limits)), parity, limits, found)


def record_on_gpu(folder: Path, report: Report) -> None:
    """Writes what `verify_on_gpu` found into the folder's manifest: the numbers, and whether apps
    are to try the GPU first or to leave it out."""
    rows = {row.artifact: row for row in report.rows}
    found, accelerators = {}, {}
    for file in Manifest.read(folder).files:
        trials = [rows.get(_named(file.name, device)) for device in (GPU_FLOAT32, GPU)]
        if (full := trials[0]) is None or (own := trials[1]) is None:
            continue
        found[file.name] = {"float32": _trial(full), "default": _trial(own)}
        accelerators[file.name] = ("cpu",) if full.problems or own.problems else ("gpu", "cpu")
    record(folder, "gpu", found, accelerators)


def _trial(row: Row) -> dict[str, Any]:
    numbers = entry(row.parity, row.limits) if row.parity and row.limits else {}
    return {"passed": not row.problems, "problems": list(row.problems)} | numbers


def _named(name: str, device: str) -> str:
    return f"{name} {device}"
