"""Every layout on a tiny tree of its kind, broken files, and trees that are no data set."""

import json
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from PIL import Image
from support.media import make_clip
from support.sets import COLOUR, HARD, KINDS, SIZE, SOFT, grow, save

from koutu.data.sets.open import Broken, DataSet, Example, layout_names, open_dataset, open_splits
from koutu.media.reader import open_video
from koutu.media.writer import open_writer
from koutu.types import InputError, Yuv420

PYCOCOTOOLS = "ignore:__array__ implementation:DeprecationWarning"  # its own affair with NumPy 2
# layout: files with what they hold (see KINDS), the split opened by itself, clips, cut-outs, parts beside src and pha
LAYOUTS = {
    "composition-1k": [
        ("Combined_Dataset/Test_set/merged/dog_1_0.png c, Combined_Dataset/Test_set/merged/dog_1_1.png c, "
         "Combined_Dataset/Test_set/alpha_copy/dog_1_0.png a, Combined_Dataset/Test_set/alpha_copy/dog_1_1.png a, "
         "Combined_Dataset/Test_set/trimaps/dog_1_0.png t, Combined_Dataset/Test_set/trimaps/dog_1_1.png t, "
         "Combined_Dataset/Training_set/fg/a.jpg c, Combined_Dataset/Training_set/alpha/a.jpg a",
         "test", ["dog_1_0", "dog_1_1"], False, "trimap"),
        ("Test_set/merged/dog_1_0.png c, Test_set/merged/dog_1_1.png c, "
         "Test_set/Adobe-licensed images/alpha/dog_1.png a, "
         "Test_set/Adobe-licensed images/trimaps/dog_1_0.png t, Test_set/Adobe-licensed images/trimaps/dog_1_1.png t",
         "test", ["dog_1_0", "dog_1_1"], False, "trimap"),
        ("Training_set/Other/fg/a.jpg c, Training_set/Other/alpha/a.jpg a", "train", ["Other/a"], True, "fgr"),
        ("Test_set/fgr/a.jpg c, Test_set/pha/a.jpg a", "test", ["a"], True, "fgr"),
    ],
    "distinctions-646": [
        ("Test/Image/a_0.png c, Test/GT/a_0.png a, Test/FG/a_0.png c, Test/BG/a_0.png b, Train/FG/z.png c, "
         "Train/GT/z.png a", "test", ["a_0"], False, "fgr bgr"),
        ("Train_ori/Fg_images/h_1.jpg c, Train_ori/Alpha_matte/h_1.png a", "train", ["h_1"], True, "fgr"),
        ("Test/FG/h.png c, Test/GT/h.png a", "test", ["h"], True, "fgr"),
    ],
    "videomatte240k": [
        ("train/fgr/0001/00000.jpg c, train/fgr/0001/00001.jpg c, train/pha/0001/00000.jpg a, "
         "train/pha/0001/00001.jpg a, train/fgr/0002/00000.jpg c, train/pha/0002/00000.jpg a", "train",
         ["0001", "0002"], True, "fgr"),
        ("fgr/0001/00009.jpg c, fgr/0001/00010.jpg c, pha/0001/00009.jpg a, pha/0001/00010.jpg a", "all", ["0001"],
         True, "fgr"),
    ],
    "photomatte": [
        ("fgr/one/x.jpg c, pha/one/x.png a, fgr/two/deep/x.jpg c, pha/two/deep/x.png a", "all", ["one/x", "two/deep/x"],
         True, "fgr"),
        ("valid/fgr/x.jpg c, valid/pha/x.jpg a, train/fgr/x.jpg c, train/pha/x.jpg a", "valid", ["x"], True, "fgr"),
    ],
    "rwp-636": [("image/7.jpg c, alpha/7.png a, detailmap/7_cloud_trimap.jpg d", "all", ["7"], False, "trimap")],
    "p3m-10k": [
        ("P3M-10k/train/blurred_image/p.jpg c, P3M-10k/train/mask/p.png a, P3M-10k/train/fg/p.jpg c, "
         "P3M-10k/train/bg/p.jpg b, P3M-10k/validation/P3M-500-P/blurred_image/q.jpg c, "
         "P3M-10k/validation/P3M-500-P/mask/q.png a, P3M-10k/validation/P3M-500-P/trimap/q.png t, "
         "P3M-10k/validation/P3M-500-NP/original_image/n.jpg c, P3M-10k/validation/P3M-500-NP/mask/n.png a",
         "P3M-500-P", ["q"], False, "trimap"),
        ("original_image/n.jpg c, mask/n.png a, trimap/n.png t", "NP", ["n"], False, "trimap"),
    ],
    "ppm-100": [
        ("image/1.jpg c, matte/1.jpg a", "all", ["1"], False, ""),
        ("val/fg/1.jpg c, val/alpha/1.jpg a, train/fg/2.jpg c, train/alpha/2.jpg a", "val", ["1"], False, ""),
    ],
    "am-2k": [
        ("train/original/a.jpg c, train/mask/a.png a, train/fg/a.png c, train/bg/a.png b, validation/original/v.jpg c, "
         "validation/mask/v.png a, validation/trimap/v.png t", "validation", ["v"], False, "trimap"),
    ],
    "aim-500": [("original/o.jpg c, mask/o.png a, trimap/o.png t, usr/o.png m", "all", ["o"], False, "trimap")],
    "alphamatting": [
        ("input_lowres/doll.png c, trimap_lowres/Trimap1/doll.png t, trimap_lowres/Trimap2/doll.png t, "
         "input_training_lowres/GT01.png c, gt_training_lowres/GT01.png a, trimap_training_lowres/Trimap1/GT01.png t",
         "test-Trimap1", ["doll"], False, "trimap"),
    ],
    "dvm": [
        ("fg/image/test/fg/x.png c, fg/image/test/alpha/x.png a, fg/image/test/trimap/x.png t", "test-image", ["x"],
         True, "fgr trimap"),
    ],
    "rvm-eval": [
        ("videomatte_motion/0000/com/0000.png c, videomatte_motion/0000/pha/0000.png a, "
         "videomatte_motion/0000/fgr/0000.png c, videomatte_static/0000/com/0000.png c, "
         "videomatte_static/0000/pha/0000.png a, videomatte_static/0000/fgr/0000.png c", "all",
         ["videomatte_motion/0000", "videomatte_static/0000"], False, "fgr"),
        ("0000/com/0000.png c, 0000/pha/0000.png a, 0000/com/0001.png c, 0000/pha/0001.png a", "all", ["0000"], False,
         ""),
    ],
    "conference": [
        ("original_testing/original1_2.jpg c, original_testing/original1_10.jpg c, ground_truth_testing/gt1_2.jpg m, "
         "ground_truth_testing/gt1_10.jpg m, original_training/original4_1.jpg c, ground_truth_training/gt4_1.jpg m",
         "test", ["1"], False, "binary"),
    ],
    "aisegment": [
        ("clip_img/18/clip_00/18-3.jpg c, matting/18/matting_00/18-3.png r", "all", ["18/00/18-3"], False, ""),
        ("half/clip_img/18/00/18-3.jpg c, half/matting/18/clip_00/18-3.png r", "all", ["18/00/18-3"], False, ""),
    ],
    "simd": [("hair/merged/1.png c, hair/alpha/1.png a, hair/trimap/1.png t, fur/merged/1.png c, fur/alpha/1.png a, "
              "fur/trimap/1.png t", "all", ["fur/1", "hair/1"], False, "trimap")],
    "supervisely": [("img/p.png c, seg/p.png m", "all", ["p"], False, "binary")],
    "eg1800": [("Images/1.jpg c, masks/1.png m", "all", ["1"], False, "binary")],
    "folder": [
        ("photos/a.jpg c, alpha/a_alpha.png a", "all", ["a"], False, ""),
        ("a.jpg c, b.jpg c, Mattes/a.png a, Mattes/b.png a", "all", ["a", "b"], False, ""),
        ("a.jpg c, a_matte.png a", "all", ["a"], False, ""),
        ("a.jpg c, a-mask.png m", "all", ["a"], False, "binary"),
        ("deep/a.png r, b.webp r", "all", ["b", "deep/a"], True, "fgr"),
        ("test/images/a.jpg c, test/alphas/a.png a, train/images/b.jpg c, train/alphas/b.png a", "test", ["a"], False,
         ""),
        ("a.jpg c, b.bmp c", "pictures", ["a", "b"], False, "untold"),
    ],
}  # fmt: skip


def read(data: DataSet) -> list[Example]:
    """Every example; fails on a broken one."""
    items = [item for clip in data.clips for item in clip.examples()]
    assert not [item for item in items if isinstance(item, Broken)], items
    return [item for item in items if isinstance(item, Example)]


def broken_of(data: DataSet) -> dict[str, str]:
    items = [item for clip in data.clips for item in clip.examples()]
    return {item.name: item.reason for item in items if isinstance(item, Broken)}


CASES = [(layout, *case) for layout, cases in LAYOUTS.items() for case in cases]


@pytest.mark.parametrize("layout, files, split, clips, cutouts, parts", CASES)
def test_each_layout_is_found_and_read(tmp_path, layout, files, split, clips, cutouts, parts):
    data = open_dataset(grow(tmp_path / "set", files))
    assert (data.layout, data.split, data.cutouts) == (layout, split, cutouts)
    assert [clip.name for clip in data.clips] == clips and not data.broken
    assert read(open_dataset(tmp_path / "set", layout, split))[0].name == read(data)[0].name
    examples = read(data)
    assert len({example.name for example in examples}) == len(examples) == sum(len(clip) for clip in data.clips)
    moving = layout in ("videomatte240k", "rvm-eval", "conference")
    assert all(clip.still is not moving for clip in data.clips)
    for example in examples:
        assert example.binary is ("binary" in parts)
        assert (example.src is None) is cutouts and (example.pha is None) is (
            "untold" in parts or layout == "alphamatting"
        )
        for part in ("fgr", "bgr", "trimap"):
            assert (getattr(example, part) is not None) is (part in parts)
        if example.pha is not None:
            assert example.pha.dtype == np.float32 and 0 <= example.pha.min() < 0.02 and example.pha.max() > 0.98
            wanted = HARD if example.binary else SOFT
            assert np.abs(example.pha * 255 - wanted).mean() < 3


def test_every_layout_has_a_test():
    assert {*LAYOUTS, "rendered", "videomatting108", "coco", "youtube-vis", "video"} == set(layout_names())


def test_splits_are_chosen_by_name_and_by_how_they_begin(tmp_path):
    root = grow(tmp_path / "set", LAYOUTS["alphamatting"][0][0])
    assert [data.split for data in open_splits(root)] == ["test-Trimap1", "test-Trimap2", "train-Trimap1"]
    train = open_dataset(root, split="train")
    assert train.split == "train-Trimap1" and train.name == "set-train-Trimap1" and read(train)[0].pha is not None
    with pytest.raises(InputError, match="test-Trimap2"):
        open_dataset(root, split="valid")


def test_frames_are_in_natural_order_and_read_in_parts(tmp_path):
    root = tmp_path / "set"
    for at in (1, 2, 9, 10, 11):
        grow(root, f"7/com/{at}.png c, 7/pha/{at}.png a")
    clip = open_dataset(root).clips[0]
    assert [item.name for item in clip.examples()] == ["7/1", "7/2", "7/9", "7/10", "7/11"]
    assert [item.name for item in clip.examples(1, 3)] == ["7/2", "7/9"] and len(clip) == 5


def test_the_detail_map_marks_what_is_measured(tmp_path):
    root = grow(tmp_path, "image/7.jpg c, alpha/7.png a")
    save(root / "detailmap/7_cloud_trimap.png", KINDS["d"])
    trimap = read(open_dataset(root, "rwp-636"))[0].trimap
    assert trimap is not None and np.array_equal(trimap == 128, KINDS["d"] > 0)
    assert set(np.unique(trimap)) == {0, 128, 255}


def test_sixteen_bits_of_alpha_are_kept(tmp_path):
    levels = np.linspace(0, 65535, 32 * 24).astype(np.uint16).reshape(SIZE)
    root = grow(tmp_path, "original/o.png c")
    save(root / "mask/o.png", levels)
    pha = read(open_dataset(root))[0].pha
    assert pha is not None and np.allclose(pha, levels / 65535, atol=1e-6) and len(np.unique(pha)) > 256


def test_masks_of_class_numbers_and_palettes_are_masks(tmp_path):
    root = grow(tmp_path, "img/a.png c, img/b.png c, img/c.png c")
    save(root / "seg/a.png", HARD // 255)
    coloured = Image.fromarray(HARD // 255).convert("P")
    coloured.putpalette([0, 0, 0, 128, 0, 0])
    coloured.save(root / "seg/b.png")
    Image.fromarray(HARD).convert("1").save(root / "seg/c.png")
    for example in read(open_dataset(root)):
        assert example.binary and example.pha is not None and np.array_equal(example.pha, HARD / 255)


def test_what_cannot_be_used_is_told_and_the_rest_read(tmp_path):
    names = ["good", "empty", "torn", "text", "size", "tint", "nan"]
    root = grow(tmp_path / "set", ", ".join(f"original/{name}.png c, mask/{name}.png a" for name in names))
    mask = root / "mask"
    (mask / "empty.png").write_bytes(b"")
    whole = (mask / "torn.png").read_bytes()
    (mask / "torn.png").write_bytes(whole[: len(whole) // 2])
    (root / "original/text.png").write_text("not a picture")
    save(mask / "size.png", SOFT[:-4])
    save(mask / "tint.png", COLOUR)
    (mask / "nan.png").unlink()
    save(mask / "nan.tif", np.where(SOFT > 99, np.nan, 0.5).astype(np.float32))
    data = open_dataset(root)
    broken = broken_of(data)
    assert [clip.name for clip in data.clips if clip.name not in broken] == ["good"]
    words = {"empty": "empty", "torn": "whole image", "text": "image", "size": "32×20", "tint": "colour",
             "nan": "floating"}  # fmt: skip
    assert {name: word in broken[name] for name, word in words.items()} == dict.fromkeys(words, True)


def test_halves_of_pairs_and_names_given_twice_are_told(tmp_path):
    root = grow(tmp_path, "original/a.jpg c, mask/a.png a, original/b.jpg c, mask/c.png a, original/a.png c")
    data = open_dataset(root)
    assert [clip.name for clip in data.clips] == ["a"]
    reasons = {item.name: item.reason for item in data.broken}
    assert set(reasons) == {"original/b.jpg", "mask/c.png", "original/a.png"}
    assert "mask/b" in reasons["original/b.jpg"] and "original/c" in reasons["mask/c.png"]


def test_a_cut_out_without_alpha_among_cut_outs_is_told(tmp_path):
    data = open_dataset(grow(tmp_path, "a.png r, b.png c"))
    assert data.cutouts and "alpha channel" in broken_of(data)["b"]


def test_trees_that_are_no_data_set_are_explained(tmp_path):
    with pytest.raises(InputError, match="nothing of this name"):
        open_dataset(tmp_path / "none")
    (tmp_path / "notes").mkdir()
    with pytest.raises(InputError) as caught:
        open_dataset(tmp_path)
    told = str(caught.value)
    assert "notes/" in told and all(f"  {name}: " in told for name in layout_names())
    grow(tmp_path, "original/a.jpg c")
    with pytest.raises(InputError) as caught:
        open_dataset(tmp_path, "aim-500")
    told = str(caught.value)
    assert "src at original/{id} (found) and pha at mask/{id} (none)" in told and "p3m" not in told
    with pytest.raises(InputError, match="aim-500"):
        open_dataset(tmp_path, "aim500")
    grow(tmp_path, "mask/b.png a")
    with pytest.raises(InputError, match="complete examples"):
        open_dataset(tmp_path, "aim-500")


def test_several_sets_in_a_folder_are_not_one(tmp_path):
    grow(tmp_path, "places/a.jpg c, rooms/b.jpg c")
    with pytest.raises(InputError, match=r"several: places \(folder\), rooms \(folder\)"):
        open_dataset(tmp_path)
    (tmp_path / "rooms/b.jpg").unlink()
    assert [clip.name for clip in open_dataset(tmp_path).clips] == ["a"]


def test_videomatting108_composes_by_its_list_and_reads_flow(tmp_path):
    root = tmp_path / "set"
    grow(root, "FG_done/cat/00000.png r, FG_done/cat/00001.png r, FG_done/dog/00000.png r, BG_done/sea/00004.png b")
    pairs = {"cat/00000.png": "sea/00004.jpg", "cat/00001.png": "sea/00004.jpg", "dog/00000.png": "sea/00005.jpg"}
    (root / "frame_corr.json").write_text(json.dumps(pairs))
    (root / "val_videos.txt").write_text("cat\n")
    (root / "train_videos.txt").write_text("dog\ncow\n")
    flow = np.zeros((*SIZE, 3), np.int16)
    flow[..., 0], flow[..., 1], flow[:, 1:, 2] = 150, -275, 1
    (root / "flow_png/cat").mkdir(parents=True)
    cv2.imwrite(str(root / "flow_png/cat/flow_00000_00001.png"), flow.view(np.uint16))
    data = open_dataset(root)
    assert (data.layout, data.split, data.cutouts) == ("videomatting108", "val", False) and not data.broken
    first, last = read(data)
    assert first.flow is not None and last.flow is None
    assert np.isnan(first.flow[:, 0]).all() and np.allclose(first.flow[:, 1:], [1.5, -2.75])
    assert first.src is not None and first.pha is not None and np.allclose(first.pha * 255, SOFT)
    back = KINDS["b"].astype(float)
    wanted = COLOUR * first.pha[..., None] + back * (1 - first.pha[..., None])
    assert np.abs(first.src - wanted).max() <= 1
    with pytest.raises(InputError, match=r"sea/00005.*\n.*cow"):
        open_dataset(root, split="train")


def rle(mask: np.ndarray) -> list[int]:
    """COCO's uncompressed run lengths: column by column, beginning with background."""
    flat = mask.ravel(order="F")
    edges = np.flatnonzero(np.diff(flat)) + 1
    runs = np.diff(np.array([0, *edges.tolist(), flat.size])).tolist()
    return [0, *runs] if flat[0] else runs


@pytest.mark.filterwarnings(PYCOCOTOOLS)
def test_coco_people_become_masks(tmp_path):
    codec = pytest.importorskip("pycocotools.mask")
    root = tmp_path / "set"
    grow(root, "val2017/1.jpg c, val2017/2.jpg c")
    person = np.zeros(SIZE, np.uint8)
    person[4:20, 6:16] = 1
    other = np.zeros(SIZE, np.uint8)
    other[:, 24:] = 1
    coded = codec.encode(np.asfortranarray(other))
    coded["counts"] = coded["counts"].decode()
    box = [[6, 4, 16, 4, 16, 20, 6, 20]]
    notes = [
        {"image_id": 1, "category_id": 5, "segmentation": box, "iscrowd": 0},
        {"image_id": 1, "category_id": 5, "segmentation": {"counts": rle(other), "size": list(SIZE)}, "iscrowd": 1},
        {"image_id": 2, "category_id": 1, "segmentation": box, "iscrowd": 0},
        {"image_id": 3, "category_id": 5, "segmentation": coded, "iscrowd": 0},
    ]
    told = {
        "images": [{"id": i, "file_name": f"{i}.jpg", "height": SIZE[0], "width": SIZE[1]} for i in (1, 2, 3)],
        "annotations": notes, "categories": [{"id": 1, "name": "dog"}, {"id": 5, "name": "person"}],
    }  # fmt: skip
    path = root / "annotations/instances_val2017.json"
    path.parent.mkdir()
    path.write_text(json.dumps(told))
    data = open_dataset(root)
    assert (data.layout, data.split) == ("coco", "val2017")
    assert [clip.name for clip in data.clips] == ["1"] and [item.name for item in data.broken] == ["3"]
    (example,) = read(data)
    assert example.binary and example.pha is not None and np.array_equal(example.pha, person | other)
    told["images"][0]["height"] = 30
    told["annotations"] = notes[:1]
    path.write_text(json.dumps(told))
    assert "32×24" in broken_of(open_dataset(root))["1"]
    told["categories"] = told["categories"][:1]
    path.write_text(json.dumps(told))
    with pytest.raises(InputError, match="dog"):
        open_dataset(root)


def test_panoptic_people_become_masks(tmp_path):
    root = grow(tmp_path, "val2017/1.jpg c")
    ids = np.where(HARD > 0, 70_000, 3)
    rgb = np.dstack([ids % 256, ids // 256 % 256, ids // 65536]).astype(np.uint8)
    save(root / "annotations/panoptic_val2017/1.png", rgb)
    note = {"image_id": 1, "file_name": "1.png", "segments_info": [{"id": 70_000, "category_id": 1}]}
    told = {"images": [{"id": 1, "file_name": "1.jpg"}], "annotations": [note],
            "categories": [{"id": 1, "name": "person"}]}  # fmt: skip
    (root / "annotations/panoptic_val2017.json").write_text(json.dumps(told))
    data = open_dataset(root)
    (example,) = read(data)
    assert data.split == "panoptic-val2017" and np.array_equal(example.pha * 255, HARD)  # pyright: ignore


@pytest.mark.filterwarnings(PYCOCOTOOLS)
def test_youtube_vis_clips_have_a_mask_a_frame(tmp_path):
    pytest.importorskip("pycocotools.mask")
    root = tmp_path / "set"
    grow(root, ", ".join(f"{s}/JPEGImages/{v}/0000{i}.jpg c" for s in ("train", "valid") for v in "ab" for i in (0, 5)))
    videos = [{"id": i, "file_names": [f"{v}/00000.jpg", f"{v}/00005.jpg"], "height": SIZE[0], "width": SIZE[1]}
              for i, v in enumerate("ab")]  # fmt: skip
    categories = [{"id": 26, "name": "person"}, {"id": 1, "name": "cat"}]
    coded = {"counts": rle((HARD > 0).astype(np.uint8)), "size": list(SIZE)}
    notes = [{"video_id": 0, "category_id": 26, "segmentations": [coded, None]},
             {"video_id": 1, "category_id": 1, "segmentations": [coded, coded]}]  # fmt: skip
    (root / "train/instances.json").write_text(
        json.dumps({"videos": videos, "categories": categories, "annotations": notes})
    )
    (root / "valid/instances.json").write_text(json.dumps({"videos": videos, "categories": categories}))
    data = open_dataset(root, split="train")
    assert data.layout == "youtube-vis" and [clip.name for clip in data.clips] == ["a"] and not data.clips[0].still
    first, second = read(data)
    assert (first.name, second.name) == ("a/00000", "a/00005")
    assert np.array_equal(first.pha * 255, HARD) and not np.any(second.pha)  # pyright: ignore
    hidden = open_dataset(root, split="valid")
    assert len(hidden.clips) == 2 and all(example.pha is None for example in read(hidden))


def cut_out(path: Path, clip: Path, alpha: np.ndarray) -> Path:
    """The clip with this alpha (H, W) on every frame, as koutu writes it."""
    with open_video(clip) as reader, open_writer(path, reader, alpha=True) as writer:
        for frame in reader:
            assert isinstance(frame.picture, Yuv420)
            writer.write(frame.picture, frame, alpha)
    return path


def quicktime(path: Path, codec: str, kind: str, alpha: np.ndarray, frames: int) -> Path:
    """RGBA pictures in a .mov."""
    rgba = np.dstack([np.full((*alpha.shape, 3), (200, 100, 50), np.uint8), alpha])
    with av.open(str(path), "w") as out:
        stream = out.add_stream(codec, rate=25)
        assert isinstance(stream, av.VideoStream)
        stream.height, stream.width, stream.pix_fmt = *alpha.shape, kind
        for _ in range(frames):
            out.mux(stream.encode(av.VideoFrame.from_ndarray(rgba, format="rgba").reformat(format=kind)))
        out.mux(stream.encode(None))
    return path


def test_videos_with_alpha_tracks_are_cut_outs(tmp_path):
    clip, folder = make_clip(tmp_path / "clip.mp4", frames=5, size=(48, 64)), tmp_path / "set"
    folder.mkdir()
    alpha = np.linspace(0, 255, 64).astype(np.uint8)[None].repeat(48, 0)
    cut_out(folder / "a.webm", clip, alpha)
    cut_out(folder / "b.mov", clip, alpha)
    quicktime(folder / "c.mov", "qtrle", "argb", alpha, 5)
    quicktime(folder / "d.mov", "png", "rgba", alpha, 5)
    data = open_dataset(folder)
    assert data.layout == "video" and data.cutouts and [c.name for c in data.clips] == ["a", "b", "c", "d"]
    assert [len(c) for c in data.clips] == [5] * 4 and not data.clips[0].still
    examples = read(data)
    assert [example.name for example in examples[:2]] == ["a/00000", "a/00001"] and len(examples) == 20
    for example in examples:
        assert example.src is None and example.fgr is not None and example.fgr.shape == (48, 64, 3)
        assert example.pha is not None and np.abs(example.pha * 255 - alpha).mean() < 3, example.name
    assert np.abs(examples[10].fgr.astype(int) - (200, 100, 50)).max() < 4  # pyright: ignore
    assert [item.name for item in data.clips[1].examples(2, 4)] == ["b/00002", "b/00003"]
    one = open_dataset(folder / "a.webm")
    assert one.cutouts and len(read(one)) == 5


def test_a_video_without_alpha_among_cut_outs_and_one_with_two_alphas_are_told(tmp_path):
    clip, folder = make_clip(tmp_path / "clip.mp4", frames=2), tmp_path / "set"
    folder.mkdir()
    cut_out(folder / "a.mov", clip, np.full((48, 64), 9, np.uint8))
    cut_out(folder / "b.mov", clip, np.full((48, 64), 9, np.uint8))
    make_clip(folder / "b_alpha.mp4", frames=2)
    make_clip(folder / "c.mp4", frames=2)
    make_clip(folder / "d_alpha.mp4", frames=2)
    data = open_dataset(folder)
    assert [clip.name for clip in data.clips] == ["a"]
    assert sorted(item.name for item in data.broken) == ["b", "c", "d_alpha.mp4"]


def test_a_video_that_breaks_off_is_told_after_its_frames(tmp_path):
    make_clip(tmp_path / "a.mkv", frames=30, options={"qp": "0", "g": "5"})
    whole = (tmp_path / "a.mkv").read_bytes()
    (tmp_path / "a.mkv").write_bytes(whole[: len(whole) * 2 // 3])
    items = list(open_dataset(tmp_path).clips[0].examples())
    assert 5 < len(items) < 30 and isinstance(items[0], Example)
    assert isinstance(items[-1], Broken) and "missing" in items[-1].reason


@pytest.mark.parametrize("ending", ["_alpha", "-alpha"])
def test_a_grey_video_beside_a_video_is_its_alpha(tmp_path, ending):
    make_clip(tmp_path / "a.mp4", frames=4)
    make_clip(tmp_path / f"a{ending}.mp4", frames=4)
    make_clip(tmp_path / "b.mp4", frames=4)
    data = open_dataset(tmp_path)
    assert not data.cutouts and [clip.name for clip in data.clips] == ["a"]
    assert [item.name for item in data.broken] == ["b"]
    assert all(e.src is not None and e.pha is not None and e.pha.shape == e.src.shape[:2] for e in read(data))
    one = open_dataset(tmp_path / "a.mp4")
    assert len(read(one)) == 4 and read(one)[0].pha is not None


def test_videos_that_break_off_or_do_not_fit_are_told(tmp_path):
    make_clip(tmp_path / "a.mp4", frames=4)
    make_clip(tmp_path / "a_alpha.mp4", frames=4, size=(48, 80))
    make_clip(tmp_path / "b.mp4", frames=6)
    make_clip(tmp_path / "b_alpha.mp4", frames=4)
    (tmp_path / "c.mp4").write_bytes(b"")
    broken = broken_of(open_dataset(tmp_path))
    assert "80×48" in broken["a"] and "as many frames" in broken["b"] and "empty" in broken["c"]


def test_pairs_of_videos_are_cut_outs(tmp_path):
    for name in ("train/fgr/0001.mp4", "train/pha/0001.mp4", "fg/video/test/0000/f.mp4", "fg/video/test/0000/a.mp4"):
        path = tmp_path / ("vm" if name.startswith("train") else "dvm") / name
        path.parent.mkdir(parents=True, exist_ok=True)
        make_clip(path, frames=3)
    for root, layout, split in (("vm", "videomatte240k", "train"), ("dvm", "dvm", "test-video")):
        data = open_dataset(tmp_path / root)
        assert (data.layout, data.split, data.cutouts) == (layout, split, True)
        examples = read(data)
        assert len(examples) == 3 and examples[0].fgr is not None and examples[0].pha is not None


def test_videos_without_truth_are_pictures_only(tmp_path):
    make_clip(tmp_path / "a.mp4", frames=3)
    data = open_dataset(tmp_path)
    examples = read(data)
    assert not data.cutouts and len(examples) == 3 and all(e.src is not None and e.pha is None for e in examples)


@pytest.mark.parametrize(
    ("files", "layout", "clips", "still"),
    [
        ("com/1/0000.png c, com/1/0001.png c, com/2/0000.png c, pha/1/0000.png a, pha/1/0001.png a, pha/2/0000.png a",
         "rvm-eval", 2, False),
        ("VM/com/1/0000.png c, VM/pha/1/0000.png a, VM/fgr/1/0000.png c", "rvm-eval", 1, False),
        ("JPG/a.png c, MASK/a.png m", "folder", 1, True),
        ("train/a.png c, train/b.png c, train_GT/a.png m, train_GT/b.png m", "folder", 2, True),
        ("x/train/a.png c, x/train_mask/a_mask.png m", "folder", 1, True),
        ("p1/a.png c, p1/a_mask.png m, p2/b.png c, p2/b_mask.png m", "folder", 2, True),
        ("a.png c, a_gt.png m", "folder", 1, True),
        ("image/a.png c, mask/a_mask.png m", "folder", 1, True),  # which looks like EG1800 until halves are looked for
    ],
)  # fmt: skip
def test_whatever_pairs_is_found(files, layout, clips, still, tmp_path):
    (data,) = open_splits(grow(tmp_path, files))
    assert (data.layout, len(data.clips), data.clips[0].still, list(data.broken)) == (layout, clips, still, [])
    first = next(iter(data.clips[0].examples()))
    assert isinstance(first, Example) and first.pha is not None
