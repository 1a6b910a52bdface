"""One clip of `koutu data matte`: its frames solved, made steady, judged, and kept in runs without a gap."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from koutu import __version__
from koutu.data.mattes.checks import Limits
from koutu.data.mattes.clip_files import ClipJob, forget, forget_plate, write
from koutu.data.mattes.clip_frame import EMPTY, FrameStore, Record, SolvedFrame, judged, solved_frame
from koutu.data.mattes.clip_frames import ClipFrames, cut_between, images_by_name, taken
from koutu.data.mattes.clip_plan import SHORTEST, ClipPlan
from koutu.data.mattes.clip_plate import clip_plate
from koutu.data.mattes.one import ACCEPTED, FAILED, REJECTED
from koutu.data.mattes.plan import MattePlan
from koutu.data.mattes.teachers import Opinion, asked, teachers
from koutu.data.mattes.workers import end_if_stopped
from koutu.data.sets.fitting import shrunk
from koutu.data.sets.reading import READERS
from koutu.matting.known_plate import Plate
from koutu.matting.steady import Neighbour, steadied
from koutu.types import InputError, Rgb

Told = Callable[[int, int, str], None]


@dataclass(frozen=True)
class _Shown:
    """A frame of a clip: name, (H, W, 3), whether a shot begins with it."""

    name: str
    rgb: Rgb
    fresh: bool


def make_clip(
    job: ClipJob, plan: MattePlan, clips: ClipPlan, told: Told = lambda done, total, name: None
) -> list[Record]:
    """The records of a clip's frames, or of the clip if it cannot be used. Raises OutputError, ModelError."""
    store = FrameStore(job.out, job.name)
    try:
        frames = taken(job.path, clips, plan.long_side)
        masks = Masks(job, plan)
        plate = None
        if clips.plate:
            plate = clip_plate(job.name, frames, masks, masks.content, clips.plate, store, job.out)
        else:
            forget_plate(job, clips)
        shots = _solve(frames, masks, plate, plan, store, told)
        _steady(frames, plate, store)
        records = in_runs(job.name, shots, store)
        forget(job, store, {record["frame"] for record in records})
        write(job, frames, records, plate, plan, store)
    except InputError as e:
        forget(job, store, set())
        forget_plate(job, clips)
        return [{"name": job.name, "clip": job.name, "frame": "", "verdict": FAILED, "reasons": [str(e)]}]
    return records


class Masks:
    """Name and frame (H, W, 3) → who is in it, by its mask or by the plan's networks. Raises InputError."""

    def __init__(self, job: ClipJob, plan: MattePlan):
        self.job, self.plan = job, plan
        if job.masks is not None and not job.masks.is_dir():
            raise InputError(
                f"{job.path}: expected a folder {job.masks} of masks named like its frames, got none; add it, or leave "
                "the clip out"
            )
        self.named = {} if job.masks is None else images_by_name(job.masks)

    def content(self, name: str) -> bytes:
        """What the answer rests on: the mask's file, or the networks and how they are asked."""
        if self.job.masks is None:
            return f"{teachers(self.plan.networks)} {self.plan.networks} {self.plan.mirrored}".encode()
        return self._file(name).read_bytes()

    def __call__(self, name: str, rgb: Rgb) -> Opinion:
        if self.job.masks is None:
            return asked(rgb, self.plan.networks, mirrored=self.plan.mirrored)
        file = self._file(name)
        mask = shrunk(np.asarray(READERS["truth"](file)["pha"], np.float32), self.plan.long_side)
        if mask.shape != rgb.shape[:2]:
            sizes = [f"{shape[1]}×{shape[0]}" for shape in (rgb.shape, mask.shape)]
            raise InputError(f"{file}: expected a mask of {sizes[0]} like its frame, got {sizes[1]}; give its own")
        return Opinion(mask, {})

    def _file(self, name: str) -> Path:
        if name not in self.named:
            raise InputError(
                f"{self.job.path}: expected a mask {self.job.masks}/{name}.* for each frame taken, got none; add it, "
                "or take other frames with --every"
            )
        return self.named[name]


def _solve(
    frames: ClipFrames, masks: Masks, plate: Plate | None, plan: MattePlan, store: FrameStore, told: Told
) -> list[tuple[str, bool]]:
    """Every frame solved by itself; their names, and whether a shot begins with them."""
    shots: list[tuple[str, bool]] = []
    plainly = f"{replace(plan, pictures=False)} {teachers(plan.networks)} {Limits()} {__version__}"
    behind = store.key() if plate is None else store.key(plate.colours, plate.noise, plate.seen)
    for shown in _shots(frames):
        key = store.key(plainly, behind, shown.rgb, masks.content(shown.name))
        if store.solved(shown.name, key) is None:
            store.keep(shown.name, key, solved_frame(shown.rgb, masks(shown.name, shown.rgb), plate, plan.method))
        shots.append((shown.name, shown.fresh))
        told(len(shots), frames.count, shown.name)
    return shots


def _steady(frames: ClipFrames, plate: Plate | None, store: FrameStore) -> None:
    """Every frame's alpha made steady by those beside it in its shot, and judged."""
    for before, shown, after in _windows(_shots(frames)):
        beside = [before] if before is not None and not shown.fresh else []
        beside += [after] if after is not None and not after.fresh else []
        joint = store.key(*(store.record(x.name)["key"] for x in [shown, *beside]))
        if store.record(shown.name).get("joint") == joint and store.planes(shown.name) is not None:
            continue
        frame = _solved(store, shown.name)
        alphas = [_solved(store, x.name).alpha for x in beside]
        neighbours = [Neighbour(x.rgb, a) for x, a in zip(beside, alphas, strict=True) if a.any()]
        alpha, contradicted = frame.alpha, 0.0
        if not frame.empty and frame.alpha.any():
            made = steadied(shown.rgb, frame.alpha, frame.trimap, neighbours)
            alpha, contradicted = made.alpha, made.contradicted
        judgement = judged(shown.rgb, frame, alpha, contradicted, plate is not None)
        store.finish(shown.name, frame, alpha, judgement, joint)


def in_runs(clip: str, shots: Sequence[tuple[str, bool]], store: FrameStore) -> list[Record]:
    """Records of the frames: what was judged well is accepted in runs of SHORTEST frames or more without a gap."""
    records, run = [], []
    for name, fresh in shots:
        told = store.record(name)
        judgement = told["judgement"]
        verdict = EMPTY if told["empty"] else REJECTED if judgement["reasons"] else ACCEPTED
        record = {"name": f"{clip}/{name}", "clip": clip, "frame": name, "verdict": verdict, **judgement}
        if run and (fresh or verdict != ACCEPTED):
            _close(clip, run)
            run = []
        if verdict == ACCEPTED:
            run.append(record)
        records.append(record)
    _close(clip, run)
    return records


def _close(clip: str, run: Sequence[Record]) -> None:
    for record in run:
        if len(run) < SHORTEST:
            reason = f"one of a run of {len(run)}, under {SHORTEST} frames without a gap"
            record.update(verdict=REJECTED, reasons=[reason])
        else:
            record["name"] = f"{clip}-{run[0]['frame']}/{record['frame']}"


def _solved(store: FrameStore, name: str) -> SolvedFrame:
    found = store.solved(name, store.record(name)["key"])
    assert found is not None
    return found


def _shots(frames: ClipFrames) -> Iterator[_Shown]:
    before = None
    for name, rgb in frames:
        end_if_stopped()
        yield _Shown(name, rgb, before is None or cut_between(before, rgb))
        before = rgb


def _windows(shown: Iterable[_Shown]) -> Iterator[tuple[_Shown | None, _Shown, _Shown | None]]:
    """Each frame with the one before and the one after."""
    before, now = None, None
    for after in shown:
        if now is not None:
            yield before, now, after
        before, now = now, after
    if now is not None:
        yield before, now, None
