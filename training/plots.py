"""Plots, where matplotlib is installed."""

import io
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
    content = io.BytesIO()
    figure.savefig(content, format="png", dpi=100)
    return content.getvalue()
