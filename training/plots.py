"""Plots, where matplotlib is installed."""

import io
import warnings
from typing import Any

from deimv2.model.errors import MissingExtraError


def new_figure(width: float, height: float) -> Any:
    """An empty matplotlib figure, sides in inches. Raises MissingExtraError without matplotlib."""
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise MissingExtraError("matplotlib", "train") from error
    return Figure(figsize=(width, height), layout="constrained")


def to_png(figure: Any) -> bytes:
    """Names in scripts that the font lacks are drawn as boxes, without matplotlib's warnings."""
    content = io.BytesIO()
    with warnings.catch_warnings():
        for message in ("Glyph .* missing from", "constrained_layout not applied"):
            warnings.filterwarnings("ignore", message, UserWarning)
        figure.savefig(content, format="png", dpi=100)
    return content.getvalue()
