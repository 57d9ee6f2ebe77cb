"""Small Core ML packages, made with coremltools' builder and saved to disk."""

import gc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import coremltools as ct
import numpy as np
import torch
from coremltools.converters.mil import Builder as mb  # noqa: N813  as Apple calls it
from coremltools.converters.mil.mil import types

from deimv2.converters.contract import INPUT, NAMES
from deimv2.converters.metadata import KEY
from deimv2.mil import open_package
from deimv2.model.optional import quiet
from deimv2.tests.tiny import LABELS, SIZE, found

Array = Any
TYPES = {"float32": types.fp32, "float16": types.fp16, "int32": types.int32}


def save(path: Path, build: Callable[..., Any], *inputs: Array, **settings: Any) -> Path:
    """A program of the operations that `build` makes of inputs like these; nothing is optimised."""
    specs = [mb.TensorSpec(x.shape, TYPES[x.dtype.name]) for x in inputs]
    program = mb.program(input_specs=specs, opset_version=ct.target.iOS17)(build)
    gc.freeze()  # coremltools collects garbage, half a second over all that torch has imported
    with quiet(None):
        model = ct.convert(
            program,
            convert_to="mlprogram",
            minimum_deployment_target=ct.target.iOS17,
            compute_precision=ct.precision.FLOAT32,
            pass_pipeline=ct.PassPipeline.EMPTY,
            skip_model_load=True,
            **settings,
        )
        model.user_defined_metadata[KEY] = '{"labels": ["cat", "dog"]}'
        model.save(str(path))
    gc.unfreeze()
    return path


def save_detector(path: Path, names: tuple[str, ...] = NAMES, **image: Any) -> Path:
    """A detector that finds `tests.tiny.found` in a white frame, by a weight that lies in a file,
    and the same boxes with lower scores in a darker one."""
    assert LABELS == ["cat", "dog"]
    detections = found()
    weight = np.zeros((2, 3 * 32), np.float32)  # from the mean of each row of pixels
    weight[:, :] = detections.scores[:, None] / (255 * weight.shape[1])

    def build(image: Any) -> Any:
        rows = mb.reshape(x=mb.reduce_mean(x=image, axes=[3]), shape=[1, weight.shape[1]])
        scores = mb.linear(x=rows, weight=weight, name="scores")
        zeros = mb.mul(x=mb.expand_dims(x=scores, axes=[2]), y=np.float32(0))
        boxes = mb.add(x=zeros, y=detections.boxes[None], name="boxes")
        zero = mb.cast(x=mb.mul(x=scores, y=np.float32(0)), dtype="int32")
        labels = mb.add(x=zero, y=detections.labels[None], name="labels")
        made = {"boxes": boxes, "scores": scores, "labels": labels}
        return tuple(made[name] for name in names)

    settings = {"shape": (1, 3, *SIZE), "color_layout": ct.colorlayout.RGB, **image}
    frame = np.zeros((1, 3, *SIZE), np.float32)
    return save(path, build, frame, inputs=[ct.ImageType(INPUT, **settings)])


def run(path: Path, *inputs: Array) -> list[Array]:
    """The outputs of a package on these inputs, which must be those that it asks for."""
    program = open_package(path)
    ports = [(port.shape, port.dtype) for port in program.inputs]
    assert ports == [(x.shape, x.dtype.name) for x in inputs]
    names = [port.name for port in program.inputs]
    found = program({n: torch.tensor(x) for n, x in zip(names, inputs, strict=True)})
    return [found[port.name].numpy() for port in program.outputs]
