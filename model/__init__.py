"""DEIMv2, numerically the released model.

net = build_model("atto")
load_weights(net, "model.safetensors")
out = net.eval()(images)  # images [B, 3, H, W] in 0..1, normalised; out.logits, out.boxes
"""

from typing import TYPE_CHECKING

from deimv2.model.later import later
from deimv2.model.variants import VARIANTS, Variant

if TYPE_CHECKING:
    from deimv2.model.detector import DEIMv2, build_model
    from deimv2.model.weights import load_weights

__all__ = ["VARIANTS", "DEIMv2", "Variant", "build_model", "load_weights"]

# Imported on first use: PyTorch takes seconds, and the table of variants does not need it.
__getattr__ = later(
    __name__,
    {
        "DEIMv2": "deimv2.model.detector",
        "build_model": "deimv2.model.detector",
        "load_weights": "deimv2.model.weights",
    },
)
