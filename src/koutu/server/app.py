"""The web application, put together."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI
from starlette.middleware.cors import CORSMiddleware

from koutu import __version__
from koutu.server import batch, errors, health, pages, reference, remove, removebg, stream, video, webrtc
from koutu.server.guard import Guard
from koutu.server.jobs import Jobs
from koutu.server.service import Service
from koutu.server.settings import ServerSettings

ABOUT = "Cuts people out of images and video and puts another background behind them. docs/serve.md says more."


def make_app(settings: ServerSettings | None = None) -> FastAPI:
    """The application; networks are loaded when it starts. Its service is `app.state.service`."""
    service = Service(settings or ServerSettings())
    jobs = Jobs(service)

    @asynccontextmanager
    async def life(app: FastAPI) -> AsyncIterator[None]:
        await asyncio.get_running_loop().run_in_executor(None, service.networks.warm_up)
        jobs.open()
        service.ready = True
        try:
            yield
        finally:
            service.ready = False
            for end in list(service.calls.values()):
                await end()
            await jobs.close()
            service.close()

    app = FastAPI(
        title="koutu", version=__version__, description=ABOUT, lifespan=life, docs_url=None, redoc_url=None,
        strict_content_type=False,
    )  # fmt: skip
    app.state.service = service
    for part in (pages, remove, batch, removebg, stream, webrtc, health):
        app.include_router(part.routes(service))
    app.include_router(video.routes(service, jobs))
    app.include_router(pages.open_routes(service))
    app.include_router(reference.routes(app))
    errors.install(app)
    if service.settings.allow_origins:
        app.add_middleware(
            CORSMiddleware, allow_origins=list(service.settings.allow_origins), allow_methods=["*"],
            allow_headers=["*"], expose_headers=["*"],
        )  # fmt: skip
    app.add_middleware(Guard, service=service)
    return app
