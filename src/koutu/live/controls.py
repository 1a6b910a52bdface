"""What can be changed while a run goes on, by keys, window or page; everything is made ready before it counts."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from threading import RLock

from koutu.composite import Fit
from koutu.engines.backend import Backend
from koutu.live.resizable_backend import SHARES, SizedBackend
from koutu.media.background import Background, Transparent
from koutu.media.background_spec import Spec, make_background
from koutu.types import InputError, KoutuError, OutputError

Load = Callable[[str, bool | None], Backend]  # a model's name and whether it is gated → the model
AUTO = "auto"
BLUR_STEP = 5.0


@dataclass(frozen=True)
class LiveSettings:
    """As they are now. size: a share of the network's pixels, or AUTO."""

    background: str
    model: str
    gate: bool | None = None
    mirror: bool = False
    paused: bool = False
    size: float | str = AUTO


class Desk:
    """The settings of a run, and what they stand for: `backend` and `behind`, which the stages read for every frame.

    load: makes a backend. Changes raise KoutuError where they cannot be; then everything stays as it was.
    """

    def __init__(self, settings: LiveSettings, load: Load, *, fit: Fit = "cover", tell: Callable[[str], None] = print):
        self.settings, self._load, self._tell = settings, load, tell
        self._fit: Fit = fit
        self.backgrounds: dict[str, Spec] = {}
        self.models: list[str] = []
        self.resets = 0
        self._lock = RLock()
        self.backend = SizedBackend(load(settings.model, settings.gate))
        self.behind = self._made(settings.background)
        self.offer(settings.background, settings.model)

    def offer(self, background: Spec | None = None, model: str | None = None, *, name: str | None = None) -> None:
        """Put a background or a model among those that can be chosen. name: of the background, for people."""
        if background is not None:
            self.backgrounds.setdefault(name or shown_name(background), background)
        if model is not None and model not in self.models:
            self.models.append(model)

    def change(self, name: str, value: object) -> None:
        """Set background, blur (its strength), model, gate, mirror, paused, size or reset (any value)."""
        changes = {
            "background": self._set_background, "blur": self._set_blur, "model": self._set_model,
            "gate": self._set_gate, "mirror": self._set_mirror, "paused": self._set_paused,
            "size": self._set_size, "reset": self._reset,
        }  # fmt: skip
        if name not in changes:
            raise InputError(f"expected one of {', '.join(changes)} to change, got {name!r}; name one of them")
        with self._lock:
            changes[name](value)

    def step(self, name: str, by: int = 1) -> None:
        """The next background, model or size, or the other way for switches; blur a little stronger or weaker."""
        now = self.settings
        with self._lock:
            if name == "background":
                self.change(name, _next(list(self.backgrounds), shown_name(now.background), by))
            elif name == "model":
                self.change(name, _next(self.models, now.model, by))
            elif name == "blur":
                strength = blur_of(now.background)  # where there is none, it begins as usual
                self.change(name, 10.0 if strength is None else min(100.0, max(1.0, strength + by * BLUR_STEP)))
            elif name == "size":
                share = self.backend.share if now.size == AUTO else now.size
                at = SHARES.index(float(share))
                self.change(name, SHARES[min(len(SHARES) - 1, max(0, at - by))])
            elif name == "gate":
                self.change(name, not self.backend.gated)
            else:
                self.change(name, not getattr(now, name))

    def _set_background(self, value: object) -> None:
        if not isinstance(value, str) or not value:
            raise InputError(f"expected a background's name, got {value!r}; choose one that is offered")
        self.behind = self._made(value)
        self.settings = replace(self.settings, background=value)
        self._tell(f"background: {shown_name(value)}")

    def _set_blur(self, value: object) -> None:
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= 100:
            raise InputError(f"expected a blur above 0, at most 100 (% of the shorter side), got {value!r}; try 10")
        self._set_background(f"blur:{value:g}")
        self.backgrounds = {k: v for k, v in self.backgrounds.items() if blur_of(k) is None}
        self.offer(f"blur:{value:g}")

    def _set_model(self, value: object) -> None:
        if not isinstance(value, str) or value not in self.models:
            raise InputError(f"expected a model out of {', '.join(self.models)}, got {value!r}; choose one of them")
        try:
            self._use(value, self.settings.gate)
        except KoutuError:
            if self.settings.gate is not True:
                raise
            self._use(value, None)  # a gate that was asked for the last one
        self._tell(f"model: {self.backend.name}")

    def _set_gate(self, value: object) -> None:
        self._use(self.settings.model, _flag("gate", value))
        self._tell(f"gate: {'on' if value else 'off'}")

    def _set_mirror(self, value: object) -> None:
        self.settings = replace(self.settings, mirror=_flag("mirror", value))

    def _set_paused(self, value: object) -> None:
        self.settings = replace(self.settings, paused=_flag("paused", value))
        self._tell("paused: the last frame stays, without sound" if value else "goes on")

    def _set_size(self, value: object) -> None:
        if value != AUTO and value not in SHARES:
            raise InputError(f"expected a size out of {AUTO}, {', '.join(map(str, SHARES))}, got {value!r}; choose one")
        assert isinstance(value, float | str | int)
        self.settings = replace(self.settings, size=value)

    def _reset(self, value: object) -> None:
        self.resets += 1
        self._tell("the memory begins anew")

    def _use(self, model: str, gate: bool | None) -> None:
        share = self.backend.share
        self.backend = SizedBackend(self._load(model, gate), share)
        self.settings = replace(self.settings, model=model, gate=gate)

    def _made(self, background: str) -> Background:
        behind = make_background(self.backgrounds.get(background, background), fit=self._fit)
        if isinstance(behind, Transparent):
            raise OutputError(
                "expected a background for a live run, got transparent, which cameras and streams cannot carry; use "
                "green, and let the program that shows it key it out"
            )
        return behind


def shown_name(background: Spec) -> str:
    """A background as people know it."""
    if isinstance(background, str | Path):
        path = Path(background)
        return path.name if path.suffix and path.is_file() else str(background)
    return "picture"


def blur_of(background: str) -> float | None:
    """The strength of a background that is a blur, None of others."""
    word, _, strength = background.partition(":")
    return float(strength or 10) if word == "blur" else None


def _flag(name: str, value: object) -> bool:
    if not isinstance(value, bool):
        raise InputError(f"expected true or false for {name}, got {value!r}; give one of them")
    return value


def _next(among: list[str], now: str, by: int) -> str:
    at = among.index(now) if now in among else 0
    return among[(at + by) % len(among)]
