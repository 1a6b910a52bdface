"""Live matting over WebRTC: an offer is answered, and the camera's image comes back composited."""

import ipaddress
from typing import Any, Literal

from fastapi import APIRouter, Request
from pydantic import BaseModel, Field

from koutu.extras import pip_line
from koutu.server.errors import RESPONSES, Refused, invalid, not_found
from koutu.server.pages import has_webrtc
from koutu.server.service import Service

MAX_CANDIDATES = 24
MAX_SECTIONS = 4  # video, a data channel, and what a browser may add


class Offer(BaseModel):
    """A browser's session description. options: background, mirror, width, model, as over the WebSocket."""

    sdp: str = Field(max_length=64_000)
    type: Literal["offer"]
    options: dict[str, Any] | None = None


class Answer(BaseModel):
    """Ours. id: to end the call with DELETE /api/webrtc/{id}."""

    sdp: str
    type: Literal["answer"]
    id: str


def routes(service: Service) -> APIRouter:
    """POST /api/webrtc."""
    router = APIRouter(tags=["live"])

    @router.post("/api/webrtc", responses=RESPONSES)
    async def call(request: Request, offer: Offer) -> Answer:
        """Answer a browser's offer with one video track and, for options and figures, a data channel "control"."""
        if not has_webrtc():
            raise Refused(
                501, "no_webrtc", "No WebRTC here",
                f"expected aiortc on the server, it is not installed; use /api/stream, or {pip_line('webrtc')}",
            )  # fmt: skip
        from koutu.server.call import begin

        client = request.client.host if request.client else ""
        sdp = safe_offer(offer.sdp, client)
        return Answer(type="answer", **await begin(service, sdp, offer.options or {}))

    @router.delete("/api/webrtc/{call_id}", status_code=204, responses=RESPONSES)
    async def hang_up(call_id: str) -> None:
        """End a call at once; closing the connection does so too, a little later."""
        end = service.calls.get(call_id)
        if end is None:
            raise not_found("expected the id of a call that goes on, got another")
        await end()

    return router


def safe_offer(sdp: str, client: str) -> str:
    """The offer without addresses that the server should not knock at; raises Refused (400).

    Kept: public ones, and, for clients that came from this machine or a private network themselves, private ones.
    """
    lines = sdp.splitlines()
    if not lines or not lines[0].startswith("v=0") or sum(line.startswith("m=") for line in lines) > MAX_SECTIONS:
        raise invalid(f"expected a session description of at most {MAX_SECTIONS} media sections, got something else")
    near = _is_near(client)
    kept = [line for line in lines if not line.startswith("a=candidate:") or _may_knock(line, near)]
    if sum(line.startswith("a=candidate:") for line in kept) > MAX_CANDIDATES:
        raise invalid(f"expected at most {MAX_CANDIDATES} candidates in the session description, got more")
    return "\r\n".join(kept) + "\r\n"


def _is_near(client: str) -> bool:
    try:
        return not ipaddress.ip_address(client).is_global
    except ValueError:
        return False


def _may_knock(line: str, near: bool) -> bool:
    words = line.split()
    if len(words) < 8 or not words[5].isdecimal() or not 1024 <= int(words[5]) <= 65535:
        return len(words) > 2 and words[2].lower() == "tcp"  # which aiortc leaves alone
    if words[4].lower().endswith(".local"):
        return near  # a name that browsers give private addresses, asked for in the local network
    try:
        address = ipaddress.ip_address(words[4])
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    if mapped is not None or address.is_multicast or address.is_unspecified or address.is_reserved:
        return False
    if address.is_link_local and address.version == 4:
        return False  # where clouds keep their secrets
    return near or address.is_global
