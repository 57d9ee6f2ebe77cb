"""Replays golden photographs through artifacts and measures how far they are from the reference.

In an export folder the reference is the detections in `golden/`. On one's own photographs there is
none: the artifacts are compared with the first of them, which says that they agree, not
that they are right.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

from deimv2.converters import FORMATS, artifact_format
from deimv2.converters.artifact import inspect, open_model
from deimv2.converters.golden import Golden, read_golden
from deimv2.converters.inspection import Scales
from deimv2.converters.manifest import File, Manifest, check_golden, file_problem
from deimv2.converters.metadata import ModelCard
from deimv2.converters.precision import Limits, precision_of
from deimv2.converters.runner import Frame, Runner
from deimv2.model.detections import Detections
from deimv2.model.errors import CheckError, InputError, MissingExtraError
from deimv2.model.images import find_photos, load_photo, resize
from deimv2.model.variants import VARIANTS
from deimv2.verification.diagnosis import find_cause, swapped_outputs
from deimv2.verification.kept import LIMIT, Kept, count_kept
from deimv2.verification.parity import Parity, compare, merge, replay
from deimv2.verification.scales import contradiction as contradicting_steps
from deimv2.verification.scales import foreign_steps

STRUCTURE = "its structure"
SomeRunner = TypeVar("SomeRunner", bound=Runner)


@dataclass(frozen=True)
class Row:
    """One artifact's result.

    against:      what it was compared with, on how many photographs
    parity:       None where nothing was run: a structure or a hash was checked
    detections:   on each golden photograph, where it was run on them
    kept:         of an int8 artifact, how much of float32's detections it finds
    instructions: of one inference on ARM64, None where they were not counted
    """

    artifact: str
    against: str
    problems: tuple[str, ...] = ()
    parity: Parity | None = None
    limits: Limits | None = None
    detections: tuple[Detections, ...] = field(default=(), repr=False)
    instructions: int | None = None
    kept: Kept | None = None

    @property
    def verdict(self) -> str:
        if self.problems:
            return "FAIL"
        return "not run" if self.parity is None else "pass"

    def to_json(self) -> dict[str, Any]:
        numbers = (
            {}
            if self.parity is None or self.limits is None
            else entry(self.parity, self.limits, self.kept)
        )
        counted = {} if self.instructions is None else {"instructions": self.instructions}
        return (
            {
                "artifact": self.artifact,
                "against": self.against,
                "passed": not self.problems,
                "verdict": self.verdict.lower(),
                "problems": list(self.problems),
            }
            | counted
            | numbers
        )


@dataclass(frozen=True)
class Report:
    """folder: of the artifacts. rows: one for each, and for each comparison."""

    folder: str
    rows: tuple[Row, ...]

    @property
    def passed(self) -> bool:
        return not any(row.problems for row in self.rows)

    def to_json(self) -> dict[str, Any]:
        rows = [row.to_json() for row in self.rows]
        return {"folder": self.folder, "passed": self.passed, "rows": rows}


def entry(parity: Parity, limits: Limits, kept: Kept | None = None) -> dict[str, Any]:
    """The measured numbers and their limits, as a manifest records them."""
    compared = {} if kept is None else {"kept": kept.to_json()}
    return {"measured": parity.to_json(), "limits": asdict(limits)} | compared


def verify_artifact(
    path: Path,
    card: ModelCard,
    goldens: Sequence[Golden],
    least_kept: float = LIMIT,
    steps: Sequence[Scales] = (),
) -> Row:
    """Does an artifact detect what its reference detects, and is it what `card` says?

    The reference is the float32 model; for int8, PyTorch rounding at the same places, or the same
    weights. least_kept: the share of float32's detections that int8 must still find. steps: those
    of the int8 weights (`expected_steps`), where the network is at hand.

    What the file says of itself is checked first: int8 scales, names of outputs, and all of a
    `.mlpackage`. If it fails later, the last problem is the probable cause (see `diagnosis`).
    Raises InputError for a runtime that is not installed, or a precision without limits.
    """
    limits = precision_of(card.precision).limits
    if problems := _structure_problems(path, card, steps):
        return Row(path.name, STRUCTURE, problems)
    against = f"{precision_of(card.precision).reference}, {len(goldens)} golden photographs"
    if absent := artifact_format(path).not_run(path):
        against += f", its operations in PyTorch: {absent} was not run"
    try:
        runner = open_artifact(path, card.image_size)
        found = tuple(runner.detect(golden.frame) for golden in goldens)
    except MissingExtraError:
        raise
    except (CheckError, InputError) as error:
        return Row(path.name, against, (str(error),))
    parity = replay(goldens, found, runner.size, limits)
    failures = parity.failures(limits)
    if failures:
        cause = find_cause(runner, goldens, found, limits, VARIANTS[card.variant])
        failures += [cause] if cause else []
    if runner.labels is not None and tuple(runner.labels) != card.labels:
        failures.append("the labels inside are not those of the manifest; export again")
    kept = count_kept(goldens, found, least_kept)
    if kept is not None and not failures:
        failures += kept.failures()
    return Row(path.name, against, tuple(failures), parity, limits, found, kept=kept)


def on_processors(path: Path, card: ModelCard, goldens: Sequence[Golden]) -> list[Row]:
    """Where this machine has other processors for a format (Core ML's compute units, on a Mac):
    does each detect what the file's own operations give?"""
    format, limits = artifact_format(path), precision_of(card.precision).limits
    against = f"its operations in PyTorch, {len(goldens)} golden photographs"
    frames = [golden.frame for golden in goldens]
    rows = []
    for processor in format.processors():
        name = f"{path.name} {processor}"
        try:
            reference = format.reference(path)
            expected = [reference.detect(frame) for frame in frames]
            parity = _agree(expected, format.open_on(path, processor), frames, limits)
        except InputError as error:
            rows.append(Row(name, against, (str(error),)))
        else:
            rows.append(Row(name, against, tuple(parity.failures(limits)), parity, limits))
    return rows


def verify_folder(folder: Path, images: Path | None = None) -> Report:
    """Checks an export folder: hashes, every artifact on the golden photographs, and, on the photos
    in `images`, whether the artifacts agree with each other.

    Raises InputError for a folder without a valid manifest, a photo that cannot be read, or a
    runtime that is not installed; CheckError for damaged golden files. What is wrong with one
    artifact is in its row.
    """
    manifest = Manifest.read(folder)
    card = manifest.card
    photos = [] if images is None else find_photos(images)
    check_golden(folder, manifest.golden)
    goldens = read_golden(folder, manifest.golden)
    rows = []
    whole = []
    for file in manifest.files:
        if unlike := unlike_manifest(folder, file):
            rows.append(unlike)
            continue
        whole.append(file)
        earlier = manifest.parity.get(file.name, {}).get("kept", {})
        least_kept = earlier.get("limit", LIMIT)
        rows.append(verify_artifact(folder / file.name, card, goldens, least_kept))
        rows += on_processors(folder / file.name, card, goldens)
    if photos:
        rows += _agreement(folder, whole, card, photos)
    return Report(str(folder), tuple(rows))


def unlike_manifest(folder: Path, file: File) -> Row | None:
    """The row of a file that is not the one of the manifest, and so is not opened; else None."""
    if problem := file_problem(folder, file.name, file.sha256, file.size):
        return Row(file.name, "the manifest's hash", (problem,))
    if (suffix := FORMATS[file.format].suffix) != Path(file.name).suffix:
        problem = f"the manifest says that it is {file.format}, expected a name in {suffix}"
        return Row(file.name, "the manifest's format", (f"{problem}; export again",))
    return None


def limits_between(precision: str) -> Limits:
    """Two programs may each be as far from the reference as the limits allow, so they may be twice
    as far apart."""
    limits = precision_of(precision).limits
    return replace(
        limits,
        least=0,  # where neither detects anything, they agree
        matched_share=1 - 2 * (1 - limits.matched_share),
        box_px=2 * limits.box_px,
        score=2 * limits.score,
    )


def _structure_problems(path: Path, card: ModelCard, steps: Sequence[Scales]) -> tuple[str, ...]:
    try:
        inspection = inspect(path)
        _require_card(path, inspection.card or {}, card)
        if precision_of(card.precision).rounds and (contradiction := contradicting_steps(path)):
            return (contradiction,)
        if steps and (foreign := foreign_steps(path, steps)):
            return (foreign,)
        if swapped := swapped_outputs(inspection.outputs):
            return (swapped,)
        artifact_format(path).check(path, card)
    except MissingExtraError:
        raise
    except (CheckError, InputError) as error:
        return (str(error),)
    return ()


def require_card(path: Path, card: ModelCard) -> None:
    """Raises CheckError for a broken file, or one that is another than the manifest says."""
    try:
        inside = inspect(path).card
    except MissingExtraError:
        raise
    except InputError as error:
        raise CheckError(str(error)) from error
    _require_card(path, inside or {}, card)


def _require_card(path: Path, inside: Mapping[str, Any], card: ModelCard) -> None:
    """Raises CheckError if the file says that it is of another variant or precision than `card`,
    whose limits it is to hold. inside: the card in the file, which may be empty."""
    for name, wanted in (("variant", card.variant), ("precision", card.precision)):
        if (found := inside.get(name, wanted)) != wanted:
            raise CheckError(
                f"'{path}' says that its {name} is {found}, expected {wanted} as in the manifest; "
                "export again"
            )


def _agreement(
    folder: Path, files: Sequence[File], card: ModelCard, photos: Sequence[Path]
) -> list[Row]:
    """Compares the artifacts with the first of them."""
    if len(files) < 2:
        raise InputError(
            f"{len(files)} whole artifact in '{folder}', expected 2 or more to compare on your own "
            "photographs; export more formats, or leave out --images"
        )
    size, twice = card.image_size, limits_between(card.precision)
    frames = [resize(load_photo(photo), size) for photo in photos]
    first, *others = sorted(files, key=_as_reference)
    runner = open_artifact(folder / first.name, size)
    expected = [runner.detect(frame) for frame in frames]
    rows = []
    for file in others:
        runner = open_artifact(folder / file.name, size)
        parity = _agree(expected, runner, frames, twice)
        against = f"{first.name}, {len(photos)} own photographs"
        rows.append(Row(file.name, against, tuple(parity.failures(twice)), parity, twice))
    return rows


def _agree(
    expected: Sequence[Detections], runner: Runner, frames: Sequence[Frame], limits: Limits
) -> Parity:
    pairs = zip(expected, frames, strict=True)
    return merge([compare(e, runner.detect(frame), runner.size, limits) for e, frame in pairs])


def _as_reference(file: File) -> tuple[bool, bool, int]:
    """Sorts files by how well they serve as reference: formats that no phone runs come first, then
    those that run natively."""
    format = FORMATS[file.format]
    return bool(format.platforms), not format.native, list(FORMATS).index(file.format)


def open_artifact(path: Path, size: tuple[int, int]) -> Runner:
    """Opens an artifact. Raises CheckError if it takes frames of another size (H, W)."""
    return require_size(path, open_model(path), size)


def require_size(path: Path, runner: SomeRunner, size: tuple[int, int]) -> SomeRunner:
    """The runner. Raises CheckError if it takes frames of another size than `size`, (H, W)."""
    if runner.size != size:
        raise CheckError(
            f"'{path}' takes frames of {runner.size[0]}x{runner.size[1]}, expected "
            f"{size[0]}x{size[1]}; export again"
        )
    return runner
