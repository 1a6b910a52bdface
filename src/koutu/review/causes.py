"""Why a matte is bad at a moment, as far as light, cuts and motion tell, and which option of `koutu video` may help."""

import math
from dataclasses import dataclass

import numpy as np

from koutu.review.judge import DARK, Spell, shots
from koutu.review.record import Series

_BACKLIT = 2.2, 130.0, 90.0  # surroundings over person; surroundings at least; person at most
_AFTER_CUT = 0.3  # seconds in which a network is still finding its memory
_BLUR = 0.75, 0.008  # sharpness against the shot's usual one; sides of the picture a frame
_SINGLE = 0.3  # share of the jumps that smoothing must undo to be worth a try


@dataclass(frozen=True)
class Option:
    """Something to try: what to add to `koutu video`, or "" if nothing there helps, and what it would do."""

    flags: str
    why: str


_PLATE = Option(
    "--model bgmv2 --weights WEIGHTS --plate EMPTY-ROOM.jpg",
    "if you can photograph the scene without anybody: the network then knows what is background",
)
_CARRIED = Option(
    "--model mgmatting --weights WEIGHTS --mask FIRST.png --propagate STM-WEIGHTS",
    "a mask of the first frame that you draw or correct says who is meant, and is carried through the video",
)
_RVM = Option("--model rvm --weights WEIGHTS", "a larger network with a longer memory")
_GUIDED = Option(
    "--model mgmatting --weights WEIGHTS --mask auto", "finds the edge anew, at full size, around the default's matte"
)
_SMOOTH = Option("--smooth", "takes back jumps that last one frame, as many of these do; adds one frame of delay")
_PLAIN = Option("--no-refine", "the frame's own noise and pattern are then not copied into alpha; edges get softer")
_ONE_BY_ONE = Option("--model modnet --weights WEIGHTS", "looks at every frame alone, so that a cut cannot mislead it")

WHY = {
    "low light": "the frame is dark (median brightness {exposure:.0f} of 255): noise hides the edge",
    "backlight": "the light comes from behind: person {light:.0f}, surroundings {behind:.0f} of 255",
    "cut": "a shot begins here: the network has no memory yet of what it sees",
    "motion blur": "the person moves fast and is blurred: {sharp:.0%} of the usual sharpness",
    "empty": "alpha is empty; the light does not tell why",
    "leak": "something behind or beside the person looks like a part of it",
    "hole": "a part of the person looks like what is behind",
    "flicker": "the network changes its mind from frame to frame",
    "unsure": "the network cannot tell person from background here",
}
_LIGHT = Option("", "light the person from the front, or close the blind behind, and record again: that helps most")
_MORE_LIGHT = Option("", "more light on the person, and record again: that helps most")
_SHUTTER = Option("", "more light and a shorter exposure when recording; blurred edges are rightly half transparent")


def cause_of(spell: Spell, series: Series) -> tuple[str, str]:
    """The likely cause, a key of `WHY`, and the sentence that says what speaks for it."""
    part = slice(spell.first, spell.last + 1)
    shot = next(s for s in shots(series) if s.start <= spell.worst < s.stop)
    facts = {name: _median(series[name][shot]) for name in ("light", "behind")}
    facts["exposure"] = _median(series["exposure"][part])
    usual = _median(series["sharpness"][shot])
    around = slice(max(shot.start, spell.first - 2), min(shot.stop, spell.last + 3))
    facts["sharp"] = _least(series["sharpness"][around]) / usual if usual > 0 else 1.0
    speed = float(np.nan_to_num(series["motion"][around]).max(initial=0))
    cause = spell.sign
    ratio, bright, dim = _BACKLIT
    since_cut = series.seconds[spell.first] - series.seconds[shot.start]
    if facts["exposure"] < DARK and not facts["light"] > 2 * DARK:
        cause = "low light"
    elif facts["behind"] > max(bright, ratio * facts["light"]) and facts["light"] < dim:
        cause = "backlight"
    elif shot.start > 0 and since_cut <= _AFTER_CUT:
        cause = "cut"
    elif spell.sign != "empty" and facts["sharp"] < _BLUR[0] and speed > _BLUR[1]:
        cause = "motion blur"
    return cause, WHY[cause].format(**facts)


def options_for(spell: Spell, cause: str, series: Series) -> tuple[Option, ...]:
    """What to try, the likeliest first."""
    single = _median(series["single"][spell.first : spell.last + 1])
    first = (_SMOOTH,) if spell.sign in ("flicker", "hole", "leak") and single >= _SINGLE else ()
    return (
        first
        + {
            "low light": (_MORE_LIGHT, _PLAIN, _RVM),
            "backlight": (_LIGHT, _PLATE, _RVM),
            "cut": (_ONE_BY_ONE, _PLATE),
            "motion blur": (_SHUTTER, _RVM),
            "empty": (_CARRIED, _RVM),
            "leak": (_PLATE, _CARRIED, _RVM),
            "hole": (_CARRIED, _PLATE, _RVM),
            "flicker": (_RVM, _PLAIN),
            "unsure": (_GUIDED, _PLATE),
        }[cause]
    )


def _median(values: np.ndarray) -> float:
    known = values[np.isfinite(values)]
    return float(np.median(known)) if len(known) else math.nan


def _least(values: np.ndarray) -> float:
    known = values[np.isfinite(values)]
    return float(known.min()) if len(known) else math.nan
