"""/api/batch: many images in one request, their results in one ZIP."""

import io
import json
import re
import zipfile
from pathlib import PurePosixPath
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response

from koutu.server.encode import MEDIA, Kind
from koutu.server.errors import RESPONSES, Refused, invalid
from koutu.server.remove import RemoveOptions, answered, checked, removed, require_network
from koutu.server.service import Service
from koutu.server.uploads import BINARY, bytes_of, form, received
from koutu.types import KoutuError

MOST = 32  # images in one request; all together may weigh as much as a video
FILES = ("file", "files", "image_file")
ERRORS = "errors.json"
_BODY = {"required": True, "content": form(*FILES, fields=RemoveOptions)}
_ZIP: dict[int | str, dict[str, Any]] = {200: {"content": {MEDIA["zip"]: {"schema": BINARY}}}}


def routes(service: Service) -> APIRouter:
    """POST /api/batch."""
    router = APIRouter(tags=["pictures"])

    @router.post(
        "/api/batch", response_class=Response, responses=_ZIP | RESPONSES, openapi_extra={"requestBody": _BODY}
    )
    async def batch(request: Request, options: Annotated[RemoveOptions, Query()]) -> Response:
        """Cut the person out of every image of a form's `file`s, with the fields of /api/remove but url.

        The ZIP has a result for each under its own name; what could not be read stands in errors.json beside them.
        If nothing could, that is the answer (400).
        """

        async def work() -> Response:
            most = service.limits.video_mb
            async with received(request, service, megabytes=most, files=MOST) as sent:
                whole = checked(RemoveOptions, {**options.model_dump(exclude_unset=True), **sent.fields})
                named = [(name, file) for field, name, file in sent.several if field in FILES]
                if whole.url or not named or len(named) < len(sent.several):
                    raise invalid("expected images as file, given again for each, and no url, got others or none")
                require_network(service, whole.model)
                images = [(name, await bytes_of(file)) for name, file in named]
            return await _answer(service, request, whole, images)

        return await answered(service.pictures.take(), work)

    return router


async def _answer(
    service: Service, request: Request, options: RemoveOptions, images: list[tuple[str, bytes]]
) -> Response:
    kind: Kind = "png" if options.format == "alpha" else options.format
    results: dict[str, bytes] = {}
    errors: dict[str, str] = {}
    for name, data in images:
        title = _free(_plain(name), kind, results)
        try:
            results[title] = await service.picture(lambda data=data: removed(service, data, options, kind), request)
            service.counters.add("koutu_pictures_total", route="batch")
        except (Refused, KoutuError) as error:
            errors[name] = str(error)
    if not results:
        raise invalid(next(iter(errors.values())))
    body = await service.picture(lambda: _zipped(results, errors), request)
    return Response(body, media_type=MEDIA["zip"])


def _plain(name: str) -> str:
    """The stem of a client's file name, with nothing in it that a path or a shell could mind."""
    stem = PurePosixPath(name.replace("\\", "/")).stem
    return re.sub(r"[^\w .()-]", "_", stem).strip(" .")[:80] or "picture"


def _free(stem: str, kind: str, taken: dict[str, bytes]) -> str:
    names = (f"{stem}{f' ({count})' if count > 1 else ''}.{kind}" for count in range(1, MOST + 2))
    return next(name for name in names if name not in taken)


def _zipped(results: dict[str, bytes], errors: dict[str, str]) -> bytes:
    whole = io.BytesIO()
    with zipfile.ZipFile(whole, "w", zipfile.ZIP_STORED) as archive:
        for name, data in results.items():
            archive.writestr(name, data)
        if errors:
            archive.writestr(ERRORS, json.dumps(errors, ensure_ascii=False, indent=1))
    return whole.getvalue()
