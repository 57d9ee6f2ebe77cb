"""How good a model or an artifact is: average precision, parity, speed."""
