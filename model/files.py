"""Files that are either whole or not there, and their hashes."""

import hashlib
import os
import re
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path

from deimv2.model.errors import InputError

UMASK = os.umask(0)  # reading it sets it, for all threads: so once, before there are any
os.umask(UMASK)

PICKLES = (".pth", ".pt", ".ckpt", ".bin")
CHECKPOINTS = (".safetensors", *PICKLES)


def is_checkpoint(path: Path) -> bool:
    """By the suffix, in either case."""
    return path.suffix.lower() in CHECKPOINTS


def make_folder(path: Path) -> None:
    """Makes the folder where it is missing; InputError where that cannot be done."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(
            f"cannot make the folder '{path}' ({error.strerror}), expected a place to write to; "
            "choose another one"
        ) from error


def names_apart(paths: Sequence[Path]) -> dict[Path, str]:
    """A short name for each file that no other has: its own, with as many parent folders before it
    as that takes."""
    parts = {path: path.absolute().parts for path in paths}
    names = {}
    for path, own in parts.items():
        others = [each for other, each in parts.items() if other != path]
        length = 1
        while length < len(own) and any(own[-length:] == each[-length:] for each in others):
            length += 1
        names[path] = Path(*own[-length:]).as_posix()
    return names


def require_room(folder: Path, needed: int, what: str, way: str) -> None:
    """Raises InputError where fewer than `needed` bytes are free. `what` needs them, and `way`
    is how to need fewer, both for the message."""
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise InputError(
            f"{free / 1e6:.1f} MB are free at '{folder}', expected {needed / 1e6:.1f} for this "
            f"{what} (No space left on device); {way} or free some space"
        )


def require_local(path: Path) -> None:
    """Raises InputError for a URL, a camera or standard input in place of a file."""
    name = str(path)
    if path.is_file():
        return
    if re.match(r"(?!hf:)\w{2,}:/", name):
        url = re.sub(":/+", "://", name, count=1)  # a path has lost one of the two
        raise InputError(f"'{url}' is a URL, expected a file; download or record it first")
    if name.isdecimal() or name.startswith("/dev/video"):
        raise InputError(f"'{name}' is a camera, expected a file; record a video first")
    if name in ("-", "/dev/stdin"):
        raise InputError(f"'{name}' is standard input, expected a file; save it as one first")


def require_target(path: Path, kinds: Sequence[str], option: str) -> None:
    """Raises InputError unless a file can be written at `path`: its suffix is one of `kinds`
    (".png"), no folder or device is in its place, and its folder can be written to.

    option: that names the path, for the message."""
    if path.suffix.lower() not in kinds:
        raise InputError(
            f"{option} '{path}' ends in '{path.suffix}', expected {' or '.join(kinds)}; rename it"
        )
    if path.exists() and not path.is_file():
        raise InputError(
            f"{option} '{path}' is there and is no file, expected a file or nothing; name another"
        )
    folder = next(each for each in path.absolute().parents if each.exists())
    if not (folder.is_dir() and os.access(folder, os.W_OK)):
        raise InputError(
            f"{option} '{path}' cannot be written, as '{folder}' takes no files, expected a folder "
            "that does; name another place"
        )


def require_other(path: Path, source: Path | None, option: str) -> None:
    """Raises InputError where a file to write is the `source`. option: that names the source."""
    if source is not None and path.exists() and source.exists() and path.samefile(source):
        raise InputError(
            f"the output '{path}' is the file of {option}, expected another one, as it would be "
            "replaced; choose another --output"
        )


def write_whole(path: Path, content: bytes) -> None:
    """Writes a file beside `path`, then moves it there: `path` is never partial. Raises OSError."""
    name = ""
    try:
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        Path(name).chmod(0o666 & ~UMASK)  # mkstemp lets only the owner read
        os.replace(name, path)  # noqa: PTH105
    except BaseException as error:
        if name:
            Path(name).unlink(missing_ok=True)
        if isinstance(error, OSError):
            error.filename, error.filename2 = str(path), None  # not a name that nobody gave
        raise


def put_in_place(source: Path, target: Path, aside: Path) -> None:
    """Moves a file or folder to where an earlier one may be. An earlier folder goes to `aside`, and
    comes back where the move fails."""
    replaces = target.is_dir()
    if replaces:
        target.rename(aside)
    try:
        source.replace(target)
    except OSError:
        if replaces:
            aside.rename(target)
        raise


def reason_of(error: OSError) -> str:
    """What went wrong, in a few words; `shutil.copytree` lists all failures: of these the first."""
    if isinstance(error, shutil.Error) and isinstance(error.args[0], list):
        _source, _target, reason = error.args[0][0]  # "[Errno 28] No space left on device: 'x'"
        return str(reason).split(": ")[0].split("] ")[-1]
    return error.strerror or str(error)


def size_of(path: Path) -> int:
    """Bytes of a file, or of all files below a folder."""
    return sum(part.stat().st_size for part in _parts(path))


def sha256_of(path: Path) -> str:
    """SHA-256 of a file. Of a folder (an `.mlpackage`): over its files in the order of their paths,
    each as its relative path in UTF-8, a zero byte, its length in 8 bytes (big-endian), and its
    content.
    """
    digest = hashlib.sha256()
    for part in _parts(path):
        if path.is_dir():
            digest.update(part.relative_to(path).as_posix().encode() + b"\0")
            digest.update(part.stat().st_size.to_bytes(8, "big"))
        with part.open("rb") as file:
            while chunk := file.read(1 << 20):
                digest.update(chunk)
    return digest.hexdigest()


def _parts(path: Path) -> list[Path]:
    if not path.is_dir():
        return [path]
    files = [part for part in path.rglob("*") if part.is_file()]
    return sorted(files, key=lambda part: part.relative_to(path).as_posix().encode())
