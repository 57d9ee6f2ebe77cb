"""`deimv2 app` copies what a phone or a browser runs and checks it first."""

import json
import shutil
import signal
import socket
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path
from urllib.request import urlopen

import pytest

from deimv2.api.apps import PLATFORMS, ROOT, formats_of, sample_assets
from deimv2.api.site import PAGE, served
from deimv2.cli.main import main
from deimv2.converters.manifest import Manifest, check_golden, file_problem
from deimv2.model.errors import InputError
from deimv2.tests.cli.commands import Capture, complaint, output
from deimv2.tests.cli.exports import hashes
from deimv2.tests.tiny import write_folder
from deimv2.tests.vectors.__main__ import FOLDER

GOOD = FOLDER / "folder"


@pytest.fixture(params=PLATFORMS)
def platform(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_the_bundle_holds_what_the_platform_runs_and_no_more(
    capsys: Capture, tmp_path: Path, platform: str
) -> None:
    target = tmp_path / "app" / "deimv2"
    said = json.loads(output(capsys, "app", platform, GOOD, "--output", target, "--json"))
    manifest = Manifest.read(target)
    there = {file.format for file in Manifest.read(GOOD).files}
    assert {file.format for file in manifest.files} == there & set(formats_of(platform))
    assert said == {"folder": str(target), "files": [file.name for file in manifest.files]}
    assert all(not file_problem(target, file.name, file.sha256) for file in manifest.files)
    check_golden(target, manifest.golden)
    listed = {"manifest.json", "golden", *said["files"]}
    assert {path.name for path in target.iterdir()} == listed
    assert set(manifest.parity) <= set(said["files"])
    assert set(manifest.measured or {}) <= set(said["files"])
    assert [path.name for path in target.parent.iterdir()] == ["deimv2"]


def test_a_second_export_takes_the_place_of_the_first(
    capsys: Capture, tmp_path: Path, platform: str
) -> None:
    target = tmp_path / "deimv2"
    for _ in range(2):
        output(capsys, "app", platform, GOOD, "--output", target)
        (target / "left over").touch()
    assert "golden photographs" in output(capsys, "app", platform, GOOD, "--output", target)
    assert not (target / "left over").exists()


def test_what_was_never_run_is_named(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, platform: str
) -> None:
    folder = Path(shutil.copytree(GOOD, tmp_path / "export"))
    manifest = Manifest.read(folder)
    command = ["app", platform, str(folder), "--output", str(tmp_path / "deimv2")]
    for parity, named in ((dict.fromkeys(f.name for f in manifest.files), False), ({}, True)):
        rows = {name: manifest.parity[next(iter(manifest.parity))] for name in parity}
        replace(manifest, parity=rows).write(folder / "manifest.json")
        assert main(command) == 0
        said = capsys.readouterr().err
        assert ("not verified: tiny." in said) == (f"`deimv2 verify {folder}`" in said) == named


def test_a_damaged_file_is_refused_and_nothing_changes(
    capsys: Capture, tmp_path: Path, platform: str
) -> None:
    target = tmp_path / "deimv2"
    output(capsys, "app", platform, GOOD, "--output", target)
    broken = tmp_path / "broken"
    shutil.copytree(GOOD, broken)
    (broken / "tiny.pte").write_text("truncated")
    said = complaint(capsys, "app", platform, broken, "--output", target, code=1)
    assert "tiny.pte' has SHA-256" in said
    assert Manifest.read(target).files


def test_a_folder_without_artifacts_for_it_is_refused(
    capsys: Capture, tmp_path: Path, platform: str
) -> None:
    write_folder(tmp_path / "onnx")
    said = complaint(capsys, "app", platform, tmp_path / "onnx", "--output", tmp_path / "new")
    assert "holds tiny-0.onnx, tiny-1.onnx, expected one of" in said
    assert "export with --format" in said


@pytest.mark.parametrize(
    "manifest",
    [None, '{"name": "a web app", "icons": []}', '{"schema_version": 1, "name": "an extension"}'],
)
@pytest.mark.parametrize("app", [*PLATFORMS, "web"])
def test_a_folder_of_something_else_is_not_replaced(
    capsys: Capture, tmp_path: Path, app: str, manifest: str | None
) -> None:
    (tmp_path / "mine.txt").touch()
    if manifest is not None:
        (tmp_path / "manifest.json").write_text(manifest)
    before = hashes(tmp_path)
    said = complaint(capsys, "app", app, GOOD, "--output", tmp_path)
    assert f"'{tmp_path}' exists and is no folder that 'deimv2 app' wrote" in said
    assert hashes(tmp_path) == before


@pytest.mark.parametrize("where", [".", "..", "../source"])
def test_an_export_is_not_replaced(
    capsys: Capture, tmp_path: Path, platform: str, where: str
) -> None:
    for name in ("here/export", "here/export/source"):
        shutil.copytree(GOOD, tmp_path / name)
    source = tmp_path / "here" / "export" / "source"
    before = hashes(tmp_path)
    line = complaint(capsys, "app", platform, source, "--output", source / where)
    assert "holds the export itself, expected a folder for what an app takes of it" in line
    (source.parent / "export.log").touch()
    line = complaint(capsys, "app", platform, GOOD, "--output", source.parent)
    assert "is an export, expected a folder that 'deimv2 app' wrote" in line
    assert hashes(tmp_path) == before


def test_the_sample_app_is_in_the_repository(
    platform: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert ROOT in sample_assets(PLATFORMS[platform]).parents
    monkeypatch.setattr("deimv2.api.apps.ROOT", tmp_path)
    with pytest.raises(InputError, match="expected a clone of the repository"):
        sample_assets(PLATFORMS[platform])


def test_the_site_holds_the_page_and_what_it_runs(capsys: Capture, tmp_path: Path) -> None:
    site = tmp_path / "site"
    said = json.loads(output(capsys, "app", "web", GOOD, "--output", site, "--json"))
    assert said == {"folder": str(site), "files": ["tiny.tflite"]}
    manifest = Manifest.read(site)
    check_golden(site, manifest.golden)
    assert not file_problem(site, "tiny.tflite", manifest.files[0].sha256)
    page = {path.relative_to(PAGE): path for path in PAGE.rglob("*") if path.is_file()}
    assert {Path("index.html"), Path("page.js"), Path("worker.js")} <= set(page)
    assert all((site / name).read_bytes() == path.read_bytes() for name, path in page.items())
    others = {path.name for path in site.iterdir()} - {path.name for path in PAGE.iterdir()}
    assert others == {"manifest.json", "golden", "tiny.tflite"}


def test_a_damaged_file_changes_no_site(capsys: Capture, tmp_path: Path) -> None:
    site, broken = tmp_path / "site", tmp_path / "broken"
    output(capsys, "app", "web", GOOD, "--output", site)
    shutil.copytree(GOOD, broken)
    (broken / "golden" / "b.png").write_text("no photograph")
    said = complaint(capsys, "app", "web", broken, "--output", site, code=1)
    assert "b.png' has SHA-256" in said
    check_golden(site, Manifest.read(site).golden)
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("web", GOOD), "neither --output nor --serve, expected one of them"),
        (("web", GOOD, "--serve", "--output", "site"), "both --output and --serve"),
        (("web", GOOD, "--output", "site", "--port", "80"), "--port 80 without --serve"),
        (("android", GOOD, "--serve"), "--serve with android, expected web"),
        (("web", GOOD, "--serve", "--port", "70000"), "port 70000 cannot be had"),
        (("web", "nowhere", "--serve"), "no manifest.json in 'nowhere'"),
    ],
)
def test_options_that_do_not_go_together_are_refused(
    capsys: Capture, arguments: tuple[object, ...], expected: str
) -> None:
    assert expected in complaint(capsys, "app", *arguments)


def test_a_taken_port_is_refused(capsys: Capture) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        said = complaint(capsys, "app", "web", GOOD, "--serve", "--port", port)
    assert f"port {port} cannot be had" in said
    assert "name another one with --port" in said


def test_what_is_served_may_use_threads() -> None:
    with served(GOOD, port=0) as (server, manifest):
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            address = f"http://127.0.0.1:{server.server_address[1]}"
            kinds = {}
            for name in ("", "manifest.json", "page.js", "litert/litert_wasm_internal.wasm.gz"):
                with urlopen(f"{address}/{name}") as answer:
                    assert answer.headers["Cross-Origin-Opener-Policy"] == "same-origin"
                    assert answer.headers["Cross-Origin-Embedder-Policy"] == "require-corp"
                    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
                    assert answer.headers["Content-Encoding"] is None
                    kinds[name] = answer.headers.get_content_type()
                    if name == "manifest.json":
                        assert json.load(answer)["files"][0]["name"] == manifest.files[0].name
            assert kinds["page.js"] == "text/javascript"
            assert kinds[""] == "text/html"
        finally:
            server.shutdown()


def test_serve_says_where_and_ends_with_ctrl_c() -> None:
    command = [
        sys.executable,
        "-m",
        "deimv2",
        "app",
        "web",
        GOOD,
        "--serve",
        "--port",
        "0",
        "--json",
    ]
    # A job in a shell's background passes on that it ignores Ctrl-C.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    finally:
        signal.signal(signal.SIGINT, before)
    with process:
        assert process.stdout is not None
        try:
            said = json.loads(process.stdout.readline())
            assert said["files"] == ["tiny.tflite"]
            with urlopen(said["address"]) as answer:
                assert b"<h1>DEIMv2 detector</h1>" in answer.read()
            process.send_signal(signal.SIGINT)
            assert process.wait(timeout=30) == 0
        finally:
            process.kill()
