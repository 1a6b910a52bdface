"""The ladder of rooms, as docs/design.md draws it: no import runs upwards or in a circle; importing koutu is light."""

import ast
import re
import subprocess
import sys
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent / "src" / "koutu"
HEAVY = ("torch", "cv2", "av", "numpy", "onnxruntime", "openvino", "typer", "PIL")
# Highest rung first. A room imports rooms of lower rungs and its own; rooms on one rung know nothing of each other.
LADDER = (
    # a frame, up to who typed the command                    a sample, up to a trained network
    ("cli",                                                                                      ),
    ("doctor", "pictures",                                                                       ),
    (                                                         "search",                          ),
    ("bench", "batch",                                        "train",                           ),
    ("live", "server", "review", "hilens_simulator",          "evaluation", "export",            ),
    (                                                         "data.scenes",                     ),
    ("api", "progress",                                       "data.packs",                      ),
    ("pipeline",                                              "data.mattes",                     ),
    ("matting",                                               "data.sets", "data.render",        ),
    ("media", "zoo",                                                                             ),
    ("engines",                                                                                  ),
    ("foreground",                                                                               ),
    ("composite", "classical", "cluster", "third_party",      "models", "metrics",               ),
    ("color", "trimap", "files", "machine", "sparse",         "nn", "losses",                    ),
    ("types", "defaults", "sizes", "extras",                                                                ),
)  # fmt: skip
HEIGHT = {room: len(LADDER) - rung for rung, rooms in enumerate(LADDER) for room in rooms}
ENTRANCES = ("koutu", "koutu.__main__")  # which name the rest for users
# programs of their own
ELSEWHERE = ("export/hilens/skill", "export/hilens/article", "hilens_simulator/site", "data/render/program")


def modules() -> dict[str, Path]:
    """The package's modules by their dotted names."""
    found = {}
    for path in sorted(ROOT.rglob("*.py")):
        inside = path.relative_to(ROOT)
        if not inside.as_posix().startswith(ELSEWHERE):
            parts = ("koutu", *inside.with_suffix("").parts)
            found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


MODULES = modules()


@cache
def imports(module: str) -> set[str]:
    """The modules of koutu that a module imports, inside functions and for types alone too."""
    found = set()
    for node in ast.walk(ast.parse(MODULES[module].read_text())):
        if isinstance(node, ast.ImportFrom) and node.module:
            names = [f"{node.module}.{alias.name}" for alias in node.names]
            found |= {name if name in MODULES else node.module for name in names}
        elif isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
    return (found & MODULES.keys()) - {module, "koutu"}


def room(module: str) -> str:
    """The room that a module lies in: "data.sets" for koutu.data.sets.coco, "color" for koutu.color."""
    parts = module.split(".")[1:]
    return ".".join(parts[:2] if parts[0] == "data" else parts[:1])


@pytest.mark.parametrize("module", sorted(MODULES.keys() - {*ENTRANCES, "koutu.data"}))
def test_imports_point_down(module):
    own = room(module)
    upward = {name for name in imports(module) if room(name) != own and HEIGHT[room(name)] >= HEIGHT[own]}
    assert not upward


def test_no_modules_import_each_other_in_a_circle():
    # a module is reached through its packages, whose __init__ runs first; those of rooms import their own modules only
    TopologicalSorter({module: imports(module) for module in MODULES if module not in ENTRANCES}).prepare()


def test_every_room_stands_on_one_rung():
    rooms = {room(module) for module in MODULES if module not in (*ENTRANCES, "koutu.data")}
    assert sorted(rooms) == sorted(name for rooms in LADDER for name in rooms)


def test_the_design_tells_of_every_room():
    told = re.findall(r"^\| `([\w.]+)` \|", (ROOT.parent.parent / "docs" / "design.md").read_text(), re.MULTILINE)
    assert sorted(told) == sorted(HEIGHT)


def test_tests_mirror_the_rooms():
    tests = Path(__file__).parent
    for path in tests.rglob("test_*.py"):
        inside = path.relative_to(tests).parent
        assert inside == Path(".") or ".".join(inside.parts) in HEIGHT, path


def test_importing_koutu_loads_nothing_heavy():
    code = f"import sys, koutu; print([m for m in {HEAVY!r} if m in sys.modules])"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"


def test_running_a_network_never_imports_torch():
    code = "import sys, koutu.api, koutu.cli; koutu.cli.app; print('torch' in sys.modules)"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "False"


def test_every_public_name_is_there():
    import koutu

    for name in koutu.__all__:
        assert getattr(koutu, name) is not None
    with pytest.raises(AttributeError, match="no attribute"):
        koutu.nothing  # noqa: B018  # pyright: ignore[reportAttributeAccessIssue]
