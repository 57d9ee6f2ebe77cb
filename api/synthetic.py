"""The demo's data set: garments of Fashion-MNIST on photographs, made anew."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from deimv2.api.options import Pathish
from deimv2.converters.photographs import PHOTOGRAPHS
from deimv2.model.errors import InputError
from deimv2.model.numbers import require_numbers
from deimv2.model.progress import SILENT, Progress
from deimv2.training.data.synthetic import DENSE, PLAIN, read_garments, read_photos, write_scenes

GARMENTS = Path("/usr/share/datasets/fashion-mnist")  # Debian's dataset-fashion-mnist
PACKAGES = "mate-backgrounds lomiri-wallpapers-16.04 opencv-doc"
BACKGROUNDS = Path("/usr/share/backgrounds")
EXAMPLES = Path("/usr/share/doc/opencv-doc/examples")
LOMIRI = """Bridge_by_Sander_Klootwijk Dragonfly_by_Bolly Picture_0B_by_freespace
Picture_1A_by_freespace Wine_by_Jakkub_Mede aitzgorri_by_Aitzol_Berasategi free_by_Peter_Nerlich
friends_by_Aitzol_Berasategi greentock_by_Peter_Nerlich life_by_Aitzol_Berasategi
picosdeeuropa_by_Aitzol_Berasategi seeding_by_Clements_Engelhardt sunset_by_Aitzol_Berasategi"""
OPENCV = """aero1.jpg aloeL.jpg apple.jpg baboon.jpg basketball1.png board.jpg box_in_scene.png
building.jpg butterfly.jpg chicky_512.png ela_original.jpg fruits.jpg graf1.png home.jpg left.jpg
left05.jpg left11.jpg leuvenA.jpg licenseplate_motion.jpg messi5.jpg orange.jpg pca_test1.jpg
rubberwhale1.png smarties.png squirrel_cls.jpg starry_night.jpg stuff.jpg sudoku.png
text_defocus.jpg text_motion.jpg"""
# Debian's mate-backgrounds, and what in the two other packages is a photograph.
PHOTOS = (
    BACKGROUNDS / "mate" / "nature",
    *(BACKGROUNDS / f"{name}.jpg" for name in LOMIRI.split()),
    *(EXAMPLES / "data" / name for name in OPENCV.split()),
    *(EXAMPLES / "text" / f"scenetext0{number}.jpg" for number in range(1, 7)),
)
PARTS = {"train": ("train", 12_000, 0), "val": ("t10k", 200, 1)}  # Fashion-MNIST's, scenes, seed


def make_scenes(
    folders: Mapping[str, Pathish],
    count: int | None = None,
    seed: int | None = None,
    garments: Pathish | None = None,
    photos: Sequence[Pathish] | None = None,
    progress: Progress = SILENT,
) -> dict[str, int]:
    """Writes scenes, with COCO annotations, of parts, "train" and "val", each into its folder;
    gives how many of each.

    None: as the demo weights were trained on. Raises InputError for a folder that is not empty,
    before anything is written, or where garments or photos are not installed.
    """
    require_numbers(count=count, seed=seed)
    for folder in map(Path, folders.values()):
        if folder.exists() and any(folder.iterdir()):
            raise InputError(f"'{folder}' is not empty; choose another folder, or remove it")
    return {
        part: _make_part(part, Path(folder), count, seed, garments, photos, progress)
        for part, folder in folders.items()
    }


def _make_part(
    part: str,
    folder: Path,
    count: int | None,
    seed: int | None,
    garments: Pathish | None,
    photos: Sequence[Pathish] | None,
    progress: Progress,
) -> int:
    source, usual, its_seed = PARTS[part]
    train = part == "train"
    pictures = read_garments(Path(garments or GARMENTS), source)
    backgrounds = [Path(p) for p in photos or (PHOTOS if train else PHOTOGRAPHS)]
    missing = [path for path in backgrounds if not path.exists()]
    if missing:
        raise InputError(
            f"no photo or folder at '{missing[0]}', expected backgrounds; install them "
            f"(apt-get install {PACKAGES}), or name others with --photos"
        )
    write_scenes(
        folder,
        pictures,
        read_photos(backgrounds),
        count or usual,
        its_seed if seed is None else seed,
        style=DENSE if train else PLAIN,
        progress=lambda items: progress.track(items, "scenes", rate=True),
    )
    return count or usual
