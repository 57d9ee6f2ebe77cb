"""What the rest of the package knows of a format of artifacts.

Each format is a folder of its own: `convert.py` writes a file, `run.py` runs one, `inspect.py`
reads one, and the object in its `__init__.py` imports them on first use. A new format is a new
folder and a line in `deimv2.converters.FORMATS`.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterable
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from deimv2.model.errors import InputError, MissingExtraError

if TYPE_CHECKING:
    from deimv2.converters.inspection import Inspection, Scaled
    from deimv2.converters.metadata import ModelCard
    from deimv2.converters.runner import ArtifactRunner, Frames
    from deimv2.model import DEIMv2

# Devices; the last is a GPU with float32 arithmetic.
CPU, GPU, GPU_FLOAT32 = "cpu", "gpu", "gpu float32"


class Format(ABC):
    """One kind of artifact, and its toolchain.

    name:       of the format; with a dot in front, the suffix
    title:      of the toolchain
    extra:      of this package, which installs the toolchain
    packages:   that the toolchain consists of
    precisions: in which files can be exported
    platforms:  whose apps run it; none for a format that others are compared with
    by_default: exported where no format is named
    folder:     an artifact is a folder
    input:      what a frame is to it, as in the manifest: a "tensor" or an "image"
    native:     the runtime of phones runs on this system too, so that times mean something
    devices:    besides the CPU, on which `open_on` runs it on any machine that has such a device
    arm64:      the runtime that runs it in the emulated ARM64, None where there is none
    """

    name: str
    title: str
    extra: str
    packages: tuple[str, ...]
    precisions: tuple[str, ...]
    platforms: tuple[str, ...] = ()
    by_default: bool = True
    folder: bool = False
    input: str = "tensor"
    native: bool = True
    devices: tuple[str, ...] = ()
    arm64: str | None = None

    @property
    def suffix(self) -> str:
        return f".{self.name}"

    @property
    def label(self) -> str:
        """What tells the kinds of a format apart in file names, before the suffix: "-vulkan"."""
        return ""

    def timed(self, path: Path) -> bool:
        """Whether a file's time on this system means something."""
        return self.native

    def not_run(self, path: Path) -> str | None:
        """The delegate that computes a file on phones, if it cannot run here: then the file's
        operations are computed in PyTorch. None where the runtime itself runs."""
        return None

    def require(self) -> None:
        """Raises MissingExtraError unless the toolchain is installed; imports nothing of it."""
        for package in self.packages:
            if find_spec(package) is None:
                raise MissingExtraError(package, self.extra)

    def is_at(self, path: Path) -> bool:
        return path.is_dir() if self.folder else path.is_file()

    @abstractmethod
    def convert(self, net: "DEIMv2", card: "ModelCard", path: Path, frames: "Frames" = ()) -> None:
        """Writes an artifact of a net in eval mode, and reads it back: raises CheckError where it
        is not as it should be.

        frames: photographs at the input size, where the file's integers are calibrated on them.
        """

    @abstractmethod
    def open(self, path: Path, threads: int | None) -> "ArtifactRunner":
        """Raises InputError for a file that is broken or no artifact of ours."""

    @abstractmethod
    def inspect(self, path: Path) -> "Inspection":
        """What the file holds, read without running it."""

    def inspect_on(self, path: Path, device: str) -> "Inspection":
        """As `inspect`, with the device, which is asked what it takes, as the first delegate.

        Raises CheckError for a file that ends the device's process, InputError where there is no
        such device."""
        raise InputError(f"'{path}' runs on no '{device}' here; leave it out")

    def check(self, path: Path, card: "ModelCard") -> None:
        """Raises CheckError for what is wrong with a file that opens all the same."""
        return

    def scales(self, path: Path) -> "Iterable[Scaled]":
        """The int8 scales in a file that can be compared with something."""
        return ()

    def reference(self, path: Path) -> "ArtifactRunner":
        """Runs the file's operations as they are written, for comparison."""
        return self.open(path, None)

    def processors(self) -> tuple[str, ...]:
        """Names of this machine's processors on which every file is compared with `reference`."""
        return ()

    def open_on(self, path: Path, processor: str) -> "ArtifactRunner":
        """Opens a file on one of `processors` or `devices`. Raises InputError if it is not here."""
        raise InputError(f"'{path}' runs on no '{processor}' here; leave it out")
