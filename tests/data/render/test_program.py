"""What Blender's Python runs, as far as it needs no Blender: words it must know, fits, hands, motion, finishing."""

import importlib
import sys
from itertools import product
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from koutu.data.render.assets import SOURCES
from koutu.data.render.blender import PROGRAM
from koutu.data.render.people import STYLES_MEN, STYLES_OLD_MEN, STYLES_WOMEN, UNDER_HOODS
from koutu.data.render.views import HANDS, HELD, LIGHTS, MOTIONS, SEATED

pytest.importorskip("scipy")


@pytest.fixture
def program(monkeypatch):
    """Imports a module of the program; its modules are gone afterwards."""
    monkeypatch.syspath_prepend(str(PROGRAM.parent))
    before = set(sys.modules)

    def load(name: str) -> ModuleType:
        return importlib.import_module(name)

    yield load
    for name in set(sys.modules) - before:
        if str(PROGRAM.parent) in str(getattr(sys.modules[name], "__file__", "")):
            del sys.modules[name]


def test_the_program_knows_every_word_that_is_drawn(program):
    words = {word for pair in (*HANDS, *SEATED) for word in pair.split()} - {"gesture"}
    assert words <= program("arms").REACHES.keys()
    assert program("motion")._KINDS.keys() == MOTIONS.keys()
    for words, path in ((LIGHTS, "light.py"), ({w for held in HELD.values() for w in held}, "things.py")):
        text = (PROGRAM.parent / path).read_text()
        assert all(f'"{word}"' in text for word in set(words) - {"room"})
    assert {*STYLES_MEN, *STYLES_WOMEN, *STYLES_OLD_MEN} - {"bald"} == program("styles").STYLES.keys()
    assert set(UNDER_HOODS) - {"bald"} < program("styles").STYLES.keys()


def test_a_fit_reads_lines_of_one_vertex_and_words_between_them(program, tmp_path: Path):
    text = "obj_file brow.obj\nx_scale 1 2 0.5\nverts 0\ntag young\n7\n1 2 3 0.5 0.25 0.25 0.1 0 0\n"
    text += "delete_verts\n3 - 5 9\n"
    (tmp_path / "brow.mhclo").write_text(text)
    recipe = program("fitting")._read(tmp_path / "brow.mhclo")
    assert recipe.rows == [[7.0, 7.0, 7.0, 1.0, 0, 0, 0, 0, 0], [1, 2, 3, 0.5, 0.25, 0.25, 0.1, 0, 0]]
    assert recipe.hidden == {3, 4, 5, 9} and recipe.scales == {0: (1, 2, 0.5)} and recipe.obj == "brow.obj"


@pytest.mark.parametrize("kind", MOTIONS)
def test_motion_is_smooth(program, kind: str):
    pose = program("pose").Pose()
    motion = program("motion").motion_of(kind, pose, 1.0, np.random.default_rng(3))
    names = ("yaw", "pitch", "turn", "lean", "x", "y")
    values = np.array([[getattr(motion.pose(t), name) for name in names] for t in np.linspace(0, 1, 193)])
    steps = np.abs(np.diff(values, axis=0)).max(0)  # of an eighth of a frame
    assert (steps[:4] < 6).all() and (steps[4:] < 0.02).all()
    assert all(0 <= motion.mouth(t) <= 0.2 and 0 <= motion.lids(t) <= 1 for t in np.linspace(0, 1, 50))


def test_turns_and_frames(program):
    arrays = program("arrays")
    a, b = arrays.unit(np.array([1.0, 2, 3])), arrays.unit(np.array([-2.0, 0.5, 1]))
    assert np.allclose(arrays.turning(a, b) @ a, b) and np.allclose(arrays.turning(a, a), np.eye(3))
    axes = arrays.frame(a, b)
    assert np.allclose(axes.T @ axes, np.eye(3)) and np.allclose(axes[:, 0], a)
    assert np.allclose(arrays.rotation("z", 90) @ np.array([1, 0, 0]), [0, 1, 0])


def test_strands_are_lifted_out_of_a_surface(program):
    surface = program("surface")
    square = np.array([[-1, -1, 0], [1, -1, 0], [1, 1, 0], [-1, 1, 0]], float)
    made = surface.Surface(np.random.default_rng(0), [(square, np.array([[0, 1, 2], [0, 2, 3]]), 4000)])
    points = np.array([[[0, 0, -0.02], [0.1, 0.2, 0.001], [0, 0, 0.3]]])
    lifted = made.outside(points, 0.005)
    assert np.allclose(lifted[0, :2, 2], 0.005) and np.allclose(lifted[0, 2], points[0, 2])


def test_strands_keep_as_many_points_as_their_curves_need(program):
    surface = program("surface")
    t = np.linspace(0, 1, 24)[None, :, None]
    ends, bend = np.random.default_rng(0).normal(size=(2, 50, 1, 3)) * 0.2
    curve = ends * t + 0.1 * bend * t**2
    curl = curve + 0.004 * np.concatenate([np.sin(30 * t), np.cos(30 * t), 0 * t], 2)
    bent, curled, finely_curled = (
        surface.simplified(*each) for each in ((curve, 0.0008), (curl, 0.0008), (curl, 0.0003))
    )
    assert bent.shape[1] < curled.shape[1] < finely_curled.shape[1] < 24
    for simple, full, tolerance in ((bent, curve, 0.0008), (curled, curl, 0.0008), (finely_curled, curl, 0.0003)):
        assert np.linalg.norm(surface.resampled(simple, 24) - full, axis=2).mean() < tolerance
        assert np.allclose(simple[:, [0, -1]], full[:, [0, -1]])
    assert surface.simplified(curl, 0.0) is curl


def test_the_thirds_of_a_braid_cross_and_keep_together(program):
    braids = program("braids")
    rng, count = np.random.default_rng(0), 900
    axis = np.linspace([0, 0, 0], [0, 0, -0.3], 60)
    third = np.arange(count) % 3
    strands = braids.plaited(axis, np.full(60, 0.03), np.array([0.0, 1, 0]), third, rng)
    assert strands.shape == (count, 60, 3)
    assert np.linalg.norm(strands[..., :2], axis=2).max() < 0.6 * 0.03
    middle = np.stack([strands[third == k].mean(0) for k in range(3)])[..., 0]  # aside
    order = middle.argsort(0)
    assert {tuple(at) for at in order.T} == {(0, 1, 2), (1, 2, 0), (2, 0, 1), (0, 2, 1), (1, 0, 2), (2, 1, 0)}
    assert np.allclose(np.median(strands[..., 2], 0), axis[:, 2], atol=1e-3)


@pytest.mark.parametrize("pair", [False, True])
def test_braided_hair_hangs_from_its_roots_with_wisps(program, pair: bool):
    braids, ties, surface = program("braids"), program("ties"), program("surface")
    rng = np.random.default_rng(2)
    around = np.linspace(0, 2 * np.pi, 24, endpoint=False)
    ball = np.array([[np.sin(u) * np.cos(a), np.cos(u) * np.cos(a), np.sin(a)] for a in (-1.4, 0, 1.4) for u in around])
    faces = np.array(
        [(i, (i + 1) % 24, i + 24) for i in range(48)] + [((i + 1) % 24, i + 24, i + 1) for i in range(24)]
    )
    skull = surface.Surface(rng, [(ball * 0.1, faces, 2000)])
    knot = np.array([0, 0.11, 0.0])
    head = ties.HeadForm(np.zeros(3), 0.23, 0.08, 0.05, -0.12, knot)
    directions = rng.normal(size=(400, 3))
    roots = 0.1 * directions / np.linalg.norm(directions, axis=1, keepdims=True)
    made = braids.Braids(head, skull, 0.3, 0.03, 0.0, pair).strands(roots, rng)
    assert np.isfinite(made).all() and np.allclose(made[:, 0], roots)
    low = made[:, -1, 2] < -0.25
    assert 0.85 < low.mean() < 1  # the others are wisps
    ends = made[low, -1, 0]
    assert (
        (np.abs(ends) > 0.03).all() and (np.sign(ends) == np.sign(roots[low, 0])).all() if pair else ends.std() < 0.03
    )


def test_points_far_apart_are_chosen(program):
    points = np.concatenate([np.zeros((50, 3)), np.eye(3)]) + np.random.default_rng(0).normal(0, 1e-3, (53, 3))
    assert {50, 51, 52} <= set(program("braids").spread(points, 4))


def test_cloth_swings_past_what_it_hangs_on_and_comes_to_rest(program):
    swing = program("swing")

    def bones(second: float) -> np.ndarray:
        """Pulled aside by 0.3 m at once, at 1 s."""
        matrix = np.eye(4)[None].copy()
        matrix[0, 0, 3] = 0.3 if second >= 1 else 0.0
        return matrix

    points, joint = np.array([[0.0, 0, 0], [0.0, 0, -0.5]]), np.zeros(3)

    def aside(second: float) -> np.ndarray:
        at = points + bones(second)[0, :3, 3]
        return swing.swung(at, np.array([0.0, 1.0]), bones, 0, joint, second)[:, 0]

    assert np.allclose(aside(0.9), 0) and np.allclose(aside(2), 0.3)
    moved = np.array([aside(1 + k / 24) for k in range(16)])
    assert np.allclose(moved[:, 0], 0.3)
    assert moved[1, 1] < 0.3 and 0.3 < moved[:, 1].max() < 0.4


def test_everybody_has_a_skin_of_their_sex_and_age(program):
    skins, rng = program("skins"), np.random.default_rng(0)
    needed = {Path(path).stem for source in SOURCES if source.folder == "3dify" for path in source.needed}
    for gender, years, darkness in product((0.0, 1.0), (8, 30, 50, 80), (0.1, 0.9)):
        skin = skins.skin_of({"gender": gender, "years": years, "darkness": darkness}, rng)
        assert skin.name in needed and ("female" in skin.name) == (gender == 0)
        assert skin.name.startswith("young") == (years < 40)
        assert (skin.wrinkles > 0) == (years == 80 and skin.name != skins.WRINKLED)
        assert (skin.darkness > 0) == (gender == 1 and darkness == 0.9)
    folders = {f"{source.folder}/{Path(path).parent.as_posix()}" for source in SOURCES for path in source.needed}
    assert skins.FOLDER in folders


def test_half_covered_pixels_keep_the_colour_of_the_person(program):
    finish = program("finish")
    alpha = np.clip(np.linspace(1.5, -0.5, 64), 0, 1)[None].repeat(32, 0)
    colour = np.array([0.4, 0.2, 0.1])
    noisy = np.dstack([alpha[..., None] * colour, alpha])
    found = finish.straight(noisy, alpha)
    assert np.abs(found - colour)[alpha > 0.02].max() < 0.01
    picture = finish.rgba(finish.developed(found, 1.0, (1, 1, 1)), alpha)
    assert picture.dtype == np.uint8 and (picture[alpha == 0] == 0).all() and (picture[alpha == 1, 3] == 255).all()


def test_a_face_is_exposed_alike_in_any_light(program):
    finish = program("finish")
    rows, columns = np.mgrid[:60, :80] / 60
    face = ((columns - 0.6) ** 2 + (rows - 0.4) ** 2 < 0.04).astype(float)
    gains = []
    for light in (0.1, 2.0):
        colour = np.dstack([np.full((60, 80, 3), 0.3 * light) * face[..., None], face])
        gains.append(light * finish.exposure(colour, [(0.6, 0.4, 0.2, 0.3)], np.random.default_rng(1)))
    assert gains[0] == pytest.approx(gains[1])
    assert finish.exposure(np.zeros((8, 8, 4)), [], np.random.default_rng(1)) > 0
