"""Chromium without a window, through its pipes (Chrome DevTools Protocol)."""

import base64
import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

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
        size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 600}
        ask("Emulation.setDeviceMetricsOverride", **size)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        ask("Emulation.setEmulatedMedia", features=[scheme])
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

    def _ask(self, method: str, parameters: Any, found: Visit, session: str | None = None) -> Any:
        self._last += 1
        message = {"id": self._last, "method": method, "params": parameters}
        if session is not None:
            message["sessionId"] = session
        self._to.write(json.dumps(message).encode() + b"\0")
        self._to.flush()
        while (answer := self._receive(found)).get("id") != self._last:
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
            case "Log.entryAdded":
                found.complaints.append(about["entry"]["text"])
            case "Runtime.consoleAPICalled" | "Runtime.exceptionThrown":
                found.complaints.append(json.dumps(about))
        return message


@contextmanager
def chromium(profile: Path) -> Iterator[Chromium]:
    """A browser of its own, with its files in the folder `profile`."""
    program = next((path for name in NAMES if (path := shutil.which(name))), None)
    assert program, f"none of {', '.join(NAMES)} is installed; ./dev browser installs Chromium"
    theirs_in, ours_out = os.pipe()
    ours_in, theirs_out = os.pipe()
    command = [
        "sh", "-c", f'exec "$0" "$@" 3</dev/fd/{theirs_in} 4>/dev/fd/{theirs_out}', program,
        "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
        "--hide-scrollbars", "--host-resolver-rules=MAP * ~NOTFOUND",
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
