"""What a request brings: its fields and its images, by form, JSON or raw body, measured before they are decoded."""

import asyncio
import base64
import binascii
import json
import os
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import IO, Any
from urllib.parse import parse_qsl

from fastapi import Request
from pydantic import BaseModel
from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException

from koutu.color import to_rgb
from koutu.media.image import image_size, on_white, read_frame
from koutu.server.errors import invalid, too_large
from koutu.server.service import Service
from koutu.types import Frame, InputError, Rgb

IN_MEMORY = 2**20  # of a body; what is longer waits in an unnamed temporary file
MAX_FIELDS = 64
MAX_FILES = 4
URLENCODED = "application/x-www-form-urlencoded"
BINARY = {"type": "string", "format": "binary"}  # a file, as OpenAPI has it


def form(*files: str, fields: type[BaseModel], required: tuple[str, ...] = ()) -> dict[str, Any]:
    """A form of those files and fields, as OpenAPI's multipart body."""
    properties = {name: BINARY for name in files} | fields.model_json_schema()["properties"]
    needed = {"required": list(required)} if required else {}
    return {"multipart/form-data": {"schema": {"type": "object", "properties": properties} | needed}}


@dataclass
class Sent:
    """A request's fields, all text, and its files; `several`: all files as (field, file name, file)."""

    fields: dict[str, str] = field(default_factory=dict)
    files: dict[str, IO[bytes]] = field(default_factory=dict)
    several: list[tuple[str, str, IO[bytes]]] = field(default_factory=list)


@asynccontextmanager
async def received(
    request: Request, service: Service, *, megabytes: int | None = None, files: int = MAX_FILES
) -> AsyncIterator[Sent]:
    """What the body brings; a body that is no form and no JSON is the file "file". Files are closed afterwards."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    most = (megabytes or service.limits.upload_mb) * 1_000_000
    if kind == "multipart/form-data":
        async with _form(request, most * 4 // 3 + 4, files) as sent:
            yield sent
    elif kind == "application/json":
        yield Sent(_texts(await request.body()))
    else:
        with tempfile.SpooledTemporaryFile(IN_MEMORY) as file:
            async for part in request.stream():
                file.write(part)
            if kind == URLENCODED and _is_text(file):
                yield Sent(_fields(file))
            else:
                yield Sent(files={"file": file} if file.seek(0, os.SEEK_END) else {})


@asynccontextmanager
async def _form(request: Request, most: int, files: int) -> AsyncIterator[Sent]:
    try:
        form = await request.form(max_files=files, max_fields=MAX_FIELDS, max_part_size=most)
    except HTTPException as error:
        raise invalid(f"expected a well-formed form of few fields, got another ({error.detail})") from error
    try:
        sent = Sent()
        for name, value in form.multi_items():
            if isinstance(value, UploadFile):
                sent.files[name] = value.file
                sent.several.append((name, value.filename or "", value.file))
            else:
                sent.fields[name] = value
        yield sent
    finally:
        await form.close()


def _is_text(file: IO[bytes]) -> bool:
    """Whether a body is a form as its type says: `curl --data-binary @portrait.jpg` calls a picture one, too."""
    file.seek(0)
    return all(32 <= byte < 127 for byte in file.read(64))


def _fields(file: IO[bytes]) -> dict[str, str]:
    file.seek(0)
    try:
        pairs = parse_qsl(file.read().decode("latin-1"), keep_blank_values=True, max_num_fields=MAX_FIELDS)
    except ValueError as error:
        raise invalid(f"expected a well-formed form of few fields, got another ({error})") from error
    return dict(pairs)


def _texts(body: bytes) -> dict[str, str]:
    """The fields of a JSON object, numbers and truth values as a form would have them."""
    try:
        given = json.loads(body)
    except (ValueError, RecursionError):
        given = None
    if not isinstance(given, dict) or any(isinstance(value, list | dict) for value in given.values()):
        raise invalid("expected a JSON object of texts, numbers and truth values, got something else")
    words: dict[Any, str] = {True: "true", False: "false"}
    return {
        name: words[value] if isinstance(value, bool) else str(value)
        for name, value in given.items()
        if value is not None
    }


def from_base64(text: str) -> bytes:
    """The bytes of an image in base64, with or without "data:…,"; raises Refused (400)."""
    text = text.partition(",")[2] if text.startswith("data:") else text
    try:
        return base64.b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError):
        raise invalid("expected an image in base64, got something else", "invalid_base64") from None


async def bytes_of(file: IO[bytes]) -> bytes:
    """All that is in the file; read off the event loop, for it may lie on a disk."""

    def read() -> bytes:
        file.seek(0)
        return file.read()

    return await asyncio.get_running_loop().run_in_executor(None, read)


def flat(frame: Frame) -> Rgb:
    """The image (H, W, 3) as a background, on white where its own alpha lets through."""
    return on_white(to_rgb(frame.picture), frame.alpha)


def decoded(data: bytes, service: Service) -> Frame:
    """The image and its own alpha, upright; its header tells if it is too large. Raises Refused and InputError."""
    limits = service.limits
    if len(data) > limits.upload_mb * 1_000_000:
        raise too_large(f"expected an image of at most {limits.upload_mb} MB, got {len(data) / 1e6:.1f}; shrink it")
    if not data:
        raise InputError("expected an image, got an empty file; choose another")
    height, width = image_size(data)
    if height * width > limits.megapixels * 1_000_000:
        raise too_large(f"expected an image of at most {limits.megapixels} megapixels, got {width}×{height}; shrink it")
    return read_frame(data)
