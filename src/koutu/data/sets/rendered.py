"""The layout "rendered", as `koutu data render` writes it: cut-outs, each with a record of what it is."""

import json
from collections.abc import Callable
from pathlib import Path

from koutu.data.sets.example import Broken, Clip
from koutu.data.sets.pairs import Content, PictureFrames
from koutu.data.sets.tree import Tree, natural
from koutu.types import InputError

LOOKED_FOR = "render.json beside stills and clips, as koutu data render writes them"
_ABOUT, _STILLS, _CLIPS = "render.json", "stills", "clips"


def splits(tree: Tree) -> dict[str, Callable[[], Content]]:
    """All of a folder of renders."""
    there = _ABOUT in tree.files() and {_STILLS, _CLIPS} & set(tree.folders())
    return {"all": lambda: _content(tree)} if there else {}


def about(root: Path) -> dict[str, object]:
    """What a folder of renders says of all that is in it: seed, size, rays a pixel and so on; raises InputError."""
    return _held(root / _ABOUT)


def _content(tree: Tree) -> Content:
    """Stills and clips whose record is there; pictures without one, and clips without all frames, are broken."""
    clips, broken = [], []
    licence = str(about(tree.root).get("licence", ""))
    stills, records = _by_ending(tree.files(_STILLS) if _STILLS in tree.folders() else [])
    for name in sorted(stills | records, key=natural):
        if name in stills and name in records:
            row = name, (f"{_STILLS}/{name}.png",)
            clips.append(Clip(name, True, PictureFrames(tree.root, ("rgba",), [row]), _group(name), licence))
        else:
            broken.append(_half(f"{_STILLS}/{name}", "its picture" if name in records else "its record"))
    folders = set(tree.folders(_CLIPS)) if _CLIPS in tree.folders() else set()
    _, records = _by_ending(tree.files(_CLIPS) if _CLIPS in tree.folders() else [])
    for name in sorted(folders | records, key=natural):
        if name not in records:
            broken.append(_half(f"{_CLIPS}/{name}", "its record"))
            continue
        files = tree.files(f"{_CLIPS}/{name}") if name in folders else []
        frames = sorted((file for file in files if file.endswith(".png")), key=natural)
        if len(frames) != _held(tree.root / _CLIPS / f"{name}.json").get("frames"):
            broken.append(_half(f"{_CLIPS}/{name}", "all its frames"))
            continue
        rows = [(f"{name}/{Path(frame).stem}", (f"{_CLIPS}/{name}/{frame}",)) for frame in frames]
        clips.append(Clip(name, False, PictureFrames(tree.root, ("rgba",), rows), _group(name), licence, whole=True))
    return Content(clips, broken, True)


def _by_ending(files: list[str]) -> tuple[set[str], set[str]]:
    """Names of pictures, and of records."""
    pictures, records = ({Path(file).stem for file in files if file.endswith(end)} for end in (".png", ".json"))
    return pictures, records


def _group(name: str) -> str:
    """Of the form CAST-VIEW: all views of a cast show the same people."""
    return name.rpartition("-")[0] or name


def _half(name: str, lacking: str) -> Broken:
    return Broken(name, f"expected {lacking} beside it, got half a render; run koutu data render again")


def _held(path: Path) -> dict[str, object]:
    try:
        held = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as e:
        raise InputError(f"{path}: expected what koutu data render wrote, got {e}; run it again") from e
    return held if isinstance(held, dict) else {}
