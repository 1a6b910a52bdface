"""Bar charts as plain SVG, for light and dark pages."""

from collections.abc import Mapping
from html import escape

WIDTH, LABEL, ROW, GAP, HEAD = 720, 250, 20, 14, 34
COLOURS = ("#2a7d4f", "#4c8fbd", "#c27c2c", "#8a6bbf", "#b0567a", "#6b7f2a", "#7a7a7a", "#3a9a94")
_STYLE = (
    "text{font:12px system-ui,sans-serif;fill:#222}.title{font-weight:600}"
    "@media(prefers-color-scheme:dark){text{fill:#ddd}}"
)


def bars(title: str, groups: Mapping[str, Mapping[str, float]]) -> str:
    """Groups of named bars, each as long as its value beside the longest of all; a name has one colour everywhere."""
    names = list(dict.fromkeys(name for group in groups.values() for name in group))
    longest = max((value for group in groups.values() for value in group.values()), default=1) or 1
    scale, top = (WIDTH - LABEL - 60) / longest, HEAD
    lines = [f'<text class="title" x="8" y="20">{escape(title)}</text>']
    for heading, group in groups.items():
        lines.append(f'<text class="title" x="8" y="{top + 14}">{escape(heading)}</text>')
        top += ROW
        for name, value in group.items():
            length = max(1.0, value * scale)
            colour = COLOURS[names.index(name) % len(COLOURS)]
            lines.append(f'<text x="{LABEL - 8}" y="{top + 14}" text-anchor="end">{escape(name)}</text>')
            lines.append(f'<rect x="{LABEL}" y="{top + 3}" width="{length:.1f}" height="{ROW - 6}" fill="{colour}"/>')
            lines.append(f'<text x="{LABEL + length + 6:.1f}" y="{top + 14}">{number(value)}</text>')
            top += ROW
        top += GAP
    box = f'viewBox="0 0 {WIDTH} {top}" width="{WIDTH}" height="{top}"'
    inner = "\n".join([f"<style>{_STYLE}</style>", *lines])
    return f'<svg xmlns="http://www.w3.org/2000/svg" {box} role="img">\n{inner}\n</svg>\n'


def number(value: float) -> str:
    """Whole from 100 on, with one digit after the point below, two below 1."""
    return f"{value:.0f}" if value >= 100 else f"{value:.1f}" if value >= 1 else f"{value:.2f}"
