"""Line charts as SVG, for pages without scripts."""

import html
from collections.abc import Mapping, Sequence

COLOURS = ("#2a7d4f", "#c0522d", "#3a6ea5", "#9a6fb0", "#b8860b", "#5f6b6d")
WIDTH, HEIGHT, LEFT, BOTTOM, TOP = 900, 200, 60, 24, 12


def chart(title: str, lines: Mapping[str, Sequence[float | None]]) -> str:
    """A line a name over frame numbers; where it is None the neighbours are joined; the vertical axis begins at 0."""
    values = [v for line in lines.values() for v in line if v is not None]
    top = max(values, default=0.0) or 1.0
    longest = max((len(line) for line in lines.values()), default=1)
    across, down = (WIDTH - LEFT - 8) / max(1, longest - 1), HEIGHT - TOP - BOTTOM
    parts = [
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT + 20 * len(lines)}" role="img" aria-label="{html.escape(title)} by frame" '
        'font-size="12" fill="currentColor">'
    ]
    for share in (0.0, 0.5, 1.0):
        y = TOP + down * (1 - share)
        parts.append(
            f'<line x1="{LEFT}" x2="{WIDTH - 8}" y1="{y:.1f}" y2="{y:.1f}" stroke="currentColor" opacity=".2"/>'
        )
        parts.append(f'<text x="{LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{top * share:.3g}</text>')
    parts.append(f'<text x="{LEFT}" y="{HEIGHT - 6}">0</text>')
    parts.append(f'<text x="{WIDTH - 8}" y="{HEIGHT - 6}" text-anchor="end">frame {longest - 1}</text>')
    for i, (name, line) in enumerate(lines.items()):
        colour = COLOURS[i % len(COLOURS)]
        points = [(LEFT + across * at, TOP + down * (1 - v / top)) for at, v in enumerate(line) if v is not None]
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        parts.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="1.5"/>')
        y = HEIGHT + 14 + 20 * i
        parts.append(f'<rect x="{LEFT}" y="{y - 9}" width="18" height="4" fill="{colour}"/>')
        parts.append(f'<text x="{LEFT + 24}" y="{y - 3}">{html.escape(name)}</text>')
    return "".join(parts) + "</svg>"
