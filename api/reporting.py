"""One page on the files of one or more exports, with all that is known of them."""

import shlex
from collections.abc import Sequence
from pathlib import Path

from deimv2.api.options import Pathish, as_paths, require_progress, to_path
from deimv2.model.defaults import own_defaults
from deimv2.model.errors import InputError
from deimv2.model.files import make_folder, require_target, write_whole
from deimv2.model.optional import require
from deimv2.model.progress import SILENT, Progress
from deimv2.verification.report import page, read_phone
from deimv2.verification.verify import Report, verify_folder

INDEX = "index.html"


@own_defaults()
def report(
    folders: Pathish | Sequence[Pathish],
    output: Pathish,
    *,
    phones: Pathish | Sequence[Pathish] = (),
    progress: Progress = SILENT,
) -> Path:
    """Verifies export folders, and writes an HTML page: every file's size, AP, times, operations
    and parity, AP against size and time, the golden photographs as float32 and as each file sees
    them, and the command that made each number. It loads nothing and runs no script.

    folders: exports, for example one for each precision
    output:  a file (.html), or a folder, which gets index.html
    phones:  JSON files that the apps share after "Check this phone"

    AP and times are those that `evaluate --record` and `benchmark --record` wrote into the
    manifests. Returns the page's path. Raises InputError for what is no export or no such file.
    """
    require_progress(progress)
    places = as_paths(folders, "folders")
    if not places:
        raise InputError("no folder to report on, expected one or more of deimv2 export's")
    rows = [row for each in as_paths(phones, "phones") for row in read_phone(each)]
    file = to_path(output, "output ")
    if file.suffix != ".html":
        file = file / INDEX
    elif not file.parent.is_dir():
        raise InputError(f"no folder at '{file.parent}', expected one for the page; make it first")
    require_target(file, [".html"], "--output")
    require("jinja2", "cli")  # before minutes of work
    found: list[Report] = []
    for place in progress.track(places, "verifying"):
        found.append(verify_folder(place))
    command = shlex.join(["deimv2", "report", *map(str, places), "--output", str(output)])
    if file.name == INDEX:
        make_folder(file.parent)
    write_whole(file, page(*found, phones=rows, command=command).encode())
    return file
