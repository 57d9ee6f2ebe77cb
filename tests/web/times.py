"""How fast the web page detects, and what it loads until then.

    python -m deimv2.tests.web.times artifacts/atto artifacts/atto-int8
    python -m deimv2.tests.web.times artifacts/atto --without-relaxed-simd
    python -m deimv2.tests.web.times artifacts/atto --webgpu
    python -m deimv2.tests.web.times artifacts/atto --processors 4
    python -m deimv2.tests.web.times artifacts/atto --onnx FOLDER --onnxruntime FOLDER

In Chromium, in turn: each row a few photographs, then the next, again and again. --onnx is a folder
with an .onnx file, --onnxruntime the folder `dist` of the npm package onnxruntime-web.
"""

import argparse
import functools
import re
import shutil
import statistics
import tempfile
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from http.server import ThreadingHTTPServer
from pathlib import Path
from typing import NamedTuple

import numpy as np

from deimv2.api.site import HEADERS, write_site
from deimv2.converters.golden import read_golden
from deimv2.converters.manifest import Manifest
from deimv2.tests.verification.chromium import Chromium, Tab, chromium
from deimv2.tests.web.sites import FOUND, PROBLEM, READY, STATUS, WEBGPU, Plain, running

PROCESSORS = re.compile(r"(self\.)?navigator\.hardwareConcurrency")
SPEED = "document.querySelector('#speed').textContent"
# The page of another runtime. It runs where the page is, not in a worker.
OTHER = """<!doctype html><meta charset="utf-8"><script src="ort.wasm.min.js"></script><script>
async function start() {
  ort.env.wasm.numThreads = crossOriginIsolated ? navigator.hardwareConcurrency : 1;
  const session = await ort.InferenceSession.create("model.onnx");
  const frame = new Uint8Array(await (await fetch("frame.rgb")).arrayBuffer());
  const image = new ort.Tensor("uint8", frame, [1, HEIGHT, WIDTH, 3]);
  globalThis.detect = async () => {
    const begin = performance.now();
    const { scores } = await session.run({ image });
    return [performance.now() - begin, (await scores.getData())[0]];
  };
}
const ready = start();
</script>"""


class Row(NamedTuple):
    """once: the milliseconds of one photograph."""

    name: str
    once: Callable[[], float]


class Isolated(Plain):
    """With the headers of `deimv2 app web --serve`, but that which confines the page."""

    def end_headers(self) -> None:
        for name, value in HEADERS.items():
            if name.startswith("Cross-Origin"):
                self.send_header(name, value)
        super().end_headers()


class Bench:
    """processors: as many as the pages believe to have; None: what the browser says."""

    def __init__(
        self, stack: ExitStack, browser: Chromium, base: Path, processors: int | None = None
    ) -> None:
        self.stack, self.browser, self.base, self.rows = stack, browser, base, list[Row]()
        self.processors = processors

    def believing(self, script: str) -> str:
        return script if self.processors is None else PROCESSORS.sub(str(self.processors), script)

    def tab(self, site: Path, handler: type[Plain]) -> Tab:
        server = self.stack.enter_context(
            ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(handler, directory=str(site)))
        )
        address = self.stack.enter_context(running(server))
        return self.stack.enter_context(self.browser.tab(address))

    def page(
        self, folder: Path, handler: type[Plain], choice: str = "wasm", build: str = ""
    ) -> None:
        """build: of LiteRT.js, in the place of the one that this browser takes."""
        site = self.base / f"site{len(self.rows)}"
        write_site(folder, site)
        for kind in ("js", "wasm.gz") if build else ():
            path = site / "litert" / f"{build}.{kind}"
            path.rename(path.with_name(f"litert_wasm_internal.{kind}"))
        for path in site.rglob("*.js"):
            path.write_text(self.believing(path.read_text()))
        tab = self.tab(site, handler)
        assert tab.wait(READY) is True, tab.value(PROBLEM)
        tab.value(f"choice.value = '{choice}'; choice.dispatchEvent(new Event('change'))")
        tab.wait(f"{STATUS}.startsWith('Ready') && !camera.disabled")
        name = f"{tab.value(STATUS).removeprefix('Ready: ')} {build}".strip()

        def once() -> float:
            tab.ask("Page.bringToFront")
            tab.value(f"{SPEED.replace('textContent', 'replaceChildren()')}; sample.click()")
            tab.wait(f"{SPEED} && {FOUND}.length")
            (found,) = re.findall(r"model ([\d.]+) ms", tab.value(SPEED))
            return float(found)

        self.rows.append(Row(name, once))

    def other(self, folder: Path, runtime: Path, handler: type[Plain]) -> None:
        manifest = Manifest.read(folder)
        golden = read_golden(folder, manifest.golden)[0]
        site = self.base / f"other{len(self.rows)}"
        site.mkdir()
        for name in (
            "ort.wasm.min.js", "ort-wasm-simd-threaded.wasm", "ort-wasm-simd-threaded.mjs",
        ):  # fmt: skip
            shutil.copyfile(runtime / name, site / name)
        (file,) = (each.name for each in manifest.files if each.format == "onnx")
        shutil.copyfile(folder / file, site / "model.onnx")
        (site / "frame.rgb").write_bytes(golden.frame.tobytes())
        height, width = manifest.input.size
        text = OTHER.replace("HEIGHT", str(height)).replace("WIDTH", str(width))
        (site / "index.html").write_text(self.believing(text))
        tab = self.tab(site, handler)
        tab.value("ready")
        threads = tab.value("ort.env.wasm.numThreads")

        def once() -> float:
            tab.ask("Page.bringToFront")
            milliseconds, score = tab.value("detect()")
            assert abs(score - golden.reference.scores[0]) < 1e-3, score
            return float(milliseconds)

        self.rows.append(Row(f"{file}, onnxruntime-web, {threads} threads", once))


def bytes_to_detection(browser: Chromium, folder: Path, base: Path) -> int:
    """What a static host sends until the first photograph has its boxes."""
    sent = [0]

    class Counted(Plain):
        def copyfile(self, source: object, outputfile: object) -> None:
            content = source.read()  # type: ignore[attr-defined]
            sent[0] += len(content)
            outputfile.write(content)  # type: ignore[attr-defined]

    write_site(folder, base / "counted")
    photo = folder / Manifest.read(folder).golden[0].image
    with ExitStack() as stack:
        tab = Bench(stack, browser, base).tab(base / "counted", Counted)
        assert tab.wait(READY) is True, tab.value(PROBLEM)
        tab.give("#photo", photo)
        tab.wait(f"{FOUND}.length")
    shutil.rmtree(base / "counted")
    return sent[0]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folders", type=Path, nargs="+", metavar="DIR")
    parser.add_argument("--webgpu", action="store_true", help="on SwiftShader, and nothing else")
    parser.add_argument("--without-relaxed-simd", action="store_true", help="beside with it")
    parser.add_argument("--onnx", type=Path, metavar="DIR")
    parser.add_argument("--onnxruntime", type=Path, metavar="DIR")
    parser.add_argument("--processors", type=int, metavar="N", help="that pages believe to have")
    parser.add_argument("--rounds", type=int, default=10)
    args = parser.parse_args()
    options: Sequence[str] = WEBGPU if args.webgpu else ("--disable-gpu",)
    with ExitStack() as stack:
        base = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        browser = stack.enter_context(chromium(base / "profile", options))
        for folder in args.folders:
            print(f"{folder}: {bytes_to_detection(browser, folder, base):,} bytes to a detection")
        bench = Bench(stack, browser, base, args.processors)
        for folder in args.folders:
            if args.webgpu:
                bench.page(folder, Isolated, "webgpu")
                continue
            bench.page(folder, Plain)
            if args.without_relaxed_simd:
                bench.page(folder, Plain, build="litert_wasm_compat_internal")
                continue
            bench.page(folder, Isolated)
        if args.onnx and args.onnxruntime:
            bench.other(args.onnx, args.onnxruntime, Plain)
            bench.other(args.onnx, args.onnxruntime, Isolated)
        times: dict[str, list[float]] = {row.name: [] for row in bench.rows}
        for _ in range(args.rounds):
            for row in bench.rows:
                row.once()  # the first after another's turn has cold caches
                times[row.name] += [row.once() for _ in range(5)]
        for name, found in times.items():
            low, _, high = np.percentile(found, (10, 50, 90))
            print(f"{name}: {statistics.median(found):.1f} ms ({low:.1f} to {high:.1f})")


if __name__ == "__main__":
    main()
