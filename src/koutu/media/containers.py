"""What each video file type can hold, how its codecs are set and what colour tags mean: tables rather than branches."""

from dataclasses import dataclass
from typing import Literal, NamedTuple

from koutu.types import ColorSpace, InputError, Matrix


class HdrLight(NamedTuple):
    """The mastering display and the light level as x265 writes them, "" for none; others: what else there is, named."""

    display: str = ""
    level: str = ""
    others: tuple[str, ...] = ()


_NO_HDR = HdrLight()


@dataclass(frozen=True, slots=True)
class EncodeOptions:
    """How to encode. crf: 0 lossless … 51 worst, on x264's scale; alpha_crf: that of alpha as a video of its own.

    depth: 8, 10, which in .mp4, .mkv and .mov is HEVC Main 10, or 0: 10 for HDR footage, else 8.
    threads: the encoder's, whose number changes what it writes; 0 is as many as the processor runs.
    """

    codec: Literal["h264", "hevc"] = "h264"  # of .mp4, .mkv and .mov
    preset: str = "veryfast"
    crf: int = 18
    depth: int = 0
    audio: bool = True
    alpha_crf: int = 1  # its soft pixels are off by less than a level on average
    threads: int = 0


class Container(NamedTuple):
    """One type of file. audio, subtitles: codecs copied as they are (None: what the muxer takes)."""

    format: str
    video: Literal["h264", "vp9"]
    alpha: Literal["prores", "vp9"] | None
    audio: frozenset[str] | None
    audio_encoder: str
    subtitles: frozenset[str]
    text: str  # what other text subtitles become


_MP4_AUDIO = frozenset({"aac", "mp3", "mp2", "ac3", "eac3", "alac"})
_PCM = frozenset({"pcm_s16le", "pcm_s16be", "pcm_s24le", "pcm_s24be", "pcm_s32le", "pcm_s32be", "pcm_f32le", "pcm_u8"})
_HELD = frozenset({"subrip", "ass", "ssa", "webvtt", "hdmv_pgs_subtitle", "dvd_subtitle", "dvb_subtitle", "text"})
TEXT = frozenset({"subrip", "ass", "ssa", "webvtt", "text", "mov_text"})  # subtitles that can become each other

CONTAINERS = {
    # Players rarely know PCM in .mp4, though the format does.
    ".mp4": Container("mp4", "h264", None, _MP4_AUDIO | {"opus", "flac"}, "aac", frozenset({"mov_text"}), "mov_text"),
    ".mov": Container("mov", "h264", "prores", _MP4_AUDIO | _PCM, "aac", frozenset({"mov_text"}), "mov_text"),
    ".mkv": Container("matroska", "h264", None, None, "aac", _HELD, "subrip"),
    ".webm": Container("webm", "vp9", "vp9", frozenset({"opus", "vorbis"}), "libopus", frozenset({"webvtt"}), "webvtt"),
}

# Of a file's own making, or no longer true of the copy.
NOT_COPIED = {"major_brand", "minor_version", "compatible_brands", "encoder", "rotate", "alpha_mode", "duration"}

PRESETS = ("ultrafast", "superfast", "veryfast", "faster", "fast", "medium", "slow", "slower", "veryslow")


class Encoder(NamedTuple):
    """What FFmpeg is to be asked for. even: 4:2:0 sizes must be even, the bitstream has no way to crop one pixel.

    fields: it holds interlaced frames.
    """

    name: str
    pix_fmt: str
    options: dict[str, str]
    tag: str | None = None
    even: bool = False
    fields: bool = False


def encoder_of(
    container: Container, options: EncodeOptions, alpha: bool, hdr: HdrLight = _NO_HDR, *, fields: bool = False
) -> Encoder:
    """The encoder for a file type; with `alpha` one that keeps it, and `container.alpha` must not be None.

    fields: 10 bits are H.264's rather than HEVC's, which has no interlaced frames.
    """
    kind = container.alpha if alpha else container.video
    ten = "10le" if options.depth == 10 else ""
    if kind == "prores":
        return Encoder(
            "prores_ks", "yuva444p10le", {"profile": "4444", "vendor": "apl0", "alpha_bits": "8"}, fields=True
        )
    if kind == "vp9":
        return Encoder("libvpx-vp9", "yuva420p" if alpha else f"yuv420p{ten}", _vp9_options(options, alpha))
    if options.codec == "hevc" or (options.depth == 10 and not fields):
        said = {"hdr10": "1" if hdr.display else "", "master-display": hdr.display, "max-cll": hdr.level}
        quiet = ":".join(["log-level=none", *(f"{name}={value}" for name, value in said.items() if value)])
        quiet += ":lossless=1" if options.crf == 0 else ""
        tag = None if container.format == "matroska" else "hvc1"
        settings = {"preset": options.preset, "crf": str(options.crf), "x265-params": quiet}
        return Encoder("libx265", f"yuv420p{ten}", settings, tag, even=True)
    settings = {"preset": options.preset, "crf": str(options.crf)}
    return Encoder("libx264", f"yuv420p{ten}", settings, even=True, fields=True)


def _vp9_options(options: EncodeOptions, alpha: bool) -> dict[str, str]:
    step = PRESETS.index(options.preset)
    settings = {
        "deadline": "realtime" if step < 3 else "good",
        "cpu-used": str(8 - step),
        "row-mt": "1",
        "tile-columns": "2",
        "crf": str(round(options.crf * 63 / 51)),
        "b": "0",
    }
    if options.crf == 0:
        settings["lossless"] = "1"
    if options.depth == 10 and not alpha:
        settings["profile"] = "2"
    if alpha:
        settings["auto-alt-ref"] = "0"  # alpha is a second stream, whose hidden frames would get out of step
    return settings


class ColorTags(NamedTuple):
    """A stream's colour description in the numbers of ITU-T H.273, to be written again. 2, and range 0: unknown."""

    primaries: int = 2
    transfer: int = 2
    matrix: int = 2
    range: int = 0  # 1: 16…235, 2: 0…255


_MATRICES: dict[int, Matrix] = {
    1: "bt709", 4: "bt601", 5: "bt601", 6: "bt601", 7: "bt709", 9: "bt2020", 10: "bt2020",
}  # fmt: skip
MATRIX_TAGS: dict[Matrix, int] = {"bt709": 1, "bt601": 6, "bt2020": 9}


def space_of(tags: ColorTags, height: int, full_range: bool) -> ColorSpace:
    """What the tags mean; an unknown matrix is BT.709 from 720 lines on, BT.601 below. Raises InputError."""
    if tags.matrix in (0, 2, 3):  # 0: RGB, which is converted
        return ColorSpace("bt709" if height >= 720 else "bt601", full_range)
    if tags.matrix not in _MATRICES:
        raise InputError(
            f"expected Y'CbCr by BT.601, BT.709 or BT.2020, got matrix {tags.matrix} of ITU-T H.273; "
            "convert it first, for example with ffmpeg's zscale filter"
        )
    return ColorSpace(_MATRICES[tags.matrix], full_range)
