"""Runs a `.tflite` file inside the emulated ARM64, where there is nothing but LiteRT and numpy.

litert_worker.py MODEL FRAMES OUTPUTS BOXES SCORES LABELS

FRAMES:  uint8 frames as the model takes them, one after the other
OUTPUTS: written: per frame the bytes of three tensors
BOXES, SCORES, LABELS: which these are, and their order, as indices into the model's outputs
"""

import os
import sys
from pathlib import Path

import numpy as np
from ai_edge_litert.interpreter import Interpreter

model, frames, outputs, *order = sys.argv[1:]
net = Interpreter(model, num_threads=1)
net.allocate_tensors()
(image,) = net.get_input_details()
tensors = [net.get_output_details()[int(i)]["index"] for i in order]
with Path(outputs).open("wb") as file:
    os.getsid(0)  # where count.c takes the number of instructions
    for frame in np.fromfile(frames, np.uint8).reshape(-1, *image["shape"]):
        net.set_tensor(image["index"], frame)
        net.invoke()
        found = [net.get_tensor(i) for i in tensors]
        os.getsid(0)
        for tensor in found:
            file.write(tensor.tobytes())
