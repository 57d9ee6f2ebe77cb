"""Exports of Atto with the demo weights that are wrong on purpose, for real runtimes to run."""

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from torch import Tensor, nn

from cli.weights import load
from converters.convert import convert
from converters.graph import MobileForm, mobile_form
from converters.manifest import NAME, Manifest, describe
from evaluation.verify import Row, _card, verify_folder

Form = Callable[[MobileForm], nn.Module]


class Shifted(nn.Module):
    """Labels count from 1, as where class 0 is the background."""

    def __init__(self, form: MobileForm) -> None:
        super().__init__()
        self.form = form

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        boxes, scores, labels = self.form(image)
        return boxes, scores, labels + 1


class Reversed(nn.Module):
    """Reads the frame as BGR."""

    def __init__(self, form: MobileForm) -> None:
        super().__init__()
        self.form = form

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        return self.form(image.flip(3 if self.form.frame else 1))


def normalised_by(mean: tuple[float, ...], std: tuple[float, ...]) -> Form:
    """Pixels become (x / 255 - mean) / std."""

    def change(form: MobileForm) -> MobileForm:
        form.normalisation = type(form.normalisation)(mean, std)
        return form

    return change


def copy_folder(source: Path, target: Path) -> Path:
    shutil.copytree(source, target)
    return target


def convert_wrongly(folder: Path, change: Form) -> Path:
    """Puts a wrong artifact in the place of each right one of an export folder."""
    manifest = Manifest.read(folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            "converters.tools.mobile_form", lambda net, target: change(mobile_form(net, target))
        )
        for file in manifest.files:
            net = load("atto", "demo", None, manifest.input.size).net
            path = folder / file.name
            shutil.rmtree(path) if path.is_dir() else path.unlink()
            convert(file.format, net, _card(manifest), path, False, folder / "export.log")
    return stamp(folder)


def stamp(folder: Path) -> Path:
    """Lets the manifest expect the files that are there."""
    manifest = Manifest.read(folder)
    files = tuple(describe(folder / file.name) for file in manifest.files)
    replace(manifest, files=files).write(folder / NAME)
    return folder


def only_row(folder: Path) -> Row:
    (row,) = verify_folder(folder).rows
    return row


def patch_tflite(path: Path, change: Callable[[Any], None]) -> None:
    """change: of the whole model, as objects of LiteRT's schema."""
    from ai_edge_litert.tools import flatbuffer_utils

    model = flatbuffer_utils.read_model(str(path))
    change(model)
    flatbuffer_utils.write_model(model, str(path))
