"""Writes the test vectors that all four languages share: `python -m deimv2.tests.vectors`.

Each .json file names the line that made what it holds; what lies beside is named in one of them.
"""

from pathlib import Path

from deimv2.model.files import write_whole
from deimv2.tests.vectors import boxes, frames, languages, latencies, manifests, parity, tracks

FOLDER = Path(__file__).parent


def make() -> dict[str, bytes]:
    """Path below this folder -> content; the same every time."""
    modules = (frames, boxes, parity, manifests, languages, tracks, latencies)
    return {name: content for module in modules for name, content in module.make().items()}


if __name__ == "__main__":
    for name, content in make().items():
        (FOLDER / name).parent.mkdir(parents=True, exist_ok=True)
        write_whole(FOLDER / name, content)
