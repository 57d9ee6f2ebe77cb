"""An export beside the web page that runs it, and a server for the two."""

import functools
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from deimv2.api.apps import ROOT, formats_of
from deimv2.api.options import Pathish
from deimv2.converters.app_assets import write_bundle
from deimv2.converters.manifest import Manifest
from deimv2.model.errors import InputError

PLATFORM = "web"
PAGE = ROOT / "web" / "page"  # what `./dev web` builds of web/src
PORT = 8000
HEADERS = {
    # Both, and browsers give a page threads that share memory.
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Embedder-Policy": "require-corp",
    # As the page says of itself. A worker is bound by the header alone.
    "Content-Security-Policy": "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; "
    "worker-src 'self'; connect-src 'self'; style-src 'self'; img-src 'self'",
}


def write_site(folder: Pathish, output: Pathish) -> tuple[Path, Manifest]:
    """Writes the page with the `.tflite` files of an export folder, their golden files and a
    manifest of those to `output`, for any static host. Gives the place and the manifest.

    Raises InputError for a folder without such artifacts, CheckError for a damaged file.
    """
    target = Path(output)
    return target, write_bundle(Path(folder), target, formats_of(PLATFORM), beside=PAGE)


@contextmanager
def served(folder: Pathish, port: int = PORT) -> Iterator[tuple[ThreadingHTTPServer, Manifest]]:
    """A server of the page with an export folder on this machine alone, not yet running, and the
    manifest; port 0 takes a free one. What it serves goes with it.

    Raises InputError for a port that cannot be had, and what `write_site` raises.
    """
    with tempfile.TemporaryDirectory(prefix="deimv2-") as name:
        site, manifest = write_site(folder, Path(name) / "site")
        try:
            server = ThreadingHTTPServer(
                ("127.0.0.1", port), functools.partial(_Handler, directory=str(site))
            )
        except (OSError, OverflowError) as error:
            raise InputError(
                f"port {port} cannot be had ({error}), expected a free one from 0 to 65535; "
                "name another one with --port"
            ) from error
        with server:
            yield server, manifest


class _Handler(SimpleHTTPRequestHandler):
    # Fixed here: the system's own table may give another type for .js.
    extensions_map = SimpleHTTPRequestHandler.extensions_map | {
        ".js": "text/javascript",
        ".gz": "application/gzip",
    }

    def end_headers(self) -> None:
        for name, value in HEADERS.items():
            self.send_header(name, value)
        super().end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Nothing: the address is all that the terminal is for."""
