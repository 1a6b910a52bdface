"""Some of several people: those who were chosen stay through the clip, all others go."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from koutu.color import to_rgb
from koutu.matting.matte import Matte
from koutu.matting.people import ANOTHER, SHARE, Labels, PersonAt, carried, nearest, pixel_of, regions
from koutu.types import InputError, Rgb

LONGEST = 320  # side of the matte that people are told apart on
SOON = 0.005  # seconds, by which players round the moment of a frame
ALIKE = 0.5  # Bhattacharyya distance of colours below which somebody who comes is taken for somebody who was lost
BINS = 6  # of each colour channel
STEADY = 0.9  # share of what somebody looked like before in what they look like now
TOLD = 6  # absences that are told one by one


@dataclass
class _Somebody:
    """looks: a histogram of their colours; since: the second from which on they were not seen, None while they are."""

    looks: NDArray[np.float32]
    since: float | None = None


class Chosen:
    """Matte → Matte with the chosen people of one stream alone; everybody else's alpha is 0.

    keep: who stays, each from their moment on; before the first of these everybody does. only_person: instead, this
    one from the left, 1 or more, in the first frame that so many are in. Regions of alpha that do not touch are people;
    each is who most of it was in the frame before, and people who come to touch are parted as they stood. Who was lost,
    as at a cut, is found again by colours. first: instead, all whom the first frame shows, taken for one. Raises
    InputError where nobody is at the point.
    """

    def __init__(self, keep: Sequence[PersonAt] = (), only_person: int | None = None, *, first: bool = False):
        if keep and only_person is not None:
            raise InputError("expected people by their points or by their number, got both; give one of them")
        if only_person is not None and only_person < 1:
            raise InputError(f"expected a person's number from the left, got {only_person}; the leftmost is 1")
        self._due, self._nth = sorted(keep, key=lambda person: person.seconds), only_person
        self._first, self._another = first, SHARE if first else ANOTHER
        self._asked = bool(keep or only_person or first)
        self._known: list[_Somebody] = []  # those who stay; label i + 1 is theirs, the one after all others'
        self._before: Labels | None = None
        self._absent: list[tuple[int, float, float | None]] = []  # who, from when, until when
        self._began = self._last = 0.0
        self._most = 0  # people in one frame so far

    def __call__(self, matte: Matte) -> Matte:
        """The matte without the others."""
        if not self._asked:
            return matte
        self._last = float(matte.frame.seconds)
        height, width = matte.alpha.shape
        scale = min(1.0, LONGEST / max(height, width))
        size = max(1, round(height * scale)), max(1, round(width * scale))
        found = regions(np.asarray(cv2.resize(matte.mixed, size[::-1], interpolation=cv2.INTER_AREA)))
        rgb = to_rgb(matte.frame.picture, size)
        labels = self._named(found, rgb, matte.fresh)
        labels = self._begun(labels, found, rgb, (size[1] / width, size[0] / height))
        self._before = labels
        if not self._known:
            return matte
        self._watch(labels, rgb)
        stays = (nearest(labels) - 1).astype(np.uint32) < len(self._known)  # 0, nobody, is far beyond
        if stays.all():
            return matte
        share = cv2.resize(stays.astype(np.float32), (width, height), interpolation=cv2.INTER_LINEAR)
        alpha = np.rint(matte.alpha * share).astype(np.uint8)
        return replace(matte, alpha=alpha, found=matte.mixed)

    def require_met(self) -> None:
        """Raise InputError if the stream ended before everybody was chosen."""
        if self._due:
            raise InputError(
                f"expected the moments of people to keep within the video, got {self._due[0].seconds:g} s, and its "
                f"last frame is at {self._last:.2f} s; name an earlier one"
            )
        if self._nth and not self._known:
            raise InputError(
                f"expected {self._nth} people or more in one frame, found {self._most} at most; choose by a point "
                "and a moment (keep, --keep)"
            )

    def notes(self) -> list[str]:
        """What a user must know of it, in sentences."""
        told = []
        if self._known and self._began > 0:
            told.append(f"everybody stays until {self._began:.2f} s, where the first person was chosen")
        absent = [*self._absent, *((i, who.since, None) for i, who in enumerate(self._known) if who.since is not None)]
        for i, since, until in absent[:TOLD]:
            name = "the person who stays" if len(self._known) == 1 else f"person {i + 1} of those who stay"
            again = "not found again" if until is None else f"found again at {until:.2f} s"
            told.append(f"{name} was lost at {since:.2f} s and {again}")
        if len(absent) > TOLD:
            told.append(f"people who stay were lost {len(absent) - TOLD} more times")
        return told

    def _named(self, found: Labels, rgb: Rgb, fresh: bool) -> Labels:
        """Who is who of the regions: those known by where they were, then the lost by their colours."""
        if not self._known:
            return found
        others = len(self._known) + 1
        blank = self._before is None or self._before.shape != found.shape or fresh
        labels = np.zeros_like(found) if blank else carried(found, self._before, self._another)  # type: ignore[arg-type]
        free = [int(region) for region in np.unique(found) if region and not labels[found == region].any()]
        lost = [i for i in range(len(self._known)) if not (labels == i + 1).any()]
        looks = {region: _looks(rgb, found == region) for region in free}
        pairs = sorted((_apart(looks[region], self._known[i].looks), region, i) for region in free for i in lost)
        for apart, region, i in pairs:
            if apart < ALIKE and region in free and i in lost:
                labels[found == region] = i + 1
                free.remove(region)
                lost.remove(i)
        for region in free:
            labels[found == region] = others
        return labels

    def _begun(self, labels: Labels, found: Labels, rgb: Rgb, scales: tuple[float, float]) -> Labels:
        """The labels with whoever is chosen at this frame."""
        if self._first and found.any():
            self._first = False
            return self._take(labels, found > 0, rgb)
        if self._nth and not self._known:
            self._most = max(self._most, int(found.max(initial=0)))
            return self._take(labels, found == self._nth, rgb) if self._nth <= self._most else labels
        while self._due and self._due[0].seconds <= self._last + SOON:
            person = self._due.pop(0)
            at = pixel_of(person, labels, found, scales)
            labels = self._take(labels, (labels == labels[at]) & (found == found[at]), rgb)
        return labels

    def _take(self, labels: Labels, inside: NDArray[np.bool_], rgb: Rgb) -> Labels:
        """The labels with one more person who stays, unless they do already."""
        known = len(self._known)
        if known and 0 < labels[inside][0] <= known:
            return labels
        if not known:
            self._began = self._last
            labels = np.where(labels > 0, 2, 0).astype(np.int32)
        else:
            labels = np.where(labels > known, known + 2, labels).astype(np.int32)
        labels[inside] = known + 1
        self._known.append(_Somebody(_looks(rgb, inside)))
        return labels

    def _watch(self, labels: Labels, rgb: Rgb) -> None:
        """Remember what everybody looks like, and since when who is lost."""
        for i, somebody in enumerate(self._known):
            inside = labels == i + 1
            if not inside.any():
                somebody.since = self._last if somebody.since is None else somebody.since
                continue
            looks = STEADY * somebody.looks + (1 - STEADY) * _looks(rgb, inside)
            somebody.looks = np.asarray(looks, np.float32)
            if somebody.since is not None:
                self._absent.append((i, somebody.since, self._last))
                somebody.since = None


def _looks(rgb: Rgb, inside: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Histogram of the colours there, of sum 1."""
    counts: Any = cv2.calcHist([rgb], [0, 1, 2], inside.astype(np.uint8), [BINS] * 3, [0, 256] * 3)
    return np.asarray(counts / max(1.0, counts.sum()), np.float32)


def _apart(a: NDArray[np.float32], b: NDArray[np.float32]) -> float:
    return float(cv2.compareHist(a, b, cv2.HISTCMP_BHATTACHARYYA))
