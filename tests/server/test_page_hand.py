"""Work with results: touching up, several pictures at once, recordings, backgrounds, a page that is loaded anew."""

import io
import zipfile
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

pytest.importorskip("playwright")
pytest.importorskip("fastapi")

from support.browser import CHROMIUM, Page, chromium
from support.serving import running

from koutu.color import to_rgb
from koutu.media.reader import open_video
from koutu.zoo import SAMPLE

if not CHROMIUM:
    pytest.skip("no Chromium on this machine (apt-get install chromium)", allow_module_level=True)

# Alpha of what is shown, 64 × 36 bytes.
ALPHA = """() => {
  const { compositor, session } = koutu;
  return [...compositor.pixels({ picture: session.shown.slot.alpha }, 64, 36).filter((_, i) => i % 4 == 0)];
}"""
# People and areas of like colour in a small picture of two discs.
REGIONS = """async () => {
  const { likeArea, people } = await import("/web/js/regions.js");
  const [w, h] = [24, 12];
  const inside = (i, x, r) => Math.hypot(i % w - x, Math.floor(i / w) - 6) < r;
  const person = (i) => inside(i, 6, 4) || inside(i, 17, 4) || i === 0;
  const alpha = Uint8Array.from({ length: w * h }, (_, i) => (person(i) ? 255 : 0));
  const rgba = Uint8Array.from({ length: 4 * w * h }, (_, i) => (inside(i >> 2, 6, 4) ? 200 : 40));
  const { labels, count } = people(alpha, w, h);
  const like = likeArea(rgba, alpha, w, h, [6, 6], () => true);
  const small = likeArea(rgba, alpha, w, h, [6, 6], (a) => a === 255);
  const size = like.reduce((a, b) => a + b);
  return [count, labels[6 * w + 6], labels[6 * w + 17], labels[0], size, small[6 * w + 17], [...like]];
}"""

# A picture let go over the tiles of backgrounds.
DROPPED = """async () => {
  const canvas = Object.assign(document.createElement("canvas"), { width: 8, height: 8 });
  const blob = await new Promise((resolve) => canvas.toBlob(resolve));
  const dataTransfer = new DataTransfer();
  dataTransfer.items.add(new File([blob], "wall.png", { type: "image/png" }));
  for (const name of ["dragenter", "drop"]) {
    const event = new DragEvent(name, { dataTransfer, bubbles: true, cancelable: true });
    document.getElementById("tiles").dispatchEvent(event);
  }
}"""


@pytest.fixture(scope="module")
def page():
    allowed = {"permissions": ["camera", "microphone"]}
    with (
        running() as server,
        chromium("--use-fake-device-for-media-stream") as browser,
        Page(browser, f"{server.url}/", "?background=transparent", **allowed) as page,
    ):
        yield page


@pytest.fixture(scope="module")
def two_people(tmp_path_factory) -> Path:
    """The sample's talker twice, side by side."""
    with open_video(SAMPLE / "talk.mp4") as video:
        rgb = to_rgb(next(iter(video)).picture)
    half = rgb[:, 140:500]
    path = tmp_path_factory.mktemp("two") / "two.png"
    Image.fromarray(np.concatenate([half, half[:, ::-1]], axis=1)).save(path)
    return path


def alpha(page: Page) -> np.ndarray:
    return np.array(page.page.evaluate(ALPHA)).reshape(36, 64)


def near(a: np.ndarray, b: np.ndarray) -> bool:
    """The same but for the rim of a stroke, which is drawn piece by piece first."""
    return np.abs(a.astype(int) - b).max() < 32 and np.abs(a.astype(int) - b).mean() < 0.5


def tool(page: Page, name: str) -> None:
    page.page.check(f'input[name="tool"][value="{name}"]', force=True)


def at(page: Page, x: float, y: float) -> tuple[float, float]:
    """A place of the picture on the screen."""
    box = page.page.locator("#view").bounding_box()
    return box["x"] + x * box["width"], box["y"] + y * box["height"]


def test_brushes_and_steps_back(page, two_people, tmp_path):
    page.open(two_people)
    page.matted()
    page.page.click("#touch")
    before = alpha(page)
    assert (before[18:, 12:20] > 200).mean() > 0.5
    page.page.fill("#brush", "120")
    mouse = page.page.mouse
    tool(page, "brushErase")
    mouse.move(*at(page, 0.1, 0.9))
    mouse.down()
    mouse.move(*at(page, 0.45, 0.9), steps=4)
    mouse.up()
    erased = alpha(page)
    assert erased[31:34, 8:26].max() == 0 and np.array_equal(erased[:20], before[:20])
    tool(page, "brushKeep")
    mouse.click(*at(page, 0.5, 0.1))
    assert alpha(page)[3, 31:33].min() == 255
    saved = page.picture("saveAlpha", tmp_path)
    cut = page.picture("saveCutout", tmp_path)
    assert saved[36, 360] == 255 and saved[330, 200] == 0
    assert np.array_equal(cut[36, 360, :3], np.asarray(Image.open(two_people))[36, 360])
    page.page.keyboard.press("Control+z")
    assert near(alpha(page), erased)
    page.page.click("#touch-undo")
    assert np.array_equal(alpha(page), before) and page.page.is_disabled("#touch-undo")
    page.page.click("#touch-redo")
    assert near(alpha(page), erased)
    page.page.click("#touch-clear")
    assert np.array_equal(alpha(page), before)
    assert page.errors == []


def test_one_person_of_two(page, two_people):
    page.open(two_people)
    page.page.wait_for_selector("#touch[aria-pressed=false]")  # what was open before is left
    page.matted()
    page.page.click("#touch")
    page.page.wait_for_selector("#touch[aria-pressed=true]")
    before = alpha(page)
    tool(page, "onlyPerson")
    page.page.mouse.click(*at(page, 0.25, 0.6))
    after = alpha(page)
    assert after[:, 34:].max() == 0 and np.array_equal(after[:, :30], before[:, :30])
    page.page.mouse.click(*at(page, 0.25, 0.6))  # nobody else is left
    assert "Only one person" in page.page.inner_text("#notices")
    assert page.errors == []


def test_areas_and_people(page):
    count, left, right, speck, size, other, like = page.page.evaluate(REGIONS)
    assert count == 2 and left != right and speck == left  # a speck belongs to the nearest
    assert 40 < size < 80 and other == 0 and like[0] == 0


def test_frames_that_follow(page):
    """What was erased stays away where the network goes on saying the same; frames before are as they were."""
    page.open(SAMPLE / "talk.mp4")
    page.page.wait_for_selector("#seek:not([hidden])")
    page.matted()
    page.page.click("#touch")  # which pauses it
    page.settled()
    if page.page.get_attribute("#touch", "aria-pressed") == "false":
        page.page.click("#touch")
    page.page.fill("#seek", "0.4")
    page.settled()
    before = alpha(page)
    tool(page, "brushErase")
    mouse = page.page.mouse
    for y in (0.75, 0.85, 0.95):
        mouse.move(*at(page, 0.0, y))
        mouse.down()
        mouse.move(*at(page, 1.0, y), steps=2)
        mouse.up()
    assert before[30:].max() > 200 and alpha(page)[30:].max() < 20
    page.page.fill("#seek", "0.5")
    page.settled()
    assert (alpha(page)[30:] > 128).mean() < 0.2 * (before[30:] > 128).mean()
    page.page.fill("#seek", "0.2")
    page.settled()
    assert (alpha(page)[30:] > 128).mean() > 0.7 * (before[30:] > 128).mean()
    assert page.errors == []


def test_several_pictures_in_one_download(page, two_people, tmp_path):
    """Each can be looked at and touched up; what cannot be read is named and does not stop the others."""
    (tmp_path / "more").mkdir()
    for name in ("a.jpg", "more/a.jpg"):
        Image.open(two_people).save(tmp_path / name, quality=95)
    (tmp_path / "broken.png").write_bytes(b"no picture")
    page.page.set_input_files("#file", [tmp_path / name for name in ("a.jpg", "more/a.jpg", "broken.png")])
    thumbs = page.page.locator(".thumb")
    page.page.wait_for_selector(".thumb[aria-current=true]")
    page.matted()
    if page.page.get_attribute("#touch", "aria-pressed") == "false":
        page.page.click("#touch")
    tool(page, "brushErase")
    page.page.mouse.click(*at(page, 0.25, 0.6))
    touched = alpha(page)
    thumbs.nth(1).click()
    page.page.wait_for_selector(".thumb:nth-child(2)[aria-current=true]")
    page.matted()
    assert alpha(page)[20:23, 15:17].min() > 200
    thumbs.nth(0).click()
    page.page.wait_for_selector(".thumb:nth-child(1)[aria-current=true]")
    page.matted()
    assert near(alpha(page), touched) and touched[20:23, 15:17].max() < 20
    with page.page.expect_download() as download:
        page.page.click("#save-all")
    download.value.save_as(tmp_path / "all.zip")
    assert "broken.png" in page.trouble()
    page.page.click("#notices [role=alert] button[aria-label]")
    with zipfile.ZipFile(tmp_path / "all.zip") as archive:
        assert archive.testzip() is None
        assert archive.namelist() == ["a-cutout.png", "a-cutout (2).png"]
        first, second = (np.asarray(Image.open(io.BytesIO(archive.read(name)))) for name in archive.namelist())
    assert first.shape == (360, 720, 4) and first[216, 180, 3] == 0 and second[216, 180, 3] > 200
    assert page.errors == []


def test_a_background_is_dragged_in(page):
    page.page.evaluate(DROPPED)
    page.page.wait_for_selector('input[name="background"][value="upload"]:checked', state="attached")
    assert page.errors == []


def test_recordings_have_sound(page, tmp_path):
    page.choose("background", "blur")
    page.page.click("#open-camera")
    page.page.wait_for_selector("#sound-label:not([hidden])")
    page.matted()
    page.page.click('#saves button[data-word="record"]')
    page.page.wait_for_timeout(1500)
    path = page.save("recordStop", tmp_path / "talk.webm")
    with av.open(str(path)) as container:
        assert container.streams.video and container.streams.audio
        levels = [np.abs(frame.to_ndarray()).max() for frame in container.decode(audio=0)]
    assert max(levels) > 0.01  # the stand-in for a microphone beeps
    assert page.errors == []


def test_a_page_that_is_loaded_anew_does_not_lose_a_video(page):
    page.open(SAMPLE / "talk.mp4")
    page.page.wait_for_selector("#seek:not([hidden])")
    page.choose("background", "#00b140")
    page.page.click('#saves button[data-word="saveMp4"]')
    page.page.wait_for_url("**job=*")
    with page.page.expect_download() as download:
        page.page.reload()
    assert download.value.suggested_filename == "talk-result.mp4"
    page.page.wait_for_url(lambda address: "job=" not in address)
    page.page.goto(page.page.url + "&job=unknown")
    assert "does not know that video" in page.trouble()
    assert [error for error in page.errors if "404" not in error] == []
