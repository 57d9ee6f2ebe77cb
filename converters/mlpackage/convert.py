"""`.mlpackage` for Core ML: an ML Program for iOS 17, by coremltools.

float16 and int8 mean half-precision arithmetic, except in the layers that `converters.graph` keeps
precise: the Neural Engine takes nothing that is typed float32.
int8-weight means large weights stored as int8, and all computed as before; int8 does so where it
computes in float.
"""

import hashlib
import json
import uuid
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import torch

from deimv2.converters.contract import INPUT, OUTPUTS
from deimv2.converters.graph import Target
from deimv2.converters.metadata import KEY, ModelCard
from deimv2.converters.mlpackage import MLPACKAGE
from deimv2.converters.toolchain import expect, prepare
from deimv2.mil.operations import OPERATIONS
from deimv2.mil.package import SPECIFICATION, check_files, read_specification
from deimv2.model import DEIMv2
from deimv2.model.errors import CheckError
from deimv2.model.optional import require
from deimv2.model.ports import Port
from deimv2.quantization.rounding import MIN_WEIGHTS

DEBUG_MAP = "executorch_debug_handle_mapping.json"
TYPES = {65568: "float32", 131104: "int32", 65552: "float16"}  # MLMultiArrayDataType
STEPS = ("quantize", "dequantize", "constexpr_affine_dequantize")


def convert(net: DEIMv2, card: ModelCard, path: Path) -> None:
    """Write the package; raises CheckError when what was written is not as it should be."""
    ct = require("coremltools", MLPACKAGE.extra)
    half = card.kind.computes != "float32"
    # The Neural Engine takes no gather (docs/decisions/002-sampling.md).
    form, image = prepare(net, Target(gather=False, nearest=True, frame=False, half=half))
    pipeline = ct.PassPipeline()
    pipeline.remove_passes({"common::add_int16_cast"})  # indices stay int32, as in float32
    exported = torch.export.export(form, (image,)).run_decompositions({})
    converted = ct.convert(
        exported,
        inputs=[ct.ImageType(INPUT, shape=image.shape, color_layout=ct.colorlayout.RGB)],
        outputs=[ct.TensorType(each.name, dtype=np.dtype(each.dtype)) for each in OUTPUTS],
        minimum_deployment_target=ct.target.iOS17,
        # The graph itself says what is half, but for these, which the converter knows as float32.
        compute_precision=ct.transform.FP16ComputePrecision(lambda op: op.op_type in STEPS),
        pass_pipeline=pipeline,
        skip_model_load=True,
    )
    if card.kind.stores == "int8":
        converted = store_weights(converted)
    stamp(converted, card)
    converted.save(str(path))
    settle(path)
    check_package(path, card)


def store_weights(model: Any) -> Any:
    """Large weights as int8, one step per output channel; what computes is float."""
    optimize = require("coremltools.optimize.coreml", MLPACKAGE.extra)
    to_int8 = optimize.OpLinearQuantizerConfig(
        mode="linear_symmetric", weight_threshold=MIN_WEIGHTS
    )
    kinds = {"conv": to_int8, "linear": to_int8}
    return optimize.linear_quantize_weights(
        model, optimize.OptimizationConfig(op_type_configs=kinds)
    )


def stamp(model: Any, card: ModelCard) -> None:
    """Descriptions, and the card as user-defined metadata; no date of conversion."""
    model.short_description = card.description
    model.license = "Apache-2.0 (code); the weights carry the licence of their source"
    model.input_description[INPUT] = (
        "RGB frame, stretched to the input size (bilinear, antialiased)"
    )
    for each in OUTPUTS:
        model.output_description[each.name] = each.meaning
    model.user_defined_metadata.clear()
    model.user_defined_metadata[KEY] = card.to_json()


def settle(path: Path) -> None:
    """Make the package's bytes follow from its content alone: no random identifiers, maps sorted.

    The debug map that coremltools adds for graphs of torch.export is no part of a package.
    """
    (path / DEBUG_MAP).unlink(missing_ok=True)
    specification = path / SPECIFICATION
    proto = read_specification(path)
    for key in [key for key in proto.description.metadata.userDefined if key != KEY]:
        del proto.description.metadata.userDefined[key]  # the converter's, with the date
    specification.write_bytes(proto.SerializeToString(deterministic=True))

    manifest = json.loads((path / "Manifest.json").read_bytes())
    digest = hashlib.sha256(specification.read_bytes()).hexdigest()
    names = {
        old: str(uuid.uuid5(uuid.NAMESPACE_OID, digest + entry["path"])).upper()
        for old, entry in manifest["itemInfoEntries"].items()
    }
    entries = {names[old]: entry for old, entry in manifest["itemInfoEntries"].items()}
    manifest["itemInfoEntries"] = dict(sorted(entries.items(), key=lambda item: item[1]["path"]))
    manifest["rootModelIdentifier"] = names[manifest["rootModelIdentifier"]]
    (path / "Manifest.json").write_text(json.dumps(manifest, indent=4, sort_keys=False) + "\n")


def read_card(path: Path) -> str | None:
    """The card's text in a `.mlpackage`, None where it has none."""
    return read_specification(path).description.metadata.userDefined.get(KEY)


def operations(path: Path) -> Counter[str]:
    """How often each operation stands in the package's program."""
    functions = read_specification(path).mlProgram.functions
    blocks = [b for f in functions.values() for b in f.block_specializations.values()]
    return Counter(op.type for block in blocks for op in block.operations)


def interface(path: Path) -> tuple[list[Port], list[Port]]:
    """Inputs and outputs as the package describes them; an image is (H, W) of the type "RGB"."""
    description = read_specification(path).description
    return [_port(feature) for feature in description.input], [
        _port(feature) for feature in description.output
    ]


def _port(feature: Any) -> Port:
    if feature.type.HasField("imageType"):
        image = feature.type.imageType
        colours = "RGB" if image.colorSpace == 20 else f"colour space {image.colorSpace}"
        return Port(feature.name, (image.height, image.width), colours)
    array = feature.type.multiArrayType
    return Port(feature.name, tuple(array.shape), TYPES.get(array.dataType, "unknown"))


def check_package(path: Path, card: ModelCard) -> None:
    """Read the package back from disk: inputs, outputs, types, operations, weights, card."""
    check_files(path)
    expected = {**card.interface(), INPUT: (card.image_size, "RGB")}
    inputs, outputs = interface(path)
    found = {port.name: (port.shape, port.dtype) for port in [*inputs, *outputs]}
    expect(f"{path.name}: inputs and outputs", found, expected)
    unknown = sorted(set(operations(path)) - {"const", *OPERATIONS})
    if unknown:
        raise CheckError(
            f"{path.name} contains {', '.join(unknown)}; expected documented operations"
        )
    expect(f"{path.name}: card", read_card(path), card.to_json())
