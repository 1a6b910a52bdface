"""/api/remove: an image in, the person out; the names of the fields are rembg's, and longer ones."""

from collections.abc import Callable, Mapping
from typing import Annotated, Any, Literal, TypeVar

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator
from starlette.types import Receive, Scope, Send

from koutu.server.cut import alpha_picture, before, cut_out, tinted
from koutu.server.encode import MEDIA, Kind, encode, encode_cut
from koutu.server.errors import RESPONSES, invalid
from koutu.server.service import Service
from koutu.server.uploads import BINARY, bytes_of, decoded, form, received
from koutu.types import InputError

# rembg's networks; koutu cuts out people alone, and its own network answers for them.
REMBG = (
    "u2net", "u2netp", "u2net_human_seg", "u2net_cloth_seg", "silueta", "isnet-general-use", "isnet-anime", "sam",
    "birefnet-general", "birefnet-general-lite", "birefnet-portrait", "birefnet-dis", "birefnet-hrsod",
    "birefnet-cod", "birefnet-massive", "ben2-base", "bria-rmbg",
)  # fmt: skip
PIECE = 2**18  # bytes of an answer that are handed over at one time
M = TypeVar("M", bound=BaseModel)
Word = Annotated[str, Field(max_length=200)]


class RemoveOptions(BaseModel):
    """How the result should be. Of the fields for the background, and of url and file, give one."""

    model_config = ConfigDict(extra="forbid")

    url: str = Field("", description="Of the image, instead of file; http or https, in the public Internet.")
    model: Word = Field("", description="koutu or koutu-small; rembg's names stand for the server's own.")
    format: Literal["png", "jpg", "webp", "zip", "alpha"] = Field(
        "png", description="alpha: the matte in grey, as PNG."
    )
    om: bool = Field(False, description="Only the mask, as format=alpha.")
    only_mask: bool = Field(False, description="The same.")
    background: Word = Field("", description="A colour, blur, blur:STRENGTH, a name of /api/config, or transparent.")
    bgcolor: Word = Field("", description="A colour, #rrggbb, r,g,b, r,g,b,a or its name.")
    bgc: Word = Field("", description="The same.")
    a: bool = Field(False, description="Of rembg: every matte is soft here; no effect.")
    af: int = Field(0, description="Of rembg; no effect.")
    ab: int = Field(0, description="Of rembg; no effect.")
    ae: int = Field(0, description="Of rembg; no effect.")
    ppm: bool = Field(False, description="Of rembg; no effect.")
    post_process_mask: bool = Field(False, description="The same.")
    alpha_matting: bool = Field(False, description="Of rembg: every matte is soft here; no effect.")
    alpha_matting_foreground_threshold: int = Field(0, description="Of rembg; no effect.")
    alpha_matting_background_threshold: int = Field(0, description="Of rembg; no effect.")
    alpha_matting_erode_size: int = Field(0, description="Of rembg; no effect.")
    extras: str = Field("", max_length=100_000, description="Of rembg, for networks that take prompts; no effect.")

    @field_validator("model")
    @classmethod
    def _own(cls, name: str) -> str:
        return "" if name in REMBG else name


BODY = {"content": form("file", fields=RemoveOptions) | {"image/*": {"schema": BINARY}}}
PICTURES: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "The result",
        "content": {kind: {"schema": BINARY} for kind in MEDIA.values()},
    }
}


def routes(service: Service) -> APIRouter:
    """GET and POST /api/remove."""
    router = APIRouter(tags=["pictures"])

    @router.get("/api/remove", response_class=Response, responses=PICTURES | RESPONSES)
    async def remove_url(request: Request, options: Annotated[RemoveOptions, Query()]) -> Response:
        """Cut the person out of the image at `url`."""
        with_place = service.pictures.take()
        return await answered(with_place, lambda: _remove(request, options, None))

    @router.post(
        "/api/remove", response_class=Response, responses=PICTURES | RESPONSES,
        openapi_extra={"requestBody": BODY},
    )  # fmt: skip
    async def remove(request: Request, options: Annotated[RemoveOptions, Query()]) -> Response:
        """Cut the person out of a picture: of a form's `file`, of the raw body, or at `url`.

        A form may hold the fields of the query too; where both say something, the form counts.
        """
        with_place = service.pictures.take()

        async def work() -> Response:
            async with received(request, service) as sent:
                if unknown := set(sent.files) - {"file"}:
                    raise invalid(f"expected the image as file, got {sorted(unknown)[0][:40]!r}; rename it")
                whole = checked(RemoveOptions, {**options.model_dump(exclude_unset=True), **sent.fields})
                data = await bytes_of(sent.files["file"]) if "file" in sent.files else None
            return await _remove(request, whole, data)

        return await answered(with_place, work)

    async def _remove(request: Request, options: RemoveOptions, data: bytes | None) -> Response:
        require_network(service, options.model)
        if (data is None) == (not options.url):
            raise invalid(
                "expected an image, as file, as the body or at a url, got none or two; give one", "missing_source"
            )
        if data is None:
            data = await service.fetch(options.url)
        kind: Kind = "png" if options.format == "alpha" else options.format
        source = data
        body = await service.picture(lambda: removed(service, source, options, kind), request)
        service.counters.add("koutu_pictures_total", route="remove")
        return Response(body, media_type=MEDIA[kind])

    return router


def removed(service: Service, data: bytes, options: RemoveOptions, kind: Kind) -> bytes:
    """In a worker thread: the file of one image's result."""
    background = one_of(options.background, options.bgcolor, options.bgc, name="background, bgcolor and bgc")
    background = "" if background == "transparent" else background
    colour, opacity = with_opacity(background)
    behind = None
    if kind == "jpg" or (background and opacity == 255):
        solid = ",".join(map(str, colour)) if colour and opacity == 255 else "" if colour else background
        behind = service.backdrops.background(solid or "white")  # first: a wrong word costs no work
    networks = service.networks
    cut = cut_out(decoded(data, service), networks.still(options.model), opinion=networks.opinion())
    if options.om or options.only_mask or options.format == "alpha":
        return encode(alpha_picture(cut.alpha), None, kind)
    if behind is not None:
        return encode(before(cut, behind), None, kind)
    return encode(*tinted(cut, colour, opacity), kind) if colour and opacity else encode_cut(cut, kind)


def with_opacity(word: str) -> tuple[tuple[int, int, int] | None, int]:
    """The colour and opacity of "r,g,b,a", "rgba" or "rrggbbaa" with or without #; None, 255 for other words."""
    word = word.strip().removeprefix("#").lower()
    numbers = [part.strip() for part in word.split(",")]
    if len(numbers) == 4 and all(part.isdecimal() and int(part) <= 255 for part in numbers):
        red, green, blue, opacity = map(int, numbers)
        return (red, green, blue), opacity
    if len(word) in (4, 8) and all(sign in "0123456789abcdef" for sign in word):
        pairs = [sign * 2 for sign in word] if len(word) == 4 else [word[i : i + 2] for i in range(0, 8, 2)]
        red, green, blue, opacity = (int(pair, 16) for pair in pairs)
        return (red, green, blue), opacity
    return None, 255


def one_of(*words: str, name: str) -> str:
    """The one that is given, or ""; raises Refused (400) for two that differ."""
    given = {word for word in words if word}
    if len(given) > 1:
        raise invalid(f"expected one of {name}, got {len(given)} that differ; leave the others out")
    return given.pop() if given else ""


def require_network(service: Service, name: str) -> None:
    """Raise InputError unless it is "" or a network of this server."""
    if name and name not in service.networks.served:
        raise InputError(f"expected a model out of {', '.join(service.networks.served)}, got {name[:40]!r}; name one")


def checked(kind: type[M], fields: Mapping[str, Any]) -> M:
    """The fields as the model knows them; raises Refused (400)."""
    try:
        return kind.model_validate(fields)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))[:60]
        raise invalid(f"{where}: {first['msg']}; see /docs", "invalid_parameter") from None


async def answered(leave: Callable[[], None], work: Callable[[], Any]) -> Response:
    """The response, whose place is given back when all of it is sent, or at once when there is none."""
    try:
        response: Response = await work()
    except BaseException:
        leave()
        raise
    return _Leaving(response, leave)


class _Leaving(Response):
    """A response that gives a place back when it has been taken, but for a last piece, or its client is gone."""

    def __init__(self, response: Response, leave: Callable[[], None]):
        self._leave = leave
        self.status_code, self.background = response.status_code, None
        self.raw_headers = response.raw_headers
        self.body = response.body

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
            for at in range(0, len(self.body), PIECE):  # each waits until there is room for it
                await send({"type": "http.response.body", "body": self.body[at : at + PIECE], "more_body": True})
            await send({"type": "http.response.body", "body": b"", "more_body": False})
        finally:
            self._leave()
