"""Photos and camera frames, and the input tensor that each has to become.

frames.json
    photos   `file`: RGB, uint8 [height, width, 3]
    cameras  `file`: a YUV 4:2:0 frame, BT.601 full range, with three planes in it; the sample of
             pixel (x, y) lies at offset + y * row_stride + x * pixel_stride, for u and v at half of
             x and y, rounded down. `rgb`: the same frame as RGB, each chroma sample repeated.
    both     `rotation`: degrees clockwise that turn the frame upright; `size`: [H, W] of the input;
             `expected`: uint8 [H, W, 3], equal within one level
"""

from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from deimv2.model.images import resize
from deimv2.tests.vectors.text import to_bytes

Bytes = npt.NDArray[np.uint8]
ROTATIONS = (0, 90, 180, 270)
TURN = {
    90: Image.Transpose.ROTATE_270,  # PIL turns counterclockwise
    180: Image.Transpose.ROTATE_180,
    270: Image.Transpose.ROTATE_90,
}
MADE_BY = (
    "python -m deimv2.tests.vectors: model.images.resize(upright(photo, rotation), size) "
    "in tests/vectors/frames.py"
)
# height, width of the photo; size of the input; rotations
PHOTOS = (
    ("down", (193, 258), (32, 64), ROTATIONS),
    ("mixed", (53, 37), (32, 96), ROTATIONS),
    ("up", (5, 3), (64, 32), ROTATIONS),
    ("same", (32, 64), (32, 64), (0, 180)),
    ("row", (1, 67), (32, 32), (0, 90)),
    ("pixel", (1, 1), (32, 32), (0,)),
)
# height, width; stride of the rows of y and of the chroma; stride of the chroma's pixels; u first
CAMERAS = (
    ("nv12", (96, 128), 128, 128, 2, True),
    ("nv21-padded", (70, 90), 96, 112, 2, False),
    ("planar-odd", (45, 61), 64, 32, 1, True),
)
CAMERA_SIZE = (32, 64)


def make() -> dict[str, bytes]:
    rng = np.random.default_rng(20)
    files: dict[str, bytes] = {}
    photos: list[dict[str, Any]] = []
    cameras: list[dict[str, Any]] = []
    for name, shape, size, rotations in PHOTOS:
        photo = scene(rng, *shape)
        files[f"frames/{name}.rgb"] = photo.tobytes()
        case = {"file": f"frames/{name}.rgb", "width": shape[1], "height": shape[0]}
        photos += [_expect(files, name, case, photo, size, turn) for turn in rotations]
    for name, shape, *layout in CAMERAS:
        content, planes, photo = camera(rng, *shape, *layout)
        files[f"frames/{name}.yuv"] = content.tobytes()
        files[f"frames/{name}.rgb"] = photo.tobytes()
        case = {"file": f"frames/{name}.yuv", "rgb": f"frames/{name}.rgb"}
        case |= {"width": shape[1], "height": shape[0], **planes}
        cameras += [_expect(files, name, case, photo, CAMERA_SIZE, turn) for turn in ROTATIONS]
    index = {"made_by": MADE_BY, "photos": photos, "cameras": cameras}
    return {"frames.json": to_bytes(index)} | files


def upright(photo: Bytes, rotation: int) -> Image.Image:
    """Turned clockwise by `rotation` degrees."""
    image = Image.fromarray(photo)
    return image.transpose(TURN[rotation]) if rotation else image


def scene(rng: np.random.Generator, height: int, width: int) -> Bytes:
    """Hard for a resampler: a colour gradient, and noise of full contrast on one half of it."""
    y, x = np.mgrid[:height, :width]
    smooth = np.stack([x * 255 // max(1, width - 1), y * 255 // max(1, height - 1), 0 * x], -1)
    noise = rng.choice(np.uint8([0, 40, 255]), (height, width, 3))
    return np.where((x + y < (width + height) / 2)[..., None], smooth, noise).astype(np.uint8)


def camera(
    rng: np.random.Generator,
    height: int,
    width: int,
    y_stride: int,
    uv_stride: int,
    pixel_stride: int,
    u_first: bool,
) -> tuple[Bytes, dict[str, Any], Bytes]:
    """A frame's bytes, its planes, and the same frame as RGB [height, width, 3]."""
    rows, columns = -(-height // 2), -(-width // 2)
    y = scene(rng, height, width)[..., 0]
    u, v = scene(rng, rows, columns)[..., 1:].transpose(2, 0, 1)
    u, v = 64 + u // 2, 255 - v  # u around grey, v up to where colours are cut off
    start = y_stride * height
    gap = 1 if pixel_stride == 2 else uv_stride * rows
    offsets = {"u": start, "v": start + gap} if u_first else {"v": start, "u": start + gap}
    # A camera's last row ends with its last sample, its padding is not there.
    last = start + gap + (rows - 1) * uv_stride + (columns - 1) * pixel_stride
    content = np.full(last + 1, 200, np.uint8)
    for plane, at, stride, step in (
        (y, 0, y_stride, 1),
        (u, offsets["u"], uv_stride, pixel_stride),
        (v, offsets["v"], uv_stride, pixel_stride),
    ):
        below, right = np.mgrid[: plane.shape[0], : plane.shape[1]]
        content[at + below * stride + right * step] = plane
    planes: dict[str, Any] = {"y": {"offset": 0, "row_stride": y_stride, "pixel_stride": 1}}
    for name in "uv":
        planes[name] = {
            "offset": offsets[name], "row_stride": uv_stride, "pixel_stride": pixel_stride,
        }  # fmt: skip
    chroma = [p.repeat(2, 0).repeat(2, 1)[:height, :width] for p in (u, v)]
    return content, planes, to_rgb(y, *chroma)


def to_rgb(y: Bytes, u: Bytes, v: Bytes) -> Bytes:
    """BT.601, full range, as in JPEG (ITU-T T.871). Three uint8 [H, W] -> uint8 [H, W, 3]."""
    luma, cb, cr = y.astype(float), u.astype(float) - 128, v.astype(float) - 128
    rgb = [luma + 1.402 * cr, luma - 0.344136 * cb - 0.714136 * cr, luma + 1.772 * cb]
    return np.stack(rgb, -1).round().clip(0, 255).astype(np.uint8)


def _expect(
    files: dict[str, bytes],
    name: str,
    case: dict[str, Any],
    photo: Bytes,
    size: tuple[int, int],
    rotation: int,
) -> dict[str, Any]:
    expected = f"frames/{name}-{rotation}.input.rgb"
    files[expected] = resize(upright(photo, rotation), size).tobytes()
    name = f"{name} turned by {rotation}"
    return {"name": name} | case | {"rotation": rotation, "size": size, "expected": expected}
