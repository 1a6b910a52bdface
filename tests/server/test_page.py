"""The page in a real browser: both engines, pictures, video and camera, and what can go wrong."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

pytest.importorskip("playwright")
pytest.importorskip("fastapi")

from support.browser import CHROMIUM, Page, Server

from koutu.api import convert_image
from koutu.color import to_rgb
from koutu.matting.local_colour import follow_colours
from koutu.matting.matter import Matter
from koutu.matting.refine import _slope, luma
from koutu.media.reader import open_video
from koutu.zoo import SAMPLE, load

if not CHROMIUM:
    pytest.skip("no Chromium on this machine (apt-get install chromium)", allow_module_level=True)

# Alpha by WebAssembly and WebGL against ONNX Runtime and OpenCV. The picture is shrunk by other arithmetic, which moves
# the network's input by a level here and there. Memory of other frames moves alpha where the network is unsure.
MEAN_STILL, MEAN_CAMERA = 0.6, 3.0  # of 255, over the picture
FAR = 32  # of 255; by which no more than FAR_SHARE of the pixels may differ
FAR_SHARE = 0.004
BEHIND = "async () => { while (koutu.backgrounds.shown !== 'upload') await new Promise(requestAnimationFrame); }"


@pytest.fixture(scope="module")
def portrait(tmp_path_factory) -> Path:
    with open_video(SAMPLE / "talk.mp4") as video:
        rgb = to_rgb(next(iter(video)).picture)
    path = tmp_path_factory.mktemp("portrait") / "portrait.png"
    Image.fromarray(rgb).save(path)
    return path


def require_same_alpha(ours: np.ndarray, theirs: np.ndarray, mean: float) -> None:
    assert ours.shape == theirs.shape
    apart = np.abs(ours.astype(int) - theirs)
    assert apart.mean() < mean
    assert (apart > FAR).mean() < FAR_SHARE


def test_a_picture_in_the_browser(browser, server, portrait, tmp_path):
    """Alpha and colours are those of `koutu image --no-zoom`; what is saved is what was seen, at the picture's size."""
    cut, alpha = convert_image(portrait, tmp_path / "cut.png", zoom=False)
    with Page(browser, server.url, "?background=%23102030") as page:
        page.ready()
        assert page.page.evaluate("crossOriginIsolated")
        page.open(portrait)
        page.matted()
        require_same_alpha(page.picture("saveAlpha", tmp_path), alpha, MEAN_STILL)
        ours = page.picture("saveCutout", tmp_path)
        seen = page.picture("saveResult", tmp_path)
        assert np.array_equal(page.picture("saveOriginal", tmp_path), np.asarray(Image.open(portrait)))
        assert page.errors == []
    inside = (alpha > 8) & (alpha < 247)
    assert np.abs(ours[..., :3][inside].astype(int) - cut[inside]).mean() < 12
    assert ours[ours[..., 3] == 0].max() == 0
    weight = ours[..., 3:] / 255
    composed = ours[..., :3] * weight + np.array([16, 32, 48]) * (1 - weight)
    assert np.abs(seen - composed).max() < 2


@pytest.mark.parametrize("engine", ["browser", "server"])
def test_what_was_cut_away_of_a_picture_stays_away(engine, browser, server, portrait, tmp_path):
    """Alpha is the network's times the picture's own; no colour that it hides is seen or saved."""
    rgba = np.dstack([np.asarray(Image.open(portrait)), np.full((360, 640), 255, np.uint8)])
    rgba[:, :320, 3], rgba[250:, 320:] = 128, (255, 0, 255, 0)
    Image.fromarray(rgba).save(tmp_path / "cut.png")
    _, alpha = convert_image(tmp_path / "cut.png", tmp_path / "theirs.png")
    with Page(browser, server.url, f"?engine={engine}&background=%23ffffff") as page:
        page.open(tmp_path / "cut.png")
        page.matted()
        found, cut = page.picture("saveAlpha", tmp_path), page.picture("saveCutout", tmp_path)
        seen, original = page.picture("saveResult", tmp_path), page.picture("saveOriginal", tmp_path)
        page.page.set_input_files("#upload", tmp_path / "cut.png")  # the same behind it
        page.page.evaluate(BEHIND)
        before_itself = page.picture("saveResult", tmp_path)
        assert page.errors == []
    assert before_itself[252:, 322:].min() == 255
    require_same_alpha(found, alpha, MEAN_STILL)
    assert np.array_equal(cut[..., 3], found) and found[:, :320].max() == 128 and found[250:, 320:].max() == 0
    assert cut[250:, 320:].max() == 0 and seen[252:, 322:].min() == 255 and original[250:, 320:].min() == 255


def test_the_camera_in_the_browser(browser, server, tmp_path):
    """The frozen camera's alpha is that of `Matter` for the same frame."""
    with Page(browser, server.url, "?size=512x288&background=blur") as page:
        page.ready()
        page.page.click("#start-camera")
        page.matted()
        page.page.wait_for_selector("#rate:not(:empty)")
        assert page.page.inner_text("#latency").endswith("ms")
        page.page.uncheck("#mirror")
        page.page.click("#play")
        page.settled()
        frame, alpha = page.picture("saveOriginal", tmp_path), page.picture("saveAlpha", tmp_path)
        for size in ("448×256", "512×288"):  # with another size, memory starts afresh
            page.page.select_option("#size", size.replace("×", "x"))
            page.page.wait_for_selector(f'#detail:has-text("{size}")')
        again, fresh = page.picture("saveOriginal", tmp_path), page.picture("saveAlpha", tmp_path)
        assert np.array_equal(frame, again)
        assert page.errors == []
    theirs = Matter(load("koutu-small", steady=False), zoom=False)(frame).alpha
    require_same_alpha(fresh, theirs, MEAN_STILL)
    assert np.abs(alpha.astype(int) - theirs).mean() < MEAN_CAMERA  # it remembers other frames


def test_a_picture_on_the_server(browser, server, portrait, tmp_path):
    cut, alpha = convert_image(portrait, tmp_path / "cut.png")
    with Page(browser, server.url, "?engine=server&background=transparent") as page:
        page.open(portrait)
        page.matted()
        ours = page.picture("saveCutout", tmp_path)
        assert "HTTP" in page.page.inner_text("#detail")
        assert page.errors == []
    assert np.array_equal(ours[..., 3], alpha)
    assert np.array_equal(ours[..., :3][alpha > 0], cut[alpha > 0])


@pytest.mark.parametrize(("background", "way"), [("dusk", "WebRTC"), ("transparent", "WebSocket")])
def test_the_camera_on_the_server(browser, server, background, way, tmp_path):
    if way == "WebRTC":
        pytest.importorskip("aiortc")
    with Page(browser, server.url, f"?engine=server&background={background}") as page:
        page.page.click("#start-camera")
        page.matted()
        page.page.wait_for_selector("#rate:not(:empty)")
        assert way in page.page.inner_text("#detail")
        page.page.uncheck("#mirror")
        page.page.click("#play")
        if way == "WebSocket":  # over WebRTC the server goes on sending
            page.settled()
        frame, alpha = page.picture("saveOriginal", tmp_path), page.picture("saveAlpha", tmp_path)
        if way == "WebSocket":  # JPEG both ways
            assert np.abs(alpha.astype(int) - Matter(load())(frame).alpha).mean() < MEAN_CAMERA
        assert page.errors == []


def test_a_video_through_the_server(browser, server, tmp_path):
    with Page(browser, server.url, "?size=256x144&background=%2300b140") as page:
        page.ready()
        page.open(clip(tmp_path / "clip.mp4"))
        page.matted()
        path = page.save("saveMp4", tmp_path / "out.mp4")
        page.choose("background", "transparent")
        cut = page.save("saveWebm", tmp_path / "out.webm")
        moving = page.save("saveGif", tmp_path / "out.gif")
        assert page.errors == []
    with open_video(path) as video:
        frames = [to_rgb(frame.picture) for frame in video]
    assert len(frames) == 6 and frames[0].shape == (360, 640, 3)
    assert np.abs(frames[3][:40, :40].astype(int) - [0, 177, 64]).max() < 12
    with open_video(cut) as video:
        assert sum(1 for _ in video) == 6
    with open_video(moving) as video:
        found = [frame.alpha for frame in video]
    assert len(found) == 3 and all(set(np.unique(alpha)) == {0, 255} for alpha in found)  # type: ignore[arg-type]


def test_a_lost_server(browser, camera, tmp_path):
    """It is told, and goes on by itself once the server is back."""
    with (
        Server(model="koutu-small") as server,
        Page(browser, server.url, "?engine=server&background=transparent") as page,
    ):
        page.page.click("#start-camera")
        page.matted()
        server.stop()
        assert "koutu serve" in page.trouble()
        assert page.page.get_attribute("#figures", "data-state") != "server"
        with Server(server.port, "koutu-small"):
            page.ready("server")
            page.matted()
            assert page.page.locator('#notices [role="alert"]').count() == 0


def test_the_browser_goes_on_without_the_server(browser, portrait):
    with Server(model="koutu-small") as server, Page(browser, server.url) as page:
        page.ready()
        page.page.wait_for_selector("#figures[data-stored]")
        server.stop()
        page.open(portrait)
        page.matted()


def test_nothing_can_be_pressed_before_it_would_be_heard(browser, server):
    """The page cannot do anything before the server has told what it can; a press in that time is not swallowed."""
    held = []
    with Page(browser, server.url, "?engine=server") as page:
        page.page.route("**/api/config", lambda route: held.append(route))
        page.page.reload()
        assert page.page.evaluate("document.body.inert && !document.querySelector('#figures').dataset.state")
        held[0].continue_()
        page.page.click("#start-example")
        page.matted()
        assert page.errors == []


def test_a_refused_camera(browser, server):
    with Page(browser, server.url, permissions=[]) as page:
        page.page.click("#start-camera")
        assert "did not allow the camera" in page.trouble()
        page.page.click("#notices button:has-text('Try again')")
        assert "address bar" in page.trouble()
        assert page.page.is_visible("#start-file")


def test_wrong_files(browser, server, portrait, tmp_path):
    """Each is told in words, and what was open stays."""
    wrong = {
        "notes.txt": (b"hello", "neither a picture nor a video"),
        "empty.png": (b"", "is empty"),
        "half.png": (portrait.read_bytes()[:1000], "could not be read as a picture"),
        "noise.mp4": (bytes(range(256)) * 8, "cannot play"),
    }
    with Page(browser, server.url, "?engine=server") as page:
        page.open(portrait)
        page.matted()
        for name, (content, words) in wrong.items():
            (tmp_path / name).write_bytes(content)
            page.open(tmp_path / name)
            page.page.wait_for_selector(f'#notices [role="alert"]:has-text("{words}")')
            assert name in page.trouble()
            page.page.click("#notices [role=alert] button[aria-label]")
            assert page.page.is_visible("#frame")
        assert page.errors == []


def clip(path: Path) -> Path:
    """Six frames of the sample, as H.264."""
    import av

    with open_video(SAMPLE / "talk.mp4") as video, av.open(str(path), "w") as out:
        stream = out.add_stream("libx264", 25, options={"preset": "ultrafast"})
        stream.width, stream.height, stream.pix_fmt = 640, 360, "yuv420p"
        for _, frame in zip(range(6), video, strict=False):
            out.mux(stream.encode(av.VideoFrame.from_ndarray(to_rgb(frame.picture), format="rgb24")))
        out.mux(stream.encode(None))
    return path


def test_the_lines_of_the_guided_filter(browser, server):
    """The page's arithmetic is koutu.matting.refine's."""
    rng = np.random.default_rng(3)
    rgb = rng.integers(0, 256, (23, 37, 3), np.uint8)
    pha = rng.random((23, 37), np.float32)
    with Page(browser, server.url, "?engine=server") as page:
        code = """async ([rgb, pha, w, h]) => {
            const { Lines } = await import("/web/js/guided.js");
            return [...new Lines(w, h).of(Float32Array.from(pha), Uint8Array.from(rgb))];
        }"""
        lines = np.array(page.page.evaluate(code, [rgb.ravel().tolist(), pha.ravel().tolist(), 37, 23]))
    guide = np.asarray(luma(rgb) / 255, np.float32)
    slope = _slope(pha, guide)
    lines = lines.reshape(23, 37, 2)
    assert np.abs(lines[..., 0] - slope).max() < 0.02  # luma is rounded there
    assert np.abs(lines[..., 1] + slope * guide).max() < 0.02


def test_colours_beside_the_outline(browser, server):
    """The page's arithmetic is koutu.matting.local_colour's."""
    rng = np.random.default_rng(4)
    person = cv2.blur((np.hypot(*np.mgrid[-40:40, -56:56]) < 30).astype(np.float32), (7, 7))
    rgb = np.where(person[..., None] > 0.5, (90, 70, 60), (150, 160, 120)) + rng.integers(-40, 40, (80, 112, 3))
    rgb = rgb.astype(np.uint8)
    with Page(browser, server.url, "?engine=server") as page:
        code = """async ([rgb, pha, w, h]) => {
            const { Colours } = await import("/web/js/colours.js");
            return [...new Colours(w, h).follow(Float32Array.from(pha), Uint8Array.from(rgb))];
        }"""
        found = page.page.evaluate(code, [rgb.ravel().tolist(), person.ravel().tolist(), 112, 80])
    expected = follow_colours(person, rgb)
    assert np.abs(expected - person).max() > 0.2
    off = np.abs(np.array(found).reshape(80, 112) - expected)
    assert off.max() < 0.03 and off.mean() < 1e-4  # a mean colour that ends in a half is rounded up there


def test_sizes_and_when_they_change(browser, server):
    small = load("koutu-small", steady=False)
    with Page(browser, server.url, "?engine=server") as page:
        code = """async ([sizes, pixels]) => {
            const { networkSize, Governor, SIZES } = await import("/web/js/sizing.js");
            const governor = new Governor();
            const rungs = [];
            for (const ms of [...Array(30).fill(120), ...Array(200).fill(10)]) {
                governor.note(ms);
                rungs.push(governor.rung);
            }
            return [sizes.map((size) => networkSize(pixels, 8, size)), rungs, SIZES.length];
        }"""
        sizes = [(1280, 720), (640, 480), (720, 1280), (1000, 100), (333, 777)]
        found, rungs, count = page.page.evaluate(code, [sizes, small.pixels])  # type: ignore[attr-defined]
    assert [(h, w) for w, h in found] == [small.network_size((h, w)) for w, h in sizes]
    assert rungs[0] == count - 1 and rungs[12] < count - 1  # slow: down
    assert rungs[29] <= rungs[-1] < count - 1  # quick: up again, but not to what was too slow
