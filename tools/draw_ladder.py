"""Draw the ladder of rooms, the table LADDER of tests/test_layers.py, as docs/ladder.svg.

python tools/draw_ladder.py [--check]

--check writes nothing and ends with exit code 1 when the drawing is not the table's.
"""

import argparse
import ast
import sys
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

ROOT = Path(__file__).parent.parent
TABLE = ROOT / "tests" / "test_layers.py"
DRAWING = ROOT / "docs" / "ladder.svg"
# The rooms that each way passes through, from the bottom. They stand in its lane, the others of its side beside it.
FRAME = ("media", "matting", "pipeline", "api", "cli")
SAMPLE = ("data.sets", "data.mattes", "data.packs", "data.scenes", "train")

LANES = (452, 588)  # the middles of a frame's and of a sample's lane
WIDTH, TOP, RUNG, FOOT = 880, 100, 46, 62
LANE_BOX, BOX, LETTER, GAP, EDGE = 104, 30, 7.9, 10, 16
STYLE = """
.page{fill:#fff;stroke:#d8dee6}.rung{stroke:#d8dee6}.box{fill:#f4f6f9;stroke:#c3cbd6}
text{font:13px ui-monospace,SFMono-Regular,Menlo,Consolas,"DejaVu Sans Mono",monospace;fill:#1f2937;text-anchor:middle}
.title{font:600 16px system-ui,sans-serif}.quiet{font:12.5px system-ui,sans-serif;fill:#5b6472}
.title,.quiet{text-anchor:start}.left{text-anchor:end}.whole{text-anchor:middle}
.frame{fill:#1d63b8}.sample{fill:#2a7d4f}.on{fill:#fff;font-weight:600}
@media(prefers-color-scheme:dark){.page{fill:#12161c;stroke:#303845}.rung{stroke:#303845}.box{fill:#1c222b;stroke:#434e5e}
text{fill:#e5e9f0}.quiet{fill:#9aa4b2}.title.frame{fill:#6fb0ff}.title.sample{fill:#63c792}}
""".strip()


def ladder(source: str) -> list[tuple[list[str], list[str]]]:
    """The rungs, lowest first: the rooms of the table's left column and of its right one, told by where they stand."""
    lines = source.splitlines()
    for node in ast.parse(source).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "LADDER":
            assert isinstance(node.value, ast.Tuple)
            right = next(line for line in lines[node.lineno - 1 :] if "a sample" in line).index("a sample")
            rungs = []
            for rung in node.value.elts:
                rooms = [room for room in ast.walk(rung) if isinstance(room, ast.Constant)]
                left = [room.value for room in rooms if room.col_offset < right]
                rungs.append((left, [room.value for room in rooms if room.value not in left]))
            return rungs[::-1]
    raise SystemExit(f"expected a table LADDER in {TABLE}, found none; the drawing is made from it")


def drawn(rungs: list[tuple[list[str], list[str]]]) -> str:
    """The whole drawing."""
    height = TOP + RUNG * len(rungs) + FOOT
    middles = [TOP + RUNG * (len(rungs) - rung) - RUNG / 2 for rung in range(len(rungs))]
    parts = [f'<rect class="page" x=".5" y=".5" width="{WIDTH - 1}" height="{height - 1}" rx="10"/>', *captions(height)]
    parts += [f'<path class="rung" d="M{EDGE} {y:g}H{WIDTH - EDGE}"/>' for y in middles]
    for side, (name, way) in enumerate({"frame": FRAME, "sample": SAMPLE}.items()):
        heights = {room: y for rung, y in zip(rungs, middles, strict=True) for room in rung[side]}
        if missing := [room for room in way if room not in heights]:
            raise SystemExit(f"expected {', '.join(missing)} on the {name}'s side of {TABLE}, got no such room")
        parts += [arrow(name, LANES[side], heights[low], heights[high]) for low, high in pairwise(way)]
        for room in way:
            parts += box(room, LANES[side], heights[room], LANE_BOX, name)
        for rung, y in zip(rungs, middles, strict=True):
            free = y > heights[way[0]]  # below the way its lane is free
            parts += row([room for room in rung[side] if room not in way], side, y, free)
    title = f"The ladder of rooms: {' → '.join(FRAME)}; {' → '.join(SAMPLE)}"
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img" aria-label="{title}">'
    return "\n".join([head, f"<style>{STYLE}</style>", *parts, "</svg>", ""])


def captions(height: float) -> Iterator[str]:
    left, right = LANES[0] + LANE_BOX / 2, LANES[1] - LANE_BOX / 2
    yield f'<text class="title frame left" x="{left:g}" y="40">A frame walks</text>'
    yield f'<text class="quiet left" x="{left:g}" y="62">from a file or camera to who typed the command</text>'
    yield f'<text class="title sample" x="{right:g}" y="40">A sample climbs</text>'
    yield f'<text class="quiet" x="{right:g}" y="62">from a data set to a trained network</text>'
    rule = "A room imports rooms of lower rungs and its own; rooms on one rung know nothing of each other."
    yield f'<text class="quiet whole" x="{WIDTH / 2:g}" y="{height - 26:g}">{rule}</text>'


def row(rooms: list[str], side: int, y: float, free: bool) -> Iterator[str]:
    """Rooms of one rung in and beside a lane if it is free there, else beside it, outwards."""
    outward = 1 if side else -1
    edge = LANES[side] + outward * (-LANE_BOX / 2 if free else LANE_BOX / 2 + GAP)
    for room in rooms if side else reversed(rooms):
        width = len(room) * LETTER + 22
        yield from box(room, edge + outward * width / 2, y, width, "box")
        edge += outward * (width + GAP)


def box(room: str, x: float, y: float, width: float, kind: str) -> Iterator[str]:
    text = "" if kind == "box" else ' class="on"'
    yield (
        f'<rect class="{kind}" x="{x - width / 2:.1f}" y="{y - BOX / 2:g}" width="{width:.1f}" height="{BOX}" rx="6"/>'
        f'<text{text} x="{x:.1f}" y="{y + 4.5:g}">{room}</text>'
    )


def arrow(name: str, x: float, low: float, high: float) -> str:
    """From the top of the box at height `low` to the foot of the box at height `high`."""
    foot, tip = low - BOX / 2, high + BOX / 2 + 1
    return f'<path class="{name}" d="M{x - 1.5} {foot:g}V{tip + 8:g}h-4.5L{x} {tip:g}l6 8h-4.5V{foot:g}z"/>'


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="write nothing; fail when the drawing is stale")
    check = parser.parse_args().check
    text = drawn(ladder(TABLE.read_text()))
    if not check:
        DRAWING.write_text(text)
    elif not DRAWING.exists() or DRAWING.read_text() != text:
        print(f"{DRAWING} is not what {TABLE} says; run `python tools/draw_ladder.py`")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
