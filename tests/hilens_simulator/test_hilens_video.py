"""A skill written from a packaged network: complete, and its video beside that of `koutu video` on the same frames."""

import json
from fractions import Fraction
from itertools import islice
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

onnx = pytest.importorskip("onnx")
pytest.importorskip("torch")
pytest.importorskip("onnxslim")

import koutu  # noqa: E402
from koutu.export.hilens.network import write_hilens  # noqa: E402
from koutu.export.hilens.package import Skill  # noqa: E402
from koutu.hilens_simulator import Session, simulate  # noqa: E402
from koutu.media.reader import open_video  # noqa: E402
from koutu.media.writer import EncodeOptions  # noqa: E402
from koutu.models import build, load_checkpoint  # noqa: E402
from koutu.types import InputError, ModelError, OutputError, Yuv420  # noqa: E402

SOURCE = Path(koutu.__file__).parent
FRAMES = 12
NET, VIEW = 192, 384


@pytest.fixture(scope="module")
def skill(tmp_path_factory: pytest.TempPathFactory) -> Skill:
    network = load_checkpoint(SOURCE / "weights" / "koutu-small.pt", "tmodnet")
    settings = {"view_width": VIEW, "view_height": VIEW, "background": "#3050a0", "mirror": True}
    return write_hilens(network, tmp_path_factory.mktemp("skill") / "small", size=(NET, NET), settings=settings)


def test_a_skill_has_all_that_its_model_is_built_from(skill: Skill) -> None:
    names = {path.name for path in (skill.folder / "build").iterdir()}
    assert {"small.onnx", "small.prototxt", "small.caffemodel", "aipp.cfg", "build-kit.sh", "card.json"} <= names
    readme = (skill.folder / "README.md").read_text("utf-8")
    assert "omg" in readme and "--input_shape=src:1,3,192,192;prev:1,1,192,192" in readme
    card = json.loads((skill.folder / "card.json").read_text())
    assert (card["width"], card["height"], card["inputs"], card["states"]) == (
        NET,
        NET,
        ["src", "prev"],
        {"prev": "pha"},
    )


def pictures(path: Path) -> list[Yuv420]:
    with open_video(path) as video:
        return [frame.picture for frame in video if isinstance(frame.picture, Yuv420)]


def write_left_half(source: Path, target: Path) -> None:
    """What the skill saw of the camera, without loss."""
    with av.open(str(target), "w") as out:
        stream = out.add_stream("libx264", rate=25, options={"qp": "0", "preset": "ultrafast"})
        assert isinstance(stream, av.VideoStream)
        stream.width, stream.height, stream.pix_fmt = VIEW, VIEW, "yuv420p"
        stream.codec_context.colorspace, stream.codec_context.color_range = 6, 1
        for number, picture in enumerate(pictures(source)):
            frame = av.VideoFrame(VIEW, VIEW, "yuv420p")
            for plane, values in zip(frame.planes, (picture.y, picture.u, picture.v), strict=True):
                rows = np.frombuffer(memoryview(plane), np.uint8).reshape(-1, plane.line_size)
                rows[: len(values), : values.shape[1] // 2] = values[:, : values.shape[1] // 2]
            frame.pts, frame.time_base = number, Fraction(1, 25)
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))


def shown_fewer_pixels(source: Path, target: Path) -> Path:
    """A packaged network that `koutu video` shows as much as the skill does."""
    model = onnx.load(source)
    card = json.loads({entry.key: entry.value for entry in model.metadata_props}["koutu"])
    onnx.helper.set_model_props(model, {"koutu": json.dumps(card | {"pixels": NET * NET})})
    onnx.save(model, target)
    return target


def psnr(ours: list[np.ndarray], theirs: list[np.ndarray]) -> float:
    errors = [np.square(a.astype(float) - b).mean() for a, b in zip(ours, theirs, strict=True)]
    return float(10 * np.log10(255**2 / max(float(np.mean(errors)), 1e-9)))


def test_its_film_is_that_of_koutu_video(skill: Skill, tmp_path: Path) -> None:
    shown, view, theirs = (tmp_path / name for name in ("shown.mp4", "view.mp4", "theirs.mp4"))
    console = {"camera": str(SOURCE / "sample" / "talk.mp4")}
    run = simulate(Session(str(skill.folder), out=str(shown), config=console, faults=f"stop@{FRAMES}", crf=0))
    assert run.code == 0, run.log
    write_left_half(shown, view)
    model = shown_fewer_pixels(SOURCE / "weights" / "koutu-small.onnx", tmp_path / "small.onnx")
    koutu.convert(
        view, theirs, background="#3050a0", model=model, steady=False, refine=False, decontaminate=False,
        encode=EncodeOptions(crf=0, audio=False),
    )  # fmt: skip
    ours, others = pictures(shown), pictures(theirs)
    assert len(ours) == len(others) == FRAMES
    luma = psnr([p.y[:, VIEW:] for p in ours], [p.y for p in others])
    chroma = psnr([p.u[:, VIEW // 2 :] for p in ours], [p.u for p in others])
    print(f"PSNR of luma {luma:.1f} dB, of chroma {chroma:.1f} dB")
    assert luma >= 45 and chroma >= 45
    behind = psnr([p.y[:, VIEW:] for p in ours], [p.y[:, :VIEW] for p in ours])
    assert behind < 30  # the background was changed


@pytest.mark.parametrize(
    ("kind", "wrong"),
    [
        (InputError, {"size": (NET + 4, NET)}),
        (InputError, {"settings": {"layout": "round"}}),
        (InputError, {"source_format": "yuyv"}),
        (InputError, {"precision": "int2"}),
        (OutputError, {"folder": Path("no") / "folder"}),
    ],
)
def test_nothing_is_left_of_a_skill_that_cannot_be_written(tmp_path: Path, kind: Any, wrong: dict[str, Any]) -> None:
    network = build("tmodnet", variant="single")
    folder = tmp_path / wrong.pop("folder", "skill")
    options: dict[str, Any] = {"size": (NET, NET)} | wrong
    with pytest.raises(kind):
        write_hilens(network, folder, **options)
    assert list(tmp_path.iterdir()) == []


def test_networks_that_need_more_than_a_picture_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="needs mask"):
        write_hilens(build("igf"), tmp_path / "skill", size=(64, 64))
    assert list(islice(tmp_path.iterdir(), 1)) == []
