"""The API fed from its own description: whatever comes, an answer the description allows, never a 500."""

import json
from typing import Any
from urllib.parse import quote

import pytest
from support.serving import client, encoded, service_of

from koutu.server.settings import Limits

pytest.importorskip("hypothesis")

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

METHODS = ("get", "post", "delete")
RUBBISH = st.one_of(
    st.text(max_size=40),
    st.integers().map(str),
    st.sampled_from(["", "\0", "../../etc/passwd", "%s%n", "NaN", "1e999"]),
)
FILES = st.one_of(
    st.binary(max_size=200),
    st.just(encoded()),
    st.integers(1, 400).map(lambda size: encoded()[:size]),
    st.tuples(st.integers(0, 3000), st.integers(0, 255)).map(lambda where: damaged(*where)),
)
SLOW = [HealthCheck.too_slow, HealthCheck.function_scoped_fixture, HealthCheck.data_too_large]
QUICK = settings(max_examples=25, deadline=None, derandomize=True, suppress_health_check=SLOW)


def damaged(at: int, value: int) -> bytes:
    """The picture with one byte changed."""
    data = bytearray(encoded())
    data[at % len(data)] = value
    return bytes(data)


@pytest.fixture(scope="module")
def web():
    with client(limits=Limits(jobs=1, upload_mb=1, video_mb=1)) as found:
        yield found


def operations(web) -> list[tuple[str, str, dict[str, Any], dict[str, Any]]]:
    """(path, method, operation, schemas) of all there are; videos, which start processes, only where told otherwise."""
    described = web.get("/openapi.json").json()
    return [
        (path, method, operation, described["components"]["schemas"])
        for path, methods in described["paths"].items()
        for method, operation in methods.items()
    ]


def fitting(schema: dict[str, Any]) -> st.SearchStrategy[str]:
    """Text that a field of this schema could be, and text that it could not."""
    if "enum" in schema:
        return st.sampled_from([str(value) for value in schema["enum"]]) | RUBBISH
    kinds: dict[str, st.SearchStrategy[str]] = {
        "boolean": st.sampled_from(["true", "false", "1", "0", "on"]),
        "integer": st.integers(-(2**70), 2**70).map(str),
        "number": st.floats().map(str),
    }
    words = st.sampled_from(
        ["red", "#123", "10%", "50% 50%", "0px 0px 9px 9px", "blur", "dusk", "1,2,3,4", "http://127.0.0.1/", "center"]
    )
    return kinds.get(schema.get("type", ""), words | RUBBISH)


def check(answer: Any, operation: dict[str, Any]) -> None:
    """The status is described; a refusal has its form; no surprise inside the server."""
    known = set(operation["responses"]) | {"404", "405"}
    assert str(answer.status_code) in known, (answer.status_code, answer.text[:300])
    if answer.status_code >= 400:
        (error,) = answer.json()["errors"]
        assert error["title"] and error["detail"] and error["code"] not in ("internal", "failed")


def fields_of(operation: dict[str, Any], schemas: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Schemas of the form's plain fields, and of its files."""
    content = operation.get("requestBody", {}).get("content", {})
    schema = content.get("multipart/form-data", {}).get("schema", {})
    fields = schema.get("properties", {})
    files = {name: entry for name, entry in fields.items() if entry.get("format") == "binary"}
    return {name: entry for name, entry in fields.items() if name not in files}, files


@given(data=st.data())
@QUICK
def test_queries_and_paths(web, data):
    path, method, operation, _ = data.draw(st.sampled_from(operations(web)))
    query = {}
    for entry in operation.get("parameters", []):
        if entry["in"] == "path":
            path = path.replace("{" + entry["name"] + "}", quote(data.draw(RUBBISH), safe="") or "x")
        elif data.draw(st.booleans()):
            query[entry["name"]] = data.draw(fitting(entry["schema"]))
    if method == "post" and path == "/api/video":
        query["format"] = "nothing"  # refused before anything is begun
    check(web.request(method, path, params=query), operation)


@given(data=st.data())
@QUICK
def test_forms(web, data):
    path, method, operation, schemas = data.draw(
        st.sampled_from([o for o in operations(web) if fields_of(o[2], o[3])[1]])
    )
    plain, files = fields_of(operation, schemas)
    form = {name: data.draw(fitting(entry)) for name, entry in plain.items() if data.draw(st.integers(0, 3)) == 0}
    if data.draw(st.integers(0, 5)) == 0:
        form[data.draw(st.text(max_size=9))] = data.draw(RUBBISH)
    sent = {name: ("a", data.draw(FILES)) for name in files if data.draw(st.integers(0, 3)) > 0}
    if path == "/api/video":
        form["format"] = "nothing"
    check(web.request(method, path, data=form, files=sent), operation)


NAMES = st.sampled_from(["sdp", "type", "crop", "image_url", "image_file_b64", "size", "é"])
JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner),
    max_leaves=5,
).map(lambda value: json.dumps(value).encode())
KINDS = st.sampled_from(["image/png", "application/json", "multipart/form-data", "text/plain", "x", ""])
PATHS = st.sampled_from(["/api/remove", "/api/removebg", "/api/backgrounds", "/api/webrtc"])


@given(path=PATHS, kind=KINDS, content=FILES | JSON)
@QUICK
def test_bodies_of_any_kind(web, path, kind, content):
    operation = web.get("/openapi.json").json()["paths"][path]["post"]
    check(web.post(path, content=content, headers={"Content-Type": kind}), operation)


@given(first=st.text(max_size=60) | st.just('{"background": "alpha"}'), messages=st.lists(FILES | RUBBISH, max_size=4))
@QUICK
def test_live_messages(web, first, messages):
    with web.websocket_connect("ws://localhost/api/stream") as link:
        link.send_text(first)
        for message in messages:
            link.send_text(message) if isinstance(message, str) else link.send_bytes(b"12345678" + message)
        told = link.receive()  # a result, figures or an error, within the second that figures take
        assert told["type"] == "websocket.send"
        assert told.get("bytes") or json.loads(told["text"])["type"] in ("stats", "error")


def test_nothing_is_left(web):
    """After all that, every place is free."""
    service = service_of(web)
    assert service.pictures.taken == service.videos.taken == 0 and not service.calls
