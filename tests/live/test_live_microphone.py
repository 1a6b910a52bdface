"""Sound from a device of its own: refused at once, heard at its moment, recorded, lost and found again."""

import itertools
import time
from collections.abc import Callable
from threading import Event

import av
import numpy as np
import pytest
from support.live_parts import numbered_clip
from support.waiting import came_true

from koutu.live.flow import SAMPLE_RATE, Sound
from koutu.live.microphone import ALSA, Microphone, microphone_of
from koutu.types import InputError

UNTIMED = "lavfi:sine=frequency=1000:sample_rate=44100"
TONE = f"{UNTIMED},arealtime"  # as a device: it comes as fast as it is heard


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("hw:1", "FORMAT:DEVICE"), ("alsa:", "FORMAT:DEVICE"), ("v4l2:/dev/video0", "FORMAT:DEVICE"),
        ("alsa:no-such-card", "microphone that can be opened"), ("lavfi:testsrc2", "expected sound, got none"),
    ],
)  # fmt: skip
def test_what_is_no_microphone(word, message):
    with pytest.raises(InputError, match=message):
        Microphone(microphone_of(word), hear=print, tell=print, stop=Event())


Heard = list[tuple[Sound, float]]


def listened(
    word: str, enough: Callable[[Heard, list[str]], bool], clock: Callable[[], float] = time.monotonic
) -> tuple[Heard, list[str]]:
    """What was heard until there was enough, each with the run's second when it came, and what was told."""
    heard, told, stop = Heard(), list[str](), Event()
    microphone = Microphone(
        microphone_of(word), hear=lambda sound: heard.append((sound, now())), tell=told.append, stop=stop, wait=0.05,
        clock=clock,
    )  # fmt: skip
    epoch = clock()

    def now() -> float:
        return (clock.now if isinstance(clock, Steps) else clock()) - epoch

    microphone.start(epoch)
    assert came_true(lambda: enough(heard, told)), told
    stop.set()
    microphone.join()
    return heard, told


class Steps:
    """A clock that goes on by as much as a part of `UNTIMED` lasts whenever it is read, as it is for each part."""

    now = 0.0

    def __call__(self) -> float:
        self.now += 1024 / 44_100
        return self.now


def test_sound_stands_at_the_moment_it_was_heard():
    heard, told = listened(UNTIMED, lambda heard, _: len(heard) > 60, Steps())
    assert not told
    ages = [came - sound.seconds - sound.samples.shape[1] / SAMPLE_RATE for sound, came in heard]
    assert min(ages) > -1e-3 and max(ages) < 2e-3
    gaps = [
        after.seconds - sound.seconds - sound.samples.shape[1] / SAMPLE_RATE
        for (sound, _), (after, _) in itertools.pairwise(heard)
    ]
    assert np.abs(gaps).max() < 1e-3  # no holes, nothing twice


@pytest.mark.skipif(not ALSA.is_file(), reason="no ALSA on this machine (apt-get install libasound2-data)")
def test_alsa_finds_the_systems_configuration():
    heard, told = listened("alsa:null", lambda heard, _: bool(heard))
    assert heard and not told


def test_a_lost_one_is_found_again():
    heard, told = listened(
        "lavfi:sine=duration=0.8,arealtime", lambda heard, told: len(told) > 1 and heard[-1][0].seconds > 1
    )
    assert "is lost: it ended" in told[0] and "there again" in told[1]
    times = [sound.seconds for sound, _ in heard]
    assert times == sorted(times) and times[-1] > 1


@pytest.mark.parametrize(("more", "message"), [(["-o", "page:0"], "without sound"), (["--no-audio"], "--no-audio")])
def test_nobody_would_hear_it(tmp_path, more, message):
    from typer.testing import CliRunner

    from koutu.cli import app

    video = numbered_clip(tmp_path / "video.mp4", 5)
    done = CliRunner().invoke(app, ["live", str(video), "--microphone", TONE, "-m", "koutu-small", *more])
    assert isinstance(done.exception, InputError) and message in str(done.exception)


def test_it_is_recorded_with_the_pictures(tmp_path):
    from typer.testing import CliRunner

    from koutu.cli import app

    video, out = numbered_clip(tmp_path / "video.mp4", 75), tmp_path / "out.mp4"
    done = CliRunner().invoke(
        app, ["live", str(video), "-o", str(out), "--microphone", TONE, "-m", "koutu-small", "-b", "green"]
    )
    assert done.exit_code == 0, done.output
    with av.open(str(out)) as container:
        sound = np.concatenate([frame.to_ndarray()[0] for frame in container.decode(audio=0)])
    loud = np.abs(sound) > 0.01
    assert loud[SAMPLE_RATE : 2 * SAMPLE_RATE].mean() > 0.8
    spectrum = np.abs(np.fft.rfft(sound[SAMPLE_RATE : 2 * SAMPLE_RATE]))
    assert abs(int(spectrum.argmax()) - 1000) <= 2
