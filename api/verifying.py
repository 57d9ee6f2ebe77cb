"""Are the artifacts of an export whole, and do they detect what the model detects?"""

from functools import partial
from pathlib import Path

from deimv2.api.options import Pathish, as_path, require_progress, to_path
from deimv2.converters.format import GPU
from deimv2.converters.results import record_all
from deimv2.emulation.check import entry, verify_on_arm64
from deimv2.model.defaults import own_defaults
from deimv2.model.errors import InputError
from deimv2.model.files import require_target, write_whole
from deimv2.model.optional import require
from deimv2.model.progress import SILENT, Progress
from deimv2.verification.gpu import record_on_gpu, verify_on_gpu
from deimv2.verification.report import page
from deimv2.verification.verify import Report, verify_folder

ARM64 = "arm64"
PAGES = (".html", ".htm")


@own_defaults()
def verify(
    folder: Pathish,
    images: Pathish | None = None,
    *,
    device: str | None = None,
    report: Pathish | None = None,
    record: bool = False,
    progress: Progress = SILENT,
) -> Report:
    """Checks the hash of every file in an export folder, and runs every artifact on its golden
    photographs, against the reference's detections.

    images: folder of photos on which the artifacts are compared with each other, too
    device: "arm64": run the `.tflite` and `.pte` files on an emulated ARM64 instead, compare with
            this machine and count instructions; "gpu": run the `.tflite` files on LiteRT's GPU
            accelerator instead
    report: file (HTML) to write, with pictures, charts and hashes
    record: of `device`: write the result into the manifest; of "gpu": also whether apps are to try
            the GPU first, or leave it out

    What is wrong with an artifact is in the result. Raises InputError for a folder that is no
    export, photos that cannot be read, or options that do not fit.
    """
    require_progress(progress)
    folder, file = to_path(folder, "folder "), as_path(report, "report ")
    check_options(images, device, file, record)
    if device is None:
        with progress.status(f"verifying {folder}"):
            found = verify_folder(folder, as_path(images, "images "))
    elif device == GPU:
        found = verify_on_gpu(folder, partial(progress.track, message="on the GPU"))
    else:
        progress.log("running .tflite and .pte on ARM64; Core ML and ONNX have no place there")
        found = verify_on_arm64(folder, partial(progress.track, message="on ARM64"))
    if record and device == GPU:
        record_on_gpu(folder, found)
    elif record:
        counted = {folder / row.artifact: entry(row) for row in found.rows}
        record_all("arm64", {path: each for path, each in counted.items() if each})
    if file is not None:
        with progress.status(f"writing {file}"):
            write_whole(file, page(found).encode())
    return found


def check_options(
    images: Pathish | None, device: str | None, report: Path | None, record: bool
) -> None:
    """Raises InputError for what cannot be done together, or written, before minutes of work."""
    if device not in (None, ARM64, GPU):
        raise InputError(f"device '{device}', expected {ARM64} or {GPU}, or none for this machine")
    if device and images:
        raise InputError("--images compares on this machine; leave out --images or --device")
    if device and report:
        raise InputError(
            f"--report shows what this machine detects, found --device {device} with it; run "
            "--device with --record, which the page of a later run shows"
        )
    if record and device is None:
        raise InputError(
            f"--record is for --device {ARM64} and {GPU}; what this machine detects stands in the "
            "manifest already"
        )
    if report and (report.is_dir() or not report.parent.is_dir()):
        raise InputError(
            f"--report '{report}' is not a file in an existing folder, expected for example "
            "report.html; make the folder or name another file"
        )
    if report:
        require_target(report, PAGES, "--report")
        require("jinja2", "cli")
