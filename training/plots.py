"""Plots, where matplotlib is installed."""

import io
import warnings
from typing import Any

from deimv2.model.optional import require


def new_figure(width: float, height: float) -> Any:
    """An empty matplotlib figure, sides in inches. Raises MissingExtraError without matplotlib."""
    figure = require("matplotlib.figure", "train").Figure
    return figure(figsize=(width, height), layout="constrained")


def to_png(figure: Any) -> bytes:
    """Names in scripts that the font lacks are drawn as boxes, without matplotlib's warnings."""
    content = io.BytesIO()
    with warnings.catch_warnings():
        for message in ("Glyph .* missing from", "constrained_layout not applied"):
            warnings.filterwarnings("ignore", message, UserWarning)
        figure.savefig(content, format="png", dpi=100)
    return content.getvalue()
