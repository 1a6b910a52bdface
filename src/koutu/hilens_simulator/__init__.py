"""A HiLens Kit on a host: a skill made for the device runs unchanged, on videos and an ONNX file.

python -m koutu.hilens_simulator SKILL_FOLDER --video talk.mp4 -o out.mp4
"""

from koutu.hilens_simulator.run import SkillRun, simulate
from koutu.hilens_simulator.session import Session

__all__ = ["Session", "SkillRun", "simulate"]
