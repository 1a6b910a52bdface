"""Is it alive, is it ready, and what has it done: for those who watch over servers."""

from fastapi import APIRouter
from fastapi.responses import PlainTextResponse

from koutu.server.errors import Refused
from koutu.server.service import Service


def routes(service: Service) -> APIRouter:
    """GET /healthz, /readyz and /metrics."""
    router = APIRouter(tags=["watching"], default_response_class=PlainTextResponse)

    @router.get("/healthz")
    def alive() -> PlainTextResponse:
        """200 while the server answers at all."""
        return PlainTextResponse("ok\n")

    @router.get("/readyz")
    def ready() -> PlainTextResponse:
        """200 when the networks are loaded and an image would be taken; 503 otherwise."""
        if not service.ready or service.pictures.taken >= service.pictures.count:
            raise Refused(503, "not_ready", "Not ready", "expected a free place, all are taken; come again later")
        return PlainTextResponse("ready\n")

    @router.get("/metrics")
    def metrics() -> PlainTextResponse:
        """Counters in Prometheus' text format."""
        return PlainTextResponse(service.counters.text(), media_type="text/plain; version=0.0.4; charset=utf-8")

    return router
