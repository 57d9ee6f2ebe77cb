"""What an artifact says of itself: operations, their cost, who computes them, and bytes.

The cost is in multiply-accumulates of convolutions and of products of matrices, from the shapes in
the file: every output element costs as many as a filter has weights, at borders too. All else
(sums, softmax, resizing) counts as nothing.
"""

import math
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from deimv2.model.ports import Port

Scales = npt.NDArray[np.float64]
INT8 = "int8"
NEURAL_ENGINE = "Neural Engine"  # Apple's, of which both its formats tell
MAX_DIMENSIONS = 5  # of what the Neural Engine takes
FLOAT = "float"


@dataclass(frozen=True)
class Operation:
    """kind: the format's name for it; shape: of its first output.

    macs:    multiply-accumulates
    integer: whether these are of int8 weights (or a second int8 input) with int8 activations
    outside: by delegate, why it does not take the operation; it takes what is not named
    """

    kind: str
    shape: tuple[int, ...] = ()
    macs: int = 0
    integer: bool = False
    outside: Mapping[str, str] = field(default_factory=dict)

    @property
    def precision(self) -> str:
        return INT8 if self.integer else FLOAT


@dataclass(frozen=True)
class Delegate:
    """Something faster than a runtime's own kernels.

    told_by: how it is known what the delegate takes
    calls:   how often a frame enters it, None where that is not known
    """

    name: str
    told_by: str
    calls: int | None = None


@dataclass(frozen=True)
class Constant:
    """A weight or a table. size: in bytes."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    size: int


@dataclass(frozen=True)
class Inspection:
    """size and metadata: bytes of the whole artifact, and of the card in it."""

    artifact: str
    size: int
    metadata: int
    card: Mapping[str, Any] | None
    inputs: Sequence[Port]
    outputs: Sequence[Port]
    operations: Sequence[Operation]
    delegates: Sequence[Delegate]
    constants: Sequence[Constant]

    @property
    def macs(self) -> int:
        return _macs(self.operations)

    @property
    def integer_share(self) -> float:
        """Of the multiply-accumulates, those in integer kernels; 0 where there are none at all."""
        return self._share(op for op in self.operations if op.integer)

    def taken(self, delegate: str) -> list[Operation]:
        return [op for op in self.operations if delegate not in op.outside]

    def delegated_share(self, delegate: str) -> float:
        """Of the multiply-accumulates, those that the delegate takes."""
        return self._share(self.taken(delegate))

    def left_outside(self, delegate: str) -> list[tuple[str, str, int, int]]:
        """Kind, reason, count and cost of what the delegate does not take."""
        left = [op for op in self.operations if delegate in op.outside]
        return _grouped(left, lambda op: (op.kind, op.outside[delegate]))

    def reasons(self, delegate: str) -> list[tuple[str, int, int, str]]:
        """Reason, count, cost and kinds ("ADD 2, CAST 1") of what the delegate does not take."""
        groups: dict[str, list[tuple[str, int, int]]] = {}
        for kind, reason, count, macs in self.left_outside(delegate):
            groups.setdefault(reason, []).append((kind, count, macs))
        return [
            (
                reason,
                sum(count for _, count, _ in rows),
                sum(macs for _, _, macs in rows),
                ", ".join(f"{kind} {count}" for kind, count, _ in rows),
            )
            for reason, rows in groups.items()
        ]

    def costs(self) -> list[tuple[str, str, int, int]]:
        """Kind, precision (blank where nothing is multiplied), count and cost of all operations."""
        return _grouped(self.operations, lambda op: (op.kind, op.precision if op.macs else ""))

    def float_products(self) -> list[tuple[str, tuple[int, ...], int, int]]:
        """Kind, shape of the output, count and cost of all that is multiplied in float."""
        products = [op for op in self.operations if op.macs and not op.integer]
        return _grouped(products, lambda op: (op.kind, op.shape))

    def sizes(self) -> dict[str, int]:
        """Bytes by part; the graph is what is neither a constant nor metadata."""
        by_type: Counter[str] = Counter()
        for constant in self.constants:
            by_type[f"{constant.dtype} constants"] += constant.size
        parts = dict(by_type.most_common())
        return parts | {
            "metadata": self.metadata,
            "graph": self.size - self.metadata - by_type.total(),
        }

    def computation(self) -> dict[str, Any]:
        """The numbers in short, as a manifest carries them, of the first delegate."""
        shares: dict[str, Any] = {"macs": self.macs, "integer_share": round(self.integer_share, 4)}
        for delegate in self.delegates[:1]:
            share = round(self.delegated_share(delegate.name), 4)
            shares |= {"delegate": delegate.name, "delegated_share": share}
        return shares

    def shortfalls(self, delegated: float | None, integer: float | None) -> list[str]:
        """What is below the required shares of the multiply-accumulates, that the first delegate
        takes, and that are in integer kernels: each with its number and its limit."""
        of = f"of the {self.macs / 1e6:.2f} M MACs of {self.artifact}"
        missed = []
        if delegated is not None:
            name = self.delegates[0].name
            if (share := self.delegated_share(name)) < delegated:
                missed.append(f"{name} takes {share:.4f} {of}, expected at least {delegated}")
        if integer is not None and (share := self.integer_share) < integer:
            missed.append(f"{share:.4f} {of} are in integer kernels, expected at least {integer}")
        return missed

    def to_json(self) -> dict[str, Any]:
        keys = ("kind", "reason", "count", "macs")
        return {
            "artifact": self.artifact,
            "card": self.card,
            "inputs": [asdict(port) for port in self.inputs],
            "outputs": [asdict(port) for port in self.outputs],
            "macs": self.macs,
            "integer_share": self.integer_share,
            "delegates": [
                asdict(delegate)
                | {
                    "operations": len(self.taken(delegate.name)),
                    "share": self.delegated_share(delegate.name),
                    "outside": [
                        dict(zip(keys, row, strict=True))
                        for row in self.left_outside(delegate.name)
                    ],
                }
                for delegate in self.delegates
            ],
            "operations": [asdict(op) for op in self.operations],
            "size": self.size,
            "sizes": self.sizes(),
            "constants": [asdict(constant) for constant in self.constants],
        }

    def _share(self, operations: Iterable[Operation]) -> float:
        return _macs(operations) / self.macs if self.macs else 0.0


def _macs(operations: Iterable[Operation]) -> int:
    return sum(op.macs for op in operations)


def _grouped(operations: Iterable[Operation], key: Callable[[Operation], Any]) -> list[Any]:
    """(*key, count, cost) of the operations of each key, costly ones first, then frequent ones."""
    groups: dict[Any, list[Operation]] = {}
    for op in operations:
        groups.setdefault(key(op), []).append(op)
    rows = [(*name, len(ops), _macs(ops)) for name, ops in groups.items()]
    return sorted(rows, key=lambda row: (-row[-1], -row[-2], row))


def per_output(output: Sequence[int], filters: Sequence[int]) -> int:
    """Cost of a convolution or a linear layer. filters: the sides of one filter, channels too."""
    return math.prod(output) * math.prod(filters)


def of_product(left: Sequence[int], output: Sequence[int]) -> int:
    """Cost of a (batched) product of matrices [..., M, K] (or transposed) x [..., K, N]."""
    return math.prod(output) * math.prod(left[-2:]) // output[-2]


def bits_of(dtype: str) -> int:
    """Of one number as it is stored: uint4 has 4, float16 has 16, bool has 8."""
    return int((re.findall(r"\d+", dtype) or [8])[0])


class Weight(NamedTuple):
    """The steps of an int8 weight, one per output channel."""

    name: str
    steps: Scales


class Twice(NamedTuple):
    """A step as it follows from other tensors, and as it is stated; one, or one per channel."""

    name: str
    follows: Scales
    stated: Scales


Scaled = Weight | Twice
