"""Runs a `.tflite` file on LiteRT's GPU accelerator, in a process that may be lost.

gpu_worker.py MODEL FLOAT32 HEIGHT WIDTH COUNT

FLOAT32: 1 to compute in float32, 0 as the accelerator likes. HEIGHT, WIDTH: of a frame in pixels.
COUNT: of the detections that the model gives.

Standard output: a byte as soon as the model is compiled, all of it for the GPU; then, for each
frame on standard input, the bytes of boxes, scores and labels. LiteRT's own words go to standard
error.
"""

import os
import sys
from typing import Any

answers = os.fdopen(os.dup(1), "wb")
os.dup2(2, 1)  # native code prints on standard output

import numpy as np  # noqa: E402
from ai_edge_litert.compiled_model import CompiledModel  # noqa: E402
from ai_edge_litert.hardware_accelerator import HardwareAccelerator  # noqa: E402
from ai_edge_litert.options import Options  # noqa: E402

SIGNATURE = "serving_default"


def compiled(path: str, float32: bool) -> Any:
    options = Options(hardware_accelerators=HardwareAccelerator.GPU)
    options.gpu_options.enforce_f32 = float32
    return CompiledModel.from_file(path, options=options)


def serve(path: str, float32: bool, frame: tuple[int, ...], queries: int) -> None:
    net = compiled(path, float32)
    answers.write(b"+" if net.is_fully_accelerated() else b"-")
    answers.flush()
    image = net.create_input_buffer_by_name(SIGNATURE, "image")
    sizes = {"boxes": (4, np.float32), "scores": (1, np.float32), "labels": (1, np.int32)}
    found = {name: net.create_output_buffer_by_name(SIGNATURE, name) for name in sizes}
    while given := sys.stdin.buffer.read(int(np.prod(frame))):
        image.write(np.frombuffer(given, np.uint8).reshape(frame).copy())
        net.run_by_name(SIGNATURE, {"image": image}, found)
        for name, (each, dtype) in sizes.items():
            answers.write(found[name].read(each * queries, dtype).tobytes())
        answers.flush()


if __name__ == "__main__":
    model, arithmetic, height, width, count = sys.argv[1:]
    serve(model, arithmetic == "1", (1, int(height), int(width), 3), int(count))
