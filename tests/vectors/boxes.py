"""Boxes in 0..1 of the upright frame, and where they lie in the frame as it came, in pixels.

boxes.json: `width`, `height`: of the frame as it came; `rotation`: degrees clockwise that turn it
upright; `box`: x1, y1, x2, y2 in 0..1 of the upright frame; `pixels`: the same of the frame.
"""

from deimv2.tests.vectors.text import to_bytes

Box = tuple[float, float, float, float]
MADE_BY = "python -m deimv2.tests.vectors: to_frame(box, width, height, rotation) in its boxes.py"
BOXES: tuple[Box, ...] = (
    (0.0, 0.0, 1.0, 1.0),
    (0.25, 0.125, 0.5, 0.875),
    (-0.125, 0.5, 0.25, 1.25),  # boxes are not clipped to the frame
    (0.75, 0.5, 0.75, 0.5),
)


def make() -> dict[str, bytes]:
    cases = [
        {
            "width": width, "height": height, "rotation": rotation,
            "box": box, "pixels": to_frame(box, width, height, rotation),
        }
        for width, height in ((640, 480), (37, 53))
        for rotation in (0, 90, 180, 270)
        for box in BOXES
    ]  # fmt: skip
    return {"boxes.json": to_bytes({"made_by": MADE_BY, "cases": cases})}


def to_frame(box: Box, width: int, height: int, rotation: int) -> Box:
    """Scaled to the upright frame's pixels, then turned back in steps of 90 degrees."""
    quarters = rotation // 90
    w, h = (width, height) if quarters % 2 == 0 else (height, width)
    x1, y1, x2, y2 = box[0] * w, box[1] * h, box[2] * w, box[3] * h
    for _ in range(quarters):  # counterclockwise: (x, y) -> (y, w - x)
        x1, y1, x2, y2 = y1, w - x2, y2, w - x1
        w, h = h, w
    return x1, y1, x2, y2
