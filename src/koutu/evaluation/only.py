"""A part of a data set that a text file names, so that the same pictures are measured again and again."""

from dataclasses import replace
from pathlib import Path

from koutu.data.sets.open import DataSet
from koutu.types import InputError


def only_named(data: DataSet, names: Path) -> DataSet:
    """The set with the clips that a text file names, one a line: by their own names, or by files called as they are.

    Raises InputError for a file that cannot be read, names nothing, or names what the set does not have.
    """
    try:
        lines = [line.strip() for line in names.read_text("utf-8").splitlines() if line.strip()]
    except (OSError, UnicodeDecodeError) as e:
        raise InputError(f"{names}: expected a text file with a clip's name a line, got {e}; check the path") from e
    known = {clip.name for clip in data.clips}
    wanted = {line: line if line in known else Path(line).stem for line in lines}
    missing = [line for line, name in wanted.items() if name not in known]
    if missing or not lines:
        got = f"{', '.join(missing[:5])}{', …' * (len(missing) > 5)}" if missing else "none"
        like = f"{data.name}, such as {data.clips[0].name}"
        raise InputError(f"{names}: expected names of clips of {like}, got {got}; correct the list")
    return replace(data, clips=[clip for clip in data.clips if clip.name in wanted.values()])
