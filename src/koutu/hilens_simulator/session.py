"""What one simulated run is about, handed from the starting process to the skill's own by the environment."""

import json
import os
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from koutu.hilens_simulator.plan import FaultPlan, parse

VARIABLE = "KOUTU_HILENS"


@dataclass(frozen=True)
class Session:
    """A skill and the Kit around it.

    skill: the folder with main.py. video: what every camera sees and a microphone hears; a file that the skill names
    itself is read as it is. out: where everything shown goes. onnx, aipp: what stands for the model; if not given,
    NAME.onnx and NAME.cfg or aipp.cfg beside NAME.om or in build/. config: what the console says. frames: after how
    many SIGTERM stops the skill, 0 for all of the video. faults: see `koutu.hilens_simulator.plan`. crf: x264's, 0
    without loss. check_value: what `init` must be given, anything if empty. bucket: a folder that stands for the
    device's place in OBS; without one, uploads fail as they do where none is set up.
    """

    skill: str
    video: str = ""
    out: str = ""
    onnx: str = ""
    aipp: str = ""
    config: dict[str, Any] | None = None
    frames: int = 0
    faults: str = ""
    crf: int = 12
    check_value: str = ""
    bucket: str = ""
    plan: FaultPlan = field(default_factory=FaultPlan, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Read the faults, so that a mistake in them shows before anything runs."""
        object.__setattr__(self, "plan", parse(self.faults))

    @property
    def model_dir(self) -> Path:
        """Where the Kit puts a skill's models."""
        return Path(self.skill) / "model"

    @property
    def workspace(self) -> Path:
        """Where a skill may write."""
        return Path(self.skill) / "workspace"

    def to_environment(self) -> dict[str, str]:
        """The variable that `from_environment` reads."""
        values = asdict(self)
        del values["plan"]
        return {VARIABLE: json.dumps(values)}


def from_environment() -> Session:
    """The session this process runs in; without one, the working folder's skill and no camera."""
    text = os.environ.get(VARIABLE)
    return Session(**json.loads(text)) if text else Session(os.getcwd())
