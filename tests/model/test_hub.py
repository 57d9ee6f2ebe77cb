"""`model.weights.hub` against a small local server that answers as the Hub's resolve endpoint does.

The Hub's client reads HF_ENDPOINT and HF_HOME when it is imported, so each fetch is a process.
"""

import errno
import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import huggingface_hub
import pytest

from deimv2.model.errors import InputError, MissingExtraError
from deimv2.model.weights import hub
from deimv2.model.weights.places import HUB_NAMES

ROOT = Path(__file__).resolve().parents[2]
REPO = "someone/a-detector"
PATH = f"/{REPO}/resolve/main/model.safetensors"
CONTENT = bytes(range(256)) * 45_000  # 11.5 MB: more than the 10 MiB that the client reads at once
BROKEN_AT = 11_000_000
COMMIT = "0123456789abcdef0123456789abcdef01234567"

FETCH = """
import json, sys, time
from deimv2.model.errors import InputError
from deimv2.model.weights.hub import fetch_checkpoint
started = time.monotonic()
answer = {}
try:
    answer["path"] = str(fetch_checkpoint(*sys.argv[1:]))
except InputError as error:
    answer["error"] = str(error)
answer["seconds"] = time.monotonic() - started
assert "torch" not in sys.modules
print(json.dumps(answer))
"""


@dataclass
class FakeHub:
    """What the server answers; tests set it before a fetch."""

    url: str = ""
    path: str = PATH  # of the one file that is there
    refusal: tuple[int, str] | None = None  # status and X-Error-Code
    breaks: int = 0  # so many downloads are cut at BROKEN_AT
    honours_range: bool = True
    requests: list[str] = field(default_factory=list)


def _handler(fake: FakeHub) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            self._answer(body=False)

        def do_GET(self) -> None:
            self._answer(body=True)

        def _answer(self, body: bool) -> None:
            fake.requests.append(f"{self.command} {self.path}")
            code = "EntryNotFound" if self.path.startswith(f"/{REPO}/") else "RepoNotFound"
            found = (200, "") if self.path == fake.path else (404, code)
            status, code = fake.refusal or found
            if status != 200:
                self.send_response(status)
                self.send_header("X-Error-Code", code)
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            start = 0
            asked = self.headers.get("Range")
            if asked and fake.honours_range:
                start = int(asked.removeprefix("bytes=").rstrip("-"))
            self.send_response(206 if start else 200)
            if start:
                self.send_header(
                    "Content-Range", f"bytes {start}-{len(CONTENT) - 1}/{len(CONTENT)}"
                )
            self.send_header("ETag", '"abc123"')
            self.send_header("X-Repo-Commit", COMMIT)
            self.send_header("Content-Length", str(len(CONTENT) - start))
            self.end_headers()
            if body:
                end = BROKEN_AT if fake.breaks > 0 else len(CONTENT)
                fake.breaks -= 1
                self.wfile.write(CONTENT[start:end])
            self.close_connection = True

        def log_message(self, *args: object) -> None:
            """Silent."""

    return Handler


@pytest.fixture
def fake() -> Iterator[FakeHub]:
    fake = FakeHub()
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(fake))
    fake.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield fake
    server.shutdown()
    server.server_close()
    thread.join()


def closed_port() -> str:
    """An address of this machine at which nothing listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{probe.getsockname()[1]}"


def fetch(
    endpoint: str, home: Path, repo: str = REPO, names: Sequence[str] = (), **environment: str
) -> dict[str, object]:
    clean = {
        key: value
        for key, value in os.environ.items()
        if not key.startswith("HF_") and not key.lower().endswith("_proxy")
    }
    done = subprocess.run(
        [sys.executable, "-c", FETCH, repo, *names],
        cwd=ROOT,
        env={**clean, "HF_ENDPOINT": endpoint, "HF_HOME": str(home), **environment},
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    return json.loads(done.stdout)


def files_of(home: Path) -> list[Path]:
    """Everything in the cache that is, or could pass for, the checkpoint."""
    kept = ("blobs", "snapshots")
    return [
        path
        for path in (home / "hub").rglob("*")
        if path.is_file() and any(k in path.parts for k in kept)
    ]


def assert_one_clear_line(answer: dict[str, object], *parts: str) -> None:
    error = str(answer["error"])
    assert "\n" not in error
    for part in (REPO, "name the file", *parts):
        assert part in error, f"'{part}' is not in: {error}"


def test_downloads_once_and_then_uses_the_cache(fake: FakeHub, tmp_path: Path) -> None:
    first = fetch(fake.url, tmp_path)
    assert Path(str(first["path"])).read_bytes() == CONTENT

    fake.requests.clear()
    assert fetch(fake.url, tmp_path)["path"] == first["path"]
    assert f"GET {PATH}" not in fake.requests


def test_uses_the_cache_without_a_server_and_offline(fake: FakeHub, tmp_path: Path) -> None:
    path = fetch(fake.url, tmp_path)["path"]
    assert fetch(closed_port(), tmp_path)["path"] == path
    fake.requests.clear()
    assert fetch(fake.url, tmp_path, HF_HUB_OFFLINE="1")["path"] == path
    assert fake.requests == []


def test_the_first_file_that_is_there_is_taken(fake: FakeHub, tmp_path: Path) -> None:
    """Also from the cache."""
    first, last = HUB_NAMES
    fake.path = PATH.replace(first, last)
    path = str(fetch(fake.url, tmp_path, names=HUB_NAMES)["path"])
    assert Path(path).name == last
    assert fetch(closed_port(), tmp_path, names=HUB_NAMES)["path"] == path
    fake.path = PATH
    assert Path(str(fetch(fake.url, tmp_path, names=HUB_NAMES)["path"])).name == first
    fake.path = ""
    answer = fetch(fake.url, tmp_path / "empty", names=HUB_NAMES)
    assert_one_clear_line(answer, f"'{first}' or '{last}'", "no such file")


@pytest.mark.parametrize(
    ("refusal", "reason"),
    [
        ((404, "RepoNotFound"), "no such repository"),
        ((401, "RepoNotFound"), "no such repository, or it is private (then set HF_TOKEN)"),
        ((404, "EntryNotFound"), "no such file"),
        ((403, "GatedRepo"), "grant access"),
        ((401, ""), "status 401"),
        ((503, ""), "status 503"),
    ],
)
def test_a_refusal_is_one_line_that_names_the_repository(
    fake: FakeHub, tmp_path: Path, refusal: tuple[int, str], reason: str
) -> None:
    fake.refusal = refusal
    answer = fetch(fake.url, tmp_path)
    assert_one_clear_line(answer, reason, fake.url + PATH)
    assert files_of(tmp_path) == []


def test_no_network_is_one_line_within_20_seconds(tmp_path: Path) -> None:
    endpoint = closed_port()
    answer = fetch(endpoint, tmp_path)
    assert_one_clear_line(answer, f"no connection to {endpoint}")
    assert float(str(answer["seconds"])) < 20


def test_offline_with_an_empty_cache_is_one_line(tmp_path: Path) -> None:
    answer = fetch(closed_port(), tmp_path, HF_HUB_OFFLINE="1")
    assert_one_clear_line(answer, "HF_HUB_OFFLINE is set")


def test_a_transfer_that_breaks_off_once_is_resumed(fake: FakeHub, tmp_path: Path) -> None:
    fake.breaks = 1
    answer = fetch(fake.url, tmp_path)
    assert Path(str(answer["path"])).read_bytes() == CONTENT


def test_a_transfer_that_always_breaks_off_ends_and_leaves_nothing(
    fake: FakeHub, tmp_path: Path
) -> None:
    # Each answer starts anew and brings data, so the client by itself would ask for ever.
    fake.breaks, fake.honours_range = 1000, False
    answer = fetch(fake.url, tmp_path)
    assert_one_clear_line(answer, "broke off")
    assert float(str(answer["seconds"])) < 20
    assert files_of(tmp_path) == []


def test_a_malformed_name_is_one_line(tmp_path: Path) -> None:
    answer = fetch(closed_port(), tmp_path, repo="a/b/c")
    assert "\n" not in str(answer["error"])
    assert "'a/b/c'" in str(answer["error"])


def test_a_full_disk_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> str:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(huggingface_hub, "get_hf_file_metadata", lambda *_, **__: None)
    monkeypatch.setattr(huggingface_hub, "hf_hub_download", full)
    with pytest.raises(InputError, match="no space left"):
        hub.fetch_checkpoint(REPO)


def test_without_the_client_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(MissingExtraError, match=r"deimv2\[cli\]"):
        hub.fetch_checkpoint(REPO)
