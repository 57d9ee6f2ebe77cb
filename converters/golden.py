"""Golden files: real photographs at input size and what the reference detects on them.

That is the float32 model, for int8 and int8-weight PyTorch rounding to int8. Python, Kotlin, Swift
and TypeScript all replay them. Beside the detections lie the next candidates: at the last place a
near tie may be cut either way, and with these a program that cut it differently is checked instead
of excused (`deimv2.verification.parity`).
"""

import io
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image
from torch import Tensor

from deimv2.converters.manifest import GoldenFile
from deimv2.model.decoder import QuerySelection
from deimv2.model.detections import Detections
from deimv2.model.detector import DEIMv2
from deimv2.model.errors import CheckError, InputError
from deimv2.model.files import sha256_of, write_whole
from deimv2.model.images import load_photo, resize
from deimv2.model.postprocess import detect

FOLDER = "golden"
ATTRIBUTION = "ATTRIBUTION.md"
MADE_BY = (
    "deimv2.model.postprocess.detect(net, frame, top_k=2 * queries); candidates are the second half"
)


@dataclass(frozen=True, eq=False)
class Golden:
    """A photograph and what is to be detected on it.

    frame: uint8 RGB [H, W, 3]. reference: the K detections, candidates: the next K. in_float: what
    float32 detects, if the reference rounds to int8; else None."""

    name: str
    frame: npt.NDArray[np.uint8]
    reference: Detections
    candidates: Detections
    in_float: Detections | None = None


# Below this gap between the scores of the last chosen and the first left-out token, another order
# of summation may choose the other token, and then no two programs agree, the float32 model on
# another machine included. Sums of a few hundred float32 products differ by about a tenth of it.
MIN_GAP = 1e-5


def selection_gap(net: DEIMv2, frame: npt.NDArray[np.uint8]) -> float:
    """How clearly the decoder's choice of queries is made on a frame, in logits."""
    gaps: list[float] = []

    def measure(selection: QuerySelection, arguments: tuple[Tensor]) -> None:
        best = arguments[0].amax(-1)
        count = min(selection.queries + 1, best.shape[1])
        top = best.topk(count, dim=1).values[0]
        enough = count > selection.queries
        gaps.append((top[-2] - top[-1]).item() if enough else float("inf"))

    handle = net.decoder.selection.register_forward_pre_hook(measure)
    try:
        detect(net, frame)
    finally:
        handle.remove()
    return gaps[0]


@contextmanager
def one_thread() -> Iterator[None]:
    """PyTorch splits sums by its number of threads; golden files must not depend on it."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@one_thread()
def write_golden(
    folder: Path, net: DEIMv2, photographs: Sequence[Path], in_float: DEIMv2 | None = None
) -> tuple[GoldenFile, ...]:
    """Writes `golden/` into an export folder; `net` in eval mode, not yet in its mobile form.

    in_float: where `net` rounds to int8, the network that does not. Gives the manifest's entries.
    Photographs on which the choice of queries is a tie are left out.
    Raises InputError for fewer than three photographs, or two of the same name; CheckError where
    fewer than three are left.
    """
    names = [photo.stem for photo in photographs]
    distinct = {name.casefold() for name in names}  # one file on macOS
    if len(distinct) < max(3, len(names)):
        raise InputError(f"photographs {names}, expected at least 3, each of its own name")
    target = folder / FOLDER
    target.mkdir(parents=True, exist_ok=True)
    entries = []
    for photo in photographs:
        frame = resize(load_photo(photo), net.image_size)
        content = _reference(net, frame, photo)
        if selection_gap(net, frame) < MIN_GAP:
            continue
        if in_float is not None:
            content["float32"] = detect(in_float, frame)[0].to_json()
        image, text = target / f"{photo.stem}.png", target / f"{photo.stem}.json"
        write_whole(image, _png(frame))
        write_whole(text, (json.dumps(content, indent=1, allow_nan=False) + "\n").encode())
        entries.append(
            GoldenFile(
                f"{FOLDER}/{image.name}", sha256_of(image), f"{FOLDER}/{text.name}",
                sha256_of(text), attribution(photo),
            )
        )  # fmt: skip
    if len(entries) < 3:
        raise CheckError(
            f"only {len(entries)} of {len(names)} photographs have no tie among the model's "
            "queries, expected 3 to compare artifacts on; are these trained weights?"
        )
    sources = photographs[0].parent / ATTRIBUTION
    if sources.is_file():
        write_whole(target / ATTRIBUTION, sources.read_bytes())
    return tuple(entries)


def read_golden(folder: Path, entries: Sequence[GoldenFile]) -> list[Golden]:
    """Reads the golden files that a manifest (or `write_golden`) lists, of an export folder.

    Raises InputError for a file that is missing or unreadable.
    """
    found = []
    for entry in entries:
        frame = np.asarray(load_photo(folder / entry.image))
        found.append(Golden(Path(entry.image).stem, frame, *_read(folder / entry.detections)))
    return found


def attribution(photo: Path) -> str:
    """Title, author, source and licence from the table in ATTRIBUTION.md; else the file's name."""
    table = photo.parent / ATTRIBUTION
    lines = table.read_text("utf-8").splitlines() if table.is_file() else []
    for line in lines:
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        if cells[0] == f"`{photo.name}`":
            return "; ".join(cells[1:])
    return photo.name


def _read(path: Path) -> tuple[Detections, Detections, Detections | None]:
    try:
        content: Any = json.loads(path.read_bytes())
        return (
            Detections.from_json(content["detections"]),
            Detections.from_json(content["candidates"]),
            Detections.from_json(content["float32"]) if "float32" in content else None,
        )
    except (OSError, ValueError, TypeError, KeyError) as error:
        reason = " ".join(str(error).split())[:160]
        raise InputError(f"'{path}' is not a golden file ({reason}); export again") from error


def _reference(net: DEIMv2, frame: npt.NDArray[np.uint8], photo: Path) -> dict[str, Any]:
    """What `net` detects on the frame of a photograph, as a golden file has it."""
    queries = net.variant.decoder.queries
    (found,) = detect(net, frame, top_k=2 * queries)
    if not found.finite:
        raise InputError(
            f"the weights give values that are no numbers (NaN or infinite) on '{photo}', "
            "expected boxes and scores; use a checkpoint that predicts"
        )
    return {
        "made_by": MADE_BY,
        "detections": found.best(queries).to_json(),
        "candidates": found.take(range(queries, len(found))).to_json(),
    }


def _png(frame: npt.NDArray[np.uint8]) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(frame).save(buffer, "PNG")
    return buffer.getvalue()
