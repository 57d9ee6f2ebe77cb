"""The photos and annotations that a training is given."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

from deimv2.api.options import Pathish, flag
from deimv2.model.errors import InputError
from deimv2.model.progress import SILENT, Progress
from deimv2.model.words import plural
from deimv2.training.data.dataset import Dataset, read_dataset
from deimv2.training.data.layouts import LAYOUTS, NAMES, Part, find_part, part_names, whole

DATA = ("data", "images", "annotations", "val_images", "val_annotations")  # of a training


class WithData(Protocol):
    """Options that name data: a folder, or photos and annotations by themselves."""

    @property
    def data(self) -> Pathish | None: ...
    @property
    def images(self) -> Pathish | None: ...
    @property
    def annotations(self) -> Pathish | None: ...


def read_train(options: WithData, progress: Progress) -> Dataset:
    """The photos to train on, checked; what was found in them is said."""
    require_one_source(options)
    part = part_of("train", options.data, options.images, options.annotations)
    if part is None:
        where = (
            "--data DIR or --images and --annotations"
            if options.data is None
            else f"in '{options.data}' {LAYOUTS}"
        )
        raise InputError(f"no photos to train on, expected {where}; see --help")
    with progress.status(f"reading {part.annotations}"):
        dataset, findings = read_dataset(part)
    for line in findings.lines():
        progress.log(f"data: {line}")
    boxes = sum(len(sample.labels) for sample in dataset.samples)
    progress.log(
        f"data: {plural(len(dataset.samples), 'photo')}, {plural(boxes, 'box', 'boxes')}, "
        f"{plural(len(dataset.names), 'class', 'classes')}"
    )
    return dataset


def data_again(options: object, stored: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """Where the data of a stopped training in a folder lie by now: as stored, unless named anew.

    Raises InputError for what is no longer there.
    """
    given = {name: path for name in DATA if (path := getattr(options, name)) is not None}
    before = {} if "data" in given else {name: stored[name] for name in DATA}
    if given.keys() & {"images", "annotations"}:
        before["data"] = None
    for name, path in before.items():
        if path is not None and name not in given and not Path(path).exists():
            raise InputError(
                f"no '{path}', expected what the training in '{folder}' was started with; name its "
                f"new place with {flag(name)}"
            )
    return dict.fromkeys(DATA) | before | given


def part_of(
    name: str, data: Pathish | None, images: Pathish | None, annotations: Pathish | None
) -> Part | None:
    """Photos with their annotations, None where nothing names any. name: "train" or "val"."""
    if images is not None and annotations is not None:
        return Part(Path(images), Path(annotations))
    if images is not None or annotations is not None:
        prefix = "--val-" if name == "val" else "--"
        there, missing = f"{prefix}images", f"{prefix}annotations"
        if images is None:
            there, missing = missing, there
        raise InputError(
            f"{there} without {missing}, expected both, as photos and annotations belong together; "
            f"add {missing}, or give --data alone"
        )
    return None if data is None else find_part(Path(data), name)


def require_one_source(options: WithData) -> None:
    """Raises InputError for photos or annotations beside a data set's folder."""
    if options.data is not None and (options.images, options.annotations) != (None, None):
        raise InputError(
            "photos and annotations belong together, found --data with them; give both, or "
            "--data alone"
        )


def part_to_measure(
    data: Pathish | None,
    images: Pathish | None = None,
    annotations: Pathish | None = None,
    progress: Progress = SILENT,
) -> Part | None:
    """The part to measure AP on while training: `val`, else `test`, which is said."""
    part = part_of("val", data, images, annotations)
    if part is None and data is not None:
        part = find_part(Path(data), "test")
        if part is not None:
            progress.log(
                f"data: no 'val' part in '{data}': AP is measured on 'test', by which the best "
                "weights are chosen too; hold other photos back to judge them by"
            )
    return part


def part_named(folder: Path, name: str | None, progress: Progress) -> Part:
    """The part to evaluate on; None: `val`, else `test`, which is said, else a folder that is one.

    Raises InputError where it is not there.
    """
    if name is not None and name not in NAMES:
        raise InputError(f"split is '{name}', expected one of {', '.join(NAMES)}")
    part = find_part(folder, name or "val")
    if part is None and name is None and (part := find_part(folder, "test")) is not None:
        progress.log(f"no 'val' part in '{folder}': AP is measured on 'test'")
    if part is not None:
        return part
    there = part_names(folder)
    if name is None and not there and (part := whole(folder)) is not None:
        return part
    if there:
        raise InputError(
            f"'{folder}' has no part '{name or 'val'}', expected one; it has {', '.join(there)}: "
            "name one of them as split"
        )
    if name is not None and whole(folder) is not None:
        raise InputError(
            f"'{folder}' is one part, without a part '{name}' in it, expected a data set's folder "
            f"where split is '{name}'; leave split out to take the part itself"
        )
    raise InputError(
        f"no annotated photos in '{folder}', expected a folder with val/, photos and one .json "
        f"file, or another layout ({LAYOUTS}); or name images and annotations"
    )
