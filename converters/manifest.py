"""`manifest.json`: all that an app has to know about a folder of artifacts.

`manifest.schema.json` says what each field means. The same content gives the same bytes: there are
no dates and no paths of this machine in it.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from importlib import metadata
from pathlib import Path
from typing import Any

from deimv2.converters import artifact_format, format_of
from deimv2.converters.contract import INPUT, OUTPUTS
from deimv2.converters.metadata import ModelCard
from deimv2.converters.schema import problem_of
from deimv2.model.errors import CheckError, InputError
from deimv2.model.files import sha256_of, size_of, write_whole

NAME = "manifest.json"
LOG = "export.log"  # what the toolchains printed, beside the manifest of an export
SCHEMA_VERSION = 2
# Where an app starts, not a tuned value; it may let its user move it.
SCORE_THRESHOLD = 0.4
TOOLS = (
    "torch", "torchao", "litert-torch", "ai-edge-litert", "executorch", "coremltools",
    "coreai-torch", "coreai-core", "onnx", "onnxruntime", "numpy", "pillow",
)  # fmt: skip


@dataclass(frozen=True)
class Input:
    size: tuple[int, int]  # height, width
    name: str = INPUT
    colour_order: str = "RGB"
    dtype: str = "uint8"
    layout: str = "NHWC"
    resize: str = "stretch, bilinear, antialiased"


@dataclass(frozen=True)
class Output:
    name: str
    shape: tuple[int, ...]
    dtype: str
    meaning: str


@dataclass(frozen=True)
class Weights:
    source: str
    sha256: str


@dataclass(frozen=True)
class File:
    format: str  # tflite, pte, onnx, mlpackage or aimodel
    name: str
    size: int
    sha256: str
    input: str  # "tensor" as the manifest's `input` describes it, or "image" (Core ML's image type)
    computation: Mapping[str, Any] | None = None  # read from the file, None where nobody looked
    accelerators: tuple[str, ...] | None = None  # best first; None where only the CPU was tried
    not_run: str | None = None  # the delegate it is for, where only its operations were computed


@dataclass(frozen=True)
class GoldenFile:
    """A photograph and the reference's detections on it; paths relative to the manifest."""

    image: str
    image_sha256: str
    detections: str
    detections_sha256: str
    source: str  # attribution of the photograph


@dataclass(frozen=True)
class NpuFile:
    """One of `files`, compiled for the NPU of a chip, on which alone it runs; `taken` of its
    operations are the NPU's, in so many calls."""

    name: str
    size: int
    sha256: str
    compiled_from: str
    maker: str
    chip: str
    operations: int
    taken: int
    calls: int


def outputs(queries: int) -> tuple[Output, ...]:
    """The three outputs of every artifact, best detection first."""
    return tuple(
        Output(each.name, each.shape(queries), each.dtype, each.meaning) for each in OUTPUTS
    )


def describe(path: Path, computation: Mapping[str, Any] | None = None) -> File:
    """The manifest's entry for an artifact on disk."""
    format = artifact_format(path)
    return File(
        format.name, path.name, size_of(path), sha256_of(path), format.input, computation,
        not_run=format.not_run(path),
    )  # fmt: skip


def toolchain() -> dict[str, str]:
    """Versions of the packages that shape an artifact, of those that are installed."""
    versions = {}
    for package in TOOLS:
        try:
            versions[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return versions


@dataclass(frozen=True)
class Manifest:
    """What `manifest.json` holds.

    `parity` maps an artifact's name to {"measured": numbers, "limits": numbers}, `measured` to what
    was recorded of it after the export. `npu`: None if nothing was compiled for an NPU.
    `translations`: by language tag, as many class names as `labels`; None if none were given.
    """

    variant: str
    precision: str
    input: Input
    outputs: tuple[Output, ...]
    labels: tuple[str, ...]
    weights: Weights
    files: tuple[File, ...]
    golden: tuple[GoldenFile, ...]
    toolchain: Mapping[str, str] = field(default_factory=dict)
    parity: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    measured: Mapping[str, Mapping[str, Any]] | None = None
    npu: tuple[NpuFile, ...] | None = None
    translations: Mapping[str, tuple[str, ...]] | None = None
    score_threshold: float = SCORE_THRESHOLD
    schema_version: int = SCHEMA_VERSION

    def to_json(self) -> str:
        content = {"schema_version": self.schema_version} | asdict(self, dict_factory=_present)
        return json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + "\n"

    def write(self, path: Path) -> None:
        """Writes the file whole. Raises InputError as `checked`."""
        write_whole(path, self.checked(path).encode())

    def checked(self, path: Path) -> str:
        """What `write` writes. Raises InputError for content that the schema forbids."""
        text = self.to_json()
        _validate(json.loads(text), path)
        return text

    @property
    def unverified(self) -> list[str]:
        """Files that were exported without being run: they have no parity."""
        return [file.name for file in self.files if file.name not in self.parity]

    @property
    def card(self) -> ModelCard:
        """What every artifact of the folder says of itself."""
        return ModelCard(
            variant=self.variant,
            precision=self.precision,
            image_size=self.input.size,
            queries=self.outputs[0].shape[1],
            labels=self.labels,
            weights=self.weights.source,
            weights_sha256=self.weights.sha256,
        )

    def describes(self, card: ModelCard) -> bool:
        """Whether it is of the model, and the precision, of a card, with the same weights."""
        return replace(self.card, queries=card.queries) == card

    def describes_same_model(self, other: "Manifest") -> bool:
        """Whether the files of both may lie in one folder: same weights and interface."""
        parts = ("variant", "precision", "input", "outputs", "labels", "weights", "golden")
        return all(getattr(self, part) == getattr(other, part) for part in parts)

    @classmethod
    def read(cls, folder: Path) -> "Manifest":
        """Reads `manifest.json` of a folder that `deimv2 export` wrote.

        Raises InputError if there is none, it is not of the schema, or of a newer one.
        """
        path, format = folder / NAME, format_of(folder)
        if folder.is_file() or (format is not None and format.is_at(folder)):
            raise InputError(
                f"'{folder}' is {'a file' if folder.is_file() else 'one artifact'}, expected a "
                f"folder that 'deimv2 export' wrote; name '{folder.parent}', where it lies"
            )
        if not path.is_file():
            raise InputError(
                f"no {NAME} in '{folder}', expected a folder that 'deimv2 export' wrote; "
                "check the path or export again"
            )
        try:
            content = json.loads(path.read_bytes(), parse_constant=_refuse)
        except (ValueError, RecursionError) as error:
            raise InputError(f"'{path}' is not JSON, expected a manifest; export again") from error
        _validate(content, path)
        return cls(
            **content
            | {
                "input": Input(
                    **content["input"] | {"size": tuple(map(int, content["input"]["size"]))}
                ),
                "outputs": tuple(
                    Output(**row | {"shape": tuple(map(int, row["shape"]))})
                    for row in content["outputs"]
                ),
                "labels": tuple(content["labels"]),
                "weights": Weights(**content["weights"]),
                "files": tuple(_file(row) for row in content["files"]),
                "golden": tuple(GoldenFile(**row) for row in content["golden"]),
                "npu": tuple(NpuFile(**row) for row in content.get("npu", ())) or None,
                "translations": {
                    tag: tuple(names) for tag, names in content.get("translations", {}).items()
                }
                or None,
            }
        )


def _refuse(constant: str) -> None:
    """Raises ValueError for NaN and Infinity: only Python reads them as JSON, and a NaN would pass
    every limit of the schema."""
    raise ValueError(f"{constant} is not JSON")


def _file(row: dict[str, Any]) -> File:
    known = row.get("accelerators")
    return File(**row | {"accelerators": None if known is None else tuple(known)})


def _present(fields: list[tuple[str, Any]]) -> dict[str, Any]:
    """The fields that have a value."""
    return {name: value for name, value in fields if value is not None}


def file_problem(folder: Path, name: str, sha256: str, size: int | None = None) -> str | None:
    """One sentence if the file is missing or not the one whose hash, and size where it is given,
    the manifest records."""
    path = folder / name
    if not path.exists():
        return f"'{path}' is missing, the manifest lists it with SHA-256 {sha256}; export again"
    if (found := sha256_of(path)) != sha256:
        return (
            f"'{path}' has SHA-256 {found}, the manifest expects {sha256}; "
            "it was damaged or replaced: copy the folder or export again"
        )
    if size is not None and (found_size := size_of(path)) != size:
        return f"'{path}' has {found_size} bytes, the manifest says {size}; export again"
    return None


def is_ours(folder: Path) -> bool:
    """Whether the manifest in a folder is that of an export, even if broken or of another version.
    Web apps and browser extensions have files of that name too."""
    path = folder / NAME
    content = path.read_bytes() if path.is_file() else b""
    return b'"schema_version"' in content and b'"variant"' in content


def require_no_export(folder: Path) -> None:
    """Raises InputError for the folder of an export, where one artifact is wanted."""
    if (folder / NAME).is_file():
        files = ", ".join(file.name for file in Manifest.read(folder).files)
        raise InputError(f"'{folder}' is an export, expected one of its files: {files}")


def check_golden(folder: Path, golden: Sequence[GoldenFile]) -> None:
    """Raises CheckError if a golden file is missing or is not the one of the manifest."""
    for entry in golden:
        pairs = ((entry.image, entry.image_sha256), (entry.detections, entry.detections_sha256))
        for name, sha256 in pairs:
            if problem := file_problem(folder, name, sha256):
                raise CheckError(problem)


def check_beside(artifact: Path) -> None:
    """Raises InputError if a manifest lies beside the artifact and expects another hash of it."""
    if not artifact.exists() or not (artifact.parent / NAME).is_file():
        return
    for file in Manifest.read(artifact.parent).files:
        wanted = file.name == artifact.name
        if wanted and (problem := file_problem(artifact.parent, file.name, file.sha256)):
            raise InputError(problem)


def _validate(content: Any, path: Path) -> None:
    version = content.get("schema_version") if isinstance(content, dict) else None
    if isinstance(version, int) and version > SCHEMA_VERSION:
        raise InputError(
            f"'{path}' has schema version {version}, this program reads up to {SCHEMA_VERSION}; "
            "install a newer deimv2, or export again with this one"
        )
    if problem := problem_of(content):
        raise InputError(f"'{path}' is no valid manifest {problem}; export again")
    count = len(content["labels"])
    for tag, translated in sorted(content.get("translations", {}).items()):
        if len(translated) != count:  # which no schema can say
            raise InputError(
                f"'{path}' is no valid manifest at $.translations.{tag}: found a list of "
                f"{len(translated)}, expected {count}, one for each class; export again"
            )
    names = [row["name"] for row in content["files"]]
    if twice := [name for name in names if names.count(name) > 1]:
        raise InputError(
            f"'{path}' lists '{twice[0]}' twice, expected each file once; export again"
        )
