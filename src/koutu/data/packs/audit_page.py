"""An audit as one HTML file that needs nothing else: an image at a time, graded with keys, saved as grades.csv."""

import base64
import json
from collections.abc import Sequence
from html import escape

from koutu.data.packs.audit_draw import Drawn
from koutu.data.packs.grades import COLUMNS, GRADES

_STYLE = """
:root { color-scheme: dark; }
body { margin: 0 auto; max-width: 100rem; padding: 1rem; background: #202020; color: #e6e6e6;
  font: 1rem/1.5 system-ui, sans-serif; }
h1 { font-size: 1.1rem; margin: 0; } img { width: 100%; display: block; margin: .5rem 0; background: #2a2a2a; }
button { font: inherit; padding: .4rem 1rem; margin-right: .5rem; color: inherit; background: #3a3a3a;
  border: 2px solid #5a5a5a; border-radius: .3rem; cursor: pointer; }
button:focus-visible { outline: 3px solid #ff9d66; } 
button[aria-pressed=true] { border-color: #7fd08a; background: #24532c; }
#about { overflow-wrap: anywhere; } p { margin: .4rem 0; }
"""
_SCRIPT = """
const { drawn, columns, grades } = JSON.parse(document.getElementById("draw").textContent);
const images = document.getElementById("pictures").textContent.trim().split("\\n");
const at = (id) => document.getElementById(id);
const memory = "koutu audit " + drawn.map((s) => s.pixels + s.grade).join("");
let now = 0, kept = true;
try {
  const held = JSON.parse(localStorage.getItem(memory) || "[]");
  drawn.forEach((s, i) => { s.grade = held[i] || s.grade || ""; });
} catch { kept = false; }
now = Math.max(0, drawn.findIndex((s) => !s.grade));

function show() {
  const s = drawn[now], left = drawn.filter((s) => !s.grade).length;
  at("picture").src = "data:image/jpeg;base64," + images[now];
  at("picture").alt = s.name;
  at("about").textContent = `${s.source}, number ${s.number}: ${s.name}`;
  at("left").textContent = left ? `${left} of ${drawn.length} to grade` : "All are graded: save them";
  for (const grade of grades) at(grade).setAttribute("aria-pressed", String(s.grade === grade));
}
function go(step) { now = Math.min(drawn.length - 1, Math.max(0, now + step)); show(); }
function give(grade) {
  drawn[now].grade = grade;
  try { if (kept) localStorage.setItem(memory, JSON.stringify(drawn.map((s) => s.grade))); } catch { kept = false; }
  go(1);
}
function save() {
  const cell = (text) => /[",\\r\\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
  const rows = [columns, ...drawn.map((s) => columns.map((column) => String(s[column])))];
  const text = rows.map((row) => row.map(cell).join(",") + "\\n").join("");
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([text], { type: "text/csv" }));
  link.download = "grades.csv";
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}
for (const grade of grades) at(grade).onclick = () => give(grade);
at("back").onclick = () => go(-1);
at("on").onclick = () => go(1);
at("save").onclick = save;
document.onkeydown = (event) => {
  if (event.ctrlKey || event.altKey || event.metaKey) return;
  const grade = grades[Number(event.key) - 1];
  if (grade && !event.repeat) give(grade);
  else if (event.key === "ArrowLeft") go(-1);
  else if (event.key === "ArrowRight") go(1);
};
show();
"""


def page(title: str, drawn: Sequence[Drawn], given: Sequence[str], pictures: Sequence[bytes]) -> str:
    """The whole file's text; given: the grade of each, "" for none; pictures: JPEGs."""
    rows = [
        {"number": s.number, "name": s.name, "source": s.source, "group": s.group, "grade": g, "pixels": s.pixels}
        for s, g in zip(drawn, given, strict=True)
    ]
    held = json.dumps({"drawn": rows, "columns": COLUMNS, "grades": GRADES}).replace("<", "\\u003c")
    buttons = "".join(f'<button id="{grade}">{key} {grade}</button>' for key, grade in enumerate(GRADES, 1))
    return "\n".join([
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>Audit of {escape(title)}</title>',
        f"<style>{_STYLE}</style></head><body><main>",
        '<h1 id="about"></h1><img id="picture" alt="">',
        f'<p>{buttons}<button id="back">← back</button><button id="on">on →</button>',
        '<button id="save">Save grades.csv</button> <span id="left" role="status"></span></p>',
        "<p>Person on a plain colour; image over alpha; three places of the edge, enlarged, over what was there. Good: "
        "a matte to learn from. Usable: small faults at the edge. Wrong: something lost or gained, or smeared.</p>",
        f'</main><script type="application/json" id="draw">{held}</script>',
        '<script type="text/plain" id="pictures">',
        *(base64.b64encode(picture).decode() for picture in pictures),
        f"</script><script>{_SCRIPT}</script></body></html>\n",
    ])  # fmt: skip
