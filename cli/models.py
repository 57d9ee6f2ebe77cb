"""Opening what `predict` and `evaluate` are asked to run."""

from pathlib import Path

from converters.manifest import check_beside
from evaluation.runtimes import (
    CHECKPOINTS,
    CheckpointRunner,
    Runner,
    open_checkpoint,
    open_model,
)
from model.errors import InputError


def open_runner(
    path: Path, variant: str | None, threads: int | None = None, rounding: bool = False
) -> Runner:
    """An artifact that a manifest lies beside must be the one that the manifest describes.

    threads: None leaves it to the runtime. For a checkpoint it holds for all of PyTorch. rounding:
    a checkpoint rounds as its int8 artifacts do.
    """
    if path.suffix in CHECKPOINTS:
        if threads is not None:
            import torch

            torch.set_num_threads(threads)
        return open_checkpoint(path, variant, rounding)
    if rounding:
        raise InputError(
            f"--precision is for checkpoints, '{path}' is none; leave it out: an artifact has one"
        )
    if variant is not None:
        raise InputError(
            f"--variant {variant} is for checkpoints, '{path}' is none; leave it out: "
            "an artifact is of one variant"
        )
    check_beside(path)
    return open_model(path, threads)


def class_count(runner: Runner) -> int | None:
    """How many classes a model has, None for an artifact that carries no class names."""
    if isinstance(runner, CheckpointRunner):
        return runner.net.num_classes
    return None if runner.labels is None else len(runner.labels)
