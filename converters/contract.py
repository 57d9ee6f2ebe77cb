"""What every artifact takes and gives, in one table."""

from dataclasses import dataclass

INPUT = "image"


@dataclass(frozen=True)
class Output:
    """One of an artifact's outputs. each: the shape of what belongs to one detection."""

    name: str
    dtype: str
    each: tuple[int, ...]
    meaning: str

    def shape(self, queries: int) -> tuple[int, ...]:
        return (1, queries, *self.each)

    @property
    def kind(self) -> tuple[str, int]:
        """Type and number of axes, which tell the outputs apart where they have no names."""
        return self.dtype, 2 + len(self.each)

    def __str__(self) -> str:
        return f"{self.name} {self.dtype} [{', '.join(map(str, (1, 'K', *self.each)))}]"


OUTPUTS = (
    Output(
        "boxes", "float32", (4,),
        "x1, y1, x2, y2 in 0..1 of the frame, best first; not clipped to the frame",
    ),
    Output("scores", "float32", (), "confidence in 0..1, best first"),
    Output("labels", "int32", (), "index of the class"),
)  # fmt: skip
NAMES = tuple(output.name for output in OUTPUTS)
EXPECTED = ", ".join(map(str, OUTPUTS))
