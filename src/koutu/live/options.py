"""How a live run goes if nothing else is said."""

from dataclasses import dataclass, field

from koutu.live.source_address import SourceAddress
from koutu.media.containers import PRESETS
from koutu.types import OutputError


@dataclass(frozen=True)
class Reading:
    """How to read. patience: seconds without a frame after which a lost source is given up; wait: before the first
    new attempt, doubled for each that fails; loop: a video begins again at its end.
    """

    audio: bool = True
    loop: bool = False
    patience: float = 60.0
    wait: float = 0.5


@dataclass(frozen=True)
class Patience:
    """With a lost output. seconds: before it is given up; wait: before the first new attempt, doubled each time."""

    seconds: float = 60.0
    wait: float = 0.5


@dataclass(frozen=True)
class Quality:
    """What matting and compositing do beside the network's work."""

    refine: bool = True
    decontaminate: bool = True
    zoom: bool = True


@dataclass(frozen=True)
class Encoding:
    """How files and streams are encoded. crf: of files; bitrate: of streams, kilobits a second; rate: about how many
    frames a second come; audio: there is sound.
    """

    preset: str = "superfast"
    crf: int = 20
    bitrate: int = 4000
    rate: float | None = None
    audio: bool = False

    def __post_init__(self) -> None:
        if self.preset not in PRESETS:
            raise OutputError(f"expected a preset out of {', '.join(PRESETS)}, got {self.preset!r}; choose one of them")


@dataclass(frozen=True)
class LiveOptions:
    """How a run goes. microphone: heard instead of the source; hold: frames a second below which the network gets
    smaller; seconds: None for no end."""

    reading: Reading = field(default_factory=Reading)
    microphone: SourceAddress | None = None
    encoding: Encoding = field(default_factory=Encoding)
    quality: Quality = field(default_factory=Quality)
    patience: Patience = field(default_factory=Patience)
    hold: float = 25.0
    seconds: float | None = None
