"""Compiles a `.tflite` for the NPU of one chip, ahead of time, by LiteRT's compiler plugins.

The plugins come with LiteRT's wheel; the libraries of the chips' makers that they load do not:
`./dev npu` puts Qualcomm's beside the environment, of others their SDK packages install them
(`ai-edge-litert-sdk-mediatek`, `-google-tensor`), where their servers can be reached. What is
written runs on that chip alone. There is none here: the compiler's word is all that is known.
"""

import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from deimv2.converters.tflite import TFLITE
from deimv2.model.errors import CheckError, InputError
from deimv2.model.optional import quiet, require

FOLDER = "share/deimv2-npu"  # below the environment's own
SETUP = "./dev npu"
MAKERS = ("qualcomm", "mediatek", "google_tensor", "samsung")
PATH = "LD_LIBRARY_PATH"
ABSENT = re.compile(r"(\S+\.so\S*): cannot open shared object|Failed to load (\w+) shared library")
FAULT = re.compile(r"(?:<E>|└) (.+)")
FAULTS = 3  # the last ones, which a message cites


@dataclass(frozen=True)
class Target:
    """maker: of MAKERS; chip: by the maker's name of it, "SM8750"."""

    maker: str
    chip: str

    @property
    def label(self) -> str:
        """As files are named: "qualcomm-sm8750"."""
        return f"{self.maker}-{self.chip}".lower().replace("_", "-")


@dataclass(frozen=True)
class Compiled:
    """Of `operations` in the graph the NPU runs `taken`, in `calls` calls."""

    operations: int
    taken: int
    calls: int


def target_of(text: str) -> Target:
    """Of "qualcomm:SM8750". Raises InputError for a maker or chip that no plugin is for."""
    maker, _, chip = text.partition(":")
    maker = maker.replace("-", "_")
    if maker not in MAKERS:
        raise InputError(f"no NPU '{text}', expected MAKER:CHIP with one of {', '.join(MAKERS)}")
    chips = [each.value for each in _vendor(maker).SocModel if each.value != "ALL"]
    if chip not in chips:
        raise InputError(f"{maker} has no NPU '{chip}' here, expected one of {', '.join(chips)}")
    return Target(maker, chip)


def compile(path: Path, target: Target, output: Path) -> Compiled:
    """Writes `output`, for the target's NPU.

    Raises InputError where the maker's libraries are not installed, CheckError for a file that its
    compiler does not take.
    """
    aot = require("ai_edge_litert.aot.aot_compile", TFLITE.extra)
    vendor = _vendor(target.maker)
    chosen = vendor.Target(vendor.SocModel(target.chip))
    with TemporaryDirectory(dir=output.parent) as work:
        try:
            with quiet(None), libraries(target.maker):
                made = aot.aot_compile(str(path), work, chosen, keep_going=False)
        except Exception as error:  # whatever a plugin raises
            raise _failure(target, path, error) from error
        ((_, model),) = made.models_with_backend
        (stats,) = model.partition_stats.subgraph_stats
        Path(model.path).replace(output)
    return Compiled(stats.num_total_ops, stats.num_ops_offloaded, stats.num_partitions_offloaded)


@contextmanager
def libraries(maker: str) -> Iterator[None]:
    """Where the compiler, a process of its own, finds the maker's libraries."""
    before = os.environ.get(PATH)
    folder = Path(sys.prefix) / FOLDER / maker
    os.environ[PATH] = os.pathsep.join(filter(None, (str(folder), before)))
    try:
        yield
    finally:
        if before is None:
            del os.environ[PATH]
        else:
            os.environ[PATH] = before


def _vendor(maker: str) -> Any:
    require("ai_edge_litert", TFLITE.extra)
    return import_module(f"ai_edge_litert.aot.vendors.{maker}.target")


def _failure(target: Target, path: Path, error: Exception) -> Exception:
    """From the compiler's log, which the error names."""
    log = re.search(r"See (\S+) for details", str(error))
    said = Path(log.group(1)).read_text(errors="replace") if log else str(error)
    if log:
        Path(log.group(1)).unlink()
    if absent := ABSENT.search(said):
        how = SETUP if target.maker == "qualcomm" else "its SDK package (docs/npu.md)"
        return InputError(
            f"the compiler of {target.maker} lacks a library ({absent.group(1) or absent.group(2)})"
            f"; install it with {how}"
        )
    reason = "; ".join(each.strip(" .") for each in FAULT.findall(said)[-FAULTS:])
    reason = reason or " ".join(said.split())[-300:]
    return CheckError(f"{target.label} does not take {path.name} ({reason})")
