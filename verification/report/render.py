"""Puts together the page on export folders. It loads nothing and runs no script.

Labels, paths and attributions come from people's files: the template escapes all that it is given,
and the page's Content-Security-Policy forbids scripts and the network.
"""

import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from deimv2.converters.artifact import inspect
from deimv2.converters.golden import read_golden
from deimv2.converters.inspection import Inspection
from deimv2.converters.manifest import File, Manifest, file_problem, toolchain
from deimv2.converters.precision import Limits, precision_of
from deimv2.model.detections import Detections
from deimv2.model.errors import InputError
from deimv2.model.files import names_apart
from deimv2.model.optional import require
from deimv2.verification.parity import Parity
from deimv2.verification.report.charts import Chart, charts
from deimv2.verification.report.overview import FRAME, Artifact, plots
from deimv2.verification.report.phones import PhoneRow
from deimv2.verification.report.photographs import BEST, Photograph, photographs
from deimv2.verification.verify import Report, Row

LINK = re.compile(r"\[([^\]]*)\]\((https?://[^)\s]+)\)|<(https?://[^>\s]+)>")


@dataclass(frozen=True)
class Computation:
    """What is in an artifact and who computes it. problem: why it was not read."""

    file: File
    found: Inspection | None = None
    problem: str | None = None


@dataclass(frozen=True)
class Export:
    """The part of a page on one export folder."""

    report: Report
    manifest: Manifest
    reference: str
    photographs: list[Photograph]
    charts: list[Chart]
    computations: list[Computation]
    versions: list[tuple[str, str, str]]

    @property
    def title(self) -> str:
        return f"DEIMv2-{self.manifest.variant.capitalize()}, {self.manifest.precision}"

    @property
    def rows(self) -> list[Row]:
        return [*self.report.rows, *recorded_on_arm64(self.manifest, self.report)]

    @property
    def artifacts(self) -> list[Artifact]:
        verdicts = {row.artifact: not row.problems for row in self.report.rows}
        return [
            Artifact(file.name, self.manifest, file, verdicts.get(file.name))
            for file in self.manifest.files
        ]


def page(*reports: Report, phones: Sequence[PhoneRow] = (), command: str = "") -> str:
    """The HTML of what `verify_folder` found in one or more export folders.

    phones: what apps shared, shown beside it. command: that made the page, for its last line.
    Raises InputError for a manifest or golden files that cannot be read, and for a record in the
    manifest that is none; MissingExtraError without Jinja.
    """
    jinja2 = require("jinja2", "cli")
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["linked"] = linked
    exports = [export(report) for report in reports]
    rows, artifacts = told_apart(exports)
    variants = dict.fromkeys(export.manifest.variant.capitalize() for export in exports)
    several = f"DEIMv2-{', '.join(variants)}: {len(exports)} exports"
    return environment.get_template("page.html").render(
        exports=exports,
        title=exports[0].title if len(exports) == 1 else several,
        passed=all(report.passed for report in reports),
        rows=rows,
        artifacts=artifacts,
        plots=plots(artifacts),
        frame=FRAME,
        phones=phones,
        best=BEST,
        command=command or f"deimv2 verify {shlex.quote(reports[0].folder)} --report report.html",
    )


def told_apart(exports: Sequence[Export]) -> tuple[list[Row], list[Artifact]]:
    """All rows and all files of several exports, renamed so that no two share a name."""
    rows = [(Path(each.report.folder, row.artifact), row) for each in exports
            for row in each.report.rows]  # fmt: skip
    files = [(Path(each.report.folder, known.name), known) for each in exports
             for known in each.artifacts]  # fmt: skip
    names = names_apart([path for path, _ in (*rows, *files)])
    return (
        [replace(row, artifact=names[path]) for path, row in rows],
        [replace(known, name=names[path]) for path, known in files],
    )


def export(report: Report) -> Export:
    """The part of the page on the folder of a report, read from there."""
    folder = Path(report.folder)
    manifest = Manifest.read(folder)
    goldens = read_golden(folder, manifest.golden)
    reference = precision_of(manifest.precision).reference
    found: dict[str, Sequence[Detections]] = {reference: [each.reference for each in goldens]}
    found |= {
        row.artifact: row.detections for row in report.rows if len(row.detections) == len(goldens)
    }
    checked_with = toolchain()
    return Export(
        report=report,
        manifest=manifest,
        reference=reference,
        photographs=photographs(goldens, found, manifest),
        charts=charts(manifest, report.folder),
        computations=[computation(folder, file) for file in manifest.files],
        versions=[
            (name, manifest.toolchain.get(name, "-"), checked_with.get(name, "-"))
            for name in dict.fromkeys([*manifest.toolchain, *checked_with])
        ],
    )


def recorded_on_arm64(manifest: Manifest, report: Report) -> list[Row]:
    """What an earlier run found, of artifacts that did not run there now."""
    now = {row.artifact for row in report.rows if row.instructions is not None}
    rows = []
    for name, parts in (manifest.measured or {}).items():
        if "arm64" not in parts or name in now:
            continue
        entry = parts["arm64"]
        try:
            parity = Parity.from_json(entry["measured"])
            limits = Limits(**entry["limits"])
            problems = tuple(parity.failures(limits))
        except (KeyError, TypeError) as error:
            raise InputError(
                f"the manifest's record of '{name}' on ARM64 has no parity and limits ({error}); "
                "record it again with deimv2 verify --device arm64 --record"
            ) from error
        rows.append(
            Row(name, f"recorded earlier: ARM64 ({entry['cpu']})", problems, parity, limits)
        )
    return rows


def computation(folder: Path, file: File) -> Computation:
    """Only of the file that the manifest means: another one in its place is not described."""
    if problem := file_problem(folder, file.name, file.sha256):
        return Computation(file, problem=problem)
    try:
        return Computation(file, inspect(folder / file.name))
    except InputError as error:
        return Computation(file, problem=str(error))


def linked(source: str) -> Sequence[tuple[str, str | None]]:
    """An attribution with links as in Markdown, `<url>` or `[text](url)`, as (text, url) parts."""
    parts: list[tuple[str, str | None]] = []
    end = 0
    for link in LINK.finditer(source):
        text, url, bare = link.groups()
        parts += [(source[end : link.start()], None), (text or bare, url or bare)]
        end = link.end()
    return [(text.replace("`", ""), url) for text, url in [*parts, (source[end:], None)] if text]
