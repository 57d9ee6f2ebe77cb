"""What a training is measured by: annotations, and what another network detects."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from deimv2.evaluation import measure
from deimv2.evaluation.annotations import match_classes, read_annotations
from deimv2.evaluation.measure import Measurement
from deimv2.model.progress import SILENT
from deimv2.tests.annotated import CATEGORIES, Box, Replay, write_set

CAT, DOG, _ = CATEGORIES
LEFT, RIGHT = (0.1, 0.1, 0.2, 0.3), (0.5, 0.5, 0.4, 0.4)
TRUTH = [Box(0, CAT, LEFT), Box(1, DOG, RIGHT)]


def measuring(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Measurement:
    """Of "networks" that are the boxes they detect."""
    monkeypatch.setattr(measure, "CheckpointRunner", Replay)
    annotations = read_annotations(write_set(folder, TRUTH))
    classes = match_classes(annotations, None, len(CATEGORIES))
    return Measurement(annotations, annotations.find(folder / "images"), classes, SILENT)


def test_agreement_is_ap_of_what_the_teacher_is_sure_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Right or wrong: here it finds one of the two objects, and one that is not there."""
    teacher = [
        Box(0, CAT, LEFT, 0.8),
        Box(0, DOG, RIGHT, 0.4),
        Box(1, DOG, LEFT, 0.2),
    ]
    beside = measuring(tmp_path, monkeypatch).beside(teacher)  # type: ignore[arg-type]

    def agreement(student: Sequence[Box]) -> float | None:
        return beside(student)["agreement"]  # type: ignore[arg-type]

    assert agreement(teacher) == pytest.approx(1)
    assert agreement(teacher[:2]) == pytest.approx(1)
    assert agreement(teacher[:1]) == pytest.approx(0.5)
    assert agreement(TRUTH) == pytest.approx(0.5)
    assert beside(TRUTH)["AP"] == pytest.approx(1)  # type: ignore[arg-type]


def test_without_a_teacher_there_is_no_agreement(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "agreement" not in measuring(tmp_path, monkeypatch)(TRUTH)  # type: ignore[arg-type]


def test_a_teacher_that_is_sure_of_nothing_says_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    unsure = [Box(0, CAT, LEFT, 0.2)]
    beside = measuring(tmp_path, monkeypatch).beside(unsure)  # type: ignore[arg-type]
    assert beside(TRUTH)["agreement"] is None  # type: ignore[arg-type]
