"""The source's sound and subtitles beside a new picture: copied as they are, re-encoded only where they must be."""

import contextlib
import io
import re
from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
from av.container import InputContainer, OutputContainer
from av.error import ArgumentError, FFmpegError, InvalidDataError
from av.stream import Discard, Disposition, Stream

from koutu.media.clock import Growing
from koutu.media.containers import CONTAINERS, TEXT, Container
from koutu.media.demux import open_input, packets, video_stream
from koutu.media.languages import quicktime_language

# What a muxer raises for one bad packet, unlike for a full disk.
_BAD_PACKET = (InvalidDataError, ArgumentError)
_KEPT_TAGS = ("language", "title", "handler_name")
_PRIMING = Fraction(1, 15)  # seconds, more than any encoder puts before the first sample: beyond, it was cut away
_TIMECODE = re.compile(r"\d{2}:\d{2}:\d{2}[:;.]\d{2,3}")
# What both encoders take; more channels are mixed down.
_LAYOUTS = {1: "mono", 2: "stereo", 3: "3.0", 4: "quad", 5: "5.0", 6: "5.1", 7: "6.1", 8: "7.1"}
_BIT_RATES = {"aac": 192_000, "libopus": 160_000}


class Tracks:
    """Reads `source` a second time, for all but the picture; times are moved by −`start` seconds, as the frames'."""

    def __init__(self, source: Path, out: OutputContainer, container: Container, *, audio: bool, start: Fraction):
        self.notes: list[str] = []
        self._out, self._damaged = out, 0
        self._input = open_input(source)
        self.metadata = dict(self._input.metadata)
        shown = video_stream(self._input)
        self._shown = -1 if shown is None else shown.index
        self.timecode = timecode_of(self._input)
        chapters = (_moved(chapter, start) for chapter in self._input.chapters())
        self.chapters = [chapter for chapter in chapters if chapter["end"] > 0]
        self._tracks: dict[int, _Track] = {}
        for stream in self._input.streams:
            track = self._track(stream, container, audio, start)
            if track is None:
                stream.discard = Discard.all
            else:
                self._tracks[stream.index] = track
                self._name_language(track.out, stream, container)
        streams = [stream for stream in self._input.streams if stream.index in self._tracks]
        self._packets = packets(self._input, streams, self._count)
        self._waiting: tuple[Fraction, av.Packet] | None = None

    def advance(self, seconds: Fraction | None) -> None:
        """Write what comes before that moment of the picture; all that is left if None."""
        while True:
            placed = self._waiting or self._next()
            if placed is None:
                return
            moment, packet = placed
            if seconds is not None and moment > seconds:
                self._waiting = placed
                return
            self._waiting = None
            for ready in self._made(packet):
                try:
                    self._out.mux(ready)
                except _BAD_PACKET as error:
                    self._count(error)

    def close(self) -> None:
        """Close the source, and note what of it was damaged."""
        if self._damaged:
            many = "packet" if self._damaged == 1 else "packets"
            self.notes.append(f"{self._damaged} damaged {many} of sound or subtitles were left out")
            self._damaged = 0
        self._packets.close()
        self._input.close()

    def _next(self) -> tuple[Fraction, av.Packet] | None:
        """The next packet and when it is heard or shown."""
        packet = next(self._packets, None)
        return None if packet is None else (self._tracks[packet.stream.index].place(packet), packet)

    def _made(self, packet: av.Packet) -> list[av.Packet]:
        """What is to be written for it, nothing if it is damaged."""
        try:
            return list(self._tracks[packet.stream.index].packets(packet))
        except (FFmpegError, ValueError) as error:  # nothing was written yet: not the disk's fault
            self._count(error)
            return []

    def _count(self, error: Exception) -> None:
        self._damaged += 1

    def _track(self, stream: Stream, container: Container, audio: bool, start: Fraction) -> "_Track | None":
        if stream.type == "audio" and not audio:
            return None
        if stream.type not in ("audio", "subtitle"):
            self._note_other(stream)
            return None
        if stream.codec_context is None or (
            isinstance(stream, av.AudioStream) and not stream.codec_context.sample_rate
        ):
            kind = "sound" if stream.type == "audio" else "subtitles"
            self.notes.append(f"{kind} (track {stream.index}) left out: nothing in the file tells how to decode it")
            return None
        codec = stream.codec_context.codec.canonical_name
        known = container.audio if stream.type == "audio" else container.subtitles
        if known is None or codec in known:
            with contextlib.suppress(ValueError):  # the muxer knows no such codec
                added = self._out.add_stream_from_template(stream)
                heard = isinstance(stream, av.AudioStream)
                return _Copy(added, stream, start) if heard else _Text(added, stream, start)
        if stream.type == "subtitle":
            return self._converted(stream, codec, container, start)
        track = _Reencoding(self._out, stream, container.audio_encoder, start)
        self.notes.append(
            f"sound ({codec}) was re-encoded as {container.audio_encoder.removeprefix('lib')}, as {container.format} "
            "does not hold it; .mkv keeps it as it is"
        )
        return track

    def _name_language(self, out: Stream, stream: Stream, container: Container) -> None:
        """As the container calls it."""
        code = stream.metadata.get("language", "und")
        if container.format == "mov" and code != "und":
            name = quicktime_language(code)
            if name is None:
                self.notes.append(f"the language of a track ({code}) was left out: .mov has no number for it, .mp4 has")
            out.metadata["language"] = name or "und"

    def _converted(self, stream: Stream, codec: str, container: Container, start: Fraction) -> "_Track | None":
        """Text in the container's own form; subtitles that are pictures stay behind."""
        if codec in TEXT and hasattr(stream.codec_context, "encode_subtitle"):
            with contextlib.suppress(FFmpegError, ValueError):
                return _Converted(self._out.add_stream(container.text), stream, start)
        more = "; .mkv can" if codec in CONTAINERS[".mkv"].subtitles and container.format != "matroska" else ""
        self.notes.append(f"subtitles ({codec}) were left out: {container.format} cannot hold them{more}")
        return None

    def _note_other(self, stream: Stream) -> None:
        """Tracks that are neither the picture nor heard or read; a timecode is written elsewhere."""
        if stream.type == "video":
            if stream.disposition & Disposition.attached_pic:
                self.notes.append("the cover picture was left out")
            elif stream.index != self._shown:
                self.notes.append(f"another video (track {stream.index}) was left out: one is matted")
        elif stream.type in ("data", "attachment") and "timecode" not in stream.metadata:
            name = stream.metadata.get("handler_name") or stream.metadata.get("filename") or stream.name or "unknown"
            self.notes.append(f"a track of {stream.type} ({name.strip()}) was left out")


class _Track:
    """One stream of the source and what becomes of it in the new file."""

    def __init__(self, out: Stream, stream: Stream, start: Fraction):
        self.out, self._tick = out, Fraction(stream.time_base or 1)
        self._offset, self._growing = round(start / self._tick), Growing(self._tick)
        out.metadata.update({key: stream.metadata[key] for key in _KEPT_TAGS if key in stream.metadata})
        out.disposition = stream.disposition

    def place(self, packet: av.Packet) -> Fraction:
        """Move the packet into the new file's time, and tell when it is heard or shown, seconds."""
        if not packet.size:
            return self._growing.next * self._tick
        stamped = packet.dts if packet.dts is not None else packet.pts
        late = 0 if packet.dts is None or packet.pts is None else max(0, packet.pts - packet.dts)
        placed = self._growing.place(None if stamped is None else stamped - self._offset, packet.duration or 1)
        packet.dts, packet.pts = placed, placed + late
        return placed * self._tick

    def packets(self, packet: av.Packet) -> Iterable[av.Packet]:
        """What is to be written for a placed packet; the last one is empty."""
        raise NotImplementedError


class _Copy(_Track):
    """Packets of sound as they are, but for those of a part that an edit list cuts away.

    What an encoder puts before the first sample stays. Of a part that was cut away, one packet, which decoders need to
    begin, stays in .mp4 and .mov, whose own edit list hides it, and nothing elsewhere.
    """

    def __init__(self, out: Stream, stream: av.AudioStream, start: Fraction):
        super().__init__(out, stream, start)
        self._edits = out.container.format.name in ("mp4", "mov")
        self._trial: _Trial | None = _Trial(out.container.format.name, stream)
        self._hidden: av.Packet | None = None
        self._trimmed: bool | None = None

    def packets(self, packet: av.Packet) -> Iterable[av.Packet]:
        if not packet.size:
            return []
        assert packet.pts is not None
        if self._trial is not None:
            self._trial(packet)
            self._trial = None
        packet.stream = self.out
        if self._trimmed is None:
            self._trimmed = packet.pts * self._tick < -_PRIMING
        if packet.is_discard and (self._trimmed or packet.pts > 0):
            self._hidden = packet
            return []
        before, self._hidden = self._hidden, None
        if self._edits:
            return [packet] if before is None or packet.pts > (before.duration or 0) else [before, packet]
        return [] if self._trimmed and packet.pts < 0 else [packet]


class _Trial:
    """Lets a muxer say of a packet of sound that it will not take it.

    The one that writes the result says so when it has packets of all streams, and lays it to the picture's charge.
    """

    def __init__(self, kind: str, stream: av.AudioStream):
        self._kind, self._stream = kind, stream

    def __call__(self, packet: av.Packet) -> None:
        """Raises FFmpegError."""
        with av.open(io.BytesIO(), "w", self._kind) as scratch:
            alike = av.Packet(bytes(packet))
            alike.pts, alike.dts, alike.duration = 0, 0, packet.duration
            alike.time_base, alike.stream = packet.time_base, scratch.add_stream_from_template(self._stream)
            scratch.mux(alike)


class _Text(_Track):
    """Subtitles as they are, from the first moment on."""

    def packets(self, packet: av.Packet) -> Iterable[av.Packet]:
        if not packet.size:
            return []
        assert packet.pts is not None and packet.dts is not None
        packet.stream = self.out
        late = max(0, -packet.pts)
        if packet.is_discard or (late and late >= (packet.duration or 0)):
            return []
        packet.pts, packet.dts = packet.pts + late, max(0, packet.dts)
        packet.duration = (packet.duration or 0) - late
        return [packet]


class _Converted(_Text):
    """Subtitles as text of another form."""

    def __init__(self, out: Any, stream: Any, start: Fraction):
        self._from, self._to = stream.codec_context, out.codec_context
        self._from.open(strict=False)
        self._to.subtitle_header = self._from.subtitle_header
        self._to.time_base = out.time_base = stream.time_base
        super().__init__(out, stream, start)

    def packets(self, packet: av.Packet) -> Iterable[av.Packet]:
        for placed in super().packets(packet):
            text = self._from.decode2(placed)
            if text is None or not text.rects:
                continue
            made = self._to.encode_subtitle(text)
            made.pts, made.dts, made.duration = placed.pts, placed.dts, placed.duration
            made.time_base, made.stream = self._tick, self.out
            yield made


class _Reencoding(_Track):
    """Packets decoded and encoded again in the container's usual codec."""

    def __init__(self, out: OutputContainer, stream: Stream, encoder: str, start: Fraction):
        assert isinstance(stream, av.AudioStream)
        source = stream.codec_context
        rate = source.sample_rate if encoder == "aac" and source.sample_rate in (44_100, 48_000, 32_000) else 48_000
        layout = _LAYOUTS.get(source.channels, "stereo")
        added: Any = out.add_stream(encoder, rate=rate)
        added.codec_context.layout = layout
        added.codec_context.bit_rate = _BIT_RATES[encoder] * max(1, source.channels // 2)
        super().__init__(added, stream, start)
        self._decoder, self._encoder = source, added
        self._resampler: av.AudioResampler | None = None
        self._kind: tuple | None = None

    def packets(self, packet: av.Packet) -> Iterable[av.Packet]:
        for frame in self._decoder.decode(packet if packet.size else None):
            yield from self._resampled(frame)
        if not packet.size:
            yield from self._resampled(None)
            yield from self._encoder.encode(None)

    def _resampled(self, frame: av.AudioFrame | None) -> Iterable[av.Packet]:
        """Encoded, whatever rate and channels the sound changes to on its way."""
        kind = None if frame is None else (frame.format.name, frame.layout.name, frame.sample_rate)
        if self._resampler is not None and kind != self._kind:
            for rest in self._resampler.resample(None):
                yield from self._encoder.encode(rest)
            self._resampler = None
        if frame is not None:
            goal = self._encoder.codec_context
            self._kind = kind
            self._resampler = self._resampler or av.AudioResampler(goal.format, goal.layout, goal.sample_rate)
            for part in self._resampler.resample(frame):
                yield from self._encoder.encode(part)


def timecode_of(container: InputContainer) -> str:
    """The moment of the first frame as cameras and editors count it, "10:20:30:12"; empty if nothing tells it."""
    for tags in (*(stream.metadata for stream in container.streams), container.metadata):
        for name, value in tags.items():
            if name.lower() == "timecode" and _TIMECODE.fullmatch(value):
                return value
    return ""


def _moved(chapter: Any, start: Fraction) -> Any:
    offset = round(start / chapter["time_base"])
    return {**chapter, "start": max(0, chapter["start"] - offset), "end": chapter["end"] - offset}
