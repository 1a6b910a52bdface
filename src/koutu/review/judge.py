"""From numbers a frame to spells of trouble: what stands out of its own shot, and out of what any matte may show.

A value is trouble over max(floor, median + 6 σ) of its shot, σ = 1.4826 · MAD, or over `ceiling` however usual it is.
"""

import math
from dataclasses import dataclass, replace
from typing import NamedTuple

import cv2
import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from koutu.review.record import EMPTY, Series

DARK = 45.0  # median brightness of 255 below which noise is as strong as contours
_FADED = 0.8  # of a shot's usual brightness
_SIGMAS = 6.0
_JOIN = 0.4  # seconds between two spells that are reported as one
_WINDOW = 6.0  # seconds of which the commonest state is taken for the right one
_SHOT = 12  # frames that a shot needs to be judged by its own median
_NOISE = 0.01  # of the person's area: smaller unexplained changes are not added up
_STATE = 0.03  # of the person's area, about a hundredth of the picture: an unexplained gain or loss beyond is trouble
_RESIDUE = 0.25  # of the largest excursion around
_CHUNK = 4096


class Evidence(NamedTuple):
    """Of one sign by one measure: value over limit for every frame, and the value. `by` may name what is derived."""

    by: str
    severity: NDArray[np.float64]
    value: NDArray[np.float64]


class Limit(NamedTuple):
    """From where on a measure is trouble: never below `floor`, always over `ceiling`."""

    floor: float
    ceiling: float


LIMITS = {
    "flicker": Limit(0.06, 0.15),
    "holes": Limit(0.015, 0.06),
    "islands": Limit(0.003, 0.003),  # a loose part that can be seen is wrong however long it stays
    "unsure": Limit(0.12, 0.3),
    "edge": Limit(0.03, math.inf),  # a plain frame has none to lie on
}
ORDER = ("empty", "leak", "hole", "unsure", "flicker", "edge")  # an earlier sign explains a later one at the same time


@dataclass(frozen=True)
class Spell:
    """Frames first … last show `sign`, `worst` most; severity: value over limit. also: other signs at that time.

    by: what showed it, a measure, or "state" for a gain or loss of area that the frame does not explain.
    """

    sign: str
    by: str
    first: int
    last: int
    worst: int
    severity: float
    value: float
    also: tuple[str, ...] = ()


def spells(series: Series) -> list[Spell]:
    """All spells of trouble in the order of time."""
    if not len(series):
        return []
    empty = series["area"] < EMPTY
    disturbed = empty | np.concatenate([[False], empty[:-1]])  # what follows nothing is no flicker
    gained = _unexplained(series, disturbed)
    gain, loss = (Evidence("state", part / _STATE, part) for part in (_positive(gained), _positive(-gained)))
    evidence = {
        "empty": [Evidence("area", np.where(empty, 2.0, 0.0), series["area"].astype(np.float64))],
        "leak": [_over(series, "islands"), gain],
        "hole": [_over(series, "holes"), loss],
        "unsure": [_over(series, "unsure")],
        "flicker": [_over(series, "flicker")],
        "edge": [_off_the_edge(series)],
    }
    found: list[Spell] = []
    for sign in ORDER:
        found += _grouped(sign, evidence[sign], series.seconds, empty if sign == "empty" else ~disturbed)
    return [_named(_flickering(spell, evidence["flicker"][0]), series["area"]) for spell in _absorbed(found)]


def shots(series: Series) -> list[slice]:
    """The frames of each shot."""
    starts = np.flatnonzero(series["cut"] > 0).tolist()
    ends = [*starts[1:], len(series)]
    return [slice(a, b) for a, b in zip(starts, ends, strict=True)]


def _over(series: Series, name: str) -> Evidence:
    """A measure against its limit; 0 where unknown."""
    values, limit = np.nan_to_num(series[name].astype(np.float64)), LIMITS[name]
    known = np.isfinite(series[name]) & (series["area"] >= EMPTY)
    severity = np.zeros(len(values))
    for shot in shots(series):
        usual = values[shot][known[shot]] if known[shot].sum() >= _SHOT else values[known]
        median = float(np.median(usual)) if len(usual) else 0.0
        sigma = 1.4826 * float(np.median(np.abs(usual - median))) if len(usual) else 0.0
        relative = max(limit.floor, median + _SIGMAS * sigma)
        severity[shot] = values[shot] / min(relative, limit.ceiling)
    return Evidence(name, severity, values)


def _positive(values: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.where(values > 0, values, 0.0)


def _off_the_edge(series: Series) -> Evidence:
    """Alpha's edge off the frame's edges, where the frame is as bright as usual and so has its own."""
    off, lit = _over(series, "edge"), series["exposure"] >= DARK
    for shot in shots(series):
        lit[shot] &= series["exposure"][shot] >= _FADED * np.median(series["exposure"][shot])
    return off._replace(severity=off.severity * lit)


def _unexplained(series: Series, disturbed: NDArray[np.bool_]) -> NDArray[np.float64]:
    """What the person has gained (> 0) or lost without the frame changing, as a share of its usual area.

    Changes add up within a shot; the state that is commonest within some seconds counts as right.
    """
    change = np.nan_to_num(series["appeared"].astype(np.float64) - series["vanished"])
    change[disturbed] = 0
    state = np.zeros(len(change))
    for shot in shots(series):
        usual = float(np.median(series["area"][shot]))
        if usual < EMPTY:
            continue
        part = change[shot] / usual
        part[np.abs(part) < _NOISE] = 0
        total = np.cumsum(part)
        rate = (shot.stop - shot.start) / max(1e-3, series.seconds[shot.stop - 1] - series.seconds[shot.start])
        window = 2 * round(_WINDOW * min(rate, 120) / 2) + 1
        state[shot] = _settled(total - _running_median(total, window), window)
    return state


def _settled(state: NDArray[np.float64], window: int) -> NDArray[np.float64]:
    """Without what an excursion leaves behind because its end was not counted quite as its beginning was."""
    largest = cv2.dilate(np.abs(state)[None], np.ones((1, window), np.uint8), borderType=cv2.BORDER_REPLICATE)[0]
    return np.where(np.abs(state) > _RESIDUE * largest, state, 0.0)


def _running_median(values: NDArray[np.float64], window: int) -> NDArray[np.float64]:
    if len(values) <= window:
        return np.full(len(values), np.median(values))
    half = window // 2
    padded = np.pad(values, half, mode="reflect")
    return np.concatenate(
        [
            np.median(sliding_window_view(padded[at : at + _CHUNK + 2 * half], window), axis=1)
            for at in range(0, len(values), _CHUNK)
        ]
    )


def _grouped(
    sign: str, evidence: list[Evidence], seconds: NDArray[np.float64], counted: NDArray[np.bool_]
) -> list[Spell]:
    """The spells of one sign, by whichever evidence is strongest."""
    strengths = np.stack([e.severity for e in evidence]) * counted
    severity = strengths.max(axis=0)
    frames = np.flatnonzero(severity > 1)
    if not len(frames):
        return []
    found = []
    for part in np.split(frames, np.flatnonzero(np.diff(seconds[frames]) > _JOIN) + 1):
        worst = int(part[np.argmax(severity[part])])
        if sign == "flicker" and len(part) < 2 and severity[worst] < 2:
            continue  # one slight tremble is not seen
        by = evidence[int(np.argmax(strengths[:, worst]))]
        value = float(by.value[worst])
        found.append(Spell(sign, by.by, int(part[0]), int(part[-1]), worst, float(severity[worst]), value))
    return found


def _absorbed(found: list[Spell]) -> list[Spell]:
    """Spells of which half or more lies within one of an earlier sign become a word of that one."""
    kept: list[Spell] = []
    for spell in found:
        host = next((i for i, k in enumerate(kept) if _overlap(k, spell) * 2 >= spell.last - spell.first + 1), None)
        if host is None:
            kept.append(spell)
        elif spell.sign not in ("edge", kept[host].sign, *kept[host].also):
            kept[host] = replace(kept[host], also=(*kept[host].also, spell.sign))
    return sorted(kept, key=lambda s: s.first)


def _flickering(spell: Spell, flicker: Evidence) -> Spell:
    """What is too large and too small by turns is neither: it flickers."""
    if not {"leak", "hole", "flicker"} <= {spell.sign, *spell.also}:
        return spell
    worst = spell.first + int(np.argmax(flicker.severity[spell.first : spell.last + 1]))
    also = tuple(dict.fromkeys(sign for sign in ("leak", "hole", *spell.also) if sign != "flicker"))
    severity, value = float(flicker.severity[worst]), float(flicker.value[worst])
    return Spell("flicker", "flicker", spell.first, spell.last, worst, severity, value, also)


def _named(spell: Spell, area: NDArray[np.float32]) -> Spell:
    """An edge that is off the frame's lies outside of the person if the area is larger than usual, else inside."""
    if spell.sign != "edge":
        return spell
    return replace(spell, sign="leak" if area[spell.worst] >= np.median(area) else "hole")


def _overlap(a: Spell, b: Spell) -> int:
    """Frames of b that are in a, or at its ends: what begins a trouble flickers too."""
    return max(0, min(a.last + 2, b.last) - max(a.first - 2, b.first) + 1)
