"""`koutu review`: damage made on purpose is found, at its time, with its cause; a good matte is clean."""

import json
import math
import re
from collections.abc import Callable
from fractions import Fraction
from html.parser import HTMLParser
from pathlib import Path

import cv2
import numpy as np
import pytest
import typer
from support.media import make_clip
from typer.testing import CliRunner

from koutu.cli.review import review as command
from koutu.composite import matte_picture
from koutu.engines.backend import Backend
from koutu.matting.matte import Matte
from koutu.matting.matter import Matter
from koutu.media.alpha_track import AlphaReader, has_alpha
from koutu.media.reader import open_video
from koutu.media.writer import open_writer
from koutu.review import Review, Reviewer, page, require_writable, review, write_text
from koutu.review.record import Gallery, Series
from koutu.review.report import time_code
from koutu.types import Frame, InputError, OutputError

SIZE, COUNT = (96, 160), 50
Damage = Callable[[int, np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]


def texture(seed: int, low: int, high: int) -> np.ndarray:
    """Noise with something to hold on to, of three alike channels."""
    noise = cv2.GaussianBlur(np.random.default_rng(seed).random(SIZE).astype(np.float32), (0, 0), 1.5)
    noise = (noise - noise.min()) / (noise.max() - noise.min())
    return np.repeat((low + (high - low) * noise)[..., None], 3, axis=2)


WALL, SHIRT = texture(1, 100, 170), texture(2, 30, 250)


def scene(index: int) -> tuple[np.ndarray, np.ndarray]:
    """A patterned figure that sways before a patterned wall, and its exact alpha."""
    alpha = np.zeros(SIZE, np.uint8)
    x = 80 + round(4 * math.sin(index / 6))
    cv2.ellipse(alpha, (x, 70), (30, 50), 0, 0, 360, 255, -1)
    alpha = cv2.GaussianBlur(alpha, (5, 5), 0)
    shirt, weight = np.roll(SHIRT, x - 80, axis=1), alpha[..., None] / 255
    return np.rint(shirt * weight + WALL * (1 - weight)).astype(np.uint8), np.asarray(alpha)


def reviewed(damage: Damage | None = None, *, count: int = COUNT, **given) -> Review:
    """The review of the scene with some damage done to its frames and alphas."""
    reviewer = Reviewer("scene", **given)
    for index in range(count):
        rgb, alpha = scene(index)
        if damage:
            rgb, alpha = damage(index, rgb, alpha)
        reviewer(Matte(Frame(rgb, index, Fraction(1, 25)), alpha))
    return reviewer.finish()


def disc(x: int, y: int, radius: int) -> np.ndarray:
    rows, columns = np.mgrid[: SIZE[0], : SIZE[1]]
    return (columns - x) ** 2 + (rows - y) ** 2 <= radius**2


def only(found: Review) -> tuple[str, str, int, int]:
    """Sign, cause, first and last frame of the only finding."""
    assert len(found.findings) == 1, found.summary()
    finding = found.findings[0]
    return finding.sign, finding.cause, finding.first, finding.last


def flags(found: Review) -> str:
    return " ".join(option.flags for finding in found.findings for option in finding.options)


def hole(index: int, rgb: np.ndarray, alpha: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    if 20 <= index < 30:
        alpha[disc(80, 70, 10)] = 0
    return rgb, alpha


def test_an_exact_matte_is_clean():
    found = reviewed()
    assert found.clean and "clean" in found.verdict and found.frames == COUNT and found.size == SIZE
    assert np.nanmax(found.measures["flicker"]) < 0.05


def test_a_hole():
    found = reviewed(hole)
    assert only(found) == ("hole", "hole", 20, 29)
    assert "--propagate" in flags(found) and "--smooth" not in flags(found)


def test_a_leak_that_flickers():
    def damage(index, rgb, alpha):
        if 20 <= index < 30 and index % 2:
            alpha[disc(20, 30, 8)] = 255
        return rgb, alpha

    found = reviewed(damage)
    assert only(found) == ("leak", "leak", 21, 29)
    assert found.findings[0].options[0].flags == "--smooth" and "--plate" in flags(found)


def test_a_leak_that_fades_in_and_touches_the_person():
    def damage(index, rgb, alpha):
        if 15 <= index < 30:
            place = disc(118, 80, 16)
            alpha[place] = np.maximum(alpha[place], min(255, (index - 14) * 32))
        return rgb, alpha

    sign, cause, first, last = only(reviewed(damage))
    assert (sign, cause) == ("leak", "leak") and 15 <= first <= 22 and last == 29


def test_a_blanked_alpha_and_an_empty_beginning():
    def damage(index, rgb, alpha):
        return rgb, alpha * (not 20 <= index < 24)

    found = reviewed(damage)
    assert only(found) == ("empty", "empty", 20, 23) and "--propagate" in flags(found)

    def coming(index, rgb, alpha):  # walks in: the picture is a wall at first
        seen = np.arange(SIZE[1]) < max(0, index - 10)
        return np.rint(WALL).astype(np.uint8), np.tile(seen * np.uint8(255), (SIZE[0], 1))

    found = reviewed(coming)
    assert not any(f.sign == "empty" for f in found.findings) and any("nobody" in note for note in found.notes)


def test_an_edge_that_flickers():
    def damage(index, rgb, alpha):
        if 20 <= index < 30:
            change = cv2.dilate if index % 2 else cv2.erode
            alpha = np.asarray(change(alpha, np.ones((3, 3), np.uint8)))
        return rgb, alpha

    found = reviewed(damage)
    assert only(found)[:2] == ("flicker", "flicker") and found.findings[0].first in (20, 21)


def test_trouble_after_a_cut():
    def damage(index, rgb, alpha):
        if index >= 25:
            rgb = 255 - rgb // 2
        if 25 <= index < 30:
            alpha[disc(80, 70, 10)] = 0
        return rgb, alpha

    found = reviewed(damage)
    assert only(found) == ("hole", "cut", 25, 29) and found.measures["cut"].sum() == 2


def test_darkness():
    def damage(index, rgb, alpha):
        return hole(index, rgb // 6, alpha)

    found = reviewed(damage)
    assert only(found)[:2] == ("hole", "low light") and "--no-refine" in flags(found)


def test_a_fade_to_black_is_no_fault():
    def damage(index, rgb, alpha):
        return (rgb * np.clip((COUNT - index) / 20, 0, 1)).astype(np.uint8), alpha

    found = reviewed(damage)
    assert found.clean, found.summary()


def test_alpha_that_clings_to_nothing():
    def damage(index, rgb, alpha):  # fades to a wider outline, and back, too slowly for any frame to stand out
        wide = cv2.dilate(alpha, np.ones((31, 31), np.uint8))
        weight = np.clip(1.5 - abs(index - 50) / 10, 0, 1)
        return rgb, np.rint(alpha + (wide.astype(float) - alpha) * weight).astype(np.uint8)

    found = reviewed(damage, count=100)
    assert {f.sign for f in found.findings} <= {"leak", "unsure"} and "leak" in {f.sign for f in found.findings}


def test_backlight():
    def damage(index, rgb, alpha):
        weight = alpha[..., None] / 255
        lit = rgb * weight * 0.4 + np.minimum(255, rgb * 0.5 + 150) * (1 - weight)
        return hole(index, lit.astype(np.uint8), alpha)

    found = reviewed(damage)
    assert only(found)[:2] == ("hole", "backlight") and "behind" in found.findings[0].why


def test_motion_blur():
    def damage(index, rgb, alpha):
        if 20 <= index < 30:
            rgb, alpha = (np.roll(x, 4 * (index - 20), axis=1) for x in (rgb, alpha))
            rgb, alpha = cv2.blur(rgb, (13, 1)), cv2.blur(alpha, (45, 1))
        return rgb, alpha

    found = reviewed(damage)
    assert not found.clean and {f.cause for f in found.findings} == {"motion blur"}


def test_a_wide_unsure_part():
    def damage(index, rgb, alpha):
        if 20 <= index < 30:
            alpha[50:90, 60:100] = 128
        return rgb, alpha

    found = reviewed(damage)
    assert ("unsure", "unsure") in {(f.sign, f.cause) for f in found.findings} and "--mask auto" in flags(found)


def test_a_cut_out_is_judged_by_its_alpha():
    def damage(index, rgb, alpha):
        rgb, alpha = hole(index, rgb, alpha)
        return rgb * (alpha[..., None] > 0), alpha

    assert reviewed(lambda i, rgb, alpha: (rgb * (alpha[..., None] > 0), alpha), scene=False).clean
    found = reviewed(damage, scene=False)
    assert only(found) == ("hole", "hole", 20, 29) and np.isnan(found.measures["edge"]).all()


def test_every_option_named_exists():
    from koutu.cli.video import video
    from koutu.models import MODELS
    from koutu.review import causes

    app = typer.Typer()
    app.command()(video)
    known = {name for p in typer.main.get_command(app).params for name in (*p.opts, *p.secondary_opts)}
    for option in (o for o in vars(causes).values() if isinstance(o, causes.Option)):
        assert set(re.findall(r"--[a-z-]+", option.flags)) <= known, option
        for model in re.findall(r"--model (\S+)", option.flags):
            assert ("--plate" in option.flags) == ("bgr" in MODELS[model].needs), option
            assert ("--mask" in option.flags) == ("mask" in MODELS[model].needs), option


def test_memory_is_bounded():
    gallery, series = Gallery(), Series()
    rgb, alpha = scene(0)
    small = {"rgb": rgb[::4, ::4].copy(), "alpha": alpha[::4, ::4].copy()}
    row = dict.fromkeys(reviewed(count=1).measures, 0.1)
    for frame in range(2000):
        score = 1.0 if frame == 1234 else 0.1
        gallery.offer(frame, row | {"flicker": score}, **small)
        series.append(row, frame / 25)
    assert len(gallery._kept) <= 48 * 7 and len(series) == 2000
    still = gallery.find("flicker", 1200, 1300, 1234)
    assert still is not None and still.frame == 1234
    assert gallery.find("flicker", 3000, 3001, 3000) is None


def test_a_long_spell_is_told_once_and_times_are_exact():
    found = reviewed(hole)
    assert (found.findings[0].start, found.findings[0].end) == (20 / 25, 29 / 25)
    assert found.findings[0].when == "0:00.8–0:01.1"
    assert [time_code(s) for s in (0, 59.99, 61.25, 3661.5)] == ["0:00.0", "0:59.9", "1:01.2", "1:01:01.5"]


class Page(HTMLParser):
    """What a browser would see: open tags must close, links must lead somewhere, nothing may be fetched."""

    VOID = ("meta", "img", "br", "line", "path", "rect")

    def __init__(self):
        super().__init__()
        self.open: list[str] = []
        self.ids: set[str] = set()
        self.links: list[str] = []
        self.images: list[dict] = []

    def handle_starttag(self, tag, attrs):
        given = dict(attrs)
        self.ids.add(given.get("id") or "")
        if tag == "a":
            self.links.append(given["href"] or "")
        if tag == "img":
            self.images.append(given)
        assert tag not in ("script", "link", "iframe")
        if tag not in self.VOID or tag == "rect":
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        assert tag in self.VOID

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def test_the_page_needs_nothing_else():
    found = reviewed(hole, alpha="<b>&")
    text = page(found)
    seen = Page()
    seen.feed(text)
    assert not seen.open and len(seen.images) == 3 and all(image["alt"] for image in seen.images)
    assert all(image["src"].startswith("data:image/jpeg;base64,") for image in seen.images)
    assert seen.links and all(link.removeprefix("#") in seen.ids for link in seen.links)
    assert "http" not in text and "url(" not in text and "&lt;b&gt;&amp;" in text and "<b>" not in text
    assert "prefers-color-scheme: dark" in text and "clean" in page(reviewed(count=3))


def test_json_is_strict():
    told = json.loads(reviewed(hole).to_json())
    assert told["findings"][0]["cause"] == "hole" and told["findings"][0]["options"] and not told["clean"]
    assert len(told["times"]) == COUNT and told["series"]["flicker"][0] is None
    assert told["measures"]["holes"]["max"] > 0.03


def write(path: Path, source: Path, alphas: list[np.ndarray], *, alpha: bool) -> Path:
    """A cut-out of the source, or its alpha as a grey video."""
    reader = open_video(source)
    with open_writer(path, reader, alpha=alpha) as writer:
        for frame, pha in zip(reader, alphas, strict=False):
            picture = frame.picture if alpha else matte_picture(pha, frame.picture.space)  # type: ignore[union-attr]
            writer.write(picture, frame, pha if alpha else None)  # type: ignore[arg-type]
        writer.finish()
    return path


def blocks(count: int = 8, size: tuple[int, int] = (48, 64)) -> list[np.ndarray]:
    """Alphas of a square that grows."""
    found = []
    for index in range(count):
        alpha = np.zeros(size, np.uint8)
        alpha[10:40, 16 : 40 + index] = 255
        found.append(alpha)
    return found


@pytest.mark.parametrize("name, off", [("cut.webm", 40), ("cut.mov", 1), ("alpha.mp4", 30)])
def test_alpha_is_read_from_all_that_koutu_writes(tmp_path, name, off):
    clip = make_clip(tmp_path / "clip.mp4")
    made = write(tmp_path / name, clip, blocks(), alpha="cut" in name)
    assert has_alpha(made) == ("cut" in name) and not has_alpha(clip)
    with AlphaReader(made) as alphas:
        found = list(alphas)
    assert len(found) == 8 and not alphas.lost
    assert max(np.abs(a.astype(int) - b).mean() for a, b in zip(found, blocks(), strict=True)) <= off / 10
    if "cut" in name:
        with open_video(made, keep_hidden=True) as kept, open_video(made) as hidden:
            assert [frame.pts for frame in kept] == [frame.pts for frame in hidden]


def test_the_ways_to_give_alpha(tmp_path):
    clip = make_clip(tmp_path / "clip.mp4")
    alpha, cut = (write(tmp_path / n, clip, blocks(), alpha=n != "a.mp4") for n in ("a.mp4", "c.webm"))
    beside, own, both = review(clip, alpha), review(cut), review(clip, cut)
    assert beside.alpha == "from a.mp4" and own.alpha == "its own alpha track" and both.alpha == "from c.webm"
    assert beside.frames == own.frames == both.frames == 8
    assert any("--alpha c.webm" in note for note in own.notes) and not beside.notes
    areas = np.array([a.mean() / 255 for a in blocks()])
    for found in (beside, own, both):
        assert np.abs(found.measures["area"] - areas).max() < 0.02


class Half(Backend):
    """A network that takes the left half for the person."""

    name = "half"

    def network_size(self, size):
        return size

    def initial_state(self, size):
        return None

    def __call__(self, rgb, state, **hints):
        pha = np.zeros(rgb.shape[:2], np.float32)
        pha[:, : rgb.shape[1] // 2] = 1
        return None, pha, state


def test_what_has_no_alpha_is_matted_here_and_that_is_said(tmp_path):
    seen = []
    clip = make_clip(tmp_path / "clip.mp4")
    found = review(clip, matter=Matter(Half()), progress=lambda count, _: seen.append(count))
    assert found.alpha == "found here, by half" and any("matted here" in note for note in found.notes)
    assert seen == list(range(1, 9)) and not any("composite" in note for note in found.notes)
    clip = tmp_path / "clip.mp4"
    flat = Reviewer()
    for index in range(3):
        rgb, alpha = scene(index)
        flat(Matte(Frame(np.where(alpha[..., None] > 2, rgb, np.uint8(90)), index), alpha))
    assert flat.flat


def test_alpha_of_another_video_is_told(tmp_path):
    clip, other = make_clip(tmp_path / "clip.mp4"), make_clip(tmp_path / "other.mp4", size=(32, 64))
    alpha = write(tmp_path / "alpha.mp4", clip, blocks(), alpha=False)
    with pytest.raises(InputError, match=r"expected alpha of 64×32 like other[.]mp4, got 64×48"):
        review(other, alpha)
    longer = make_clip(tmp_path / "longer.mp4", frames=11)
    with pytest.raises(InputError, match=r"as many frames as longer[.]mp4 has, 11, got 8"):
        review(longer, alpha)
    with pytest.raises(InputError, match=r"as many frames as short[.]mp4 has, 6, got 8"):
        review(make_clip(tmp_path / "short.mp4", frames=6), alpha)


def test_a_truncated_video_is_reviewed_and_told(tmp_path):
    clip = make_clip(tmp_path / "clip.mkv", frames=60)
    data = clip.read_bytes()
    clip.write_bytes(data[: len(data) * 2 // 3])
    found = review(clip, matter=Matter(Half()))
    assert 5 < found.frames < 60 and "clip.mkv" in found.lost and any("lost" in line for line in found.summary())


def test_the_command(tmp_path, monkeypatch):
    clip = make_clip(tmp_path / "clip.mp4")
    alpha = write(tmp_path / "alpha.mp4", clip, blocks(), alpha=False)
    app, runner = typer.Typer(), CliRunner()
    app.command()(command)
    out, told = tmp_path / "r.html", tmp_path / "r.json"
    done = runner.invoke(app, [str(clip), "--alpha", str(alpha), "-o", str(out), "--json", str(told)])
    assert done.exit_code == 0 and "clip.mp4" in done.stdout, done.output
    assert out.read_text("utf-8").startswith("<!doctype html>") and json.loads(told.read_text("utf-8"))["frames"] == 8
    done = runner.invoke(app, [str(clip), "--alpha", str(alpha), "--json", "-"])
    assert json.loads(done.stdout)["source"] == "clip.mp4"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["alpha.mp4", "clip.mp4", "r.html", "r.json"]


def test_errors_are_sentences(tmp_path):
    (tmp_path / "text.mp4").write_text("no video")
    with pytest.raises(InputError, match="expected a video"):
        review(tmp_path / "text.mp4")
    with pytest.raises(OutputError, match="folder that exists"):
        write_text(tmp_path / "none" / "r.html", "x")
    with pytest.raises(OutputError, match="got a folder"):
        write_text(tmp_path, "x")
    with pytest.raises(OutputError, match="another file than those"):
        require_writable(tmp_path / "text.mp4", tmp_path / "text.mp4")
    assert [p.name for p in tmp_path.iterdir()] == ["text.mp4"]
