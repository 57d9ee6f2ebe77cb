"""int8 for every format from one recipe: what is rounded, how ranges are found, and training."""
