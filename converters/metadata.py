"""What an artifact says about itself: the manifest in short, embedded in every file."""

import json
from dataclasses import asdict, dataclass

from deimv2.converters.contract import INPUT, OUTPUTS
from deimv2.converters.precision import PRECISIONS, Precision
from deimv2.model.words import plural

KEY = "deimv2.json"  # the name of the card wherever a format stores named metadata


@dataclass(frozen=True)
class ModelCard:
    """image_size: (H, W); queries: how many detections, K; weights: where they come from."""

    variant: str
    precision: str
    image_size: tuple[int, int]
    queries: int
    labels: tuple[str, ...]
    weights: str
    weights_sha256: str

    @property
    def kind(self) -> Precision:
        return PRECISIONS[self.precision]

    @property
    def title(self) -> str:
        return f"DEIMv2-{self.variant.capitalize()}"

    @property
    def stem(self) -> str:
        """File name without its suffix."""
        return f"deimv2-{self.variant}-{self.precision}"

    @property
    def description(self) -> str:
        height, width = self.image_size
        return (
            f"{self.title} object detector, {self.precision}, {width} x {height} pixels, "
            f"{plural(len(self.labels), 'class', 'classes')}, no NMS needed. "
            f"Weights: {self.weights}."
        )

    def to_json(self) -> str:
        """The same card always gives the same text."""
        return json.dumps(asdict(self), sort_keys=True, ensure_ascii=False, separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str) -> "ModelCard":
        """Raises ValueError, KeyError or TypeError for a text that is no card."""
        stored = json.loads(text)
        height, width = stored.pop("image_size")
        labels = tuple(stored.pop("labels"))
        return cls(**stored, image_size=(height, width), labels=labels)

    def interface(self) -> dict[str, tuple[tuple[int, ...], str]]:
        """Shape and type of the input and the outputs of a file that takes a uint8 frame."""
        return {
            INPUT: ((1, *self.image_size, 3), "uint8"),
            **{each.name: (each.shape(self.queries), each.dtype) for each in OUTPUTS},
        }
