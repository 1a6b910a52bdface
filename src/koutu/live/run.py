"""A live run: source → matte → composite → every output, until the source ends, somebody quits, or nobody is left."""

import os
import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from threading import Event, Lock, current_thread, main_thread
from time import monotonic
from typing import Any

from koutu.live.adaptive_size import Sizer
from koutu.live.connection import READ_SECONDS
from koutu.live.controls import Desk
from koutu.live.figures import LiveStatistics
from koutu.live.flow import CapturedFrame, Sound
from koutu.live.keys import press
from koutu.live.microphone import Microphone
from koutu.live.options import Encoding, LiveOptions
from koutu.live.output_thread import Fan, Outlet, Sink
from koutu.live.page import Page
from koutu.live.sinks import Wiring, sink_of
from koutu.live.source import Source
from koutu.live.source_address import SourceAddress
from koutu.live.stages import Compositing, Matting
from koutu.live.window import Window
from koutu.matting.hints import Hints
from koutu.matting.matte import Matte
from koutu.pipeline.mailbox import Mailbox, Stage, stage, stop
from koutu.types import InputError, KoutuError, OutputError

WORDS = 6  # said last, that the page shows
END_SECONDS = 60.0  # for outputs to complete what they write; a second Ctrl-C does not wait
_TICK = 0.03  # seconds between two looks at the window's keys


@dataclass
class LiveReport:
    """What a run did. figures: of the first output; ages_ms: median and 95th percentile of the whole run there."""

    seconds: float = 0.0
    figures: LiveStatistics = field(default_factory=LiveStatistics)
    ages_ms: tuple[float, float] | None = None
    stage_ms: dict[str, float] = field(default_factory=dict)
    lost: int = 0
    closing: list[str] = field(default_factory=list)
    errors: list[KoutuError] = field(default_factory=list)


class Live:
    """One run from `place` to the outputs that `words` name (`koutu.live.sinks`), or sinks; raises KoutuError at once.

    tell: is given what people should know, line by line. `press` takes keys from any thread, `quit` ends the run.
    """

    def __init__(
        self, place: SourceAddress, words: Sequence[str | Sink], desk: Desk, *, options: LiveOptions | None = None,
        hints: Hints | None = None, tell: Callable[[str], None] = print,
    ):  # fmt: skip
        self.desk, self.options = desk, options or LiveOptions()
        self.stop = Event()
        self._tell, self._words, self._lock = tell, [], Lock()
        if not words:
            raise OutputError("expected an output, got none; for example --out page")
        self.outlets: list[Outlet] = []
        heard, reading = self.options.microphone, self.options.reading
        reading = replace(reading, audio=reading.audio and heard is None)
        self.source = Source(place, reading, hear=self._hear, tell=self.tell, stop=self.stop)
        self.microphone: Microphone | None = None
        try:
            if heard is not None:
                self.microphone = Microphone(heard, hear=self._hear, tell=self.tell, stop=self.stop)
            self._connect(words, place)
            if heard is not None and not any(outlet.sink.hears for outlet in self.outlets):
                raise InputError(
                    "expected a file or stream to record the microphone in, got outputs without sound; add -o talk.mp4"
                )
            desk.backend.warm(desk.backend.share, self.source.size)  # so that the first frame is not an old one
            quality = self.options.quality
            self.matting = Matting(
                desk,
                refine=quality.refine,
                hints=hints,
                sizer=Sizer(self.options.hold),
                zoom=quality.zoom,
                tell=self.tell,
            )
            self.compositing = Compositing(desk, decontaminate=quality.decontaminate)
        except BaseException:
            self.source.close()
            if self.microphone is not None:
                self.microphone.join()
            for outlet in self.outlets:
                outlet.sink.abort()
            raise

    def run(self, tick: Callable[["Live"], None] | None = None) -> LiveReport:
        """Go on until the end; `tick` is called now and then. The first error of a stage is raised when all is closed.

        Ctrl-C and SIGTERM end a run as `quit` does; a second one breaks it off.
        """
        shots, mattes = Mailbox[CapturedFrame](1, live=True), Mailbox[tuple[CapturedFrame, Matte | None]](1, live=True)
        fan, began = Fan(self.outlets), monotonic()
        with self._signals():
            stages = [
                stage(None, self.source, shots, name="capture"),
                stage(self.matting, shots, mattes, name="matte"),
                stage(self.compositing, mattes, fan, name="composite"),
            ]
            window = next((outlet for outlet in self.outlets if isinstance(outlet.sink, Window)), None)
            for outlet in self.outlets:
                if outlet is not window:
                    outlet.start()
            if self.microphone is not None:
                self.microphone.start(self.source.epoch)
            try:
                self._attend(window, fan, tick, began)
            finally:
                self._end(stages, fan, window)
        report = self._report(stages, monotonic() - began)
        if fan.error is not None:
            raise fan.error
        return report

    def quit(self) -> None:
        """End the run; what is written is completed."""
        self.stop.set()

    def press(self, key: str) -> None:
        """What a key stands for, see `koutu.live.keys`."""
        if not press(key, self.desk, self.tell):
            self.quit()

    def tell(self, line: str) -> None:
        """Tell people something, on the page too."""
        with self._lock:
            self._words = [*self._words[1 - WORDS :], line]
        self._tell(line)

    def figures(self, outlet: Outlet | None = None) -> LiveStatistics:
        """Of an output, the first if none is given."""
        outlet = outlet or self.outlets[0]
        return outlet.record.figures(self.matting.rate, self.matting.network, self.desk.backend.name)

    def _connect(self, words: Sequence[str | Sink], place: SourceAddress) -> None:
        given = self.options.encoding
        sound = self.source.has_audio or self.microphone is not None
        encoding = Encoding(given.preset, given.crf, given.bitrate, self.source.rate, sound)
        path = Path(place.url) if place.kind == "file" else None
        wiring = Wiring(self.desk, encoding, self.press, lambda: self.figures().line(), self._state, self.tell, path)
        _require_apart([word for word in words if isinstance(word, str)])
        for word in words:
            sink = sink_of(word, wiring) if isinstance(word, str) else word
            self.outlets.append(Outlet(sink, tell=self.tell, patience=self.options.patience))

    def _state(self) -> dict[str, Any]:
        """For the page."""
        page = next((outlet for outlet in self.outlets if isinstance(outlet.sink, Page)), None)
        return {"figures": self.figures(page).as_dict(), "words": self._words, "gated": self.desk.backend.gated}

    def _hear(self, sound: Sound) -> None:
        """Sound goes past the stages; while the run is paused it is silent."""
        if self.desk.settings.paused:
            sound = Sound(sound.seconds, sound.samples * 0)
        for outlet in self.outlets:
            outlet.hear(sound)

    def _attend(self, window: Outlet | None, fan: Fan, tick: Callable[["Live"], None] | None, began: float) -> None:
        """Until the end: the window's frames and keys, and `tick`."""
        while not self.stop.is_set() and not fan.closed.is_set():
            if self.options.seconds is not None and monotonic() - began > self.options.seconds:
                return
            if all(outlet.done.is_set() for outlet in self.outlets):
                return
            if window is not None and window.step(_TICK) and isinstance(window.sink, Window):
                window.sink.pump()
            else:
                self.stop.wait(_TICK)
            if tick:
                tick(self)

    def _end(self, stages: list[Stage], fan: Fan, window: Outlet | None) -> None:
        """Let what is on its way be shown, complete the outputs, and wait for all threads."""
        self.stop.set()
        fan.closed.wait(1.0)  # the stages end with their frames, unless the source is silent or a frame takes long
        fan.close()
        until = monotonic() + END_SECONDS
        while window is not None and window.step(0):
            pass
        for outlet in self.outlets:
            if outlet is not window:
                outlet.done.wait(max(0.0, until - monotonic()))
            if not outlet.done.is_set():
                outlet.error = OutputError(
                    f"{outlet.sink.name}: expected it to be complete within {END_SECONDS:g} s, it was not; "
                    "what it wrote may be damaged"
                )
        stop(stages, seconds=READ_SECONDS + 1)
        if self.microphone is not None:
            self.microphone.join()
        self.matting.join()
        self.compositing.close()

    def _report(self, stages: list[Stage], seconds: float) -> LiveReport:
        first = self.outlets[0]
        report = LiveReport(seconds, self.figures(), first.record.ages_ms(), lost=self.source.lost)
        for each in stages[1:]:
            report.stage_ms[each.name.removeprefix("koutu-")] = 1000 * each.busy_seconds / max(1, each.count)
        for outlet in self.outlets:
            report.closing += outlet.closing
            if isinstance(outlet.error, KoutuError):
                report.errors.append(outlet.error)
            elif outlet.error is not None:
                raise outlet.error
        return report

    @contextmanager
    def _signals(self) -> Iterator[None]:
        """Ctrl-C and SIGTERM end the run; the second time as they always do."""
        if current_thread() is not main_thread():
            yield
            return
        before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

        def asked(number: int, _: object) -> None:
            self.quit()
            signal.signal(number, before[signal.Signals(number)])

        for number in before:
            signal.signal(number, asked)
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


def _require_apart(words: list[str]) -> None:
    seen = [word if "://" in word else os.path.realpath(word) for word in words]
    if len(set(seen)) < len(seen) or sum(word == "window" for word in words) > 1:
        raise OutputError("expected a place of its own for each output, got one twice; rename one")
