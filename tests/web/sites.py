"""The web page with an export, served in two ways, and where in it things are."""

import functools
import json
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from deimv2.api.site import served
from deimv2.converters.manifest import Manifest
from deimv2.model.files import sha256_of

# SwiftShader computes WebGPU on the CPU: slow, and the same shaders as on a GPU.
WEBGPU = (
    "--enable-unsafe-webgpu", "--use-webgpu-adapter=swiftshader", "--enable-features=Vulkan",
)  # fmt: skip
STATUS = "document.querySelector('#status').textContent"
PROBLEM = "document.querySelector('#problem:not([hidden])')?.textContent"
READY = f"{STATUS}.startsWith('Ready') || {PROBLEM}"
FOUND = "[...document.querySelectorAll('#found tr')].map(r => [...r.cells].map(c => c.textContent))"
ROWS = FOUND.replace("#found", "#rows")


@contextmanager
def at(folder: Path) -> Iterator[str]:
    """The address of a site with an export folder, as `deimv2 app web --serve` serves it."""
    with served(folder, port=0) as (server, _), running(server) as address:
        yield address


@contextmanager
def running(server: ThreadingHTTPServer) -> Iterator[str]:
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/"
    finally:
        server.shutdown()
        thread.join()


class Plain(SimpleHTTPRequestHandler):
    """What `python -m http.server` is, without its log."""

    def log_message(self, format: str, *args: object) -> None:
        pass


@contextmanager
def plain(site: Path) -> Iterator[str]:
    """The address of a folder as any static host serves it."""
    with (
        ThreadingHTTPServer(
            ("127.0.0.1", 0), functools.partial(Plain, directory=str(site))
        ) as server,
        running(server) as address,
    ):
        yield address


def with_another_score(folder: Path, tmp_path: Path) -> Path:
    """A copy whose golden detections are not this model's: one score is another."""
    copy = Path(shutil.copytree(folder, tmp_path / "changed"))
    path = copy / Manifest.read(copy).golden[1].detections
    before = sha256_of(path)
    content = json.loads(path.read_text())
    content["detections"][3]["score"] -= 0.01
    path.write_text(json.dumps(content))
    manifest = copy / "manifest.json"
    manifest.write_text(manifest.read_text().replace(before, sha256_of(path)))
    return copy
