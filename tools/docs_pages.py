"""What the documentation's site needs beside its pages, and what its builder does not look at.

python tools/docs_pages.py

Writes docs/reference.md, which only the site has: koutu's public names, for mkdocstrings to fill in. Ends with an error
when the site's nav and the pages in docs/ are not the same, or a page links to a file that is not there.
"""

import re
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
_PAGE = re.compile(r'"([\w/-]+\.md)"')
_LINK = re.compile(r"\]\((?!\w+:)([^)#\s]+)")


def reference() -> str:
    import koutu

    head = "# Python\n\nWhat `koutu` offers to programs. Everything else may change between versions.\n"
    names = [name for name in koutu.__all__ if not name.startswith("__")]
    return "\n".join([head, *(f"::: koutu.{name}\n" for name in names)])


def problems() -> Iterator[str]:
    told = sorted(_PAGE.findall((ROOT / "zensical.toml").read_text()))
    there = sorted(path.relative_to(DOCS).as_posix() for path in DOCS.rglob("*.md"))
    if told != there:
        differ = ", ".join(sorted(set(told) ^ set(there))) or "a page told twice"
        yield f"zensical.toml: expected nav to name each page of docs/ once, got a difference in {differ}"
    for page in (*DOCS.rglob("*.md"), *ROOT.glob("*.md")):
        home = DOCS if page.is_relative_to(DOCS) else ROOT
        for link in _LINK.findall(page.read_text()):
            target = (page.parent / link).resolve()
            if not target.exists() or not target.is_relative_to(home):
                yield f"{page.relative_to(ROOT)}: expected links to files in {home.name}/, got {link}"


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT / "src"))
    (DOCS / "reference.md").write_text(reference())
    sys.exit("\n".join(problems()) or None)
