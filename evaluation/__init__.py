"""How good a model or an artifact is: average precision, and what rounding costs."""
