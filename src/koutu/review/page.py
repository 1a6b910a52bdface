"""The review as one HTML file that needs nothing else: no network, no script; frames and curves are in it."""

import base64
import math
from html import escape

import cv2
import numpy as np
from numpy.typing import NDArray

from koutu.composite import replace
from koutu.foreground import decontaminate
from koutu.review.judge import LIMITS
from koutu.review.measure import MEASURES
from koutu.review.record import Still, decoded, encoded
from koutu.review.report import Finding, Option, Review, time_code

_GREEN = (0, 177, 64)
_CURVES = ("area", "flicker", "holes", "islands", "unsure", "edge", "light", "sharpness", "motion")
_POINTS = 600  # a curve's; of more frames, the largest value of each stretch is drawn
_WIDTH, _HEIGHT = 900, 90

STYLE = """
:root { color-scheme: light dark; --ink: #1c1e21; --paper: #fbfaf8; --quiet: #5d6168; --line: #d5d3ce;
  --curve: #1f5fa8; --mark: #c2410c33; --edge: #b23a0a; }
@media (prefers-color-scheme: dark) { :root { --ink: #e8e6e1; --paper: #17181a; --quiet: #a3a7ad; --line: #3a3c40;
  --curve: #7fb2ec; --mark: #f9731640; --edge: #ff9d66; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 62rem; padding: 2rem 1.25rem 4rem; background: var(--paper); color: var(--ink);
  font: 1rem/1.55 system-ui, sans-serif; }
h1 { font-size: 1.5rem; line-height: 1.25; overflow-wrap: anywhere; } h2 { font-size: 1.15rem; margin-top: 2.5rem; }
h3 { font-size: 1rem; margin: 0; } p, li { max-width: 46rem; }
a { color: var(--curve); }
a:focus-visible, summary:focus-visible { outline: 3px solid var(--edge); outline-offset: 2px; }
article { border-top: 1px solid var(--line); padding: 1.25rem 0; } article:target { background: var(--mark); }
.pictures { display: grid; grid-template-columns: repeat(auto-fit, minmax(14rem, 1fr)); gap: .5rem; margin: .75rem 0; }
figure { margin: 0; } figure img { width: 100%; height: auto; display: block; border: 1px solid var(--line); }
figcaption, .quiet { color: var(--quiet); font-size: .875rem; }
code { font: .875em ui-monospace, monospace; overflow-wrap: anywhere; }
svg { width: 100%; height: auto; display: block; } svg text { fill: var(--quiet); font: 12px system-ui, sans-serif; }
svg path { fill: none; stroke: var(--curve); stroke-width: 1.5; vector-effect: non-scaling-stroke; }
svg line { stroke: var(--line); } svg .limit { stroke: var(--edge); stroke-dasharray: 4 4; }
svg rect { fill: var(--mark); } svg a:focus-visible rect { stroke: var(--edge); stroke-width: 2; }
table { border-collapse: collapse; } th, td { text-align: left; padding: .2rem 1rem .2rem 0; vertical-align: top; }
td.n { text-align: right; font-variant-numeric: tabular-nums; }
"""


def page(review: Review) -> str:
    """The whole file's text."""
    title = escape(f"Review of {review.source}")
    worst = sorted(range(len(review.findings)), key=lambda i: -review.findings[i].severity)
    notes = [*review.notes, *([f"Lost: {review.lost}"] if review.lost else [])]
    parts = [
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{title}</title>',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<style>{STYLE}</style></head><body><main>",
        f"<h1>{escape(review.verdict)}</h1>",
        f"<p>{review.frames} frames, {review.size[1]}×{review.size[0]}; alpha {escape(review.alpha)}.</p>",
        "<ul>" + "".join(f"<li>{escape(note)}</li>" for note in notes) + "</ul>" if notes else "",
        "<h2>Look at these first</h2>" if worst else "",
        *(_article(i, review.findings[i]) for i in worst),
        "<h2>Over time</h2>",
        *(_curve(name, review) for name in _CURVES),
        _table(review),
        '<p class="quiet">A review has no truth to compare with. What stands out deserves a look; '
        "an error that neither moves nor changes, such as a chair taken for the person throughout, is not noticed.</p>",
        "</main></body></html>\n",
    ]
    return "\n".join(part for part in parts if part)


def _article(number: int, finding: Finding) -> str:
    also = f" Also: {escape(', '.join(finding.also))}." if finding.also else ""
    head = f"{finding.when} · {finding.cause}"
    return "\n".join(
        [
            f'<article id="moment-{number}"><h3>{escape(head)}</h3>',
            f"<p>{escape(finding.sees[0].upper() + finding.sees[1:])}; worst in frame {finding.frame}.{also}<br>",
            f"Likely because {escape(finding.why)}.</p>",
            _pictures(finding.still),
            "<p>Try:</p><ul>" + "".join(_option(option) for option in finding.options) + "</ul></article>",
        ]
    )


def _option(option: Option) -> str:
    flags = f"<code>koutu video … {escape(option.flags)}</code>: " if option.flags else ""
    return f"<li>{flags}{escape(option.why)}</li>"


def _pictures(still: Still | None) -> str:
    if still is None:
        return '<p class="quiet">No frame of this moment was kept.</p>'
    shown = {"original": still.rgb, "alpha": still.alpha, "on green": on_green(still)}
    return f'<div class="pictures">{"".join(_figure(name, data, still.frame) for name, data in shown.items())}</div>'


def _figure(name: str, data: bytes, frame: int) -> str:
    source = f"data:image/jpeg;base64,{base64.b64encode(data).decode('ascii')}"
    caption = f"{name}, frame {frame}"
    return f'<figure><img src="{source}" alt="{caption}"><figcaption>{caption}</figcaption></figure>'


def on_green(still: Still) -> bytes:
    """The kept frame cut out and put on green, as a JPEG file."""
    rgb, alpha = decoded(still.rgb, colour=True), decoded(still.alpha, colour=False)
    green = np.full_like(rgb, _GREEN)
    shown = replace(decontaminate(rgb, alpha), alpha, green)
    assert isinstance(shown, np.ndarray)
    return encoded(cv2.cvtColor(shown, cv2.COLOR_RGB2BGR))


def _curve(name: str, review: Review) -> str:
    values, times = review.measures[name], review.times
    known = values[np.isfinite(values)]
    if len(known) < 2:
        return ""
    duration = max(float(times[-1] - times[0]), 1e-3)
    limit = LIMITS[name].floor if name in LIMITS else 0.0
    top = max(float(known.max()) * 1.05, limit * 1.2, 1e-6)

    def x(seconds: float) -> float:
        return (seconds - float(times[0])) / duration * _WIDTH

    marks = "".join(
        f'<a href="#moment-{i}"><rect x="{x(f.start):.1f}" width="{max(3.0, x(f.end) - x(f.start)):.1f}" '
        f'height="{_HEIGHT}"><title>{escape(f.when)} {escape(f.cause)}</title></rect></a>'
        for i, f in enumerate(review.findings)
    )
    at = _HEIGHT * (1 - limit / top)
    rule = f'<line class="limit" x1="0" x2="{_WIDTH}" y1="{at:.1f}" y2="{at:.1f}"/>' if limit else ""
    label = escape(f"{name}: {MEASURES[name]}")
    return (
        f"<figure><figcaption>{label}; at most {float(known.max()):.3g}</figcaption>"
        f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT + 18}" role="group" aria-label="{label}">{marks}{rule}'
        f'<line x1="0" x2="{_WIDTH}" y1="{_HEIGHT}" y2="{_HEIGHT}"/><path d="{_path(values, times, top)}"/>'
        f'<text x="0" y="{_HEIGHT + 14}">{time_code(float(times[0]))}</text>'
        f'<text x="{_WIDTH}" y="{_HEIGHT + 14}" text-anchor="end">{time_code(float(times[-1]))}</text></svg></figure>'
    )


def _path(values: NDArray[np.float32], times: NDArray[np.float64], top: float) -> str:
    """The curve as an SVG path, broken where nothing is known."""
    step = math.ceil(len(values) / _POINTS)
    duration = max(float(times[-1] - times[0]), 1e-3)
    words, drawing = [], False
    for at in range(0, len(values), step):
        part = values[at : at + step]
        part = part[np.isfinite(part)]
        if not len(part):
            drawing = False
            continue
        x = (times[at] - times[0]) / duration * _WIDTH
        words.append(f"{'L' if drawing else 'M'}{x:.1f} {_HEIGHT * (1 - float(part.max()) / top):.1f}")
        drawing = True
    return "".join(words)


def _table(review: Review) -> str:
    rows = []
    for name, values in review.measures.items():
        known = values[np.isfinite(values)]
        marks = np.percentile(known, [50, 95, 100]) if len(known) else ()
        cells = "".join(f'<td class="n">{v:.3g}</td>' for v in marks) or '<td colspan="3">unknown</td>'
        rows.append(f'<tr><th scope="row">{name}</th>{cells}<td class="quiet">{escape(MEASURES[name])}</td></tr>')
    head = "".join(f'<th scope="col">{h}</th>' for h in ("measure", "median", "95 %", "most", "what it is"))
    return f"<details><summary>All measures</summary><table><tr>{head}</tr>{''.join(rows)}</table></details>"
