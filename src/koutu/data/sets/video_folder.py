"""The layout "video": video files with alpha tracks, or beside grey videos of their alpha, or without any truth."""

from collections.abc import Callable
from pathlib import Path

from koutu.data.sets.example import Broken, Clip
from koutu.data.sets.pairs import Content
from koutu.data.sets.tree import VIDEOS, Tree, natural
from koutu.data.sets.videos import VideoFrames, carries_alpha

LOOKED_FOR = "videos with an alpha track, or NAME.mp4 beside NAME_alpha.mp4 or NAME-alpha.mp4, or any videos"
_SUFFIXES = ("_alpha", "-alpha", "_pha", "-pha", "_matte", "-matte")


def splits(tree: Tree) -> dict[str, Callable[[], Content]]:
    """All of a folder's videos, if it has any."""
    paths = [tree.root / path for _, path in tree.matches("{path}", VIDEOS)]
    return {"all": lambda: _content(tree.root, paths)} if paths else {}


def single(path: Path) -> dict[str, Callable[[], Content]]:
    """One file, with its alpha beside it if there is one."""
    beside = [p for p in path.parent.glob("*") if p.suffix.lower() in VIDEOS and _base(p.stem) == path.stem]
    return {"all": lambda: _content(path.parent, [path, *(p for p in beside if p != path)])}


def _content(root: Path, paths: list[Path]) -> Content:
    """Cut-outs if any video has an alpha track or none has a truth; what differs from the others is broken."""
    alphas = {p.parent / _base(p.stem): p for p in paths if _base(p.stem) != p.stem}
    colours = [p for p in paths if _base(p.stem) == p.stem]
    tracks = {p: carries_alpha(p) for p in colours}
    cutouts = any(tracks[p] for p in colours)
    clips, broken, taken = [], [], set()
    for path in sorted(colours, key=lambda p: natural(str(p))):
        key = path.parent / path.stem
        name = key.relative_to(root).as_posix()
        alpha = path if tracks[path] else alphas.get(key)
        taken.add(key)
        if key in alphas and tracks[path]:
            broken.append(Broken(name, f"expected one alpha, got a track and {alphas[key].name}; remove one"))
        elif ((cutouts and not tracks[path]) or (alphas and alpha is None)) and tracks[path] is not None:
            wanted = "an alpha track" if cutouts else f"{path.stem}_alpha{path.suffix} beside it"
            broken.append(Broken(name, f"expected {wanted}, as others have, got none; add it or move the video away"))
        else:
            clips.append(Clip(name, False, VideoFrames(name, path, alpha, "fgr" if tracks[path] else "src")))
    for key in alphas.keys() - taken:
        broken.append(Broken(alphas[key].relative_to(root).as_posix(), f"expected {key.name}.* beside it, got none"))
    return Content(clips, broken, cutouts)


def _base(stem: str) -> str:
    """The name of the video that a video of this name is the alpha of; the name itself if of none."""
    return next((stem[: -len(s)] for s in _SUFFIXES if stem.lower().endswith(s) and len(stem) > len(s)), stem)
