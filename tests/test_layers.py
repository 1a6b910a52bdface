"""Who may import whom, as docs/design.md says; and that importing koutu is light."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent / "src" / "koutu"
HEAVY = ("torch", "cv2", "av", "numpy", "onnxruntime", "openvino", "typer", "PIL")
# layer → layers it may import, beside itself
ALLOWED = {
    "types": set(),
    "color": {"types"},
    "composite": {"types", "color"},
    "foreground": {"types", "color", "composite"},
    "trimap": {"types"},
    "classical": {"types"},
    "losses": set(),
    "nn": set(),
    "models": {"nn", "types"},
    "files": {"types"},
    "progress": {"runtime"},
    "machine": set(),
    "metrics": {"types"},
    "data": {"types", "color", "composite", "foreground", "classical", "files", "runtime", "trimap", "machine", "zoo"},
    "train": {
        "color",
        "data",
        "export",
        "files",
        "losses",
        "metrics",
        "models",
        "nn",
        "progress",
        "runtime",
        "trimap",
        "types",
        "zoo",
    },
    "runtime": {"types", "color", "composite", "files", "foreground", "classical", "trimap", "zoo"},
    "peers": {"types"},
    "zoo": {"classical", "models", "peers", "runtime", "types"},
    "evaluation": {
        "composite",
        "data",
        "files",
        "foreground",
        "metrics",
        "models",
        "peers",
        "runtime",
        "trimap",
        "types",
        "zoo",
    },
    "review": {"color", "composite", "files", "foreground", "metrics", "runtime", "types", "zoo"},
    "bench": {"classical", "color", "export", "files", "machine", "models", "runtime", "types", "zoo"},
    "search": {"bench", "data", "files", "machine", "models", "nn", "train", "types"},
    "export": {"color", "data", "files", "machine", "metrics", "models", "runtime", "types", "zoo"},
    "hilens_simulator": {"runtime", "types"},
    "live": {"color", "composite", "runtime", "types"},
    "server": {"api", "color", "composite", "files", "foreground", "machine", "runtime", "types", "zoo"},
}
WIRES = {"cli", "api", "doctor", "pictures", "__main__", "__init__"}  # may import anything but the cli


def imports(path: Path) -> set[str]:
    """Top-level koutu layers that a file imports, inside functions too."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        names = []
        if isinstance(node, ast.ImportFrom) and node.module:
            names = [node.module]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        found |= {name.split(".")[1] for name in names if name.startswith("koutu.")}
    return found


@pytest.mark.parametrize("path", sorted(ROOT.rglob("*.py")), ids=lambda p: str(p.relative_to(ROOT)))
def test_imports_point_inward(path):
    layer = path.relative_to(ROOT).parts[0].removesuffix(".py")
    if layer in WIRES:
        assert layer in ("__main__", "cli") or "cli" not in imports(path)
    else:
        assert imports(path) - {layer} <= ALLOWED[layer]


def test_importing_koutu_loads_nothing_heavy():
    code = f"import sys, koutu; print([m for m in {HEAVY!r} if m in sys.modules])"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"


def test_the_runtime_never_imports_torch():
    code = "import sys, koutu.api, koutu.cli; print('torch' in sys.modules)"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "False"


def test_every_public_name_is_there():
    import koutu

    for name in koutu.__all__:
        assert getattr(koutu, name) is not None
    with pytest.raises(AttributeError, match="no attribute"):
        koutu.nothing  # noqa: B018  # pyright: ignore[reportAttributeAccessIssue]
