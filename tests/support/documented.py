"""Every command line of the README and the documentation, as somebody would type it, and why some are not run here."""

import re
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

ROOT = Path(__file__).parents[2]
COMMANDS = ("koutu", "pip", "python", "python3", "python3.11", "curl", "git", "docker", "mkdir", "export", "tools/")
_FENCE = re.compile(r"\s*```(\w*)")
_SHELL = ("sh", "bash", "shell", "console")
How: TypeAlias = Literal["run", "parse", "skip"]

# Of lines that are not run, the pattern and the reason; the first that is found counts. "parse": options and arguments
# are read as the command line reads them, and nothing more is done. A line that none names is run.
MARKS: tuple[tuple[str, How, str], ...] = (
    (r"^(pip|litert/bin/pip|blender/bin/pip) install|^git clone", "skip", "fetches from the Internet"),
    (r"^(python3?(\.11)? -m venv|\. |mkdir|cd |export |tools/|for )", "skip", "prepares a shell; CI begins so itself"),
    (r"^python (bench|tools)/", "skip", "measures for minutes, or writes these pages anew; tests/bench runs the parts"),
    (r"^python -m koutu.hilens_simulator", "skip", "needs the skill that an export makes; tests/hilens_simulator"),
    (r"^python -m koutu.export.onnx", "skip", "needs the weights that a training makes; tests/export runs it"),
    (r"^koutu serve$", "parse", "serves until it is ended; the lines of curl ask such a server"),
    (r"^koutu batch", "parse", "needs folders and buckets of its own; tests/batch runs it"),
    (r"^koutu live", "parse", "needs a camera, a stream or an end; tests/live runs it"),
    (r"^koutu (export|quantise|adapt|search|gate|train|bench)", "parse", "takes minutes; the tests of its room run it"),
    (r"^koutu demo$", "parse", "takes seconds and prints what `koutu video` prints; tests/cli runs it"),
    (r"koutu data render", "parse", "needs Blender and MakeHuman's files; tests/data/render"),
    (r"--weights |rvm-onnx|mediapipe-selfie=|onelayer", "parse", "needs weights that are not koutu's to hand on"),
    (r"closed-form", "parse", "solves for seconds what tests/test_classical.py solves small"),
    (r"--model \S+\.(json|onnx)$", "parse", "needs the file that the line above makes in minutes"),
    (r"koutu (data )?(eval|compose)\b", "parse", "measures a published data set; tests/evaluation runs small ones"),
    (
        r"(?<!P3M-)\b[A-Z]{4,}\b|AIM-500|EG1800|eg1800|rgba|budgie|walkers|talks/|rendered",
        "parse",
        "needs a set of its own",
    ),
    (r"--grades", "parse", "needs grades that a person gave"),
    (r"--workers 8", "parse", "begins eight processes"),
)


@dataclass(frozen=True)
class Line:
    """One command of a page, its comment left out."""

    page: str
    number: int
    text: str

    @property
    def words(self) -> list[str]:
        """As the shell parts them; raises ValueError where quotes do not close."""
        return shlex.split(self.text)

    @property
    def mark(self) -> tuple[How, str]:
        """How it is tried, and why not by running it."""
        for pattern, how, reason in MARKS:
            if re.search(pattern, self.text):
                return how, reason
        return "run", ""


def documented() -> list[Line]:
    """The lines of README and docs/, in the order of reading."""
    pages = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
    return [line for page in pages for line in command_lines(page)]


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


def main() -> None:
    """Print every line, how it is tried and why it is not run."""
    for line in documented():
        how, reason = line.mark
        print(f"{how:5}  {line.page}:{line.number}: {line.text}{f'  ({reason})' if reason else ''}")


def _is_command(text: str) -> bool:
    return bool(re.match(r"(\w+=\S+ )*(" + "|".join(map(re.escape, COMMANDS)) + r")(\s|$|\w)", text))


def _parted(text: str) -> list[str]:
    """The commands of a line, without its comment."""
    signs = shlex.shlex(text, posix=False, punctuation_chars="&")
    signs.whitespace_split, signs.commenters = True, "#"
    parts: list[list[str]] = [[]]
    for word in signs:
        if word == "&&":
            parts.append([])
        else:
            parts[-1].append(word)
    return [" ".join(part) for part in parts if part]


if __name__ == "__main__":
    main()
