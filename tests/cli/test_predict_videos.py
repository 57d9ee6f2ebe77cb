"""`predict` on videos, patterns and many files: each frame is a row, and the copy plays as long."""

import json
import resource
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from deimv2.api.videos import frame_count, opened, upright
from deimv2.cli.main import main
from deimv2.tests.cli.commands import Capture, complaint, output
from deimv2.tests.tiny import write_onnx

FRAMES, RATE = 7, 10


@pytest.fixture
def artifact(tmp_path: Path) -> Path:
    return write_onnx(tmp_path / "tiny.onnx")


def write_video(path: Path, rotation: int = 0, fast: bool = False) -> Path:
    """Left half white, right half black, of 64 x 48 pixels and an odd number of frames."""
    pixels = np.zeros((48, 64, 3), np.uint8)
    pixels[:, :32] = 255
    with av.open(str(path), "w", options={"movflags": "faststart"} if fast else {}) as file:
        stream = file.add_stream("h264", rate=RATE, width=64, height=48)
        stream.pix_fmt = "yuv420p"
        if rotation:
            stream.set_display_rotation(rotation)
        for _ in range(FRAMES):
            file.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
        file.mux(stream.encode())
    return path


def test_a_video_is_drawn_frame_by_frame(capsys: Capture, artifact: Path, tmp_path: Path) -> None:
    video, folder = write_video(tmp_path / "clip.mov"), tmp_path / "drawn"
    text = output(capsys, "predict", artifact, video, "--output", folder)
    drawn = folder / "clip-detected.mp4"
    assert text == f"{video}: {FRAMES} frames, {2 * FRAMES} detections, drawn in {drawn}\n"
    assert list(folder.iterdir()) == [drawn]
    with av.open(str(video)) as before, av.open(str(drawn)) as after:
        times = [[frame.time for frame in file.decode(video=0)] for file in (before, after)]
        assert times[0] == pytest.approx(times[1]) and len(times[1]) == FRAMES
        after.seek(0)
        assert np.ptp(next(after.decode(video=0)).to_ndarray(format="rgb24"), axis=-1).max() > 30


def test_a_full_disk_leaves_no_part_of_a_copy(
    capsys: Capture, artifact: Path, tmp_path: Path
) -> None:
    video, folder = write_video(tmp_path / "clip.mp4"), tmp_path / "drawn"
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (500, before[1]))
    try:
        assert "File too large" in complaint(capsys, "predict", artifact, video, "--output", folder)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert list(folder.iterdir()) == []


def test_each_frame_is_a_line(capsys: Capture, artifact: Path, tmp_path: Path) -> None:
    video = write_video(tmp_path / "clip.mp4")
    text = output(capsys, "predict", artifact, video, "--json-lines")
    rows = [json.loads(line) for line in text.splitlines()]
    assert [row["frame"] for row in rows] == list(range(FRAMES))
    assert [row["seconds"] for row in rows] == pytest.approx([i / RATE for i in range(FRAMES)])
    assert {(row["image"], row["width"], row["height"]) for row in rows} == {(str(video), 64, 48)}
    assert rows[0]["detections"][0]["name"] == "dog"
    assert json.loads(output(capsys, "predict", artifact, video, "--json")) == rows


def test_objects_are_followed(capsys: Capture, artifact: Path, tmp_path: Path) -> None:
    video, folder = write_video(tmp_path / "clip.mp4"), tmp_path / "drawn"
    text = output(capsys, "predict", artifact, video, "--track", "--output", folder)
    assert f"{FRAMES} frames, {2 * FRAMES} detections of 2 objects, drawn in" in text
    lines = output(capsys, "predict", artifact, video, "--track", "--json-lines").splitlines()
    assert [json.loads(line)["tracks"] for line in lines] == [[1, 2]] * FRAMES


@pytest.mark.parametrize(("rotation", "white"), [(90, "bottom"), (-90, "top"), (180, "right")])
def test_a_video_is_seen_as_players_show_it(tmp_path: Path, rotation: int, white: str) -> None:
    path = write_video(tmp_path / "clip.mp4", rotation)
    with opened(path) as video:
        assert frame_count(video) == FRAMES
        shown = np.asarray(upright(next(video.decode(video=0))))
    halves = {
        "top": shown[: len(shown) // 2],
        "bottom": shown[len(shown) // 2 :],
        "right": shown[:, shown.shape[1] // 2 :],
    }
    assert shown.shape == ((48, 64, 3) if rotation == 180 else (64, 48, 3))
    assert halves[white].mean() > 240


def test_what_is_no_video_is_one_line(capsys: Capture, artifact: Path, tmp_path: Path) -> None:
    whole = write_video(tmp_path / "clip.mp4").read_bytes()
    for name, content in (("cut", whole[:200]), ("empty", b""), ("text", b"not a video" * 99)):
        path = tmp_path / f"{name}.mp4"
        path.write_bytes(content)
        assert f"'{path}' is not a video" in complaint(
            capsys, "predict", artifact, path, "--output", tmp_path / "drawn"
        )
    assert list((tmp_path / "drawn").iterdir()) == []


def test_a_video_that_ends_early_is_one_line_and_leaves_no_copy_and_its_frames(
    capsys: Capture, artifact: Path, tmp_path: Path
) -> None:
    """FFmpeg says nothing where a copy was stopped halfway."""
    path = write_video(tmp_path / "clip.mp4", fast=True)  # what it holds is listed first
    with av.open(str(path)) as video:
        last = max(packet.pos for packet in video.demux() if packet.size)
    path.write_bytes(path.read_bytes()[:last])
    assert f"'{path}' breaks off after {FRAMES - 1} frames, expected {FRAMES}" in complaint(
        capsys, "predict", artifact, path, "--output", tmp_path / "drawn"
    )
    assert list((tmp_path / "drawn").iterdir()) == []
    for others in ([], [write_video(tmp_path / "whole.mp4")]):
        given = map(str, ["predict", artifact, path, *others, "--output", tmp_path / "drawn"])
        assert main([*given, "--json"]) == 2
        rows = json.loads(capsys.readouterr().out)
        cut, whole = rows[: FRAMES - 1], rows[FRAMES - 1 :]
        assert [row["frame"] for row in cut] == list(range(FRAMES - 1))
        assert {row["drawing"] for row in cut} == {None}
        assert all(Path(row["drawing"]).is_file() for row in whole)
        assert len(whole) == FRAMES * len(others)


def test_what_names_no_video_here_is_one_line(capsys: Capture, artifact: Path) -> None:
    for url in ("https://example.com/a.mp4", "rtsp://camera/1.mp4", "rtsp://camera/1"):
        line = complaint(capsys, "predict", artifact, url)
        assert f"'{url}' is a URL, expected a file; download or record it first" in line
        assert f"'{url}' is a URL" in complaint(capsys, "predict", url)
    for name in ("0", "/dev/video0"):
        assert f"'{name}' is a camera" in complaint(capsys, "predict", artifact, name)
    for name in ("-", "/dev/stdin"):
        assert f"'{name}' is standard input" in complaint(capsys, "predict", artifact, name)
        assert f"'{name}' is standard input" in complaint(capsys, "predict", name)


def test_a_folder_of_videos_says_how_they_are_named(
    capsys: Capture, artifact: Path, tmp_path: Path
) -> None:
    (folder := tmp_path / "clips").mkdir()
    write_video(folder / "a.mp4")
    line = complaint(capsys, "predict", artifact, folder)
    assert f"'{folder}' holds videos and no photos" in line and f"pattern: '{folder}/*.mp4'" in line
    assert "a.mp4: 7 frames" in output(capsys, "predict", artifact, folder / "*.mp4")


def test_patterns_are_followed(capsys: Capture, artifact: Path, tmp_path: Path) -> None:
    for name in ("a/1.png", "a/b/2.png", "3.jpg", "a/notes.txt"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch() if path.suffix == ".txt" else Image.new("RGB", (20, 10)).save(path)
    text = output(capsys, "predict", artifact, tmp_path / "a/**/*.png", "--json-lines")
    found = [json.loads(line)["image"] for line in text.splitlines()]
    assert found == [str(tmp_path / "a/1.png"), str(tmp_path / "a/b/2.png")]
    text = output(capsys, "predict", artifact, tmp_path / "a/**1.png")
    assert text.startswith(f"{tmp_path / 'a/1.png'}: 2 detections")
    assert "no photo at" in complaint(capsys, "predict", artifact, tmp_path / "z/*.png")
