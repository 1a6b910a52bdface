"""VideoMatting108: RGBA foregrounds on backgrounds named frame by frame, with optical flow if it was fetched."""

import json
import posixpath
from collections.abc import Callable, Mapping
from pathlib import Path

from koutu.data.sets.example import Broken, Clip
from koutu.data.sets.pairs import Content, PictureFrames, Row
from koutu.data.sets.tree import Tree, natural
from koutu.types import InputError

LOOKED_FOR = "frame_corr.json beside FG_done, BG_done and {val,train}_videos.txt"
_FGR, _BGR, _PAIRS = "FG_done", "BG_done", "frame_corr.json"
_FLOWS = ("flow_png", "flow_png_val")  # the second is the name that it is packed under
_LISTS = {
    "val": "val_videos.txt", "train": "train_videos.txt",
    "val-subset": "val_videos_subset.txt", "train-subset": "train_videos_subset.txt",
}  # fmt: skip


def splits(tree: Tree) -> dict[str, Callable[[], Content]]:
    """Those whose list of clips is there; all clips if none is."""
    if _FGR not in tree.folders() or _PAIRS not in tree.files():
        return {}
    lists = {split: name for split, name in _LISTS.items() if name in tree.files()}
    return {split: lambda name=name: _content(tree, name) for split, name in lists.items()} or {
        "all": lambda: _content(tree, "")
    }


def _content(tree: Tree, listed: str) -> Content:
    pairs = _pairs(tree.root / _PAIRS)
    frames: dict[str, list[str]] = {}
    for key in pairs:
        frames.setdefault(posixpath.dirname(key), []).append(key)
    names = _lines(tree.root / listed) if listed else sorted(frames)
    clips, broken = [], []
    for name in names:
        if name not in frames:
            broken.append(Broken(name, f"expected its frames in {_PAIRS}, got none; fetch the file again"))
            continue
        rows = _rows(tree, sorted(frames[name], key=natural), pairs, broken)
        if rows:
            clips.append(Clip(name, False, PictureFrames(tree.root, ("rgba", "bgr", "flow"), rows)))
    return Content(clips, broken, False)


def _rows(tree: Tree, keys: list[str], pairs: Mapping[str, str], broken: list[Broken]) -> list[Row]:
    """Frames whose files are all there; flow leads from each but the last to the next, if the clip has any."""
    clip = posixpath.dirname(keys[0])
    flows = next((found for folder in _FLOWS if (found := _held(tree, f"{folder}/{clip}"))), {})
    rows: list[Row] = []
    for at, key in enumerate(keys):
        stem = posixpath.splitext(key)[0]
        wanted = {"fgr": f"{_FGR}/{key}", "bgr": f"{_BGR}/{pairs[key]}"}
        paths = {role: _held(tree, posixpath.dirname(p)).get(_stem(p), "") for role, p in wanted.items()}
        flow = ""
        if flows and at + 1 < len(keys):
            name = f"flow_{_stem(key)}_{_stem(keys[at + 1])}"
            wanted["flow"], flow = f"{_FLOWS[0]}/{clip}/{name}.png", flows.get(name, "")
            paths["flow"] = flow
        lacking = [wanted[role] for role, path in paths.items() if not path]
        if lacking:
            broken.append(Broken(stem, f"expected {' and '.join(lacking)}, got none; fetch it again"))
        else:
            rows.append((stem, (paths["fgr"], paths["bgr"], flow)))
    return rows


def _held(tree: Tree, folder: str) -> dict[str, str]:
    """Paths of a folder's files by their names without ending; nothing if there is no such folder."""
    if not (tree.root / folder).is_dir():
        return {}
    return {_stem(name): f"{folder}/{name}" for name in tree.files(folder)}


def _stem(path: str) -> str:
    return posixpath.splitext(posixpath.basename(path))[0]


def _pairs(path: Path) -> dict[str, str]:
    """Foreground → background, both as CLIP/FRAME.png."""
    try:
        pairs = json.loads(path.read_bytes())
    except (OSError, ValueError) as e:
        raise InputError(f"{path}: expected pairs of frames as JSON, got {e}; fetch it again") from e
    if not isinstance(pairs, dict) or not all(isinstance(value, str) for value in pairs.values()):
        raise InputError(f"{path}: expected a JSON object of names, got something else; fetch it again")
    return pairs


def _lines(path: Path) -> list[str]:
    try:
        return [line.strip() for line in path.read_text().splitlines() if line.strip()]
    except (OSError, ValueError) as e:
        raise InputError(f"{path}: expected a list of clips, got {e}; fetch it again") from e
