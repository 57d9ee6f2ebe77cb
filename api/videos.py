"""Detections on the frames of a video, and a copy of it with the boxes drawn."""

from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Any

from PIL import Image

from deimv2.api.detector import Detector
from deimv2.api.result import Result
from deimv2.api.tracking import LOW_SCORE, Tracker
from deimv2.model.errors import InputError
from deimv2.model.files import require_local
from deimv2.model.optional import require

SUFFIXES = {".mp4", ".mov", ".m4v", ".mkv", ".webm", ".avi"}
CODEC = "h264"
WHOLE = 0.9  # of the frames that a video lists: an edit may leave some out
QUARTERS = {
    90: Image.Transpose.ROTATE_90,
    180: Image.Transpose.ROTATE_180,
    270: Image.Transpose.ROTATE_270,
}


@dataclass(frozen=True)
class Shot:
    """A frame of a video. index: from 0. seconds: since its start."""

    index: int
    seconds: float
    result: Result

    def to_json(self) -> dict[str, Any]:
        return self.result.to_json() | {"frame": self.index, "seconds": self.seconds}


def frame_count(video: Any) -> int:
    """About how many frames an opened video has, by what it says of itself; 0 if it does not."""
    stream = video.streams.video[0]
    rate, length = stream.average_rate, video.duration
    return stream.frames or round(float(rate or 0) * (length or 0) / 1e6)


def detect_video(
    detector: Detector,
    video: Any,
    threshold: float,
    drawn: Path | None = None,
    one_label: bool = False,
    track: bool = False,
) -> Iterator[Shot]:
    """Frame by frame, upright. video: as `opened` gives it. drawn: an .mp4 that gets the frames
    with their boxes, without sound; it is there when the last frame is, and not at all where the
    video breaks off. track: results hold the detections of tracks, with their ids
    (`deimv2.Tracker`).

    Raises InputError where the video breaks off.
    """
    path, stream = Path(video.name), video.streams.video[0]
    stream.thread_type = "AUTO"
    tracker = Tracker() if track else None
    with nullcontext() if drawn is None else Writer(drawn, stream) as writer:
        for index, frame in enumerate(decoded(path, video)):
            result = detector(upright(frame), min(threshold, LOW_SCORE) if track else threshold)
            result = replace(result, path=path)
            if tracker is not None:
                result = result.tracked(tracker.update(result.detections, threshold))
            elif one_label:
                result = result.one_label()
            if writer is not None:
                writer.add(result.plot(), frame)
            yield Shot(index, float(frame.time or 0.0), result)


def opened(path: Path) -> Any:
    """PyAV's container, to be used in a `with`.

    Raises InputError for a file that holds no pictures, MissingExtraError without PyAV.
    """
    av = require("av", "video")
    require_local(path)
    if not path.is_file():
        raise InputError(f"no video at '{path}', expected one; check the path")
    try:
        video = av.open(str(path))
    except (av.FFmpegError, OSError) as error:
        raise InputError(
            f"'{path}' is not a video that FFmpeg can read ({error.strerror}); check it, or "
            "convert it to .mp4"
        ) from error
    if not video.streams.video:
        video.close()
        raise InputError(f"'{path}' holds no pictures, expected a video; name another file")
    return video


def decoded(path: Path, video: Any) -> Iterator[Any]:
    """Raises InputError where FFmpeg says that the video breaks off, or just ends early."""
    av = require("av", "video")
    count = 0
    try:
        for frame in video.decode(video=0):
            count += 1
            yield frame
    except av.FFmpegError as error:
        raise InputError(f"'{path}' breaks off ({error.strerror}); fetch it again") from error
    if count < WHOLE * (expected := video.streams.video[0].frames):
        raise InputError(
            f"'{path}' breaks off after {count} frames, expected {expected}; fetch it again"
        )


def upright(frame: Any) -> Image.Image:
    """As players show it: phones store how they were held beside the frames."""
    image: Image.Image = frame.to_image()
    turn = QUARTERS.get(round(frame.rotation) % 360)
    return image if turn is None else image.transpose(turn)


class Writer:
    """An H.264 file, under another name until it is whole. Frames keep their times."""

    def __init__(self, path: Path, source: Any) -> None:
        self.path, self.part = path, path.with_name(f".{path.name}.part")
        self.source = source
        self.file = require("av", "video").open(str(self.part), "w", format="mp4")
        self.stream: Any = None

    def __enter__(self) -> "Writer":
        return self

    def add(self, image: Image.Image, source: Any) -> None:
        """image: the same size each time; a last odd row or column is left out, as H.264 asks."""
        even = image.width // 2 * 2, image.height // 2 * 2
        if self.stream is None:
            rate = self.source.average_rate or Fraction(30)
            self.stream = self.file.add_stream(CODEC, rate=rate, width=even[0], height=even[1])
            self.stream.pix_fmt = "yuv420p"
            self.stream.codec_context.time_base = self.source.time_base
        frame = require("av", "video").VideoFrame.from_image(image.crop((0, 0, *even)))
        frame.pts, frame.time_base = source.pts, source.time_base
        self.file.mux(self.stream.encode(frame))

    def __exit__(
        self, kind: type[BaseException] | None, _: BaseException | None, __: TracebackType | None
    ) -> None:
        whole = kind is None and self.stream is not None
        try:
            if whole:
                self.file.mux(self.stream.encode())
            self.file.close()  # writes what is left: a full disk shows here too
            if whole:
                self.part.replace(self.path)
        finally:
            self.part.unlink(missing_ok=True)
