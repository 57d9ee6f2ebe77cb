"""From the network's outputs to detections, as the release's post-processing does it.

The class scores of all queries compete: the best K of the Q*C query-class pairs are kept, so a
query can appear under several classes. There is no threshold and no suppression of overlapping
boxes, and boxes that reach beyond the image are not clipped.
"""

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from deimv2.model.detections import Detections
from deimv2.model.detector import DEIMv2
from deimv2.model.errors import InputError
from deimv2.model.images import normalise, to_tensor


def postprocess(logits: Tensor, boxes: Tensor, top_k: int) -> list[Detections]:
    """The best detections of each image.

    logits: [B, Q, C] before the sigmoid
    boxes:  [B, Q, 4] as (cx, cy, w, h) in 0..1 of the image
    top_k:  detections per image; at most Q*C come back

    Raises InputError if `top_k` is below 1.
    """
    if top_k < 1:
        raise InputError(f"top_k is {top_k}, expected at least 1; ask for a detection or more")
    classes = logits.shape[2]
    pairs = logits.sigmoid().flatten(1)
    scores, index = pairs.topk(min(top_k, pairs.shape[1]), dim=1)
    query, labels = index // classes, index % classes
    chosen = corners(boxes).gather(1, query[..., None].expand(-1, -1, 4))
    return [
        Detections(box.numpy(), score.numpy(), label.numpy())
        for box, score, label in zip(
            chosen.float().cpu(), scores.float().cpu(), labels.int().cpu(), strict=True
        )
    ]


def corners(boxes: Tensor) -> Tensor:
    """Boxes [..., 4] as (cx, cy, w, h) -> (x1, y1, x2, y2)."""
    centre, half = boxes[..., :2], boxes[..., 2:] * 0.5
    return torch.cat([centre - half, centre + half], dim=-1)


def detect(
    net: DEIMv2, frames: npt.NDArray[np.uint8], top_k: int | None = None
) -> list[Detections]:
    """Detections of each frame by the float32 model: what every artifact is compared with.

    frames: uint8 RGB [B, H, W, 3] or [H, W, 3] of the net's `image_size`, in 0..255. Pixels become
    x / 255 and then (x - mean) / std in float32. `net` must be in eval mode; `top_k` None stands
    for the variant's number of queries.

    Raises InputError for frames of another size, shape or type, or a net in training mode.
    """
    if net.training:
        raise InputError("the net is in training mode, expected eval mode; call net.eval() first")
    frames = frames[None] if frames.ndim == 3 else frames
    if frames.ndim != 4 or not len(frames) or frames.shape[1:3] != net.image_size:
        height, width = net.image_size
        raise InputError(
            f"frames have shape {list(frames.shape)}, expected [B, {height}, {width}, 3]; "
            "use resize, or build the model with that image_size"
        )
    device = next(net.parameters()).device
    with torch.inference_mode():
        images = torch.cat([to_tensor(frame) for frame in frames]).to(device)
        out = net(normalise(images, net.variant.mean, net.variant.std))
        return postprocess(
            out.logits, out.boxes, net.variant.decoder.queries if top_k is None else top_k
        )
