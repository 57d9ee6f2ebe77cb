"""Inputs and outputs of artifacts."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Port:
    """An input or output of an artifact. A shape may hold None, or names, where it is not fixed."""

    name: str
    shape: tuple[Any, ...]
    dtype: str

    def __str__(self) -> str:
        return f"{self.name} {self.dtype} [{', '.join(map(str, self.shape))}]"
