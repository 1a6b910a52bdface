"""Segments of one video, encoded apart, as one file: their pictures as they are, the source's sound beside them."""

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
from av.error import FFmpegError

from koutu.media.containers import CONTAINERS, EncodeOptions
from koutu.media.demux import open_input, video_stream
from koutu.media.encode import add_rest, open_output
from koutu.media.reader import VideoReader
from koutu.types import KoutuError, OutputError

_OF_A_FILE = {"DURATION", "ENCODER", "handler_name", "vendor_id"}


def join_segments(segments: list[Path], target: Path, like: VideoReader, options: EncodeOptions) -> list[str]:
    """Write `target` of segments that follow each other, files of its type by the same encoder, none encoded again.

    like: the source of all else. Returns what could not be kept, in sentences; raises OutputError.
    """
    container = CONTAINERS[target.suffix.lower()]
    try:
        with open_output(target, container) as out:
            with open_input(segments[0]) as first:
                model = video_stream(first)
                assert model is not None
                stream, header = out.add_stream_from_template(model), model.codec_context.extradata
                stream.metadata.update({k: v for k, v in model.metadata.items() if k not in _OF_A_FILE})
            stream.time_base = like.time_base
            tracks = add_rest(out, stream, like, container, options)
            try:
                out.start_encoding()
                last: Fraction | None = None
                for segment in segments:
                    for packet in _packets(segment, header):
                        base = Fraction(packet.time_base)
                        assert packet.pts is not None
                        if packet.dts is None:  # Matroska holds none, and not every one can be worked out
                            packet.dts = packet.pts if last is None else int(last / base) + 1
                        if last is not None and packet.dts * base <= last:  # the encoder began anew
                            packet.dts = int(last / base) + 1
                        last, shown = packet.dts * base, packet.pts * base
                        packet.stream = stream
                        out.mux(packet)
                        if tracks is not None:
                            tracks.advance(shown)
                if tracks is not None:
                    tracks.advance(None)
            finally:
                if tracks is not None:
                    tracks.close()
        return [] if tracks is None else tracks.notes
    except KoutuError:
        raise
    except (FFmpegError, OSError, ValueError) as error:
        raise OutputError(
            f"{target}: expected to join {len(segments)} segments, got: {error}; free some space"
        ) from error


def _packets(segment: Path, header: bytes | None) -> Iterator[av.Packet]:
    """The pictures of a segment; raises ValueError if it needs another decoder than the first."""
    with open_input(segment) as container:
        stream = video_stream(container)
        assert stream is not None
        if stream.codec_context.extradata != header:
            raise ValueError(f"{segment.name} was encoded in another way")
        yield from (packet for packet in container.demux(stream) if packet.size)
