"""Video files out: what is asked for appears whole under its name, or an error says why not and nothing is left."""

import errno
import os
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from types import TracebackType

from av.error import FFmpegError

from koutu.media.audio_tracks import timecode_of
from koutu.media.containers import CONTAINERS, PRESETS, Container, EncodeOptions, encoder_of
from koutu.media.demux import open_input
from koutu.media.destination import checked_target, move, part_of, remove
from koutu.media.encode import VideoSink
from koutu.media.fields import woven, woven_plane
from koutu.media.gif import GifSink
from koutu.media.png_folder import ExrSink, PictureFolder, PngSink, folder_and_pattern, is_exr, is_sequence
from koutu.media.reader import VideoReader
from koutu.types import Alpha, Frame, KoutuError, OutputError, Yuv

_GIF = ".gif"
_KNOWN = f"{', '.join([*CONTAINERS, _GIF])}, a folder or %04d.png for PNG pictures, or %04d.exr for EXR"


def open_writer(
    path: str | os.PathLike[str],
    like: VideoReader,
    *,
    alpha: bool = False,
    size: tuple[int, int] | None = None,
    options: EncodeOptions | None = None,
) -> "Writer":
    """A writer of pictures of `size` (H, W), `like`'s if not given, with `like`'s times, colours, sound and titles.

    The path's ending chooses: .mp4, .mov, .mkv (H.264, HEVC), .webm (VP9); a folder or %04d.png is a PNG sequence,
    %04d.exr one of EXR, of half floats of linear light; .gif a small animation. With alpha: .mov (ProRes 4444), .webm
    (VP9), PNG, .gif (seen or not); not multiplied into the colours, but in EXR. H.264 and HEVC widen odd sizes
    by one repeated pixel; .mkv and .webm keep times to the millisecond, .mp4 and .mov exactly. Raises OutputError.
    """
    options = options or EncodeOptions()
    require_options(options)
    return Writer(Path(path), like, alpha, size or like.size, options)


_Written = tuple[Yuv, Frame, Alpha | None]


def keeps_chroma(path: Path, alpha: bool) -> bool:
    """Whether what is written there, with alpha or without, holds 4:4:4."""
    container = CONTAINERS.get(path.suffix.lower())
    return is_sequence(path) or (alpha and container is not None and container.alpha == "prores")


class Writer:
    """Writes beside its destination and moves the result there when closed. As a context manager: closes, or aborts.

    count: pictures so far; two fields are one.
    """

    def __init__(self, path: Path, like: VideoReader, alpha: bool, size: tuple[int, int], options: EncodeOptions):
        self.path, self.size, self.alpha = path, size, alpha
        self._like, self.count, self._open, self._finished = like, 0, False, False
        sequence = is_sequence(path)
        is_gif = path.suffix.lower() == _GIF and not sequence
        container = None if sequence or is_gif else _container_of(path, alpha)
        if like.first_field:
            _require_fields(path, container, alpha, options)
        self._field: _Written | None = None  # the first of two
        self._target, pattern = folder_and_pattern(path) if sequence else (path, "")
        self._target = checked_target(self._target, path, like.file, sequence)
        self._part = part_of(self._target)
        deep = options.depth == 10 or (options.depth == 0 and like.depth == 10)
        try:
            self._sink: GifSink | PictureFolder | VideoSink
            if is_gif:
                self._sink = GifSink(self._part, like, size, alpha=alpha)
                self._sink.notes += _left_behind(like, "GIF holds", audio=options.audio)
            elif is_exr(Path(pattern)):
                self._sink = ExrSink(self._part, pattern, like.viewing)
                self._sink.notes += _left_behind(like, "EXR pictures hold", audio=options.audio)
            elif container is None:
                self._sink = PngSink(self._part, pattern, deep=deep)
                if like.viewing.transfer != "sdr" or like.viewing.primaries != "bt709":
                    self._sink.notes.append(
                        f"PNG pictures do not say that their numbers mean {like.viewing.transfer.upper()} of "
                        f"{like.viewing.primaries.upper()}; tell the program that reads them"
                    )
                self._sink.notes += _left_behind(like, "PNG pictures hold", audio=options.audio)
            else:
                self._sink = VideoSink(self._part, container, like, size, alpha=alpha, options=options)
        except BaseException as error:
            remove(self._part)
            if isinstance(error, KoutuError) or not isinstance(error, FFmpegError | OSError | ValueError):
                raise
            raise self._failed(error) from error
        self._open = True

    @property
    def notes(self) -> list[str]:
        """What could not be kept, in sentences; complete after `close`."""
        return self._sink.notes

    def write(self, picture: Yuv, frame: Frame, alpha: Alpha | None = None) -> None:
        """Write `picture`, shown when `frame` is; alpha (H, W) if the writer was opened for it. Raises OutputError."""
        self._require(picture, alpha)
        if frame.lines != "all" and self._field is None:
            self._field = picture, frame, alpha
            return
        if self._field is not None:
            picture, frame, alpha = _woven(self._field, (picture, frame, alpha))
            self._field = None
        pts = Fraction(frame.pts)
        if frame.time_base != self._like.time_base:
            pts = frame.seconds / self._like.time_base
        try:
            self._sink.put(picture, round(pts), alpha)
        except (FFmpegError, OSError) as error:
            self.abort()
            raise self._failed(error) from error
        self.count += 1

    def finish(self) -> None:
        """Complete the file, sound included, still under its hidden name; raises OutputError. Again: nothing."""
        if self._open and not self._finished:
            if not self.count:
                self.abort()
                raise OutputError(f"{self.path}: expected at least one frame to write, got none; write before closing")
            self._attempt(self._sink.finish)
            self._finished = True

    def close(self) -> None:
        """Finish, and move the file to its place; raises OutputError. Again: nothing."""
        self.finish()
        if self._open:
            self._attempt(lambda: move(self._part, self._target))
            self._open = False

    def _attempt(self, work: Callable[[], None]) -> None:
        try:
            work()
        except BaseException as error:
            self.abort()
            if isinstance(error, KoutuError) or not isinstance(error, FFmpegError | OSError | ValueError):
                raise
            raise self._failed(error) from error

    def abort(self) -> None:
        """Drop everything written; the destination stays as it was. Does nothing after `close`."""
        if self._open:
            self._open = False
            if not self._finished:
                self._sink.discard()
            remove(self._part)

    def __enter__(self) -> "Writer":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self.close()
        else:
            self.abort()

    def _require(self, picture: Yuv, alpha: Alpha | None) -> None:
        if not self._open or self._finished:
            raise ValueError(
                f"{self.path}: expected an open writer, got one that was finished or aborted; open another"
            )
        if picture.size != self.size or picture.space != self._like.space:
            raise ValueError(
                f"expected a picture of size {self.size} and {self._like.space}, got {picture.size} and "
                f"{picture.space}; fit and convert it first (koutu.composite, koutu.color)"
            )
        came = None if alpha is None else (alpha.shape, str(alpha.dtype))
        expected = (self.size, "uint8") if self.alpha else None
        if came != expected:
            raise ValueError(f"expected alpha {expected}, got {came}; open_writer(alpha=…) says if there is one")

    def _failed(self, error: Exception) -> OutputError:
        code = getattr(error, "errno", None)
        reason = getattr(error, "strerror", None) or str(error)
        remedy = {
            errno.ENOSPC: "free some space, or write to another disk",
            errno.EDQUOT: "free some space, or write to another disk",
            errno.EACCES: "choose a folder that may be written to",
            errno.EPERM: "choose a folder that may be written to",
            errno.EROFS: "choose a folder that may be written to",
        }.get(code or 0, "try another place or type of file, or leave the sound out (audio=False, --no-audio)")
        return OutputError(f"{self.path}: expected to write the video, got: {reason}; {remedy}")


def _left_behind(like: VideoReader, held: str, *, audio: bool) -> list[str]:
    """What of a video has no place in pictures; held: "PNG pictures hold"."""
    if like.file is None:
        return []
    with open_input(like.file) as container:
        streams, code = container.streams, timecode_of(container)
        there = {
            "the sound": bool(audio and streams.audio), "subtitles": bool(streams.subtitles),
            "chapters": bool(container.chapters()), f"the timecode {code}": bool(code),
        }  # fmt: skip
    names = [name for name, is_there in there.items() if is_there]
    if not names:
        return []
    return [f"{name} {'was' if name.startswith('the') else 'were'} left out: {held} none" for name in names]


def _woven(first: _Written, second: _Written) -> _Written:
    """One interlaced picture of the two that its fields became, at the first one's moment."""
    top, bottom = (first, second) if first[1].lines == "top" else (second, first)
    alpha = None if top[2] is None or bottom[2] is None else woven_plane(top[2], bottom[2])
    return woven(top[0], bottom[0]), first[1], alpha


def _require_fields(path: Path, container: Container | None, alpha: bool, options: EncodeOptions) -> None:
    if container is None or not encoder_of(container, options, alpha, fields=True).fields:
        came = "pictures, each by itself" if container is None else f"{path.suffix} of {options.codec.upper()} or VP9"
        raise OutputError(
            f"{path}: expected a type of file that holds interlaced frames, got {came}; write .mp4, .mov or .mkv of "
            "H.264, or let the frames be made progressive (--deinterlace auto)"
        )


def require_options(options: EncodeOptions) -> None:
    """Raise OutputError for a codec, preset, depth or quality that there is not."""
    wrong = (
        ("codec", options.codec, ("h264", "hevc")),
        ("preset", options.preset, PRESETS),
        ("depth", options.depth, (0, 8, 10)),
        ("crf", options.crf, range(52)),
        ("alpha_crf", options.alpha_crf, range(52)),
    )
    for name, came, expected in wrong:
        if came not in expected:
            choice = "0…51" if name.endswith("crf") else ", ".join(map(str, expected))
            raise OutputError(f"expected {name} to be one of {choice}, got {came!r}; choose one of them")


def _container_of(path: Path, alpha: bool) -> Container:
    container = CONTAINERS.get(path.suffix.lower())
    if container is None:
        raise OutputError(f"{path}: expected a name ending in {_KNOWN}, got {path.suffix!r}; rename it")
    if alpha and container.alpha is None:
        raise OutputError(
            f"{path}: expected a type of file that holds alpha, got {path.suffix}; write .mov, .webm, .gif or a folder "
            "of PNGs, or write alpha as a grey video of its own"
        )
    return container
