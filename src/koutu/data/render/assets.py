"""MakeHuman's files that people are built of: where they have to lie, and of whom they are."""

from dataclasses import dataclass
from pathlib import Path

from koutu.types import InputError

LICENCE = "CC0"  # of everything that a rendered picture shows


@dataclass(frozen=True)
class Source:
    """A public repository; needed: files and folders of it, as they lie in its clone."""

    folder: str
    url: str
    commit: str
    needed: tuple[str, ...]


_CLOTHES = "base/clothes"
_SKINS = {
    "young_lightskinned_female": ("2", "3"),
    "middleage_lightskinned_female": ("2",),
    "young_lightskinned_male": ("", "2", "3"),
    "middleage_lightskinned_male": ("", "2"),
    "young_darkskinned_male": ("",),
    "middleage_darkskinned_male": ("",),
    "old_darkskinned_male": ("",),
}
SOURCES = (
    Source(
        "mpfb2",
        "https://github.com/makehumancommunity/mpfb2",
        "80919fa",
        (
            "src/mpfb/data/3dobjs/base.obj",
            "src/mpfb/data/targets/macrodetails",
            "src/mpfb/data/targets/expression/units",
            "src/mpfb/data/mesh_metadata/basemesh_vertex_groups.json",
            "src/mpfb/data/rigs/standard/rig.game_engine.json",
            "src/mpfb/data/rigs/standard/weights.game_engine.json",
        ),
    ),
    Source(
        "makehuman-assets",
        "https://github.com/makehumancommunity/makehuman-assets",
        "8cf9645",
        (_CLOTHES, "base/teeth/teeth_base", "base/eyebrows", "base/eyelashes/eyelashes01"),
    ),
    Source(
        "makehuman",
        "https://github.com/makehumancommunity/makehuman",
        "a8bc2d5",
        ("makehuman/data/eyes/low-poly/low-poly.mhclo",),
    ),
    Source(
        "3dify",
        "https://github.com/isislab-unisa/3dify",
        "c9c249c",
        tuple(
            f"makehuman-docker/custom_makehuman/makehuman/data/skins/textures/{name}_diffuse{number}.png"
            for name, numbers in _SKINS.items()
            for number in numbers
        ),
    ),
    Source(
        "Go_MakeHuman_dot",
        "https://github.com/Lexpartizan/Go_MakeHuman_dot",
        "40fa86f",
        tuple(f"Character Generator/char_edit/meshs/mats/{name}.png" for name in ("brown_eye", "teeth")),
    ),
)


def check_assets(folder: Path | None) -> Path:
    """The folder, if all that is needed lies in it; InputError with what is missing and how to get it otherwise."""
    if folder is None:
        raise InputError(f"expected --assets with MakeHuman's files, got none; get them: {commands()}")
    missing = [
        (source, path) for source in SOURCES for path in source.needed if not (folder / source.folder / path).exists()
    ]
    if missing:
        source, path = missing[0]
        more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
        raise InputError(
            f"{folder}: expected {source.folder}/{path}{more}, got nothing there; get it: {commands([source])}"
        )
    for source in SOURCES:
        for path in source.needed:
            _check_whole(folder / source.folder / path)
    return folder


def commands(sources: list[Source] | None = None) -> str:
    """What clones the repositories side by side."""
    return " && ".join(f"git clone {source.url}" for source in sources or SOURCES)


def _check_whole(path: Path) -> None:
    """Git LFS leaves a few lines of text where it did not bring a picture."""
    if path.suffix == ".png" and path.read_bytes()[:8] != b"\x89PNG\r\n\x1a\n":
        raise InputError(f"{path}: expected a PNG, got something else; check the clone, for git lfs pull perhaps")
