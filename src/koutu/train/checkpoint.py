"""What a run leaves in its folder: a checkpoint that resumes it, the weights to use, a journal of figures."""

import json
import os
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from lightning_fabric import Fabric

from koutu.files import folder
from koutu.train.recipe import Recipe, fill
from koutu.types import InputError, OutputError

LAST, WEIGHTS, JOURNAL = "last.pt", "weights.pt", "journal.jsonl"
# a run may be resumed with other values of these
_FREE = ("max_hours", "save_minutes", "workers", "threads", "validation_clips", "init")
_NEWER = ("crowd", "strands")  # of scenes; a run from before they were there had none


class Checkpoint:
    """`last.pt`, everything a run needs to go on, and `weights.pt`, the averaged weights with the network's Config."""

    def __init__(self, out: Path, recipe: Recipe):
        self.path, self.weights = folder(out) / LAST, out / WEIGHTS
        self.recipe, self._step = recipe, ""

    def load(self, device: torch.device) -> dict[str, Any] | None:
        """What was saved; None if nothing was. Raises InputError if it belongs to another recipe."""
        if not self.path.is_file():
            return None
        try:
            state = torch.load(self.path, map_location=device, weights_only=True)
        except Exception as e:  # the reader raises whatever its parsers meet
            raise InputError(f"{self.path} cannot be read ({e}); remove it to begin anew") from e
        mine = _plain(self.recipe)
        _add_newer(state["recipe"])
        theirs = _plain(fill(Recipe, state["recipe"], str(self.path)))  # other newer keys: their defaults
        changed = [k for k in mine if k not in _FREE and mine[k] != theirs.get(k)]
        if changed:
            raise InputError(
                f"{self.path} is of a run with other {', '.join(changed)}; name another folder, or remove this one"
            )
        self._step = self._where(state)
        return state

    def save(self, fabric: Fabric, state: dict[str, Any]) -> None:
        """Both files, by the first process, each whole or not at all. Raises OutputError; what was there stays."""
        weights = state.pop("weights")
        if fabric.is_global_zero:
            config = {"network": self.recipe.network, "config": dict(self.recipe.options)}
            self._write(self.weights, {"state_dict": {k: v.cpu() for k, v in weights.items()}, **config})
            self._write(self.path, state | {"recipe": _plain(self.recipe)})  # last: who is killed between does it again
            self._step = self._where(state)
        fabric.barrier()

    def kept(self) -> str:
        """For error messages."""
        return f"{self.path} of {self._step} is kept" if self._step else "nothing was saved yet"

    def _where(self, state: dict[str, Any]) -> str:
        index, step = state["stage"], state["step"]
        stage = self.recipe.stages[index if step else index - 1]
        return f"{stage.name}, step {step} of {stage.steps}" if step else f"the end of {stage.name}"

    def _write(self, path: Path, content: dict[str, Any]) -> None:
        part = path.with_name(f".{path.name}.part")
        try:
            torch.save(content, part)
            os.replace(part, path)
        except (OSError, RuntimeError) as e:  # torch tells a full disk as a RuntimeError
            raise OutputError(f"{path} could not be written ({e}); make room, then go on: {self.kept()}") from e
        finally:
            part.unlink(missing_ok=True)


class Journal:
    """Figures by step: lines of journal.jsonl, and TensorBoard's files beside it."""

    def __init__(self, out: Path):
        self.path = out / JOURNAL
        try:
            from torch.utils.tensorboard import SummaryWriter  # pyright: ignore[reportPrivateImportUsage]
        except ImportError:
            self._board = None
        else:
            self._board = SummaryWriter(str(out / "tensorboard"))

    def __call__(self, stage: str, step: int, values: dict[str, float]) -> None:
        """Append a line. Raises OutputError."""
        line = {"stage": stage, "step": step, **{name: round(value, 6) for name, value in values.items()}}
        try:
            with self.path.open("a") as file:
                file.write(json.dumps(line) + "\n")
            if self._board is not None:
                for name, value in values.items():
                    self._board.add_scalar(f"{stage}/{name}", value, step)
                self._board.flush()
        except OSError as e:
            raise OutputError(f"{self.path} could not be written: {e.strerror}; make room, then go on") from e

    def length(self) -> int:
        """Bytes of the file so far, for a checkpoint."""
        return self.path.stat().st_size if self.path.is_file() else 0

    def rewind(self, length: int | None) -> None:
        """Forget what a killed run wrote after its last checkpoint: that is done again. Raises OutputError."""
        if length is None or self.length() <= length:
            return
        try:
            os.truncate(self.path, length)
        except OSError as e:
            raise OutputError(f"{self.path} could not be shortened: {e.strerror}; let it be written") from e

    def pictures(self, stage: str, step: int, grid: Any) -> None:
        """An image (H, W, 3) uint8 for TensorBoard."""
        if self._board is not None:
            self._board.add_image(f"{stage}/validation", grid, step, dataformats="HWC")


def _plain(recipe: Recipe) -> dict[str, Any]:
    return json.loads(json.dumps(asdict(recipe)))


def _add_newer(recipe: dict[str, Any]) -> None:
    """What scenes of a run did not show that was saved before they could."""
    for stage in recipe.get("stages", ()):
        for given in stage.get("passes", ()):
            given["scenes"] = {name: 0.0 for name in _NEWER} | given.get("scenes", {})
