"""A real Chromium, a real server and a camera that shows the packaged sample, for the tests of the page."""

import contextlib
import shutil
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from koutu.media.reader import open_video
from koutu.types import Yuv420
from koutu.zoo import SAMPLE
from support.ports import free_port

NAMES = ("chromium", "chromium-browser", "google-chrome")
CHROMIUM = next((path for name in NAMES if (path := shutil.which(name))), "")
MATTED = "#frame[data-state=matted]"
# Ten drawings in a row in which a paused source has no frame that is still to come, on its way or not yet shown.
SETTLED = """async () => {
  const still = ({ source, session }) =>
    source.element.paused && !source.ready && session.shown?.taken === source.last?.taken;
  for (let rest = 10; rest > 0; rest = still(koutu) ? rest - 1 : 10) await new Promise(requestAnimationFrame);
}"""
PATIENCE_MS = 120_000  # machines that run tests are busy
_SERVE = """
import sys
from koutu.server.run import run
from koutu.server.settings import ServerSettings
run(ServerSettings(port=int(sys.argv[1]), model=sys.argv[2]))
"""


class Server:
    """`koutu serve` in a process of its own."""

    def __init__(self, port: int = 0, model: str = "koutu"):
        self.port = port or free_port()
        self.url = f"http://localhost:{self.port}/"
        command = [sys.executable, "-c", _SERVE, str(self.port), model]
        self._process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
        end = time.monotonic() + PATIENCE_MS / 1000
        while not self._answers():
            assert self._process.poll() is None and time.monotonic() < end, "the server did not start"
            time.sleep(0.1)

    def __enter__(self) -> "Server":
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """End it at once, as a power cut would; more than once does no harm."""
        self._process.kill()
        self._process.wait()

    def cpu_seconds(self) -> float:
        """CPU time it has used so far, where /proc tells."""
        fields = Path(f"/proc/{self._process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / 100

    def _answers(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}readyz", timeout=5) as answer:
                return answer.status == 200
        except (urllib.error.URLError, OSError):
            return False


def write_camera(path: Path, frames: int) -> list[Yuv420]:
    """The sample's first frames as what Chromium's fake camera plays round and round; returns them."""
    with open_video(SAMPLE / "talk.mp4") as video:
        pictures = [frame.picture for frame in video][:frames]
    with open(path, "wb") as file:
        height, width = pictures[0].size  # type: ignore[union-attr]
        file.write(f"YUV4MPEG2 W{width} H{height} F30:1 Ip A1:1 C420jpeg\n".encode())
        for picture in pictures:
            assert isinstance(picture, Yuv420)
            file.write(b"FRAME\n")
            for plane in (picture.y, picture.u, picture.v):
                file.write(np.ascontiguousarray(plane).tobytes())
    return pictures  # type: ignore[return-value]


@contextlib.contextmanager
def chromium(*arguments: str, camera: Path | None = None) -> Iterator[Any]:
    """A browser of Playwright's."""
    from playwright.sync_api import sync_playwright

    shown = ["--use-fake-device-for-media-stream", f"--use-file-for-fake-video-capture={camera}"] if camera else []
    drawn = ["--use-angle=swiftshader", "--enable-unsafe-swiftshader"]  # WebGL without a graphics card
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=[*drawn, *shown, *arguments])
        yield browser
        browser.close()


class Page:
    """koutu's page in a context of its own, with what went wrong in it."""

    def __init__(self, browser: Any, url: str, query: str = "", **context: Any):
        self.context = browser.new_context(**({"locale": "en-US", "permissions": ["camera"]} | context))
        self.page = self.context.new_page()
        self.page.set_default_timeout(PATIENCE_MS)
        self.errors: list[str] = []
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on("console", lambda told: self.errors.append(told.text) if told.type == "error" else None)
        self.page.goto(url + query)
        self.page.wait_for_selector("body:not([inert])", state="attached")  # what is pressed is heard from now on

    def __enter__(self) -> "Page":
        return self

    def __exit__(self, *_: object) -> None:
        self.context.close()

    def ready(self, state: str = "browser") -> None:
        """Wait until the network runs there."""
        self.page.wait_for_selector(f"#figures[data-state={state}]")

    def open(self, file: Path) -> None:
        """As if chosen in the file dialog."""
        self.page.set_input_files("#file", file)

    def matted(self) -> None:
        """Wait for an alpha on the stage."""
        self.page.wait_for_selector(MATTED)

    def settled(self) -> None:
        """Wait until the last frame of a paused source, its alpha with it, is the one on the stage."""
        self.page.evaluate(SETTLED)

    def choose(self, name: str, value: str) -> None:
        """One of the radio buttons."""
        self.page.check(f'input[name="{name}"][value="{value}"]', force=True)

    def save(self, word: str, path: Path) -> Path:
        """What the button of that word downloads."""
        with self.page.expect_download() as download:
            self.page.click(f'#saves button[data-word="{word}"]')
        download.value.save_as(path)
        return path

    def picture(self, word: str, folder: Path) -> NDArray[np.uint8]:
        """The same as pixels."""
        return np.asarray(Image.open(self.save(word, folder / f"{word}.png")))

    def trouble(self) -> str:
        """The message of an alert, when there is one."""
        alert = self.page.locator('#notices [role="alert"] p')
        alert.first.wait_for()
        return alert.last.inner_text()


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """One that a file's tests share."""
    with Server() as server:
        yield server


@pytest.fixture(scope="module")
def camera(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the shared browser's camera plays."""
    path = tmp_path_factory.mktemp("camera") / "talk.y4m"
    write_camera(path, 12)
    return path


@pytest.fixture(scope="module")
def browser(camera: Path) -> Iterator[Any]:
    """One with a camera that a file's tests share."""
    with chromium(camera=camera) as browser:
        yield browser
