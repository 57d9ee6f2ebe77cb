"""Chromium without a window, through its pipes (Chrome DevTools Protocol)."""

import base64
import json
import os
import shutil
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ATTACH_WORKERS = {"autoAttach": True, "waitForDebuggerOnStart": True, "flatten": True}
NAMES = ("chromium", "chromium-browser", "google-chrome")
# Of every piece of text, its contrast with the background behind it (WCAG 2), lowest first.
CONTRASTS = """(() => {
  const channels = colour => colour.match(/[\\d.]+/g).map(Number);
  const luminance = colour => channels(colour).slice(0, 3)
    .map(c => c / 255).map(c => c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4)
    .reduce((sum, c, i) => sum + [0.2126, 0.7152, 0.0722][i] * c, 0);
  const behind = element => {
    for (; element; element = element.parentElement) {
      const colour = getComputedStyle(element).backgroundColor;
      if (channels(colour)[3] !== 0) return colour;
    }
    return 'rgb(255, 255, 255)';
  };
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  const found = [];
  while (walker.nextNode()) {
    const text = walker.currentNode.textContent.trim(), element = walker.currentNode.parentElement;
    if (!text) continue;
    const pair = [luminance(getComputedStyle(element).color), luminance(behind(element))];
    found.push([(Math.max(...pair) + 0.05) / (Math.min(...pair) + 0.05), text]);
  }
  return found.sort((a, b) => a[0] - b[0]);
})()"""


@dataclass
class Visit:
    """What a page did when it was opened.

    overflow:  CSS pixels by which it is wider than the window
    contrasts: (ratio, text) of every piece of text, lowest first
    requests:  addresses that it asked for, itself included
    complaints: what it wrote to the console, and what the browser said of it there
    """

    screenshot: bytes = b""
    overflow: int = 0
    contrasts: list[tuple[float, str]] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)


class Chromium:
    def __init__(self, write: int, read: int) -> None:
        self._to, self._from = os.fdopen(write, "wb"), os.fdopen(read, "rb")
        self._rest, self._last = b"", 0

    def close(self) -> None:
        self._ask("Browser.close", {}, Visit())
        self._to.close()
        self._from.close()

    def visit(self, page: Path, width: int, dark: bool = False) -> Visit:
        """Opens a file, and all that can be unfolded there, as a phone or a computer shows it,
        without a network."""
        found = Visit()
        target = self._ask("Target.createTarget", {"url": "about:blank"}, found)["targetId"]
        attach = {"targetId": target, "flatten": True}
        session = self._ask("Target.attachToTarget", attach, found)["sessionId"]

        def ask(method: str, **parameters: Any) -> Any:
            return self._ask(method, parameters, found, session)

        for domain in ("Page", "Runtime", "Log", "Network"):
            ask(f"{domain}.enable")
        Tab(self, session, found).look(width, dark)
        offline = {"offline": True, "latency": 0, "downloadThroughput": 0, "uploadThroughput": 0}
        ask("Network.emulateNetworkConditions", **offline)
        ask("Page.navigate", url=page.resolve().as_uri())
        while self._receive(found).get("method") != "Page.loadEventFired":
            pass

        def value(script: str) -> Any:
            return ask("Runtime.evaluate", expression=script, returnByValue=True)["result"].get(
                "value"
            )

        value("document.querySelectorAll('details').forEach(each => each.open = true)")
        found.overflow = value("document.documentElement.scrollWidth") - width
        found.contrasts = [tuple(each) for each in value(CONTRASTS)]
        picture = ask("Page.captureScreenshot", captureBeyondViewport=True)
        found.screenshot = base64.b64decode(picture["data"])
        self._ask("Target.closeTarget", {"targetId": target}, found)
        return found

    @contextmanager
    def tab(self, address: str, before: str = "") -> Iterator["Tab"]:
        """A page that stays open. before: a script that runs there before all others."""
        found = Visit()
        target = self._ask("Target.createTarget", {"url": "about:blank"}, found)["targetId"]
        attach = {"targetId": target, "flatten": True}
        session = self._ask("Target.attachToTarget", attach, found)["sessionId"]
        tab = Tab(self, session, found)
        for domain in ("Page", "Runtime", "Log", "DOM", "Network"):
            tab.ask(f"{domain}.enable")
        tab.ask("Target.setAutoAttach", **ATTACH_WORKERS)
        tab.ask("Page.addScriptToEvaluateOnNewDocument", source=before)
        tab.ask("Page.navigate", url=address)
        while self._receive(found).get("method") != "Page.loadEventFired":
            pass
        try:
            yield tab
        finally:
            self._ask("Target.closeTarget", {"targetId": target}, found)

    def _send(self, method: str, parameters: Any, session: str | None = None) -> int:
        self._last += 1
        message = {"id": self._last, "method": method, "params": parameters}
        if session is not None:
            message["sessionId"] = session
        self._to.write(json.dumps(message).encode() + b"\0")
        self._to.flush()
        return self._last

    def _ask(self, method: str, parameters: Any, found: Visit, session: str | None = None) -> Any:
        asked = self._send(method, parameters, session)
        while (answer := self._receive(found)).get("id") != asked:
            pass
        assert "error" not in answer, (method, answer)
        return answer["result"]

    def _receive(self, found: Visit) -> dict[str, Any]:
        """The next message; events go into `found`."""
        while b"\0" not in self._rest:
            chunk = os.read(self._from.fileno(), 1 << 16)
            assert chunk, "the browser went away"
            self._rest += chunk
        text, self._rest = self._rest.split(b"\0", 1)
        message: dict[str, Any] = json.loads(text)
        about = message.get("params", {})
        match message.get("method"):
            case "Network.requestWillBeSent":
                found.requests.append(about["request"]["url"])
            case "Target.attachedToTarget" if about["waitingForDebugger"]:
                worker = about["sessionId"]
                self._send("Network.enable", {}, worker)
                self._send("Runtime.enable", {}, worker)
                self._send("Target.setAutoAttach", ATTACH_WORKERS, worker)
                self._send("Runtime.runIfWaitingForDebugger", {}, worker)
            case "Log.entryAdded":
                found.complaints.append(about["entry"]["text"])
            case "Runtime.consoleAPICalled" | "Runtime.exceptionThrown":
                found.complaints.append(json.dumps(about))
        return message


@dataclass
class Tab:
    """visit: what the page and its workers did so far."""

    browser: Chromium
    session: str
    visit: Visit

    def ask(self, method: str, **parameters: Any) -> Any:
        return self.browser._ask(method, parameters, self.visit, self.session)

    def value(self, script: str) -> Any:
        """Of a script, or of the promise that it gives."""
        found = self.ask(
            "Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True,
            userGesture=True,
        )  # fmt: skip
        assert "exceptionDetails" not in found, (script, found["exceptionDetails"])
        return found["result"].get("value")

    def look(self, width: int, dark: bool) -> None:
        """As a phone or a computer shows it, by day or by night."""
        size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 600}
        self.ask("Emulation.setDeviceMetricsOverride", **size)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.ask("Emulation.setEmulatedMedia", features=[scheme])

    def overflow(self) -> int:
        """CSS pixels by which the page is wider than its window."""
        return int(self.value("document.documentElement.scrollWidth - window.innerWidth"))

    def contrasts(self) -> list[tuple[float, str]]:
        """(ratio, text) of every piece of text, lowest first."""
        return [tuple(each) for each in self.value(CONTRASTS)]

    def wait(self, script: str, seconds: float = 60) -> Any:
        """Until the script gives what counts as true; gives that."""
        end = time.monotonic() + seconds
        while not (found := self.value(script)):
            assert time.monotonic() < end, (script, self.value("document.body.innerText"))
            time.sleep(0.05)
        return found

    def give(self, selector: str, path: Path) -> None:
        """A file to a file input, as its dialog does."""
        script = f"document.querySelector({json.dumps(selector)})"
        node = self.ask("Runtime.evaluate", expression=script)["result"]["objectId"]
        self.ask("DOM.setFileInputFiles", files=[str(path.resolve())], objectId=node)

    def press(self, key: str) -> None:
        """A key that writes nothing, such as Tab or ArrowRight; space and return do."""
        code, text = {" ": (32, " "), "Enter": (13, "\r")}.get(key, (0, ""))
        code = code or {"Tab": 9, "ArrowLeft": 37, "ArrowRight": 39}[key]
        for kind in ("keyDown" if text else "rawKeyDown", "keyUp"):
            written = {"text": text} if kind == "keyDown" else {}
            self.ask(
                "Input.dispatchKeyEvent", type=kind, key=key, windowsVirtualKeyCode=code, **written
            )


@contextmanager
def chromium(profile: Path, options: Sequence[str] = ("--disable-gpu",)) -> Iterator[Chromium]:
    """A browser of its own, with its files in the folder `profile`."""
    program = next((path for name in NAMES if (path := shutil.which(name))), None)
    assert program, f"none of {', '.join(NAMES)} is installed; ./dev browser installs Chromium"
    theirs_in, ours_out = os.pipe()
    ours_in, theirs_out = os.pipe()
    command = [
        "sh", "-c", f'exec "$0" "$@" 3</dev/fd/{theirs_in} 4>/dev/fd/{theirs_out}', program,
        "--headless", "--no-sandbox", "--disable-dev-shm-usage", *options,
        "--hide-scrollbars", "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1",
        "--remote-debugging-pipe", f"--user-data-dir={profile}",
    ]  # fmt: skip
    process = subprocess.Popen(command, pass_fds=(theirs_in, theirs_out))
    os.close(theirs_in)
    os.close(theirs_out)
    browser = Chromium(ours_out, ours_in)
    try:
        yield browser
        browser.close()
        process.wait(timeout=60)
    finally:
        process.kill()
        process.wait()
