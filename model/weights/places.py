"""Where weights lie: in a file, in a folder, on the Hub. PyTorch is not loaded for it."""

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from deimv2.model.errors import InputError
from deimv2.model.variants import VARIANTS, variant_of
from deimv2.model.weights.hub import fetch_checkpoint

HUB = "hf://"  # before the name of a repository, owner/name
HUB_NAMES = ("model.safetensors", "pytorch_model.bin")  # of weights beside a config.json
LAST, BEST = "last.pt", "best.safetensors"  # what a training of ours leaves in its folder
DEMO = Path(__file__).parents[1] / "demo"  # a file for each variant that has one


def told(notes: Sequence[str], source: object) -> str:
    """The notes on what was chosen in a file (`files.read_noted`) in one line for people."""
    return f"weights in '{source}': {', '.join(notes)}"


def fetch(weights: str, variant: str) -> Path:
    """The file of `weights`: "demo", "coco", "hf://owner/name", or a path.

    Raises InputError if there is none, or it cannot be fetched."""
    if not weights:
        raise InputError("'' is no path, expected weights; name a file, or leave --weights out")
    if weights == "coco":
        return fetch_checkpoint(variant_of(variant).hub)
    if weights.startswith(HUB):
        return fetch_repository(weights.removeprefix(HUB))
    if weights != "demo":
        return in_folder(Path(weights))
    path = DEMO / f"{variant}.safetensors"
    if not path.is_file():
        known = ", ".join(sorted(VARIANTS.keys() & {file.stem for file in DEMO.iterdir()}))
        raise InputError(
            f"variant '{variant}' has no demo weights, expected a variant that has ({known}); "
            "choose coco, random or a file"
        )
    return path


def fetch_repository(name: str) -> Path:
    """The weights of a Hub's repository, and its `config.json` beside them where it has one."""
    with suppress(InputError):
        fetch_checkpoint(name, "config.json")
    return fetch_checkpoint(name, *HUB_NAMES)


def in_folder(path: Path) -> Path:
    """A file itself, or the weights in a folder that is laid out as on the Hub."""
    if not path.is_dir():
        return path
    if found := weights_in(path):
        return found[0]
    require_no_training(path)
    raise InputError(
        f"the folder '{path}' holds no weights, expected {' or '.join(HUB_NAMES)}; name a file"
    )


def require_no_training(folder: Path) -> None:
    """Raises InputError for the folder of a training, where weights are wanted."""
    if any((folder / name).is_file() for name in (BEST, LAST)):
        raise InputError(f"'{folder}' is a training, expected its weights: {folder / BEST}")


def weights_in(folder: Path) -> list[Path]:
    """The files of weights in a folder as the Hub lays it out; none in any other."""
    return [folder / name for name in HUB_NAMES if (folder / name).is_file()]
