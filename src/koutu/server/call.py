"""One WebRTC call: the client's video track in, the same composited out, figures over the channel "control"."""

import asyncio
import contextlib
import json
import secrets
from collections.abc import Callable
from time import perf_counter
from typing import Any

import av
from aiortc import (
    MediaStreamTrack,
    RTCConfiguration,
    RTCDataChannel,
    RTCIceServer,
    RTCPeerConnection,
    RTCRtpSender,
    RTCSessionDescription,
)
from aiortc.mediastreams import MediaStreamError

from koutu.media.planes import frame_to_yuv, yuv_to_frame
from koutu.server.errors import invalid
from koutu.server.service import Service
from koutu.server.viewer import Newest, Viewer, parse_json
from koutu.types import ColorSpace, InputError, KoutuError, Yuv420

CONNECT_SECONDS = 30
STATS_SECONDS = 1.0
VIDEO = ColorSpace("bt601")  # what browsers encode their cameras as


async def begin(service: Service, sdp: str, options: dict[str, Any]) -> dict[str, str]:
    """Answer an offer: {"sdp", "id"}. Raises Refused (400, 429) and InputError."""
    leave = service.viewers.take()
    call = Call(service, leave)
    try:
        call.viewer.want(options)
        answer = await call.answer(sdp)
    except BaseException:
        await call.end()
        raise
    return {"sdp": answer, "id": call.id}


class Call:
    """A peer connection with its viewer; it ends when the client leaves, stalls, or is asked to."""

    def __init__(self, service: Service, leave: Callable[[], None]):
        self.service, self._leave = service, leave
        self.id, self.viewer = secrets.token_urlsafe(18), Viewer(service, "webrtc")
        servers = [RTCIceServer(urls=url) for url in service.settings.ice_servers]
        self._peer = RTCPeerConnection(RTCConfiguration(iceServers=servers))  # none given: nobody is asked
        self._channel: RTCDataChannel | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._ended = False
        self._peer.on("track", self._on_track)
        self._peer.on("datachannel", self._on_channel)
        self._peer.on("connectionstatechange", self._on_state)

    async def answer(self, sdp: str) -> str:
        """Our description for the client's."""
        try:
            await self._peer.setRemoteDescription(RTCSessionDescription(sdp=sdp, type="offer"))
            transceivers = self._peer.getTransceivers()
            if not any(transceiver.kind == "video" and transceiver.sender.track for transceiver in transceivers):
                raise invalid("expected an offer that sends video, got none; add the camera's track first")
            for transceiver in transceivers:
                if transceiver.kind == "video":  # VP8 first: half the work of H.264 here
                    known = RTCRtpSender.getCapabilities("video").codecs
                    transceiver.setCodecPreferences(sorted(known, key=lambda codec: codec.mimeType != "video/VP8"))
            await self._peer.setLocalDescription(await self._peer.createAnswer())
        except (ValueError, KeyError, IndexError, AttributeError, TypeError, AssertionError) as error:
            # aiortc's parser raises whatever the text makes it stumble over.
            raise invalid(f"expected a session description that can be answered, got {str(error)[:200]!r}") from error
        self.service.calls[self.id] = self.end
        self._tasks.append(asyncio.create_task(self._watch()))
        return self._peer.localDescription.sdp

    async def end(self) -> None:
        """Let go of everything; more than once does no harm."""
        if self._ended:
            return
        self._ended = True
        self.service.calls.pop(self.id, None)
        self._leave()
        for task in self._tasks:
            if task is not asyncio.current_task():
                task.cancel()
        await self._peer.close()

    def _on_track(self, track: MediaStreamTrack) -> None:
        senders = [sender for sender in self._peer.getSenders() if sender.track is not None]
        if track.kind != "video" or senders:
            return  # sound and second images are not wanted
        composite = Composited(track, self.viewer, self._say)
        self._peer.addTrack(composite)
        self._tasks.append(asyncio.create_task(composite.listen()))

    def _on_channel(self, channel: RTCDataChannel) -> None:
        if channel.label != "control":
            channel.close()
            return
        self._channel = channel
        channel.on("message", self._on_message)

    def _on_message(self, message: str | bytes) -> None:
        try:
            if not isinstance(message, str):
                raise InputError("expected options as text, got bytes")
            self.viewer.want(parse_json(message))
        except InputError as error:
            self._say({"type": "error", "detail": str(error)})

    async def _on_state(self) -> None:
        if self._peer.connectionState in ("failed", "closed"):
            await self.end()

    def _say(self, message: dict[str, Any]) -> None:
        channel = self._channel
        if channel is not None and channel.readyState == "open" and channel.bufferedAmount < 2**16:
            with contextlib.suppress(ConnectionError):
                channel.send(json.dumps(message))

    async def _watch(self) -> None:
        """Tell figures once a second; end the call when no connection comes about, or no frame any more."""
        seen, since, patience = 0, perf_counter(), float(CONNECT_SECONDS)
        while perf_counter() - since < patience:
            await asyncio.sleep(STATS_SECONDS)
            frames = self.viewer.figures.frames
            if frames != seen:
                seen, since, patience = frames, perf_counter(), 2.0 * self.service.limits.idle_seconds
            self._say(self.viewer.stats())
        await self.end()


class Composited(MediaStreamTrack):
    """The other track's newest frame, composited when the sender asks for one."""

    kind = "video"

    def __init__(self, source: MediaStreamTrack, viewer: Viewer, say: Callable[[dict[str, Any]], None]):
        super().__init__()
        self._source, self._viewer, self._say = source, viewer, say
        self._newest: Newest[tuple[av.VideoFrame, float]] = Newest()

    async def listen(self) -> None:
        """Take frames as they come, so that nothing old waits."""
        try:
            while True:
                frame = await self._source.recv()
                assert isinstance(frame, av.VideoFrame)
                if self._newest.put((frame, perf_counter())):
                    self._viewer.drop()
        except MediaStreamError:
            self.stop()

    async def recv(self) -> av.VideoFrame:
        """The next composited frame, with the time of the one that came."""
        while self.readyState == "live":
            frame, came = await self._newest.get()
            try:
                picture = await self._viewer.service.live(lambda frame=frame: self._composite(frame))
            except KoutuError as error:
                self._say({"type": "error", "detail": str(error)})
                continue
            self._viewer.done(perf_counter() - came)
            picture.pts, picture.time_base = frame.pts, frame.time_base
            return picture
        raise MediaStreamError

    def _composite(self, frame: av.VideoFrame) -> av.VideoFrame:
        most = self._viewer.service.limits.live_megapixels
        if frame.width * frame.height > most * 1_100_000:
            raise InputError(f"expected live frames of at most {most} megapixels, got {frame.width}×{frame.height}")
        picture = self._viewer.composite(frame_to_yuv(frame, VIDEO, 8, (frame.height, frame.width)))
        assert isinstance(picture, Yuv420)
        return yuv_to_frame(picture, picture.size)
