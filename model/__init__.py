"""DEIMv2, numerically the released model.

net = build_model("atto")
load_weights(net, "model.safetensors")
out = net.eval()(images)  # images [B, 3, H, W] in 0..1, normalised; out.logits, out.boxes
"""

from model.detector import DEIMv2, build_model
from model.variants import VARIANTS, Variant
from model.weights import load_weights

__all__ = ["VARIANTS", "DEIMv2", "Variant", "build_model", "load_weights"]
