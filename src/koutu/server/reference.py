"""/docs: the OpenAPI description as one plain page that needs no script and no other server."""

from html import escape
from typing import Any

from fastapi import APIRouter, FastAPI
from fastapi.responses import HTMLResponse

STYLE = """
:root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif; }
body { max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
article { border-top: 1px solid #8886; margin-top: 1.5rem; }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; vertical-align: top; padding: .2rem .8rem .2rem 0; border-bottom: 1px solid #8883; }
code, pre { font: .9em ui-monospace, monospace; overflow-wrap: anywhere; }
pre { background: #8882; padding: .6rem; overflow-x: auto; }
.method { font-weight: 700; }
"""
LIVE = """
<article><h2 id="stream"><span class="method">WS</span> <code>/api/stream</code></h2>
<p>Live matting. The first message is a JSON text, which may be sent again at any time:
<code>{"token": …, "background": "#rrggbb" | "blur" | name | "alpha", "mirror": false, "width": null,
"model": ""}</code>. Then binary messages: 8 bytes frame number, big-endian, and a JPEG; answered by the same number
and a JPEG. The newest frame wins. About once a second comes <code>{"type": "stats", "fps", "latency_ms",
"latency_p95_ms", "matte_ms", "frames", "dropped", …}</code>, and on trouble
<code>{"type": "error", "detail"}</code>.</p></article>
"""


def routes(app: FastAPI) -> APIRouter:
    """GET /docs."""
    router = APIRouter(include_in_schema=False)

    @router.get("/docs")
    def docs() -> HTMLResponse:
        policy = "default-src 'none'; style-src 'self'; base-uri 'none'; frame-ancestors 'none'; form-action 'none'"
        return HTMLResponse(page(app.openapi()), headers={"Content-Security-Policy": policy})

    @router.get("/docs/style.css")
    def style() -> HTMLResponse:
        return HTMLResponse(STYLE, media_type="text/css")

    return router


def page(description: dict[str, Any]) -> str:
    """The whole page."""
    info, schemas = description["info"], description.get("components", {}).get("schemas", {})
    parts = [
        _operation(path, method, operation, schemas)
        for path, methods in description["paths"].items()
        for method, operation in methods.items()
    ]
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8"><title>koutu: HTTP API</title>'
        '<meta name="viewport" content="width=device-width"><link rel="stylesheet" href="/docs/style.css">'
        f"<h1>koutu {escape(info['version'])}: HTTP API</h1><p>{escape(info.get('description', ''))} "
        'For programs: <a href="/openapi.json">openapi.json</a>.</p>'
        f"{''.join(parts)}{LIVE}</html>"
    )


def _operation(path: str, method: str, operation: dict[str, Any], schemas: dict[str, Any]) -> str:
    rows = [
        (entry["name"], f"in the {entry['in']}", entry["schema"] | {"description": entry.get("description", "")})
        for entry in operation.get("parameters", [])
    ]
    for kind, content in operation.get("requestBody", {}).get("content", {}).items():
        schema = _resolved(content.get("schema", {}), schemas)
        rows += [(name, kind, _resolved(entry, schemas)) for name, entry in schema.get("properties", {}).items()]
        if not schema.get("properties"):
            rows.append(("the body", kind, schema))
    answers = "; ".join(f"{status} {escape(str(a['description']))}" for status, a in operation["responses"].items())
    table = "".join(_row(*row) for row in rows)
    return (
        f'<article><h2><span class="method">{method.upper()}</span> <code>{escape(path)}</code></h2>'
        f"<p>{escape(operation.get('description', ''))}</p>"
        + (f"<table><tr><th>field</th><th>where</th><th>what</th></tr>{table}</table>" if rows else "")
        + f"<p>Answers: {answers}.</p></article>"
    )


def _row(name: str, where: str, schema: dict[str, Any]) -> str:
    kind = schema.get("type", " | ".join(str(part.get("type", "")) for part in schema.get("anyOf", [])))
    choices = ", ".join(map(str, schema.get("enum", [])))
    default = f" Default: {schema['default']!r}." if schema.get("default") not in (None, "") else ""
    what = f"{kind}{f' ({choices})' if choices else ''}. {schema.get('description', '')}{default}"
    return f"<tr><td><code>{escape(name)}</code></td><td>{escape(where)}</td><td>{escape(what)}</td></tr>"


def _resolved(schema: dict[str, Any], schemas: dict[str, Any]) -> dict[str, Any]:
    name = schema.get("$ref", "").rpartition("/")[2]
    return schemas.get(name, schema)
