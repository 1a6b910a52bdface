"""A page to look at, in one file without scripts: figures, worst cases first, curves of clips, what ran where."""

import base64
import html
import platform
from collections.abc import Iterator, Mapping
from datetime import datetime, timezone

from koutu import __version__
from koutu.evaluation import recoveries
from koutu.evaluation.curves import chart
from koutu.evaluation.gallery import PANELS
from koutu.evaluation.measure import COLUMNS, HIGHER, badness
from koutu.evaluation.published import PUBLISHED
from koutu.evaluation.result import ClipResult, Evaluation
from koutu.evaluation.table import Table, best, shown_how

WORST = 12  # of each network
CLIPS = 30  # with curves
CURVES = ("mad", "dtssd", "flicker", "uncertain")
BROKEN = 200

_STYLE = """
:root{color-scheme:light dark;--line:#8884;--mark:#2a7d4f}
body{font:15px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:1200px;padding:0 1rem}
table{border-collapse:collapse}th,td{padding:.25rem .7rem;border-bottom:1px solid var(--line);text-align:right}
th:first-child,td:first-child{text-align:left}td small{opacity:.65;display:block}
.best{font-weight:700;color:var(--mark)}
.wide{overflow-x:auto}figure{margin:1rem 0}figure img{max-width:100%;display:block}figcaption{font-size:.9em}
svg{max-width:100%;height:auto}dt{font-weight:600}code{overflow-wrap:anywhere}
"""


def page(table: Table, run: Evaluation, cards: Mapping[str, str]) -> str:
    """The HTML of a run; cards: network → what a reader should know of it, one paragraph."""
    title = f"koutu eval · {run.data['name']}"
    parts = [
        *_head(table, run),
        *recoveries.section(run),
        *_published(run.data["layout"]),
        *_worst(run),
        *_curves(run),
        *_cards(run, cards),
        *_broken(run),
    ]
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{_escape(title)}</title>'
        f'<meta name="viewport" content="width=device-width,initial-scale=1"><style>{_STYLE}</style></head>'
        f"<body><h1>{_escape(title)}</h1>{''.join(parts)}</body></html>\n"
    )


def _head(table: Table, run: Evaluation) -> Iterator[str]:
    data = run.data
    where = f"{platform.processor() or platform.machine()}, Python {platform.python_version()}, koutu {__version__}"
    today = datetime.now(timezone.utc).date().isoformat()
    yield (
        f"<p>{_escape(data['layout'])}, split {_escape(data['split'])}: {data['clips']} clips of "
        f"<code>{_escape(data['root'])}</code>. {today}, {_escape(where)}.</p>"
    )
    yield "<h2>Figures</h2><p>Mean over clips, and where 95 % of bootstrapped means lie. Best in bold.</p>"
    yield "".join(f"<p>{_escape(line)}</p>" for line in shown_how(run))
    heads = "".join(
        f'<th scope="col"><a href="#{_anchor(name)}">{_escape(name)}</a>{_failed(table.errors[name])}</th>'
        for name in table.rows
    )
    yield f'<div class="wide"><table><thead><tr><th scope="col">measure</th>{heads}</tr></thead><tbody>'
    for column in table.columns:
        row = "".join(_cell(table, name, column) for name in table.rows)
        arrow = "↑" if column in HIGHER else "↓"
        yield f"<tr><td>{column} {arrow}<small>{_escape(COLUMNS[column])}</small></td>{row}</tr>"
    yield "</tbody></table></div>"


def _failed(clips: int) -> str:
    return f"<small>failed on {clips}</small>" if clips else ""


def _published(layout: str) -> Iterator[str]:
    quoted = PUBLISHED.get(layout)
    if quoted is None:
        return
    yield f"<h2>Published on {_escape(layout)}, not measured here</h2><p>{_escape(quoted.protocol)}.</p>"
    heads = "".join(f'<th scope="col">{column}</th>' for column in quoted.columns)
    yield f'<div class="wide"><table><thead><tr><th scope="col">method</th>{heads}</tr></thead><tbody>'
    for row in quoted.rows:
        values = "".join(f"<td>{'–' if value is None else f'{value:g}'}</td>" for value in row.values)
        yield f"<tr><td>{_escape(row.method)}<small>{_escape(row.source)}</small></td>{values}</tr>"
    yield "</tbody></table></div>"


def _cell(table: Table, name: str, column: str) -> str:
    cell = table.rows[name].get(column)
    if cell is None:
        return "<td>–</td>"
    mark = ' class="best"' if best(table, column) == name else ""
    against = ""
    if cell.difference is not None:
        sure = "" if cell.differs else ", not sure"
        against = f"<small>{cell.difference:+.3g} to the first network{sure}</small>"
    interval = f"<small>{cell.low:.4g} … {cell.high:.4g}</small>" if cell.clips > 1 else ""
    return f"<td{mark}>{cell.mean:.4g}{interval}{against if cell.clips > 1 else ''}</td>"


def _worst(run: Evaluation) -> Iterator[str]:
    yield f"<h2>Worst cases first</h2><p>Left to right: {', '.join(PANELS)}. Error: red too much, blue too little.</p>"
    for name in run.models:
        shown = [r for r in run.results if r.model == name and r.picture and (run.folder / r.picture).is_file()]
        yield f"<h3>{_escape(name)}</h3>" if shown else ""
        for result in sorted(shown, key=lambda r: -badness(r.rows[r.worst]))[:WORST]:
            yield _figure(run, result)


def _figure(run: Evaluation, result: ClipResult) -> str:
    data = base64.b64encode((run.folder / result.picture).read_bytes()).decode()
    row = result.rows[result.worst]
    figures = ", ".join(f"{column} {value:.3g}" for column, value in row.items())
    name = _escape(result.names[result.worst])
    return (
        f'<figure><img loading="lazy" alt="{name}: panels of the worst frame" src="data:image/jpeg;base64,{data}">'
        f"<figcaption><b>{name}</b> · {figures}</figcaption></figure>"
    )


def _curves(run: Evaluation) -> Iterator[str]:
    clips = list(dict.fromkeys(r.clip for r in run.results if not r.still and len(r.rows) > 1))
    if not clips:
        return
    yield "<h2>Clips, frame by frame</h2>"
    if len(clips) > CLIPS:
        yield f"<p>The first {CLIPS} of {len(clips)}; results.json has all.</p>"
    for clip in clips[:CLIPS]:
        yield f"<h3>{_escape(clip)}</h3>"
        results = [r for r in run.results if r.clip == clip]
        for column in CURVES:
            lines = {r.model: [row.get(column) for row in r.rows] for r in results}
            if any(value is not None for line in lines.values() for value in line):
                yield f"<figure>{chart(column, lines)}<figcaption>{_escape(COLUMNS[column])}</figcaption></figure>"


def _cards(run: Evaluation, cards: Mapping[str, str]) -> Iterator[str]:
    yield "<h2>Networks</h2><dl>"
    for name, ran in run.models.items():
        own = [r for r in run.results if r.model == name]
        frames, seconds = sum(len(r.rows) for r in own), sum(r.matting_seconds for r in own)
        speed = f" {frames} frames in {seconds:.1f} s of matting, measured beside other work." if frames else ""
        failed = "".join(f"<br>failed on {_escape(r.clip)}: {_escape(r.error)}" for r in own if r.error)
        card = _escape(cards.get(name, ""))
        yield f'<dt id="{_anchor(name)}">{_escape(name)}</dt><dd>{_escape(ran)}.{speed} {card}{failed}</dd>'
    yield "</dl>"


def _broken(run: Evaluation) -> Iterator[str]:
    found = {(b["name"], b["reason"]): None for r in run.results for b in r.broken}
    found |= {(b["name"], b["reason"]): None for b in run.data["broken"]}
    if found:
        yield f"<h2>Could not be used: {len(found)}</h2><dl>"
        for name, reason in list(found)[:BROKEN]:
            yield f"<dt>{_escape(name)}</dt><dd>{_escape(reason)}</dd>"
        yield "</dl>" + (f"<p>and {len(found) - BROKEN} more, in results.json</p>" if len(found) > BROKEN else "")


def _anchor(name: str) -> str:
    return "net-" + "".join(c if c.isalnum() else "-" for c in name)


def _escape(text: str) -> str:
    return html.escape(str(text))
