"""What the page shows and saves: nothing before there is a matte of the very picture; photographs of phones whole."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from support.long import LONG

pytest.importorskip("playwright")
pytest.importorskip("fastapi")

from support.browser import CHROMIUM, Page
from support.serving import running

from koutu.color import to_rgb
from koutu.media.reader import open_video
from koutu.server.settings import Limits
from koutu.zoo import SAMPLE

if not CHROMIUM:
    pytest.skip("no Chromium on this machine (apt-get install chromium)", allow_module_level=True)

# Every button of the panel, pressed even where it is disabled; the names of files that came, `least` of them at least.
PRESSED = """async (least) => {
  const saved = [];
  const click = HTMLAnchorElement.prototype.click;
  HTMLAnchorElement.prototype.click = function () { saved.push(this.download); };
  for (const button of document.querySelectorAll("#saves button[data-word^=save], #saves button[data-word=record]")) {
    if (["saveMp4", "saveWebm", "saveGif"].includes(button.dataset.word)) continue; // whole videos, made on the server
    button.click();
  }
  const wait = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
  await wait(300);
  while (saved.length < least) await wait(20);
  HTMLAnchorElement.prototype.click = click;
  return saved;
}"""
# The stage's pixels, at once after drawing them.
SEEN = """() => {
  const { canvas, gpu: { gl } } = koutu.compositor;
  koutu.redraw();
  gl.bindFramebuffer(gl.FRAMEBUFFER, null);
  const bytes = new Uint8Array(4 * canvas.width * canvas.height);
  gl.readPixels(0, 0, canvas.width, canvas.height, gl.RGBA, gl.UNSIGNED_BYTE, bytes);
  return [canvas.width, canvas.height, [...bytes.filter((_, i) => i % 404 < 4)]];
}"""
OPENED = "async (kind) => { while (koutu.source?.kind !== kind) await new Promise(requestAnimationFrame); }"
NOISE = 255 * np.indices((160, 240)).sum(0)[..., None].repeat(3, 2) % 256  # black and white pixels in turn
TOO_LARGE = "the server responded with a status of 413 (Request Entity Too Large)"
VIEWS = ("result", "split", "alpha")


@pytest.fixture(scope="module")
def noise(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("noise") / "noise.png"
    Image.fromarray(NOISE.astype(np.uint8)).resize((480, 320), Image.Resampling.NEAREST).save(path)
    return path


def contrast(page: Page) -> float:
    """How far the stage's pixels lie apart, of 255."""
    _, _, pixels = page.page.evaluate(SEEN)
    rgb = np.array(pixels).reshape(-1, 4)[:, :3]
    return float(np.ptp(rgb, axis=0).max())


def require_unfinished(page: Page, source: str) -> None:
    """Progress is shown, no view shows a result, and no button saves one."""
    page.page.wait_for_selector("#pending:not([hidden])")
    page.page.wait_for_selector("#frame[data-state=plain]")
    for view in VIEWS:
        page.choose("view", view)
        assert page.page.is_visible("#pending") and page.page.is_hidden("#tag-right")
        if view != "split":  # whose left side is the original by name
            assert contrast(page) <= (0 if source == "camera" else 64)
    saved = page.page.evaluate(PRESSED, 0)
    assert [name.rpartition("-")[2] for name in saved] in ([], ["original.png"])
    assert all(page.page.locator(f"#saves button[data-word={word}]").is_disabled() for word in words_of(source))
    page.choose("view", "original")
    assert page.page.is_hidden("#pending")
    page.choose("view", "result")


def words_of(source: str) -> list[str]:
    return ["saveCutout", "saveResult", "saveAlpha", *(["record"] if source == "camera" else [])]


def open_source(page: Page, source: str, picture: Path) -> None:
    if source == "camera":
        page.page.click("#start-camera" if page.page.is_visible("#start-camera") else "#open-camera")
    else:
        page.open(picture if source == "picture" else SAMPLE / "talk.mp4")
    page.page.evaluate(OPENED, source)


def test_while_the_network_loads_in_the_browser(browser, server, noise):
    held: list[Any] = []
    with Page(browser, server.url, "?background=dusk") as page:
        page.page.route("**/models/*.onnx", lambda route: held.append(route))
        page.page.reload()
        page.page.wait_for_selector("body:not([inert])")
        for source in ("picture", "camera", "video"):
            open_source(page, source, noise)
            require_unfinished(page, source)
        while page.page.is_visible("#pending"):
            while held:
                held.pop().continue_()
            page.page.wait_for_timeout(50)
        page.matted()
        saved = page.page.evaluate(PRESSED, 4)
        assert sorted(saved) == [f"talk-{what}.png" for what in ("alpha", "cutout", "original", "result")]
        assert page.errors == []


def test_while_the_server_works(browser, server, noise):
    """A second picture shows and saves nothing of the first either; live pictures wait for the connection."""
    held: list[Any] = []
    with Page(browser, server.url, "?engine=server&background=dusk") as page:
        page.page.click("#start-example")
        page.matted()
        page.page.route("**/api/remove", lambda route: held.append(route))
        page.page.route("**/api/webrtc", lambda route: held.append(route))
        page.page.route_web_socket("**/api/stream", lambda socket: held.append(socket))  # takes all and answers nothing
        for source in ("picture", "camera", "video"):
            open_source(page, source, noise)
            require_unfinished(page, source)
        assert len(held) >= 2
        assert page.errors == []


def test_a_frame_that_came_composed_is_cut_out_when_it_is_saved(browser, server, tmp_path):
    """Over WebRTC the page gets no alpha; what is saved as one is that of the very frame."""
    pytest.importorskip("aiortc")
    with Page(browser, server.url, "?engine=server&background=dusk") as page:
        page.page.click("#start-camera")
        page.matted()
        assert "WebRTC" in page.page.inner_text("#detail")
        alpha, cut = page.picture("saveAlpha", tmp_path), page.picture("saveCutout", tmp_path)
        assert page.errors == []
    for found in (alpha, cut[..., 3]):
        assert 0.1 < (found > 200).mean() < 0.6 and (found < 20).mean() > 0.3


@LONG
def test_photographs_of_phones(browser, tmp_path):
    """HEIC is made JPEG by the server, with its reason where not; what a server would refuse is sent smaller."""
    pytest.importorskip("pillow_heif").register_heif_opener()
    with open_video(SAMPLE / "talk.mp4") as video:
        rgb = np.asarray(Image.fromarray(to_rgb(next(iter(video)).picture)).resize((1600, 900)))
    Image.fromarray(rgb).save(tmp_path / "IMG_1.HEIC", "HEIF", quality=90)
    with running(limits=Limits(megapixels=1)) as small, Page(browser, f"{small.url}/", "?engine=server") as page:
        page.page.set_input_files("#file", tmp_path / "IMG_1.HEIC")
        assert "1 megapixels" in page.trouble()  # this server makes no JPEG of so large a one
        Image.fromarray(rgb).save(tmp_path / "large.jpg", quality=90)
        page.open(tmp_path / "large.jpg")
        page.matted()
        alpha = page.picture("saveAlpha", tmp_path)
        assert page.errors == [f"Failed to load resource: {TOO_LARGE}"]
    assert alpha.shape == (900, 1600) and 0.1 < (alpha > 200).mean() < 0.6


def test_a_refused_picture_is_not_sent_again(browser, server, noise):
    sent: list[Any] = []

    def refuse(route: Any) -> None:
        sent.append(route)
        detail = {"title": "Too large", "detail": "expected at most 1 MB", "code": "too_large"}
        route.fulfill(status=413, json={"errors": [detail]})

    with Page(browser, server.url, "?engine=server") as page:
        page.page.route("**/api/remove", refuse)
        page.open(noise)
        assert "expected at most 1 MB" in page.trouble()
        page.page.wait_for_timeout(3500)  # a lost server would be tried again by now
        assert len(sent) == 1 and page.page.is_visible("#pending")
        assert "see the message" in page.page.inner_text("#pending")


@LONG
def test_a_heic_photograph_stays_until_it_may_be_sent(browser, server, tmp_path):
    pytest.importorskip("pillow_heif").register_heif_opener()
    with open_video(SAMPLE / "talk.mp4") as video:
        Image.fromarray(to_rgb(next(iter(video)).picture)).save(tmp_path / "IMG_2.heic", "HEIF", quality=90)
    sent: list[str] = []
    with Page(browser, f"http://phone.localhost:{server.port}/") as page:  # not this machine, as the page sees it
        page.page.on("request", lambda request: sent.append(request.url) if request.method == "POST" else None)
        page.open(tmp_path / "IMG_2.heic")
        assert "the file is then sent to" in page.trouble() and sent == []
        page.page.click("#notices button:has-text('Send it')")
        page.matted()
        assert len(sent) == 1 and sent[0].endswith("/api/jpeg")
        alpha = page.picture("saveAlpha", tmp_path)
        assert page.errors == []
    assert alpha.shape == (360, 640) and 0.1 < (alpha > 200).mean() < 0.6
