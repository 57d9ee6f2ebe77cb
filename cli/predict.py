"""`deimv2 predict`: detections of an artifact or a checkpoint on photos and videos."""

import argparse
import os
from collections.abc import Iterator, Sequence
from glob import glob
from pathlib import Path
from typing import TYPE_CHECKING, Any

from deimv2.cli import console
from deimv2.cli.arguments import add_device, count, threshold
from deimv2.converters.manifest import SCORE_THRESHOLD
from deimv2.model.words import plural

if TYPE_CHECKING:
    from deimv2.api.detector import Detector
    from deimv2.api.result import Result

DEMO_VARIANT = "atto"
LONGEST = 200  # bytes of a drawing's name, of 255: a number, an ending and a name for a part follow
EXAMPLE = "example: deimv2 predict artifacts/atto/deimv2-atto-fp32.tflite photo.jpg --output drawn"


def add(subparsers: Any) -> None:
    parser = subparsers.add_parser(
        "predict",
        help="detect objects in photos and videos",
        description="Detects objects in photos and videos with an artifact (.tflite, .pte, "
        ".mlpackage, .aimodel, .onnx), a checkpoint (.pth, .safetensors, a folder as on the "
        "Hub), a repository there (hf://OWNER/NAME), or the released weights of a variant (its "
        "name). In JSON, boxes are x1, y1, x2, y2 in 0..1 of the photo, not clipped, and each "
        "frame of a video has a row.",
        epilog=EXAMPLE,
    )
    parser.add_argument(
        "inputs", type=Path, nargs="+", metavar="MODEL PHOTO...",
        help="an artifact, a checkpoint or a variant, then photos, videos, folders of photos or "
        "patterns ('shelves/**/*.jpg'); without a model, the demo weights of Atto",
    )  # fmt: skip
    parser.add_argument(
        "--output", type=Path, metavar="DIR",
        help="folder for copies of the photos and videos with the boxes drawn",
    )  # fmt: skip
    parser.add_argument(
        "--threshold", type=threshold, default=SCORE_THRESHOLD, metavar="SCORE",
        help=f"show detections that score more than this (default: {SCORE_THRESHOLD})",
    )  # fmt: skip
    parser.add_argument(
        "--labels", type=Path, metavar="FILE",
        help="class names, one per line (default: those stored in the model, or COCO's)",
    )  # fmt: skip
    parser.add_argument(
        "--variant", metavar="NAME",
        help="variant of a checkpoint (default: recognised from its tensors)",
    )  # fmt: skip
    parser.add_argument(
        "--one-label", action="store_true",
        help="where one object has several labels, keep the one that scores best",
    )  # fmt: skip
    parser.add_argument(
        "--track", action="store_true",
        help="each object of a video keeps its id, also through frames in which it scores lower",
    )  # fmt: skip
    add_device(parser)
    parser.add_argument(
        "--threads", type=count, metavar="N", help="CPU threads (default: the runtime's)"
    )
    how = parser.add_mutually_exclusive_group()
    how.add_argument("--json", action="store_true", help="print JSON once all is done")
    how.add_argument(
        "--json-lines", action="store_true", help="print a line of JSON for each photo and frame"
    )
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    from deimv2.api.detector import load
    from deimv2.model.errors import InputError
    from deimv2.model.weights.places import told

    model, places = model_and_inputs(args.inputs)
    paths = [path for place in places for path in files_at(place)]
    with console.PROGRESS.status(f"opening {model}"):
        detector = load(
            model, labels=args.labels, variant=args.variant, device=args.device,
            threads=args.threads,
        )  # fmt: skip
    if detector.notes:
        console.log(told(detector.notes, detector.source))
    if args.output is not None:
        make_output(args.output, places)
    rows: list[dict[str, Any]] = []
    failures = 0
    pairs = list(zip(paths, drawing_paths(paths, args.output), strict=True))
    for path, drawing in console.PROGRESS.track(pairs, "files") if len(pairs) > 1 else pairs:
        detected, before = of_video if is_video(path) else of_photo, len(rows)
        try:
            for row, text in detected(detector, path, drawing, args):
                row = row | {"drawing": None if drawing is None else str(drawing)}
                if args.json_lines:
                    console.print_json_line(row)
                elif args.json:
                    rows.append(row)
                elif text:
                    print(text)
        except (InputError, OSError) as error:
            # What was found of a video that breaks off, or until the disk was full, is not lost;
            # the drawing is.
            rows[before:] = [row | {"drawing": None} for row in rows[before:]]
            if isinstance(error, OSError) or len(pairs) == 1:
                if rows:
                    console.print_json(rows)
                raise
            failures += 1
            console.log(f"skipped: {error}")
    if args.json:
        console.print_json(rows)
    if failures:
        raise InputError(f"{failures} of {plural(len(pairs), 'file')} could not be read, see above")
    return 0


Found = Iterator[tuple[dict[str, Any], str]]  # a row for JSON, and a text where there is one


def of_photo(
    detector: "Detector", path: Path, drawing: Path | None, args: argparse.Namespace
) -> Found:
    from deimv2.model.drawing import save_picture

    result = detector(path, args.threshold)
    if args.one_label:
        result = result.one_label()
    if drawing is not None:
        save_picture(result.plot(), drawing)
    yield result.to_json(), described(result, drawing)


def of_video(
    detector: "Detector", path: Path, drawing: Path | None, args: argparse.Namespace
) -> Found:
    """A row for each frame; the text comes with the last, and counts."""
    from deimv2.api.videos import detect_video, frame_count, opened

    found = frames = 0
    tracks: set[int] = set()
    with opened(path) as video:
        shots = detect_video(detector, video, args.threshold, drawing, args.one_label, args.track)
        for shot in console.track_rate(shots, str(path), frame_count(video)):
            frames, found = frames + 1, found + len(shot.result)
            tracks.update(shot.result.ids or ())
            yield shot.to_json(), ""
    where = "" if drawing is None else f", drawn in {drawing}"
    if not args.json and not args.json_lines:
        followed = f" of {plural(len(tracks), 'object')}" if args.track else ""
        counts = f"{plural(frames, 'frame')}, {plural(found, 'detection')}{followed}"
        yield {}, f"{path}: {counts}{where}"


def is_video(path: Path) -> bool:
    from deimv2.api.videos import SUFFIXES

    return path.suffix.lower() in SUFFIXES


def files_at(place: Path) -> list[Path]:
    """The photos of a folder, what a pattern stands for where no shell put it in, or the file."""
    from deimv2.model.errors import InputError
    from deimv2.model.images import find_photos

    if place.is_dir():
        try:
            return find_photos(place)
        except InputError as error:
            video = next(filter(is_video, sorted(place.rglob("*"))), None)
            if video is None:
                raise
            raise InputError(
                f"'{place}' holds videos and no photos, expected photos in a folder; name videos "
                f"one by one, or by a pattern: '{video.parent}/*{video.suffix}'"
            ) from error
    if not place.exists() and any(sign in str(place) for sign in "*?["):
        found = map(Path, glob(str(place), recursive=True))  # noqa: PTH207 (raises for "**.jpg")
        return sorted(path for path in found if path.is_file()) or [place]
    return [place]


def model_and_inputs(inputs: Sequence[Path]) -> tuple[Path, Sequence[Path]]:
    """The first input is the model unless it is a photo, a video or a folder of photos."""
    from deimv2.api.detector import require_one_model
    from deimv2.converters import format_of
    from deimv2.model.errors import InputError
    from deimv2.model.files import is_checkpoint, require_local
    from deimv2.model.images import SUFFIXES
    from deimv2.model.weights.places import fetch, weights_in

    first = inputs[0]
    known = format_of(first) is not None or is_checkpoint(first) or bool(weights_in(first))
    shown = first.suffix.lower() in SUFFIXES or is_video(first)
    if first.is_dir() and not known:
        require_one_model(first)
    if shown or (first.is_dir() and not known):
        return fetch("demo", DEMO_VARIANT), inputs
    if not known and len(inputs) == 1:
        require_local(first)
    if not known and first.exists() and len(inputs) == 1:
        raise InputError(
            f"'{first}' was taken for the model, as photos end in one of "
            f"{', '.join(sorted(SUFFIXES))}; convert or rename it, or name a model before it"
        )
    if len(inputs) == 1:
        raise InputError(f"no photos after '{first}', expected one or more; name them")
    return first, inputs[1:]


def make_output(folder: Path, places: Sequence[Path]) -> None:
    """The folder of the drawings; where it is that of the photos, this is said."""
    from deimv2.model.files import make_folder

    make_folder(folder)
    if folder.resolve() in {place.resolve() for place in places if place.is_dir()}:
        console.log(
            f"'{folder}' is the folder of the photos: what is drawn lies beside them, and is taken "
            "for photos from now on; name another --output"
        )


def drawing_paths(photos: Sequence[Path], folder: Path | None) -> list[Path | None]:
    """One name per file, each its own, and never that of one given: `cat.png` ->
    `cat-detected.jpg`, or `cat-2-detected.jpg` where it is taken; `clip.mov` ->
    `clip-detected.mp4`. Long names are shortened."""
    if folder is None:
        return [None] * len(photos)
    taken = {same_file(photo) for photo in photos}
    paths: list[Path | None] = []
    for photo in photos:
        kind, stem = "mp4" if is_video(photo) else "jpg", photo.stem
        while len(os.fsencode(stem)) > LONGEST:
            stem = stem[:-1]
        numbers = ("", *(f"-{i}" for i in range(2, 10**6)))
        names = (f"{stem}{n}-detected.{kind}" for n in numbers)
        path = next(p for name in names if same_file(p := folder / name) not in taken)
        taken.add(same_file(path))
        paths.append(path)
    return paths


def same_file(path: Path) -> str:
    """Equal for paths of one file, also where upper and lower case are not told apart (macOS)."""
    return str(path.resolve()).casefold()


def described(result: "Result", drawing: Path | None) -> str:
    where = "" if drawing is None else f", drawn in {drawing}"
    lines = [f"{result.path}: {plural(len(result), 'detection')}{where}"]
    for name, score, box in zip(result.names, result.scores, result.boxes, strict=True):
        x1, y1, x2, y2 = box.round().astype(int)
        lines.append(f"  {name} {score:.2f}  x {x1} to {x2}, y {y1} to {y2}")
    return "\n".join(lines)
