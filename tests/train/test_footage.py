"""Footage: real clips with their plates are read, brought into line and learned from; what will not do is refused."""

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

torch = pytest.importorskip("torch")
pytest.importorskip("lightning_fabric")

from support.people import DATA, make_packs  # noqa: E402

from koutu.data.packs.pack import Pack  # noqa: E402
from koutu.data.scenes.backgrounds import BackgroundDraw  # noqa: E402
from koutu.data.scenes.config import SceneConfig  # noqa: E402
from koutu.media.image import read_image  # noqa: E402
from koutu.train.engine import Run, train  # noqa: E402
from koutu.train.footage import FootageClips, clips_and_plates, footage_pack  # noqa: E402
from koutu.train.footage_samples import FootageSamples  # noqa: E402
from koutu.train.recipe import Footage, Pass, Recipe, Stage, read_recipe  # noqa: E402
from koutu.types import InputError, ModelError  # noqa: E402
from koutu.zoo import SAMPLE  # noqa: E402

SIZE = (144, 256)
WIDE = (256, 144)  # the same as Pillow has it
NETWORK = {"channels": 8, "shared_blocks": 1, "head_blocks": 1}


def frames_of(plate: np.ndarray, person: int, count: int) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """A person who walks to the right before the plate, and the true masks."""
    rgba = Image.open(sorted(DATA.glob("person*.png"))[person])
    rgba = rgba.resize((round(SIZE[0] * rgba.width / rgba.height), SIZE[0]))
    frames, masks = [], []
    for i in range(count):
        picture, mask = Image.fromarray(plate), Image.new("L", WIDE)
        at = (20 + 6 * i, 6)
        picture.paste(rgba, at, rgba)
        mask.paste(rgba.getchannel("A"), at)
        frames.append(np.asarray(picture))
        masks.append(np.asarray(mask))
    return frames, masks


def write_video(path: Path, frames: list[np.ndarray]) -> None:
    with av.open(str(path), "w") as out:
        stream = out.add_stream("libx264", 5, options={"crf": "16", "preset": "ultrafast"})
        stream.height, stream.width, stream.pix_fmt = *frames[0].shape[:2], "yuv420p"
        for i, rgb in enumerate(frames):
            frame = av.VideoFrame.from_ndarray(rgb, format="rgb24")
            frame.pts, frame.time_base = i, Fraction(1, 5)
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))


@pytest.fixture(scope="module")
def clip_of(tmp_path_factory):
    """A folder with a video and a folder of pictures, each beside its plate; and the true masks of both."""
    folder, truth = tmp_path_factory.mktemp("footage"), {}
    lake = Image.fromarray(read_image(SAMPLE / "lake.jpg"))
    for name, person, part in (("a", 0, 0.0), ("b", 1, 0.5)):
        left = int(part * lake.width)
        place = lake.crop((left, 0, left + lake.width // 2, lake.height)).resize(WIDE)
        frames, truth[name] = frames_of(np.asarray(place), person, 9)
        place.save(folder / f"{name}_plate.png")
        if name == "a":
            write_video(folder / "a.mp4", frames)
        else:
            (folder / "b").mkdir()
            for i, rgb in enumerate(frames):
                Image.fromarray(rgb).save(folder / "b" / f"{i}.png")
    return folder, truth


@pytest.fixture(scope="module")
def packs(tmp_path_factory):
    return make_packs(tmp_path_factory.mktemp("packs"))


@pytest.fixture
def copied(clip_of, tmp_path):
    """The video and its plate in a folder of their own, to be spoilt."""
    folder = tmp_path / "copied"
    folder.mkdir()
    for name in ("a.mp4", "a_plate.png"):
        (folder / name).write_bytes((clip_of[0] / name).read_bytes())
    return folder


def given_of(folder: Path, **changes) -> Footage:
    return Footage(folder=str(folder), **{"frames": 5, **changes})


def samples(pack: Path, packs, given: Footage, needs=("bgr", "seg")) -> FootageSamples:
    places = BackgroundDraw(Pack(packs[1]), SceneConfig())
    return FootageSamples(FootageClips(pack), places, Pass("", footage=given), needs, seed=(5,), steps=9)


def test_clips_are_read_with_their_plates_and_masked(clip_of, tmp_path):
    folder, truth = clip_of
    clips = FootageClips(footage_pack(given_of(folder, side=96), tmp_path))
    assert len(clips.held) == 2
    for (plate, frames), name in zip(clips.held, "ab", strict=True):
        assert clips.pack[plate].shape == (96, 171, 3) and len(frames) == 5
        for i, index in zip((0, 2, 4, 6, 8), frames, strict=True):
            rgba = clips.pack[index]
            mask = np.asarray(Image.fromarray(truth[name][i]).resize((171, 96))) > 127
            found = rgba[..., 3] > 127
            assert rgba.shape == (96, 171, 4) and (found & mask).sum() / (found | mask).sum() > 0.6, (name, i)
    assert clips_and_plates(given_of(folder)) == clips_and_plates(
        Footage((f"{folder}/a.mp4", f"{folder}/b"), (f"{folder}/a_plate.png", f"{folder}/b_plate.png"))
    )


def test_it_is_read_once(clip_of, tmp_path, monkeypatch):
    first = footage_pack(given_of(clip_of[0]), tmp_path)
    monkeypatch.setattr("koutu.train.footage.load_named", lambda *_, **__: pytest.fail("it was read again"))
    assert footage_pack(given_of(clip_of[0]), tmp_path) == first
    with pytest.raises(pytest.fail.Exception):
        footage_pack(given_of(clip_of[0], frames=3), tmp_path)


def test_samples_are_cropped_alike_and_the_same_every_time(clip_of, packs, tmp_path):
    given = given_of(clip_of[0])
    pack = footage_pack(given, tmp_path)
    one, again = (samples(pack, packs, given) for _ in range(2))
    shown, people = set(), 0
    for number in range(8):
        sample, same = one.sample(number, 64), again.sample(number, 64)
        assert all(np.array_equal(sample[name], same[name]) for name in sample)
        assert sample["src"].shape == (1, 64, 64, 3) and sample["pha"].shape == (1, 64, 64)
        outside = sample["pha"] < 4
        near = np.abs(sample["src"].astype(int) - sample["hint bgr"])[outside].mean()
        assert near < 14 < np.abs(sample["hint elsewhere"].astype(int) - sample["hint bgr"]).mean()
        assert not np.array_equal(sample["hint seg"], sample["pha"]) and sample["hint seg"].shape == (1, 64, 64)
        shown.add(sample["src"].tobytes())
        people += (sample["pha"] > 127).any()
    assert len(shown) == 8 and people == 8


def test_a_plate_that_was_moved_is_brought_into_line(copied, packs, tmp_path):
    plate = read_image(copied / "a_plate.png")
    Image.fromarray(np.roll(plate, 9, axis=1)).save(copied / "a_plate.png")
    away = []
    for aligned in (True, False):
        given = given_of(copied, align=aligned)
        drawn = samples(footage_pack(given, tmp_path), packs, given)
        found = [drawn.sample(i, 64) for i in range(6)]
        away.append(np.mean([np.abs(s["src"].astype(int) - s["hint bgr"])[s["pha"] < 4].mean() for s in found]))
    assert away[0] < 0.7 * away[1]


def _spoil_plate(folder: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (*SIZE, 3), np.uint8)
    Image.fromarray(noise).save(folder / "a_plate.png")


def _crop_plate(folder: Path) -> None:
    Image.open(folder / "a_plate.png").crop((0, 0, 144, 144)).save(folder / "a_plate.png")


def _cut_video(folder: Path) -> None:
    (folder / "a.mp4").write_bytes((folder / "a.mp4").read_bytes()[:900])


def _nobody(folder: Path) -> None:
    write_video(folder / "a.mp4", [read_image(folder / "a_plate.png")] * 4)


def _two_sizes(folder: Path) -> None:
    (folder / "a.mp4").unlink()
    (folder / "a").mkdir()
    for i, size in enumerate(((64, 36), (72, 40))):
        Image.new("RGB", size).save(folder / "a" / f"{i}.png")


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (_spoil_plate, r"a_plate.png: expected the place of a.mp4 without anybody, .* differs by"),
        (_crop_plate, r"a_plate.png: expected sides as a.mp4 has them \(256×144\), got 144×144"),
        (_cut_video, r"a.mp4"),
        (_nobody, r"a.mp4: expected a person, the segmentation found nobody"),
        (_two_sizes, r"expected images of one size"),
        (lambda folder: (folder / "a_plate.png").unlink(), r"only one of the two for a"),
        (lambda folder: (folder / "b.mov").write_bytes(b""), r"only one of the two for b"),
        (lambda folder: [path.unlink() for path in folder.iterdir()], r"got 0 clips, 0 plates"),
    ],
)
def test_what_will_not_do_is_refused_and_leaves_nothing(copied, tmp_path, spoil, message):
    spoil(copied)
    (tmp_path / "run").mkdir()
    with pytest.raises(InputError, match=message):
        footage_pack(given_of(copied), tmp_path / "run")
    assert not list((tmp_path / "run").iterdir())


@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        (Footage(folder="nowhere"), InputError, "nowhere: expected a folder"),
        (Footage(("a.mp4",), ()), InputError, "1 clips and 0 plates"),
        (Footage(("a.mp4",), ("a.png",)), InputError, "a.mp4: expected a part of the footage there"),
        (Footage(("a.mp4",), ("a.png",), "folder"), InputError, "got both"),
    ],
)
def test_places_that_are_not_there(given, error, message, tmp_path):
    with pytest.raises(error, match=message):
        footage_pack(given, tmp_path)


def test_segmentations_that_will_not_do(clip_of, tmp_path):
    with pytest.raises(InputError, match="needs images only, got closed-form"):
        footage_pack(given_of(clip_of[0], segmentation="closed-form"), tmp_path)
    with pytest.raises(ModelError, match="unheard-of"):
        footage_pack(given_of(clip_of[0], segmentation="unheard-of"), tmp_path)


@pytest.fixture
def recipe(packs, clip_of):
    """Background Matting's two stages at their smallest, the second on footage."""
    first = Pass("bgmv1", batch=1, sizes=((1.0, 32),))
    second = Pass(
        "bgmv1-adversarial", batch=2, sizes=((1.0, 32),), options={"critic_channels": 4}, footage=given_of(clip_of[0])
    )
    stages = (Stage((first,), steps=1, name="composites"), Stage((second,), steps=3, name="adversarial"))
    return Recipe(
        "bgmv1", str(packs[0]), str(packs[1]), stages, options=NETWORK, workers=0, held_out=4, validation_clips=1,
        validation_frames=2, validation_size=32,
    )  # fmt: skip


def test_a_network_learns_from_footage_and_goes_on_to_the_bit(recipe, tmp_path):
    whole = train(recipe, tmp_path / "whole")
    Run(recipe, tmp_path / "parts").train(stop_at=2)
    assert train(recipe, tmp_path / "parts") == whole
    a, b = (torch.load(tmp_path / name / "last.pt", weights_only=True) for name in ("whole", "parts"))
    assert all(torch.equal(a["network"][name], b["network"][name]) for name in a["network"])
    without = replace(recipe.stages[1].passes[0], footage=Footage())
    made = replace(recipe, stages=(recipe.stages[0], replace(recipe.stages[1], passes=(without,))))
    train(made, tmp_path / "made")
    c = torch.load(tmp_path / "made" / "last.pt", weights_only=True)
    assert not all(torch.equal(a["network"][name], c["network"][name]) for name in a["network"])


def test_only_what_needs_no_truth_gets_footage(recipe, clip_of, packs, tmp_path):
    untrue = replace(recipe.stages[0].passes[0], footage=given_of(clip_of[0]))
    with pytest.raises(InputError, match="truth is known for bgmv1, got footage"):
        Run(replace(recipe, stages=(replace(recipe.stages[0], passes=(untrue,)),)), tmp_path / "run")
    assert not list((tmp_path / "run").glob("*.pt"))
    given = given_of(clip_of[0])
    with pytest.raises(InputError, match="one that needs trimap"):
        samples(footage_pack(given, tmp_path), packs, given, needs=("trimap",))


def test_a_recipe_says_where_footage_is(tmp_path):
    path = Path(__file__).parent.parent.parent / "recipes" / "bgmv1.yaml"
    recipe = read_recipe(path, ["adversarial.footage.folder=videos", "adversarial.footage.frames=7"])
    composites, adversarial = (stage.passes[0].footage for stage in recipe.stages)
    assert not composites and adversarial == Footage(folder="videos", frames=7)
    for change, message in (("adversarial.frames=3", "frames: 1"), ("adversarial.footage.side=0", "1 or more")):
        with pytest.raises(InputError, match=message):
            read_recipe(path, ["adversarial.footage.folder=videos", change])
    with pytest.raises(InputError, match="films2"):
        read_recipe(path, ["adversarial.footage.films2=x"])
