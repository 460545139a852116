"""A real Chromium for tests, without a network, driven by its DevTools protocol."""

import base64
import json
import shutil
import subprocess
import time
from contextlib import contextmanager
from pathlib import Path
from urllib.request import urlopen

import pytest
import websocket

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
needs_chromium = pytest.mark.skipif(not CHROMIUM, reason="Neither Chromium nor Chrome is installed.")
OFFLINE = ("--headless", "--no-sandbox", "--disable-gpu", "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1")
KEYS = {  # what a key is to the protocol: the code of Windows, and the text that it types
    "Enter": (13, "\r"), "Tab": (9, ""), "Escape": (27, ""), " ": (32, " "), "ArrowUp": (38, ""), "ArrowDown": (40, ""),
    "ArrowLeft": (37, ""), "ArrowRight": (39, ""), "Backspace": (8, ""), "Home": (36, ""), "End": (35, ""),
}  # fmt: skip
SHIFT = 8


class Page:
    """One page of the browser.

    errors: what the page complained about: exceptions that nobody caught, and errors on its console.
    asked: the addresses that it asked for.
    """

    def __init__(self, address: str):
        self.socket = websocket.create_connection(address, timeout=60, suppress_origin=True)
        self.number = 0
        self.errors: list[str] = []
        self.asked: list[str] = []
        for domain in ("Page", "Runtime", "Network", "Log"):
            self.send(f"{domain}.enable")

    def send(self, method: str, **parameters) -> dict:
        """Sends a command, and returns its result. What the page tells meanwhile is noted."""
        self.number += 1
        self.socket.send(json.dumps({"id": self.number, "method": method, "params": parameters}))
        while True:
            told = json.loads(self.socket.recv())
            if told.get("id") == self.number:
                assert "error" not in told, (method, told["error"])
                return told["result"]
            self._note(told.get("method"), told.get("params", {}))

    def _note(self, method: str, told: dict) -> None:
        match method:
            case "Runtime.exceptionThrown":
                details = told["exceptionDetails"]
                self.errors.append(details.get("exception", {}).get("description") or details["text"])
            case "Runtime.consoleAPICalled" if told["type"] == "error":
                self.errors.append(" ".join(str(one.get("value", one.get("description"))) for one in told["args"]))
            case "Log.entryAdded" if told["entry"]["level"] == "error":
                self.errors.append(f"{told['entry']['text']} {told['entry'].get('url', '')}")
            case "Network.requestWillBeSent":
                self.asked.append(told["request"]["url"])

    def open(self, address: str | Path, wait: str = "document.readyState === 'complete'") -> None:
        """Opens an address, or a file, and waits until an expression is true there."""
        address = address.as_uri() if isinstance(address, Path) else address
        self.run("window.isTheOldPage = true")
        failed = self.send("Page.navigate", url=address).get("errorText")
        assert not failed, f"{address}: {failed}"
        self.wait(f"!window.isTheOldPage && ({wait})")

    def run(self, expression: str):
        """The value of an expression of JavaScript; if it is a promise, what it comes to. An exception fails the test."""
        told = self.send("Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True, userGesture=True)
        if "exceptionDetails" in told:
            details = told["exceptionDetails"]
            raise AssertionError(details.get("exception", {}).get("description") or details["text"])
        return told["result"].get("value")

    def wait(self, expression: str, seconds: float = 20):
        """Waits until an expression is true, and returns its value."""
        end, said = time.monotonic() + seconds, None
        while time.monotonic() < end:
            try:
                if value := self.run(f"(found => found instanceof Node || found)({expression})"):
                    return value
            except AssertionError as error:  # between two pages there is nothing to ask
                said = error
            time.sleep(0.03)
        raise AssertionError(f"This did not become true in {seconds} s: {expression}. {said or ''} {self.errors}")

    def press(self, key: str, times: int = 1, shift: bool = False) -> None:
        """Presses a key, as a person at the keyboard does."""
        code, text = KEYS[key] if key in KEYS else (ord(key.upper()), key)
        about = {"key": key, "code": "Space" if key == " " else key, "windowsVirtualKeyCode": code, "modifiers": SHIFT * shift}
        for _ in range(times):
            self.send("Input.dispatchKeyEvent", type="keyDown" if text else "rawKeyDown", text=text, **about)
            self.send("Input.dispatchKeyEvent", type="keyUp", **about)

    def type(self, text: str) -> None:
        """Types text where the focus is."""
        self.send("Input.insertText", text=text)

    def look(self, width: int = 1280, height: int = 800, dark: bool = False) -> None:
        """The size of the window in CSS pixels, and the scheme of colours that the person likes."""
        self.send("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width < 500)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.send("Emulation.setEmulatedMedia", features=[scheme])

    def picture(self, path: Path) -> None:
        """The whole page as a PNG."""
        size = self.send("Page.getLayoutMetrics")["cssContentSize"]
        clip = {"x": 0, "y": 0, "width": size["width"], "height": min(size["height"], 8000), "scale": 1}
        drawn = self.send("Page.captureScreenshot", captureBeyondViewport=True, clip=clip)["data"]
        Path(path).write_bytes(base64.b64decode(drawn))


@contextmanager
def chromium(profile: Path, *options: str):
    """A page of a Chromium whose profile is this folder. The same folder again is the same person who comes back.

    options: more of the command line, such as "--incognito".
    """
    port = Path(profile) / "DevToolsActivePort"  # Chromium writes it; one that an earlier run left is not ours
    port.unlink(missing_ok=True)
    command = [CHROMIUM, *OFFLINE, "--remote-debugging-port=0", f"--user-data-dir={profile}", *options, "about:blank"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        host = f"127.0.0.1:{_first_line(port, process)}"
        target = next(one for one in json.load(urlopen(f"http://{host}/json")) if one["type"] == "page")
        page = Page(target["webSocketDebuggerUrl"])
        try:
            yield page
        finally:
            try:  # a browser that is closed writes what it keeps; one that is killed may not
                page.send("Browser.close")
                process.wait(timeout=10)
            except (OSError, websocket.WebSocketException, subprocess.TimeoutExpired):
                process.kill()


def _first_line(path: Path, process: subprocess.Popen, seconds: float = 60) -> str:
    end = time.monotonic() + seconds
    while time.monotonic() < end and process.poll() is None:
        if path.exists() and (lines := path.read_text().splitlines()):
            return lines[0]
        time.sleep(0.03)
    process.kill()
    raise AssertionError("Chromium did not start.")
