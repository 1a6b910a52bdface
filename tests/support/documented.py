"""Every command line of the README and the documentation, as somebody would type it."""

import re
import shlex
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
COMMANDS = ("koutu", "pip", "python", "python3", "python3.11", "curl", "git", "docker", "mkdir", "export", "tools/", "adb")
_FENCE = re.compile(r"\s*```(\w*)")
_SHELL = ("sh", "bash", "shell", "console")


@dataclass(frozen=True)
class Line:
    """One command of a page. words: as the shell parts them, its comment left out."""

    page: str
    number: int
    text: str

    @property
    def words(self) -> list[str]:
        """Raises ValueError where quotes do not close."""
        return shlex.split(self.text, comments=True)

    def __str__(self) -> str:
        return f"{self.page}:{self.number}: {self.text}"


def pages() -> list[Path]:
    """README and the pages of docs/."""
    return [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def command_lines(page: Path) -> list[Line]:
    """Of fenced blocks for a shell all lines, of indented ones those that begin with a command; parted at &&."""
    found: list[Line] = []
    fence: str | None = None
    held, begun = "", 0
    for number, raw in enumerate(page.read_text().splitlines(), 1):
        if mark := _FENCE.match(raw):
            fence = mark[1] if fence is None else None
            continue
        inside = fence in _SHELL
        indented = fence is None and raw.startswith("    ")
        if not held and not inside and not (indented and _is_command(raw.strip())):
            continue
        held, begun = held + raw.strip(), begun or number
        if held.endswith("\\"):
            held = held[:-1]
            continue
        found += [Line(page.relative_to(ROOT).as_posix(), begun, part) for part in _parted(held)]
        held, begun = "", 0
    return found


def _is_command(text: str) -> bool:
    return bool(re.match(r"(\w+=\S+ )*(" + "|".join(map(re.escape, COMMANDS)) + r")(\s|$|\w)", text))


def _parted(text: str) -> list[str]:
    if text.startswith("#") or not text:
        return []
    quoted = shlex.shlex(text, posix=False, punctuation_chars="&")
    quoted.whitespace_split, quoted.commenters = True, "#"
    parts: list[list[str]] = [[]]
    for word in quoted:
        if word == "&&":
            parts.append([])
        else:
            parts[-1].append(word)
    return [" ".join(part) for part in parts if part]
