"""Show that the working tree gives the same alpha as a revision before it, byte for byte.

python tools/same_alpha.py REV

For changes of structure. Both run the packaged sample in processes of their own, REV from a worktree that is removed
afterwards; a difference ends with exit code 1.
"""

import argparse
import hashlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).parent.parent
SAMPLE = ROOT / "src" / "koutu" / "sample" / "talk.mp4"
# How `koutu.load` is asked, by the name in the table; with gate None, koutu runs as `koutu video` runs it.
CASES = {
    "koutu": {"model": "koutu"},
    "koutu, gate": {"model": "koutu", "gate": None},
    "koutu-small": {"model": "koutu-small"},
}


def alphas() -> Iterator[tuple[str, int, str]]:
    """The name, frames and SHA-256 of all alphas of each case, by the koutu that is imported first."""
    import koutu

    for name, options in CASES.items():
        matter, digest, frames = koutu.Matter(koutu.load(**options)), hashlib.sha256(), 0
        with koutu.open_video(SAMPLE) as video:
            for frame in video:
                digest.update(matter(frame).alpha.tobytes())
                frames += 1
        yield name, frames, digest.hexdigest()


def alphas_of(tree: Path) -> list[list[str | int]]:
    """`alphas` of the package in `tree`/src, in a process of its own."""
    source = tree / "src"
    # the path of the module goes along, so that no other koutu can answer in its stead
    code = "import json, koutu, same_alpha; print(json.dumps([koutu.__file__, *same_alpha.alphas()]))"
    path = os.pathsep.join([str(source), str(ROOT / "tools")])
    command = [sys.executable, "-c", code]
    out = subprocess.run(command, env=os.environ | {"PYTHONPATH": path}, stdout=subprocess.PIPE, text=True, check=True)
    home, *found = json.loads(out.stdout)
    if not Path(home).samefile(source / "koutu" / "__init__.py"):
        raise SystemExit(f"expected the koutu of {source} to run, got {home}; start from another folder")
    return found


@contextmanager
def checked_out(revision: str) -> Iterator[Path]:
    """A worktree of the revision, as long as it is needed."""
    with tempfile.TemporaryDirectory() as folder:
        tree = Path(folder) / "koutu"
        git = ["git", "-C", str(ROOT), "worktree"]
        subprocess.run([*git, "add", "--quiet", "--detach", str(tree), revision], check=True)
        try:
            yield tree
        finally:
            subprocess.run([*git, "remove", "--force", str(tree)], check=True)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("revision", metavar="REV", help="a commit, branch or tag")
    revision = parser.parse_args().revision
    with checked_out(revision) as tree:
        before, now = alphas_of(tree), alphas_of(ROOT)
    print(f"{'network':14}{'frames':>8}  {revision[:12]:14}{'working tree':14}")
    for (name, frames, old), (_, count, new) in zip(before, now, strict=True):
        verdict = "same" if (frames, old) == (count, new) else "DIFFERS"
        print(f"{name:14}{count:>8}  {str(old)[:12]:14}{str(new)[:12]:14}{verdict}")
    return int(before != now)


if __name__ == "__main__":
    sys.exit(main())
