"""Networks with the reproducible random weights."""

from deimv2.model import DEIMv2, build_model
from deimv2.model.weights import random_state


def random_net(
    variant: str, classes: int = 80, size: int | tuple[int, int] | None = None
) -> DEIMv2:
    """In eval mode."""
    net = build_model(variant, classes, size)
    net.load_state_dict(random_state(net))
    return net.eval()
