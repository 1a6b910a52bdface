"""A training run as one YAML file: the network, its data, and the stages it goes through; strictly read."""

from collections.abc import Mapping, Sequence
from dataclasses import MISSING, dataclass, field, fields, is_dataclass, replace
from pathlib import Path
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

import yaml

from koutu.data.scenes.sample import SceneConfig
from koutu.types import InputError

T = TypeVar("T")
SCHEDULES = ("cosine", "linear", "steps", "constant")
OPTIMISERS = ("adamw", "adam", "sgd")


@dataclass(frozen=True)
class Footage:
    """Real clips without truth, each with a photograph of its place without anybody.

    clips: videos or folders of images; plates: a photograph each, in the same order. folder: instead of both, one
    that has NAME.mp4, or NAME/, beside NAME_plate.png. segmentation: "NAME" or "NAME=FILE" of what `koutu` runs without
    hints, for rough masks; "" for the default network. frames: of each clip, spread evenly; side: the shorter one of
    frames, at most; align: bring the photograph into line with every frame.
    """

    clips: tuple[str, ...] = ()
    plates: tuple[str, ...] = ()
    folder: str = ""
    segmentation: str = ""
    frames: int = 48
    side: int = 720
    align: bool = True

    def __bool__(self) -> bool:
        return bool(self.clips or self.plates or self.folder)


@dataclass(frozen=True)
class Pass:
    """One forward and backward pass with a step of its own; a stage takes its passes in turn.

    sizes: (until this share of the stage's steps, side of a sample); frames: of a clip; batch: clips a process;
    aspect: samples of a step are cut to a shape drawn from 1 : aspect to aspect : 1. reuse: samples that a scene is
    made into, each enlarged, mirrored and lit anew: scenes cost more than a small network learns from.
    every, offset: only at every so many steps, from step `offset` on; options: of the objective. footage: instead of
    made scenes, for objectives that need no truth.
    """

    objective: str
    batch: int = 8
    frames: int = 1
    sizes: tuple[tuple[float, int], ...] = ((1.0, 192),)
    aspect: float = 1.0
    reuse: int = 1
    every: int = 1
    offset: int = 0
    scenes: SceneConfig = field(default_factory=SceneConfig)
    options: Mapping[str, Any] = field(default_factory=dict)
    footage: Footage = field(default_factory=Footage)


@dataclass(frozen=True)
class Stage:
    """What is minimised for `steps` steps, and how.

    lr_of: prefix of parameters' names → factor on lr, 0 to leave them alone, their batch norms too; critic_lr: of
    the objective's critic. freeze_norms: batch norms keep what they know of means and variances everywhere.
    schedule: "cosine" down to 1 %, "linear" down to 1 %, "steps" a tenth at each of `milestones`, "constant".
    clip: of the gradient's norm, 0 for none. accumulate: backward passes a step.
    """

    passes: tuple[Pass, ...]
    steps: int
    name: str = "train"
    optimiser: str = "adamw"
    lr: float = 1e-3
    lr_of: Mapping[str, float] = field(default_factory=dict)
    critic_lr: float = 1e-4
    betas: tuple[float, float] = (0.9, 0.999)
    momentum: float = 0.9
    weight_decay: float = 1e-4
    warmup: int = 0
    schedule: str = "cosine"
    milestones: tuple[float, ...] = (0.25, 0.5, 0.75)
    clip: float = 5.0
    accumulate: int = 1
    freeze_norms: bool = False


@dataclass(frozen=True)
class Recipe:
    """network: a name of `koutu.models`; options: fields of its Config, or `variant`.

    people, backgrounds: packs (`koutu.data.packs.pack`), without ending. ema: of weights, 0 for none. precision:
    Lightning's ("32-true", "bf16-mixed", "16-mixed"). channels_last: weights lie in memory as batches do, which takes
    a quarter off a backward pass on a CPU. save_minutes: between checkpoints, each with a validation.
    max_hours: then the run stops, to be resumed. exclude: groups of people, "SET/NAME", that no run may see: broken
    ones, or those that are among test images.
    """

    network: str
    people: str
    backgrounds: str
    stages: tuple[Stage, ...]
    options: Mapping[str, Any] = field(default_factory=dict)
    init: str = ""
    begin_parts: tuple[str, ...] = ()
    seed: int = 1
    ema: float = 0.999
    precision: str = "32-true"
    channels_last: bool = False
    save_minutes: float = 4.0
    max_hours: float = 1000.0
    workers: int = 1
    threads: int = 0
    held_out: int = 50
    exclude: tuple[str, ...] = ()
    validation_clips: int = 32
    validation_frames: int = 4
    validation_size: int = 0


def read_recipe(path: Path, changes: Sequence[str] = ()) -> Recipe:
    """The recipe of a YAML file with changes "key=value"; a key of a stage changes every stage, "NAME.key" one.

    What a stage or pass does not say is taken from the level above it. Raises InputError naming what is wrong.
    """
    try:
        given = yaml.safe_load(path.read_text())
    except OSError as e:
        raise InputError(f"expected a recipe at {path}, got none ({e.strerror}); name a .yaml file") from e
    except yaml.YAMLError as e:
        raise InputError(f"{path}: expected YAML, got {' '.join(str(e).split())}; correct it") from e
    if not isinstance(given, dict):
        raise InputError(f"{path}: expected keys and values, got {type(given).__name__}; see recipes/ for examples")
    for change in changes:
        _change(given, change)
    recipe = fill(Recipe, _spread(given, path), str(path))
    for stage in recipe.stages:
        _require(stage.schedule in SCHEDULES, path, f"schedule out of {', '.join(SCHEDULES)}", stage.schedule)
        _require(stage.optimiser in OPTIMISERS, path, f"optimiser out of {', '.join(OPTIMISERS)}", stage.optimiser)
        _require(stage.steps > 0 and stage.accumulate > 0, path, "steps and accumulate of 1 or more", stage.steps)
        for given in stage.passes:
            _check_pass(given, path)
    names = [stage.name for stage in recipe.stages]
    _require(len(set(names)) == len(names), path, "stages of different names", ", ".join(names))
    return recipe


def _check_pass(given: Pass, path: Path) -> None:
    came = f"every {given.every} and offset {given.offset}"
    _require(given.every > given.offset >= 0, path, "every of 1 or more and an offset below it", came)
    _require(given.reuse >= 1, path, "reuse of 1 or more", given.reuse)
    footage = given.footage
    _require(footage.frames > 0 and footage.side > 0, path, "footage's frames and side of 1 or more", footage)
    _require(given.frames == 1 or not footage, path, "frames: 1 of a pass with footage", given.frames)


def fill(kind: type[T], given: Any, where: str) -> T:
    """An object of a dataclass from plain values; lists become tuples. Raises InputError naming the key."""
    if not isinstance(given, Mapping):
        raise InputError(f"{where}: expected the keys of {kind.__name__}, got {given!r}")
    hints, known = get_type_hints(kind), {f.name: f for f in fields(kind)}  # type: ignore[arg-type]
    unknown = [str(key) for key in given if key not in known]
    if unknown:
        raise InputError(f"{where}: expected keys out of {', '.join(known)}, got {', '.join(unknown)}; correct them")
    missing = [n for n, f in known.items() if n not in given and f.default is f.default_factory is MISSING]
    if missing:
        raise InputError(f"{where}: expected {', '.join(missing)} too; add them")
    return kind(**{name: _as(hints[name], value, f"{where}, {name}") for name, value in given.items()})


def _as(kind: Any, value: Any, where: str) -> Any:
    if is_dataclass(kind):
        return fill(kind, value, where)  # type: ignore[arg-type]
    origin, args = get_origin(kind), get_args(kind)
    if origin is tuple:
        if not isinstance(value, list | tuple):
            raise InputError(f"{where}: expected a list, got {value!r}")
        if len(args) == 2 and args[1] is Ellipsis:
            return tuple(_as(args[0], item, f"{where}[{i}]") for i, item in enumerate(value))
        if len(args) != len(value):
            raise InputError(f"{where}: expected {len(args)} values, got {value!r}")
        return tuple(_as(a, item, where) for a, item in zip(args, value, strict=True))
    if origin is not None:  # Mapping[str, …]
        if not isinstance(value, Mapping):
            raise InputError(f"{where}: expected keys and values, got {value!r}")
        return {
            str(key): item if args[1] is Any else _as(args[1], item, f"{where}.{key}") for key, item in value.items()
        }
    if kind is float and isinstance(value, str):  # YAML 1.1 takes 1e-4 for a word
        try:
            return float(value)
        except ValueError:
            raise InputError(f"{where}: expected a number, got {value!r}") from None
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if kind is not Any and (not isinstance(value, kind) or (kind is not bool and isinstance(value, bool))):
        raise InputError(f"{where}: expected {kind.__name__}, got {value!r}")
    return value


def _spread(given: dict[str, Any], path: Path) -> dict[str, Any]:
    """Keys of stages and passes that stand on a level above, put where they belong."""
    stage_keys, pass_keys = ({f.name for f in fields(kind)} - {"name"} for kind in (Stage, Pass))
    own = {f.name for f in fields(Recipe)} - {"options"}
    if unknown := sorted(set(given) - stage_keys - pass_keys - own - {"options"}):
        known = ", ".join(sorted(own | stage_keys | pass_keys))
        raise InputError(f"{path}: expected keys out of {known}, got {', '.join(unknown)}; correct them")
    above = {key: value for key, value in given.items() if key in (stage_keys | pass_keys) - own - {"options"}}
    stages = given.get("stages", [{}])
    if not isinstance(stages, list) or not all(isinstance(stage, dict) for stage in stages):
        raise InputError(f"{path}, stages: expected a list of keys and values, got {stages!r}")
    rest = {key: value for key, value in given.items() if key not in above and key != "stages"}
    return rest | {"stages": [_stage(above | stage, pass_keys, path) for stage in stages]}


def _stage(given: dict[str, Any], pass_keys: set[str], path: Path) -> dict[str, Any]:
    above = {key: value for key, value in given.items() if key in pass_keys}
    passes = given.get("passes", [{}])
    if not isinstance(passes, list) or not all(isinstance(item, dict) for item in passes):
        raise InputError(f"{path}, passes: expected a list of keys and values, got {passes!r}")
    merged = [_merged(above, item) for item in passes]
    return {key: value for key, value in given.items() if key not in above} | {"passes": merged}


def _merged(above: dict[str, Any], own: dict[str, Any]) -> dict[str, Any]:
    """The pass's keys over those above; its scenes and options over theirs, key by key."""
    both = above | own
    for key in ("scenes", "options", "footage"):
        if isinstance(above.get(key), dict) and isinstance(own.get(key), dict):
            both[key] = above[key] | own[key]
    return both


def _change(given: dict[str, Any], change: str) -> None:
    key, sign, text = change.partition("=")
    if not sign or not key:
        raise InputError(f"expected a change KEY=VALUE, got {change!r}; for example steps=100")
    try:
        value = yaml.safe_load(text)
    except yaml.YAMLError as e:
        raise InputError(f"expected a value in {change!r}, got something else; quote it") from e
    stages = [stage for stage in given.get("stages", []) if isinstance(stage, dict)]
    head, dot, tail = key.partition(".")
    named = [stage for stage in stages if stage.get("name") == head] if dot else []
    targets, path = (named, tail.split(".")) if named else ([given], key.split("."))
    if not named:  # a stage's own word would hide it
        for place in [*stages, *(p for stage in stages for p in stage.get("passes", []))]:
            if path[0] in place and path[0] not in ("name", "options"):
                targets.append(place)
    for target in targets:
        for step in path[:-1]:
            target = target.setdefault(step, {})
        target[path[-1]] = value


def _require(held: bool, path: Path, expected: str, came: Any) -> None:
    if not held:
        raise InputError(f"{path}: expected {expected}, got {came!r}; correct it")


def shortened(recipe: Recipe, steps: int) -> Recipe:
    """The recipe with every stage cut to at most so many steps."""
    return replace(recipe, stages=tuple(replace(s, steps=min(s.steps, steps)) for s in recipe.stages))
