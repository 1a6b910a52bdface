"""/api/video: a video is sent, worked on while the client waits or not, and fetched when it is done."""

import asyncio
import json
import re
import shutil
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import IO, Annotated, Any, Literal

from fastapi import APIRouter, Query, Request
from fastapi.responses import FileResponse, Response, StreamingResponse
from pydantic import BaseModel, ConfigDict, Field

from koutu.media.image import write_image
from koutu.server import scenery
from koutu.server.backdrops import plain_word
from koutu.server.errors import RESPONSES, Refused, invalid
from koutu.server.jobs import ENDED, Job, Jobs
from koutu.server.remove import checked, require_network
from koutu.server.service import Service
from koutu.server.uploads import BINARY, Sent, bytes_of, decoded, flat, form, received
from koutu.server.work import Order

MAX_TOUCHES = 32
EVENT_SECONDS = 0.5
HEARTBEAT_SECONDS = 15
MEDIA = {"mp4": "video/mp4", "webm": "video/webm", "mov": "video/quicktime", "gif": "image/gif"}
Word = Annotated[str, Field(max_length=200)]


class VideoRequest(BaseModel):
    """How the result should be."""

    model_config = ConfigDict(extra="forbid")

    background: Word = Field(
        "blur", description="A colour, blur, blur:STRENGTH, a name of /api/config, or transparent (alpha)."
    )
    format: Literal["auto", "mp4", "webm", "mov", "gif"] = Field("auto", description="auto: MP4, and with alpha WebM.")
    alpha: bool = Field(False, description="The person alone, with alpha: webm (VP9), mov (ProRes 4444) or gif.")
    only_mask: bool = Field(False, description="The matte as a grey video.")
    audio: bool = Field(True, description="Keep the sound.")
    model: Word = Field("", description="koutu or koutu-small.")


class Status(BaseModel):
    """How far a video is. progress: 0…1 where the length is known; moments are seconds since 1970."""

    id: str
    state: Literal["waiting", "running", "done", "failed", "cancelled"]
    frames: int
    total: int | None
    progress: float | None
    fps: float | None
    seconds_left: float | None
    before: int  # videos that come first
    error: str | None
    notes: list[str]
    created: float
    expires: float | None
    result: str | None
    bytes: int | None


_BODY = {
    "required": True,
    "content": form("file", "bg_image_file", "touch", fields=VideoRequest, required=("file",))
    | {"video/*": {"schema": BINARY}},
}


def routes(service: Service, jobs: Jobs) -> APIRouter:
    """POST /api/video and what follows."""
    router = APIRouter(tags=["video"])

    @router.post("/api/video", status_code=202, responses=RESPONSES, openapi_extra={"requestBody": _BODY})
    async def begin(request: Request, task: Annotated[VideoRequest, Query()]) -> Status:
        """Send a video, as a form's `file` or the raw body; a form may hold the fields of the query too.

        A form's `touch`es correct the matte by hand: grey images, 255 to keep, 0 to erase, 128 to leave, each named by
        the second that it is for, as "1.24.png"; it is carried along from there.
        """
        leave = service.videos.take()
        job = jobs.make("")
        try:
            most = service.limits.video_mb
            async with received(request, service, megabytes=most, files=MAX_TOUCHES + 2) as sent:
                whole = checked(VideoRequest, {**task.model_dump(exclude_unset=True), **sent.fields})
                require_network(service, whole.model)
                job.suffix = f".{_format(whole)}"
                order = await _order(service, job, whole, sent)
        except BaseException:
            jobs.discard(job)
            leave()
            raise
        jobs.begin(job, order, leave)
        return status(jobs, job)

    @router.get("/api/video/{number}", responses=RESPONSES)
    async def look(number: str) -> Status:
        """How far it is."""
        return status(jobs, jobs.get(number))

    @router.get("/api/video/{number}/events", response_class=StreamingResponse, responses=RESPONSES)
    async def events(number: str) -> StreamingResponse:
        """The same as server-sent events, `data:` a status, from now until it ends."""
        return StreamingResponse(
            _events(service, jobs, jobs.get(number)), media_type="text/event-stream",
            headers={"X-Accel-Buffering": "no"},
        )  # fmt: skip

    @router.get("/api/video/{number}/result", response_class=FileResponse, responses=RESPONSES)
    async def result(number: str) -> Response:
        """The result, in parts if so asked; 409 while there is none."""
        job = jobs.get(number)
        if job.state != "done":
            raise Refused(
                409, "not_done", "Not done",
                f"expected a video that is done, this one is {job.state}{f': {job.error}' if job.error else ''}",
            )  # fmt: skip
        kind = job.suffix.removeprefix(".")
        return FileResponse(job.result, media_type=MEDIA[kind], filename=f"koutu-{job.id[:8]}.{kind}")

    @router.delete("/api/video/{number}", responses=RESPONSES)
    async def cancel(number: str) -> Status:
        """Stop the work; a video that has ended is removed with its result."""
        job = jobs.get(number)
        answer = status(jobs, job)
        await jobs.cancel(job)
        return answer if answer.state in ENDED else status(jobs, job)

    return router


async def _order(service: Service, job: Job, task: VideoRequest, sent: Sent) -> Order:
    """The client's files in the job's folder, and what is to be done with them; raises Refused and InputError."""
    if unknown := set(sent.files) - {"file", "bg_image_file", "touch"}:
        raise invalid(f"expected files named file, bg_image_file and touch, got {sorted(unknown)[0][:40]!r}")
    if "file" not in sent.files:
        raise invalid("expected a video, as file or as the body, got none", "missing_source")
    transparent = _is_transparent(task)
    if transparent and (task.format == "mp4" or task.only_mask):
        raise invalid("expected format webm, mov or gif with alpha, and no only_mask: MP4 has no alpha")
    background = "transparent" if transparent else await _background(service, job, task, sent)
    source = job.folder / "source"
    await _save(sent.files["file"], source)
    limits = service.limits
    return Order(
        source=str(source), output=str(job.result), background=background, only_mask=task.only_mask,
        audio=task.audio, model=service.networks.spec(task.model), engine=service.settings.engine,
        device=service.settings.device, seconds=limits.video_seconds, frame_megapixels=limits.frame_megapixels,
        result_mb=limits.result_mb, touches=await _touches(service, job, sent),
    )  # fmt: skip


def _is_transparent(task: VideoRequest) -> bool:
    return task.alpha or task.background == "transparent"


def _format(task: VideoRequest) -> str:
    if task.format != "auto":
        return task.format
    return "webm" if _is_transparent(task) else "mp4"


async def _touches(service: Service, job: Job, sent: Sent) -> tuple[tuple[float, str], ...]:
    """The corrections' moments, and their masks as files of ours."""
    found: list[tuple[float, str]] = []
    for _, name, file in [entry for entry in sent.several if entry[0] == "touch"]:
        if not re.fullmatch(r"\d{1,6}(\.\d{1,9})?\.png", name):
            raise invalid(f"expected a touch named by its second, as 1.24.png, got {name[:40]!r}; rename it")
        path = job.folder / f"touch-{len(found)}.png"
        mask = flat(decoded(await bytes_of(file), service))
        await asyncio.get_running_loop().run_in_executor(None, write_image, path, mask)
        found.append((float(name.removesuffix(".png")), str(path)))
    return tuple(found)


async def _background(service: Service, job: Job, task: VideoRequest, sent: Sent) -> str:
    """A path of ours, or a word that names no file."""
    if "bg_image_file" in sent.files:
        await _save(sent.files["bg_image_file"], job.folder / "background")
        return str(job.folder / "background")
    if task.background in scenery.PICTURES:
        return str(scenery.PICTURES[task.background])
    if task.background.startswith("sent-"):
        write_image(job.folder / "background.png", service.backdrops.sent(task.background))
        return str(job.folder / "background.png")
    service.backdrops.background(task.background).close()  # a wrong one is an error now
    return plain_word(task.background)


async def _save(file: IO[bytes], path: Path) -> None:
    def copy() -> None:
        file.seek(0)
        with open(path, "xb") as target:
            shutil.copyfileobj(file, target, 2**20)

    await asyncio.get_running_loop().run_in_executor(None, copy)


def status(jobs: Jobs, job: Job) -> Status:
    """What is reported of a job."""
    running = time.time() - job.started if job.started and job.state == "running" else 0.0
    fps = job.frames / running if running > 1 and job.frames else None
    left = (job.total - job.frames) / fps if fps and job.total and job.total >= job.frames else None
    done = job.state == "done"
    return Status(
        id=job.id, state=job.state, frames=job.frames, total=job.total,
        progress=1.0 if done else min(0.999, job.frames / job.total) if job.total else None,
        fps=round(fps, 1) if fps else None, seconds_left=round(left, 1) if left is not None else None,
        before=jobs.before(job), error=job.error, notes=job.notes, created=job.created, expires=jobs.expires(job),
        result=f"/api/video/{job.id}/result" if done else None,
        bytes=job.result.stat().st_size if done and job.result.is_file() else None,
    )  # fmt: skip


async def _events(service: Service, jobs: Jobs, job: Job) -> AsyncIterator[str]:
    sent: dict[str, Any] = {}
    quiet = time.monotonic()
    while not service.is_leaving():
        now = status(jobs, job).model_dump()
        if now != sent:
            sent, quiet = now, time.monotonic()
            yield f"data: {json.dumps(now)}\n\n"
        if job.state in ENDED:
            return
        if time.monotonic() - quiet > HEARTBEAT_SECONDS:
            quiet = time.monotonic()
            yield ": still there\n\n"
        await asyncio.sleep(EVENT_SECONDS)
