"""A `.pte` whose delegate is not here: what it holds is computed in PyTorch on the CPU."""

from pathlib import Path

import torch

from deimv2.converters.inspection import Inspection
from deimv2.converters.runner import frame_size, output_order


class ComputedRunner:
    """What is the same for all of them; each detects in its own way.

    threads: of all of PyTorch; None leaves them. Raises InputError for other inputs or outputs than
    an artifact's.
    """

    def __init__(self, path: Path, threads: int | None, found: Inspection) -> None:
        if threads is not None:
            torch.set_num_threads(threads)
        self._path = path
        self.size = frame_size(path, found.inputs)
        self.order = output_order(path, found.outputs)
        self.labels: list[str] | None = None if found.card is None else found.card["labels"]
