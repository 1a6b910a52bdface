"""`python -m koutu.hilens_simulator`."""

import argparse
import json
import signal
import sys
from typing import Any

from koutu.hilens_simulator import Session, simulate
from koutu.hilens_simulator.plan import KINDS
from koutu.hilens_simulator.stopping import end
from koutu.types import InputError, KoutuError


def main() -> int:
    """Run a skill and return its exit code."""
    faults = "; ".join(f"{kind}: {what}" for kind, what in KINDS.items())
    parser = argparse.ArgumentParser(prog="python -m koutu.hilens_simulator", description=__doc__)
    parser.add_argument("skill", help="The skill's folder, with main.py and model/card.json.")
    parser.add_argument("--video", default="", help="What the camera sees.")
    parser.add_argument("-o", "--out", default="", help="A video of everything that was shown.")
    parser.add_argument("--onnx", default="", help="Stands for the .om; NAME.onnx beside it or in build/ if not given.")
    parser.add_argument("--aipp", default="", help="The AIPP text built into the .om; NAME.cfg or aipp.cfg likewise.")
    parser.add_argument("--frames", type=int, default=0, help="Stop the skill by SIGTERM after so many.")
    parser.add_argument("--faults", default="", help=f"KIND@N[..M][=VALUE],… counted from 1. {faults}.")
    parser.add_argument("--config", default="", help='The console\'s settings, JSON: \'{"background": "blur"}\'.')
    parser.add_argument("--bucket", default="", help="A folder that stands for the device's place in OBS.")
    parser.add_argument("--crf", type=int, default=12, help="Of the video: 0 lossless.")
    args = vars(parser.parse_args())
    try:
        args["config"] = _settings(args["config"])
        return simulate(Session(**args), echo=lambda line: print(line, file=sys.stderr)).code
    except KoutuError as e:
        print(f"koutu: {e}", file=sys.stderr)
        return e.exit_code
    except KeyboardInterrupt:
        return 128 + signal.SIGINT


def _settings(text: str) -> dict[str, Any] | None:
    try:
        settings = json.loads(text) if text else None
    except ValueError as e:
        raise InputError(f"expected settings as JSON, got {text!r} ({e})") from e
    if settings is not None and not isinstance(settings, dict):
        raise InputError(f"expected settings as a JSON object, got {text!r}")
    return settings


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, end)  # the skill is told to stop, and its film is kept
    sys.exit(main())
