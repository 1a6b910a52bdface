"""Data sets into packs: each image shrunk, masks made to follow the image, frames spread over their clip."""

from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from koutu.data.mattes.soft_matte import guided_matte
from koutu.data.packs.card import card, require_classes
from koutu.data.packs.fill_background import MOST, emptied
from koutu.data.packs.index import Entry
from koutu.data.packs.pack_writer import Packed, write_pack
from koutu.data.packs.plan import PackPlan
from koutu.data.packs.report import PackReport
from koutu.data.packs.sources import Opened, Source, names_in, open_backgrounds, open_people, without
from koutu.data.sets.example import Broken, Clip, Example
from koutu.data.sets.fitting import shrunk
from koutu.data.sets.videos import VideoFrames
from koutu.files import folder
from koutu.matting.pull_push import extended
from koutu.types import InputError, OutputError

PEOPLE_SIDE, BACKGROUND_SIDE = 448, 640
_FRAMES = 8  # of a clip, unless said otherwise
_NOBODY = 2  # levels of alpha that say nothing
_AHEAD = 16  # clips read before they are written

Progress = Callable[[int, int, str], None]  # clips done, clips in all, the clip now


def pack_sets(
    sets: Sequence[Source],
    out: Path,
    plan: PackPlan | None = None,
    *,
    command: str = "",
    progress: Progress = lambda done, total, clip: None,
) -> PackReport:
    """Write sets as the pack OUT.bin and OUT.json, or shards, with its card OUT.md; what is broken is left out.

    In shards, what belongs to one group comes together, else everything is in the order of the sets. command: what the
    card says that the pack is made with. Raises InputError, before anything is written, for sets, groups, classes and
    names that are not there, and if nothing could be packed; OutputError.
    """
    plan = plan or PackPlan()
    if out.suffix not in ("", ".bin", ".json"):
        raise OutputError(f"expected a pack named OUT or OUT.bin, got {out}; name it so")
    names = [source.name for source in sets]
    if twice := [name for name, count in Counter(names).items() if count > 1]:
        raise InputError(f"expected sets of different names, got {twice[0]} twice; give NAME=DIR")
    if strange := sorted(set(plan.emptied) - set(names if plan.backgrounds else ())):
        raise InputError(f"expected sets of backgrounds to empty of people, got {', '.join(strange)}; name such a set")
    places = {source.name for source in sets if plan.backgrounds and source.name not in plan.emptied}
    opened = [(open_backgrounds if source.name in places else open_people)(source) for source in sets]
    opened = without(opened, names_in(plan.exclude))
    require_classes(opened, plan.clean)
    report = PackReport({item.source.name: item.split for item in opened})
    report.excluded.update({item.source.name: item.excluded for item in opened})
    report.others.update({item.source.name: item.others for item in opened if item.others})
    report.broken += [Broken(f"{i.source.name}/{b.name}", b.reason) for i in opened for b in i.broken]
    folder(out.parent)
    write_pack(
        out, _all(opened, plan, report, progress), shard_mb=plan.shard_mb,
        card=lambda parts: card(out.stem, opened, plan, parts, report.left_out(), command),
    )  # fmt: skip
    return report


def _all(opened: Sequence[Opened], plan: PackPlan, report: PackReport, progress: Progress) -> Iterator[Packed]:
    """Every packed image in order, read by several threads a few clips ahead."""
    work = [(item, clip) for item in opened for clip in item.clips]
    if plan.shard_mb:  # who belongs together lies together
        order = {group: n for n, group in enumerate(dict.fromkeys(item.group(clip) for item, clip in work))}
        work.sort(key=lambda pair: order[pair[0].group(pair[1])])
    groups: dict[str, set[str]] = {}
    pending: deque[Future[list[Packed | Broken | str]]] = deque()
    with ThreadPoolExecutor(plan.threads or None) as pool:
        try:
            for done in range(len(work)):
                while len(pending) < _AHEAD and done + len(pending) < len(work):
                    pending.append(pool.submit(_clip, *work[done + len(pending)], plan))
                for found in pending.popleft().result():
                    if isinstance(found, Broken):
                        report.broken.append(found)
                    elif isinstance(found, str):
                        report.nobody.append(found)
                    else:
                        report.counts[found[0].source] += 1
                        groups.setdefault(found[0].source, set()).add(found[0].group)
                        yield found
                progress(done + 1, len(work), work[done][1].name)
        finally:
            pool.shutdown(wait=True, cancel_futures=True)
    report.groups.update({name: len(held) for name, held in groups.items()})
    if not report.counts:
        few = "".join(f"\n  {item.name}: {item.reason}" for item in report.broken[:3])
        raise InputError(f"expected images to pack, got none that can be used{few}")


def _clip(item: Opened, clip: Clip, plan: PackPlan) -> list[Packed | Broken | str]:
    """The clip's packed frames; a reason for each that is broken; the name of each that shows nobody."""
    found: list[Packed | Broken | str] = []
    most = plan.frames or (len(clip) if clip.whole else _FRAMES)
    moving = not clip.still and len(clip) <= most and not plan.backgrounds
    for number, example in enumerate(_sampled(clip, most)):
        name = f"{item.source.name}/{example.name}"
        if example.name in item.exclude:
            continue
        if isinstance(example, Broken):
            found.append(Broken(name, example.reason))
            continue
        place = item.source.name in plan.emptied
        packed = _background(example, plan) if plan.backgrounds and not place else _person(example, plan)
        if place and not isinstance(packed, str):
            packed = _place(packed)
        if isinstance(packed, str):
            found.append(Broken(name, packed))
        elif not plan.backgrounds and packed[..., 3].max() <= _NOBODY:
            found.append(name)
        else:
            alone = not plan.backgrounds and example.src is None
            soft = not plan.backgrounds and not example.binary
            height, width, channels = packed.shape
            found.append((
                Entry(
                    example.name, item.source.name, item.group(clip), soft, height, width, channels, alone=alone,
                    licence=item.source.licence or clip.licence, frame=number if moving else -1,
                ),
                packed,
            ))  # fmt: skip
    return found


def _sampled(clip: Clip, frames: int) -> Iterator[Example | Broken]:
    """At most so many of the clip's examples, each from the middle of its part; a video is decoded once."""
    total = len(clip)
    if total <= frames:
        yield from clip.examples()
        return
    wanted = [(2 * i + 1) * total // (2 * frames) for i in range(frames)]
    if isinstance(clip.frames, VideoFrames):
        for at, example in enumerate(clip.examples(0, wanted[-1] + 1)):
            if isinstance(example, Broken) or at in wanted:
                yield example
    else:
        for at in wanted:
            yield from clip.examples(at, at + 1)


def _background(example: Example, plan: PackPlan) -> NDArray[np.uint8] | str:
    assert example.src is not None
    return shrunk(example.src, plan.long_side or BACKGROUND_SIDE)


def _place(person: NDArray[np.uint8]) -> NDArray[np.uint8] | str:
    rgb, pha = np.ascontiguousarray(person[..., :3]), np.ascontiguousarray(person[..., 3])
    place = emptied(rgb, pha)
    return f"expected a place around the person, got one who fills over {MOST:.0%}" if place is None else place


def _person(example: Example, plan: PackPlan) -> NDArray[np.uint8] | str:
    """RGBA (H, W, 4); or why it cannot be made."""
    colours = example.src if example.src is not None else example.fgr
    if example.pha is None or colours is None:
        return "expected a matte or a mask, got an image alone; make mattes with koutu data matte"
    side = plan.long_side or PEOPLE_SIDE
    if example.src is None:  # what an eraser left outside must not bleed into the rim
        colours = extended(colours, _levels(example.pha))
    rgb = shrunk(np.ascontiguousarray(colours), side)
    alpha = shrunk(example.pha, side)
    pha = guided_matte(rgb, alpha) if example.binary and example.src is not None else _levels(alpha)
    return np.dstack([rgb, pha])


def _levels(pha: NDArray[Any]) -> NDArray[np.uint8]:
    return np.rint(pha * 255).astype(np.uint8)
