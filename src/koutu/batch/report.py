"""What became of a batch, for people: a page with small pictures and the worst moments, or a table."""

import csv
import io
from collections.abc import Iterable
from html import escape

from koutu.batch.ledger import Entry
from koutu.review.page import STYLE

PICTURED = 200  # of the items, those to look at first
_COLUMNS = (
    "name", "source", "state", "reason", "attempts", "frames", "video_seconds", "worker_seconds", "peak_mb", "worst",
    "lost", "notes", "sha256",
)  # fmt: skip


def table(entries: Iterable[Entry]) -> str:
    """CSV, an item a line."""
    out = io.StringIO(newline="")
    rows = csv.writer(out)
    rows.writerow(_COLUMNS)
    for entry in entries:
        made = entry.made
        worst = "; ".join(f"{found['when']} {found['cause']}" for found in made.findings)
        rows.writerow([
            entry.name, entry.source, entry.state, entry.reason, entry.attempts, made.frames,
            round(made.video_seconds, 3), round(made.seconds, 3), round(made.peak_mb), worst, made.lost,
            "; ".join(made.notes), " ".join(digest for _, digest in made.files.values()),
        ])  # fmt: skip
    return out.getvalue()


def html(entries: Iterable[Entry], hourly: float = 0.0) -> str:
    """A page that needs nothing else: no network, no script. hourly: what an hour of one worker costs, 0 if unknown."""
    ordered = sorted(entries, key=_gravity, reverse=True)
    failed = [entry for entry in ordered if entry.state != "done"]
    done = [entry for entry in ordered if entry.state == "done"]
    parts = [
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>Batch</title>',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<style>{STYLE}</style></head><body><main>",
        f"<h1>{len(done)} of {len(ordered)} items are done</h1>",
        *(f"<p>{escape(line)}</p>" for line in costs(done, hourly)),
        "<h2>Not done</h2><ul>" if failed else "",
        *(f"<li><code>{escape(e.name)}</code>: {escape(e.reason or 'not begun')}</li>" for e in failed),
        "</ul>" if failed else "",
        "<h2>Look at these first</h2>" if done else "",
        *(_article(entry) for entry in done[:PICTURED]),
        f'<p class="quiet">{len(done) - PICTURED} more are in the table.</p>' if len(done) > PICTURED else "",
        "</main></body></html>\n",
    ]
    return "\n".join(part for part in parts if part)


def costs(entries: Iterable[Entry], hourly: float = 0.0) -> list[str]:
    """What a minute of video took, in sentences; nothing without videos."""
    videos = [entry for entry in entries if entry.state == "done" and entry.made.video_seconds]
    if not videos:
        return []
    video, work = sum(entry.made.video_seconds for entry in videos), sum(entry.made.seconds for entry in videos)
    minute = 60 * work / video
    lines = [f"a minute of video took {minute:.0f} seconds of one worker, {video / 60:.1f} minutes in all"]
    if hourly:
        lines.append(f"that is {minute * hourly / 3600:.4f} a minute, {work * hourly / 3600:.2f} in all")
    return lines


def _gravity(entry: Entry) -> float:
    return max((float(found["severity"]) for found in entry.made.findings), default=0.0)


def _article(entry: Entry) -> str:
    made = entry.made
    source = f"data:image/jpeg;base64,{made.still}"
    picture = f'<img src="{source}" alt="a frame of {escape(entry.name)}">' if made.still else ""
    said = [f"{found['when']} {found['cause']}: {found['sees']}" for found in made.findings]
    said += [*made.notes, *([f"lost: {made.lost}"] if made.lost else [])]
    items = "".join(f"<li>{escape(line)}</li>" for line in said)
    return (
        f"<article><h3>{escape(entry.name)}</h3>{picture}<ul>{items}</ul>"
        f'<p class="quiet">{made.frames} frames, {made.seconds:.1f} s of a worker</p></article>'
    )
