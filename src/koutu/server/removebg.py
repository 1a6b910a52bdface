"""/api/removebg and /v1.0/removebg: remove.bg's fields and answers, so that its clients work with another host."""

import base64
from typing import IO, Annotated, Any, Literal

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response
from PIL import ImageColor
from pydantic import BaseModel, ConfigDict, Field

from koutu.media.background import Still
from koutu.server.cut import Cut, alpha_picture, before, cut_out, tinted
from koutu.server.encode import MEDIA, Kind, encode, encode_cut
from koutu.server.errors import RESPONSES, Refused, invalid
from koutu.server.framing import Framing, parse_framing, parse_roi, sized
from koutu.server.remove import PICTURES, answered, checked, with_opacity
from koutu.server.service import Service
from koutu.server.uploads import Sent, bytes_of, decoded, flat, form, from_base64, received
from koutu.types import InputError

Word = Annotated[str, Field(max_length=200)]


class Order(BaseModel):
    """remove.bg's fields. Of the three sources give one, of the three backgrounds at most one."""

    model_config = ConfigDict(extra="forbid")

    image_file_b64: str = Field("", description="The image in base64.")
    image_url: str = Field("", description="Where it lies; http or https, in the public Internet.")
    size: Literal["auto", "preview", "small", "regular", "medium", "hd", "full", "4k", "50MP"] = "auto"
    type: Literal["auto", "person"] = Field("auto", description="Only people are cut out.")
    type_level: Literal["none", "1", "2", "latest"] = "1"
    format: Literal["auto", "png", "jpg", "webp", "zip"] = "auto"
    roi: Word = Field("", description="x1 y1 x2 y2 in px or %: nothing outside counts as a person.")
    crop: bool = False
    crop_margin: Word = Field("", description="One, two or four lengths in px or % of the person.")
    scale: Word = Field("", description="original, or 10% … 100% of the canvas.")
    position: Word = Field("", description="original, center, 'x%' or 'x% y%'.")
    channels: Literal["rgba", "alpha"] = "rgba"
    bg_color: Word = Field("", description="rgb, rgba, rrggbb, rrggbbaa, with or without #, or a name.")
    bg_image_url: str = ""
    add_shadow: bool = Field(False, description="No effect.")
    shadow_type: Word = Field("", description="No effect.")
    shadow_opacity: Word = Field("", description="No effect.")
    semitransparency: bool = Field(True, description="No effect: every matte is soft.")


_FILES = ("image_file", "bg_image_file")
_BODY = {
    "required": True,
    "content": form(*_FILES, fields=Order) | {"application/json": {"schema": Order.model_json_schema()}},
}


def routes(service: Service) -> APIRouter:
    """POST /api/removebg and /v1.0/removebg."""
    router = APIRouter(tags=["pictures"])

    @router.post("/v1.0/removebg", response_class=Response, include_in_schema=False)  # so that the host alone differs
    @router.post(
        "/api/removebg", response_class=Response, responses=PICTURES | RESPONSES, openapi_extra={"requestBody": _BODY}
    )
    async def removebg(request: Request) -> Response:
        """Cut the person out of an image as remove.bg does, by a form or by JSON. X-Api-Key is the server's token."""
        leave = service.pictures.take()

        async def work() -> Response:
            async with received(request, service) as sent:
                if unknown := set(sent.files) - set(_FILES):
                    raise invalid(f"expected files named {' or '.join(_FILES)}, got {sorted(unknown)[0][:40]!r}")
                order = checked(Order, sent.fields)
                data = await _source(service, order, sent)
                behind = await _behind(service, order, sent)
            kind = _kind(order, behind is not None)
            cut, body = await service.picture(lambda: _result(service, order, data, behind, kind), request)
            service.counters.add("koutu_pictures_total", route="removebg")
            return _response(request, cut, body, kind)

        return await answered(leave, work)

    return router


async def _source(service: Service, order: Order, sent: Sent) -> bytes:
    given = [order.image_url, order.image_file_b64, "image_file" in sent.files]
    if sum(map(bool, given)) != 1:
        code = "multiple_sources" if any(given) else "missing_source"
        raise invalid("expected one of image_file, image_file_b64 and image_url, got none or several", code)
    if order.image_url:
        return await service.fetch(order.image_url)
    return await _bytes(sent.files.get("image_file"), order.image_file_b64)


async def _bytes(file: IO[bytes] | None, text: str) -> bytes:
    return await bytes_of(file) if file is not None else from_base64(text)


async def _behind(service: Service, order: Order, sent: Sent) -> bytes | None:
    """The background's image, if there is one."""
    file = sent.files.get("bg_image_file")
    if sum(map(bool, [order.bg_color, order.bg_image_url, file is not None])) > 1:
        raise invalid("expected at most one of bg_color, bg_image_url and bg_image_file, got several")
    if file is not None:
        return await bytes_of(file)
    return await service.fetch(order.bg_image_url) if order.bg_image_url else None


def _kind(order: Order, pictured: bool) -> Kind:
    """auto: PNG where something lets through, else JPEG."""
    if order.format != "auto":
        return order.format
    opaque = pictured or order.channels == "alpha" or (order.bg_color and colour_of(order.bg_color)[1] == 255)
    return "jpg" if opaque and order.channels == "rgba" else "png"


def _result(service: Service, order: Order, data: bytes, behind: bytes | None, kind: Kind) -> tuple[Cut, bytes]:
    """In a worker thread: the person where they are wanted, and the file."""
    framing = parse_framing(order.crop, order.crop_margin, order.scale, order.position)
    frame = sized(decoded(data, service), order.size)
    networks = service.networks
    cut = cut_out(frame, networks.still(), parse_roi(order.roi, frame.size), opinion=networks.opinion())
    if not cut.shows_somebody:
        raise Refused(
            400, "unknown_foreground", "Could not identify foreground in image",
            "expected an image of people, found nobody; only people are cut out",
        )  # fmt: skip
    cut = _framed(service, framing, cut)
    if order.channels == "alpha":
        return cut, encode(alpha_picture(cut.alpha), None, kind)
    if kind == "zip":
        return cut, encode_cut(cut, kind)
    if behind is not None:
        return cut, encode(before(cut, Still(flat(decoded(behind, service)))), None, kind)
    colour, opacity = colour_of(order.bg_color or ("ffffff" if kind == "jpg" else "0000"))
    if opacity == 0:
        return cut, encode_cut(cut, kind) if kind != "jpg" else _solid(service, cut, (255, 255, 255), kind)
    if opacity == 255 or kind == "jpg":
        return cut, _solid(service, cut, colour, kind)
    return cut, encode(*tinted(cut, colour, opacity), kind)


def _framed(service: Service, framing: Framing, cut: Cut) -> Cut:
    framed = framing(cut)
    if framed.alpha.size > service.limits.megapixels * 1_000_000:
        raise InputError(f"expected a result of at most {service.limits.megapixels} megapixels; lower crop_margin")
    return framed


def _solid(service: Service, cut: Cut, colour: tuple[int, int, int], kind: Kind) -> bytes:
    return encode(before(cut, service.backdrops.background(",".join(map(str, colour)))), None, kind)


def colour_of(word: str) -> tuple[tuple[int, int, int], int]:
    """Colour and opacity of remove.bg's bg_color; raises InputError."""
    colour, opacity = with_opacity(word)
    if colour is not None:
        return colour, opacity
    word = word.strip().lower()
    bare = word.removeprefix("#")
    hexadecimal = len(bare) in (3, 6) and all(sign in "0123456789abcdef" for sign in bare)
    if not hexadecimal and word not in ImageColor.colormap:
        raise InputError(f"expected a bg_color as 81d4fa, fff, 81d4fa77 or a colour's name, got {word[:40]!r}")
    red, green, blue = ImageColor.getrgb(f"#{bare}" if hexadecimal else word)[:3]
    return (red, green, blue), 255


def _response(request: Request, cut: Cut, body: bytes, kind: Kind) -> Response:
    """The file, or for clients that accept JSON alone the same in base64; with remove.bg's headers."""
    top, left, bottom, right = cut.box or (0, 0, 0, 0)
    place = {"top": top, "left": left, "width": right - left, "height": bottom - top}
    headers = {f"X-Foreground-{name.title()}": str(value) for name, value in place.items()}
    height, width = cut.size
    headers |= {"X-Width": str(width), "X-Height": str(height), "X-Type": "person", "X-Credits-Charged": "0"}
    accepted = request.headers.get("accept", "").replace(" ", "").lower()
    if accepted.startswith("application/json"):
        data: dict[str, Any] = {"result_b64": base64.b64encode(body).decode()}
        data |= {f"foreground_{name}": value for name, value in place.items()}
        return JSONResponse({"data": data}, headers=headers)
    return Response(body, media_type=MEDIA[kind], headers=headers)
