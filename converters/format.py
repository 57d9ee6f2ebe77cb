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
    """name:       also the suffix, without its dot
    title:      of the toolchain
    extra:      of the package, which installs it
    packages:   that have to be there
    precisions: that there are files of
    platforms:  whose apps run it; none for a format that others are compared with
    by_default: exported where no format is named
    folder:     an artifact is a folder
    input:      what a frame is to it, as in the manifest: a "tensor" or an "image"
    native:     its own runtime runs on this system, so that times say something
    devices:    other than the CPU that `open_on` runs it on, on any machine with such a device
    arm64:      the program that runs it inside the emulated ARM64, None where there is none
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
        """What a file's name has before its suffix, where the format has several kinds."""
        return ""

    def timed(self, path: Path) -> bool:
        """Whether a file's time on this system says something."""
        return self.native

    def not_run(self, path: Path) -> str | None:
        """Who computes a file on phones, where that cannot be run here: then its operations are."""
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
        """With the device as its first delegate, which is asked. Raises CheckError for a file that
        ends its process, InputError where there is no such device."""
        raise InputError(f"'{path}' runs on no '{device}' here; leave it out")

    def check(self, path: Path, card: "ModelCard") -> None:
        """Raises CheckError for what is wrong in a file and opening it does not find."""
        return

    def scales(self, path: Path) -> "Iterable[Scaled]":
        """The int8 scales in a file that can be compared with something."""
        return ()

    def reference(self, path: Path) -> "ArtifactRunner":
        """Runs the file's operations as they are written, for comparison."""
        return self.open(path, None)

    def processors(self) -> tuple[str, ...]:
        """Those of this machine on which every file is compared with its reference, by name."""
        return ()

    def open_on(self, path: Path, processor: str) -> "ArtifactRunner":
        """Raises InputError where there is no such processor or device."""
        raise InputError(f"'{path}' runs on no '{processor}' here; leave it out")
