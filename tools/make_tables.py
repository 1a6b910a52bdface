"""Write the tables between <!-- bench:NAME --> marks in README.md and docs/*.md, and docs/bench/*.svg, from its JSON.

python tools/make_tables.py [--check]

--check writes nothing, names every file that differs from what the JSON says, and then ends with exit code 1.
"""

import argparse
import re
import sys
from collections.abc import Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
from ablation_tables import brought
from bars import bars
from bench_tables import BLOCKS as BENCHES
from bench_tables import FOLDER, SYSTEMS, mattings, read, size_of
from compare_tables import compared
from live_tables import live
from network_tables import networks
from recipe_tables import learned
from search_tables import found, reference

ROOT = Path(__file__).parent.parent
BLOCKS = BENCHES | {
    "recipes": learned,
    "ablation": brought,
    "search": found,
    "search-reference": reference,
    "live": live,
    "compare": compared,
    "networks": networks,
}
_MARK = re.compile(r"(<!-- bench:([\w-]+) -->\n)(.*?)(<!-- /bench -->)", re.DOTALL)


def plots(root: Path) -> Iterator[tuple[Path, str]]:
    """Frames a second of the matting stage, at the most threads measured, and of whole videos."""
    groups: dict[str, dict[str, float]] = {}
    for run in mattings(root):
        most = max(run["plan"]["threads"])
        for row in run["rows"]:
            if row["threads"] == most and not row["error"]:
                title = f"{size_of(row['size'])}, {most or 'default'} threads"
                groups.setdefault(title, {})[f"{row['model']}, {row['engine']}"] = row["fps"]
    yield root / FOLDER / "matting.svg", bars("Matting stage, frames a second", groups)
    videos = {
        size.replace("x", "×"): {SYSTEMS[name].replace("`", ""): row["fps"] for name, row in systems.items()}
        for size, systems in read(root, "video")["sizes"].items()
    }
    yield root / FOLDER / "video.svg", bars("H.264 to composited H.264, frames a second", videos)


def produced(root: Path) -> Iterator[tuple[Path, str]]:
    """Every file with what it should hold."""
    for path in [root / "README.md", *sorted((root / "docs").glob("*.md"))]:
        text = path.read_text("utf-8")
        opened, whole = len(re.findall(r"<!-- bench:", text)), _MARK.findall(text)
        unknown = [name for _, name, _, _ in whole if name not in BLOCKS]
        if opened != len(whole) or unknown:
            raise SystemExit(f"{path}: expected marks out of {', '.join(BLOCKS)}, each closed by <!-- /bench -->")
        yield path, _MARK.sub(lambda found: f"{found[1]}\n{BLOCKS[found[2]](root).strip()}\n\n{found[4]}", text)
    yield from plots(root)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="only tell what is stale")
    parser.add_argument("--root", type=Path, default=ROOT, help="of the checkout")
    args = parser.parse_args()
    stale = [(p, text) for p, text in produced(args.root) if not p.is_file() or p.read_text("utf-8") != text]
    for path, text in stale:
        print(f"{'stale' if args.check else 'wrote'}: {path.relative_to(args.root)}")
        if not args.check:
            path.write_text(text, "utf-8")
    if args.check and stale:
        print("run python tools/make_tables.py and commit what it writes")
    return 1 if args.check and stale else 0


if __name__ == "__main__":
    sys.exit(main())
