"""The scripts that build an .om file, and their run where atc is there."""

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

from koutu.engines.ascend.aipp import Aipp
from koutu.export.ascend.aipp import aipp_text
from koutu.export.ascend.commands import Conversion, atc, omg, script
from koutu.types import ModelError

SECONDS = 1800  # atc tunes as it builds
_ATC = "source CANN's set_env.sh first, for example /usr/local/Ascend/ascend-toolkit/set_env.sh"
_OMG = "add the DDK's folder to it, for example /opt/ddk/bin/aarch64-linux-gcc7.3.0"


def scripts(part: Path, conversion: Conversion, aipp: Aipp, name: str, *, caffe: bool, kit: bool) -> list[Path]:
    """Write the AIPP text `name` and build.sh, with `caffe` build-caffe.sh, with `kit` build-kit.sh; the scripts."""
    (part / name).write_text(aipp_text(aipp, f"{conversion.name}: what {conversion.soc} does to the camera's picture"))
    texts = {"build.sh": script(atc(conversion), _ATC)}
    if caffe:
        texts["build-caffe.sh"] = script(atc(conversion, "caffe"), _ATC)
    if kit and conversion.memory_type == "FP32":
        texts["build-kit.sh"] = script(omg(conversion), _OMG)
    for file, text in texts.items():
        (part / file).write_text(text)
        (part / file).chmod(0o755)
    return [part / file for file in texts]


def build(part: Path, conversion: Conversion, path: Path, tell: Callable[[str], None]) -> str:
    """Run build.sh if atc is on PATH: "NAME.om", or "" where it was not run; raises ModelError if it fails."""
    if shutil.which("atc") is None:
        tell(f"atc is not on PATH: {conversion.name}.om was not built; run build.sh where CANN is installed")
        return ""
    try:
        done = subprocess.run(
            ["bash", path.name],
            cwd=part,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired as e:
        raise ModelError(f"atc did not end within {SECONDS} s; run its command by hand: {atc(conversion)}") from e
    om = part / f"{conversion.name}.om"
    if done.returncode or not om.is_file():
        said = (done.stdout + done.stderr).strip()[-600:]
        raise ModelError(f"atc built no {om.name} (exit code {done.returncode}): {said or 'it said nothing'}")
    tell(f"atc built {om.name}")
    return om.name
