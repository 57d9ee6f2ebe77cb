"""Artifacts that take a moment to make: an ONNX graph that detects the same in every frame."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from PIL import Image

from deimv2.converters.golden import MADE_BY
from deimv2.converters.manifest import (
    GoldenFile,
    Input,
    Manifest,
    Weights,
    describe,
    outputs,
    sha256_of,
)
from deimv2.converters.metadata import KEY
from deimv2.model.detections import Detections

SIZE = (32, 64)
LABELS = ["cat", "dog"]


def found(score: float = 0.9) -> Detections:
    return Detections(
        np.float32([[0.1, 0.2, 0.5, 0.6], [0.3, 0.3, 0.9, 0.8]]),
        np.float32([score, 0.5]),
        np.int32([1, 0]),
    )


def write_onnx(
    path: Path,
    detections: Detections | None = None,
    *,
    dtype: int = TensorProto.UINT8,
    shape: Sequence[int | str] = (1, *SIZE, 3),
    names: Sequence[str] = ("boxes", "scores", "labels"),
    card: str | None = '{"labels": ["cat", "dog"]}',
) -> Path:
    detections = found() if detections is None else detections
    arrays = {
        "boxes": detections.boxes[None],
        "scores": detections.scores[None],
        "labels": detections.labels[None],
    }
    nodes = [
        helper.make_node("Constant", [], [name], value=numpy_helper.from_array(arrays[name]))
        for name in names
    ]
    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info("image", dtype, shape)],
        [
            helper.make_tensor_value_info(
                name, helper.np_dtype_to_tensor_dtype(arrays[name].dtype), arrays[name].shape
            )
            for name in names
        ],
    )
    net = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    if card is not None:
        helper.set_model_props(net, {KEY: card})
    onnx.save(net, path)
    return path


def write_folder(folder: Path, scores: Sequence[float] = (0.9, 0.9)) -> Manifest:
    """An export folder with one tiny artifact per score; the float32 model's score is 0.9."""
    folder.mkdir(parents=True, exist_ok=True)
    artifacts = [
        write_onnx(folder / f"tiny-{i}.onnx", found(score)) for i, score in enumerate(scores)
    ]
    manifest = Manifest(
        variant="atto",
        precision="fp32",
        input=Input(SIZE),
        outputs=outputs(2),
        labels=tuple(LABELS),
        weights=Weights("made up", "0" * 64),
        files=tuple(describe(path) for path in artifacts),
        golden=tuple(_golden(folder, name) for name in ("a", "b", "c")),
    )
    manifest.write(folder / "manifest.json")
    return manifest


def _golden(folder: Path, name: str) -> GoldenFile:
    import json

    (folder / "golden").mkdir(exist_ok=True)
    image, text = folder / "golden" / f"{name}.png", folder / "golden" / f"{name}.json"
    Image.new("RGB", SIZE[::-1], (ord(name), 0, 0)).save(image)
    rows = {"made_by": MADE_BY, "detections": found().to_json(), "candidates": []}
    text.write_text(json.dumps(rows))
    return GoldenFile(
        f"golden/{name}.png", sha256_of(image), f"golden/{name}.json", sha256_of(text), "made up"
    )
