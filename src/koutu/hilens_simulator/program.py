"""The process of a skill: main.py as it is, with `run(work_path)` called where main.py only defines it.

python -m koutu.hilens_simulator.program, in the skill's folder.
"""

import inspect
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

from koutu.hilens_simulator.kit import LEVELS, kit
from koutu.hilens_simulator.stopping import end

ENTRANCE = "run"


def main() -> None:
    """Run the working folder's main.py as `python main.py` would."""
    folder = os.getcwd()
    sys.argv, sys.path[0] = ["main.py"], folder
    signal.signal(signal.SIGTERM, end)
    program = ModuleType("__main__")
    program.__file__ = os.path.join(folder, "main.py")
    sys.modules["__main__"] = program
    exec(compile(Path("main.py").read_bytes(), "main.py", "exec"), program.__dict__)
    entrance = getattr(program, ENTRANCE, None)
    if callable(entrance) and not kit().begun:
        _enter(entrance, folder)


def _enter(entrance: Callable[..., Any], folder: str) -> None:
    """Call it with the skill's folder, which the Kit calls the work path, if it takes one."""
    wanted = [name for name, one in inspect.signature(entrance).parameters.items() if one.default is one.empty]
    kit().log(LEVELS.index("INFO"), f"main.py only defines {ENTRANCE}({', '.join(wanted)}): called")
    entrance(*[folder] if wanted else [])


if __name__ == "__main__":
    main()
