"""Trimaps, masks, plates and clicks: made from each other, aligned, and given to networks through a Matter."""

import cv2
import numpy as np
import pytest
from support.media import make_clip

from koutu.api import convert, convert_image, make_trimap
from koutu.engines.backend import Backend
from koutu.engines.torch import TorchBackend
from koutu.engines.wrapped import WrappedBackend
from koutu.matting.clicks import Click, mask_from_clicks, parse_clicks
from koutu.matting.hints import Hints
from koutu.matting.matter import Matter
from koutu.matting.plate import align
from koutu.media.image import read_image, write_image
from koutu.pipeline.offline import offline_mattes
from koutu.trimap import snapped, trimap_from_mask
from koutu.types import Frame, InputError, ModelError
from koutu.zoo import load


def room(seed: int = 0, size: tuple[int, int] = (240, 320)) -> np.ndarray:
    """A scene with corners to hold on to."""
    rng, picture = np.random.default_rng(seed), np.full((*size, 3), 90, np.uint8)
    for _ in range(60):
        x, y = int(rng.integers(0, size[1])), int(rng.integers(0, size[0]))
        colour = tuple(int(v) for v in rng.integers(0, 255, 3))
        cv2.rectangle(picture, (x, y), (x + int(rng.integers(8, 40)), y + int(rng.integers(8, 40))), colour, -1)
    return cv2.GaussianBlur(picture, (3, 3), 0)


def person(size: tuple[int, int] = (240, 320)) -> tuple[np.ndarray, np.ndarray]:
    """A red figure before a blue wall, and its mask."""
    rng = np.random.default_rng(0)
    mask = np.zeros(size, np.uint8)
    cv2.ellipse(mask, (160, 150), (50, 80), 0, 0, 360, 255, -1)
    noise = rng.integers(-12, 12, (*size, 3))
    rgb = np.where(mask[..., None] > 0, (190, 60, 50), (40, 70, 160)) + noise
    return np.clip(rgb, 0, 255).astype(np.uint8), mask


def test_a_plate_from_a_shaken_hand_is_aligned():
    scene = room()
    homography = np.array([[1.02, 0.015, -6.0], [-0.012, 0.99, 5.0], [1e-5, -2e-5, 1.0]])
    plate = cv2.warpPerspective(scene, homography, (320, 240), borderMode=cv2.BORDER_REFLECT)
    frame = scene.copy()
    frame[100:200, 130:200] = (200, 50, 50)  # somebody came in
    aligned = align(plate, frame)
    inside = (slice(20, -20), slice(20, 120))
    before, after = (np.abs(x[inside].astype(int) - scene[inside]).mean() for x in (plate, aligned))
    assert after < 0.3 * before


def test_a_plate_without_features_stays():
    wall = np.full((240, 320, 3), 120, np.uint8)
    assert align(wall, room()) is wall and align(wall, wall) is wall
    other = room(5)
    assert align(other, room(6)).shape == other.shape


def test_clicks_cut_out_what_was_clicked():
    rgb, mask = person()
    found = mask_from_clicks(rgb, [Click(160, 150), Click(20, 20, person=False)])
    assert (found != mask).mean() < 0.02
    assert parse_clicks("160,150 -20,20; 3.5,4") == [Click(160, 150), Click(20, 20, False), Click(3.5, 4)]


@pytest.mark.parametrize("text", ["here", "1,2,3", "1;x", "5"])
def test_clicks_that_are_none_are_told(text):
    with pytest.raises(InputError, match="expected clicks"):
        parse_clicks(text)


def test_clicks_outside_or_only_beside_are_told():
    rgb, _ = person()
    with pytest.raises(InputError, match="within 320×240"):
        mask_from_clicks(rgb, [Click(320, 10)])
    with pytest.raises(InputError, match="on the person"):
        mask_from_clicks(rgb, [Click(10, 10, person=False)])


def test_trimaps_from_masks():
    _, mask = person()
    trimap = trimap_from_mask(mask, 6)
    assert set(np.unique(trimap)) == {0, 128, 255}
    unknown = trimap == 128
    distance = cv2.distanceTransform((mask == 0).astype(np.uint8), cv2.DIST_L2, 5)
    assert (distance[unknown] <= 7).all() and unknown[150, 110] and not unknown[150, 160]
    assert snapped(np.array([[0, 42, 43, 128, 212, 213, 255]], np.uint8)).tolist() == [[0, 0, 128, 128, 128, 255, 255]]


def test_hints_stand_for_each_other():
    rgb, mask = person()
    frame = Frame(rgb)
    assert np.array_equal(Hints(mask=mask)(frame, ("mask",))["mask"], mask)
    from_mask = Hints(mask=mask, radius=5)(frame, ("trimap",))["trimap"]
    assert np.array_equal(from_mask, trimap_from_mask(mask, 5))
    assert np.array_equal(Hints(trimap=from_mask)(frame, ("trimap",))["trimap"], from_mask)
    back = Hints(trimap=from_mask)(frame, ("mask",))["mask"]
    assert (back[from_mask == 255] == 255).all() and not back[from_mask == 0].any()
    clicked = Hints(clicks=[Click(160, 150), Click(20, 20, False)])(frame, ("mask", "trimap"))
    assert (clicked["mask"] != mask).mean() < 0.02 and (clicked["trimap"] == 128).any()
    soft = Hints(mask=mask)(frame, ("seg",))["seg"]
    assert ((soft > 0) & (soft < 255)).any() and soft[150, 160] == 255 and soft[5, 5] == 0
    plate = Hints(plate=rgb, fixed=True)(frame, ("bgr",))["bgr"]
    assert np.array_equal(plate, rgb)


@pytest.mark.parametrize("need, option", [("bgr", "--plate"), ("trimap", "--trimap"), ("mask", "--mask")])
def test_a_missing_hint_is_told(need, option):
    with pytest.raises(ModelError, match=option):
        Hints()(Frame(person()[0]), (need,))


def test_a_hint_that_is_no_file_is_told(tmp_path):
    with pytest.raises(InputError, match="no such file"):
        Hints(mask=tmp_path / "none.png")
    with pytest.raises(ModelError, match="guess"):
        Hints(mask="auto")


def test_a_network_gets_its_hints_through_a_matter(tmp_path):
    pytest.importorskip("torch")
    rgb, mask = person()
    backend = load("igf", weights="random")  # untrained, it gives the mask back
    assert np.abs(Matter(backend, hints=Hints(mask=mask))(rgb).alpha.astype(int) - mask).max() <= 1
    assert np.abs(Matter(backend)(rgb, mask=mask).alpha.astype(int) - mask).max() <= 1
    with pytest.raises(ModelError, match="needs a mask"):
        Matter(backend)(rgb)
    _, alpha = convert_image(rgb, tmp_path / "cut.png", backend=backend, hints=Hints(mask=mask))
    assert np.abs(alpha.astype(int) - mask).max() <= 1


def test_a_mask_on_the_first_frame_belongs_to_the_whole_video(tmp_path):
    pytest.importorskip("torch")
    seen = []
    backend = load("stm", weights="random", options={"width": 4})

    class Watched(WrappedBackend):
        def __call__(self, rgb, state, **hints):
            seen.append(sorted(hints))
            return self.inner(rgb, state, **hints)

    clip = make_clip(tmp_path / "clip.mp4", frames=6)
    mask = np.zeros((8, 8), np.uint8)
    mask[2:6, 2:6] = 255
    report = convert(clip, tmp_path / "out.mp4", model=Watched(backend), hints=Hints(mask=mask))
    assert report.frames == 6 and seen == [["mask"]] + [[]] * 5


def test_a_networks_own_colours_are_used(tmp_path):
    pytest.importorskip("torch")
    rgb, _ = person()
    backend = load("bgmv2", weights="random", options={"variant": "mobilenetv2", "refine_sample_pixels": 1600})
    matte = Matter(backend, hints=Hints(plate=rgb, fixed=True))(rgb)
    assert matte.foreground is not None and matte.foreground.shape == rgb.shape
    picture, _ = convert_image(
        rgb, tmp_path / "cut.png", backend=backend, hints=Hints(plate=rgb, fixed=True), background="transparent"
    )
    seen = matte.alpha > 0
    assert matte.foreground is not None and np.array_equal(picture[seen], matte.foreground[seen])


def test_classical_matting_runs_by_name(tmp_path):
    pytest.importorskip("pymatting")
    rgb, mask = person()
    soft = cv2.GaussianBlur(mask, (9, 9), 0)
    for method in ("closed-form", "knn"):
        alpha = Matter(load(method), hints=Hints(mask=mask, radius=6))(rgb).alpha
        assert np.abs(alpha.astype(int) - mask).mean() < 6, method
    picture, _ = convert_image(
        rgb, tmp_path / "cut.png", backend=load("closed-form"), hints=Hints(mask=soft), multilevel=True
    )
    assert picture.shape == rgb.shape
    with pytest.raises(ModelError, match="mark both"):
        Matter(load("knn"), hints=Hints(trimap=np.full((240, 320), 128, np.uint8)))(rgb)
    with pytest.raises(ModelError, match="engine"):
        load("knn", engine="torch")


def test_trimaps_are_made_of_masks_and_by_networks(tmp_path):
    pytest.importorskip("torch")
    rgb, mask = person()
    make_trimap(rgb, tmp_path / "t.png", hints=Hints(mask=mask, radius=7))
    assert np.array_equal(read_image(tmp_path / "t.png")[..., 0], trimap_from_mask(mask, 7))
    tnet = load("shm", weights="random", options={"variant": "light"})
    assert set(np.unique(make_trimap(rgb, tmp_path / "n.png", backend=tnet))) <= {0, 128, 255}
    with pytest.raises(ModelError, match="makes trimaps"):
        make_trimap(rgb, tmp_path / "x.png", backend=load("u2net", weights="random", options={"variant": "u2netp"}))
    write_image(tmp_path / "a.png", rgb)


def test_weights_and_options_must_fit():
    pytest.importorskip("torch")
    with pytest.raises(ModelError, match="--weights"):
        load("rvm")
    with pytest.raises(ModelError, match="network of the field"):
        load("koutu-small", weights="random")
    with pytest.raises(ModelError, match="out of torch"):
        load("rvm", weights="random", engine="openvino")
    with pytest.raises(ModelError, match="device"):
        load("igf", weights="random", device="abacus")


def test_only_the_largest_part_stays_where_the_published_code_does_so():
    torch = pytest.importorskip("torch")
    from koutu.models.base import Network

    class TwoParts(Network):
        largest_above = 0.05

        def network_size(self, size):
            return size

        def forward(self, src):
            pha = torch.zeros_like(src[:, :1])
            pha[..., 2:12, 2:12], pha[..., 20:24, 20:24] = 0.8, 1.0
            return src, pha

    rgb = np.zeros((32, 32, 3), np.uint8)
    alpha = Matter(TorchBackend(TwoParts(), "two"))(rgb).alpha
    assert alpha[5, 5] == 204 and not alpha[20:24, 20:24].any()


@pytest.mark.parametrize("kind", ["mask", "trimap"])
def test_a_hint_on_the_first_frame_is_carried_on_for_another_network(tmp_path, kind):
    pytest.importorskip("torch")
    rgb, truth = person()
    carrier = load("stm", weights="random", options={"width": 4, "variant": kind})
    given = Hints(mask=truth) if kind == "mask" else Hints(trimap=trimap_from_mask(truth, 4))
    seen = []

    class Watched(Backend):
        name, needs = "watched", (kind,)

        def network_size(self, size):
            return size

        def initial_state(self, size):
            return []

        def __call__(self, rgb, state, **hints):
            seen.append(hints[kind])
            return None, np.zeros(rgb.shape[:2], np.float32), state

    guess = Matter(carrier, hints=given)
    hints = Hints(guess=guess, mask="auto") if kind == "mask" else Hints(guess=guess, trimap="auto")
    matter = Matter(Watched(), hints=hints)
    for _ in range(3):
        matter(rgb)
    assert len(seen) == 3 and float(guess.state[-1]) == 3  # pyright: ignore[reportOptionalSubscript, reportArgumentType]
    assert np.abs(seen[0].astype(int) - (truth if kind == "mask" else trimap_from_mask(truth, 4))).mean() < 2


def test_sim_is_told_what_its_classifier_sees(tmp_path):
    torch = pytest.importorskip("torch")
    from koutu.models.sim_classifier import SIMClassifier

    torch.save({"state_dict": SIMClassifier().state_dict()}, tmp_path / "classifier.pth")
    rgb, truth = person()
    hints = Hints(mask=truth)
    told = load("sim", weights="random", options={"width": 8, "classifier": tmp_path / "classifier.pth"})
    assert Matter(told, hints=hints)(rgb).alpha.shape == rgb.shape[:2]
    torch.save({"weight": torch.zeros(3)}, tmp_path / "other.pth")
    with pytest.raises(ModelError, match="missing"):
        load("sim", weights="random", options={"width": 8, "classifier": tmp_path / "other.pth"})


EMPTY = np.zeros((8, 8), np.uint8)


class PlateAlone(Backend):
    """A network that needs a plate, and nothing else."""

    name, needs = "plate-alone", ("bgr",)
    network_size = initial_state = __call__ = lambda self, *given, **hints: None  # type: ignore[assignment]


@pytest.mark.parametrize(
    "hints",
    [Hints(trimap=EMPTY), Hints(mask=EMPTY), Hints(clicks=[Click(3, 4, True)])],
    ids=["trimap", "mask", "clicks"],
)
def test_a_hint_that_the_network_makes_nothing_of_is_refused(tmp_path, hints):
    with pytest.raises(InputError, match=r"plate-alone makes nothing, got .*name a network that does"):
        Matter(PlateAlone(), hints=hints)
    with pytest.raises(InputError, match=r"an offline run makes nothing, got .*leave either out"):
        offline_mattes("talk.mp4", tmp_path / "out.mp4", load(), hints=hints)


def test_a_hint_that_the_default_network_would_guess_for_itself_is_refused():
    with pytest.raises(InputError, match="makes nothing, got a mask"):
        Matter(load(), hints=Hints(mask="auto", guess=Matter(load())))
