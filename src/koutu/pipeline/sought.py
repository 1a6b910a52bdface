"""A plate that is to be found in the video itself."""

import os
from typing import Any

from koutu.engines.backend import Backend
from koutu.matting.hints import Hints
from koutu.matting.plate_search import sought_plate
from koutu.media.pipe import is_pipe
from koutu.media.reader import open_video
from koutu.types import InputError


def sought(source: str | os.PathLike[str], hints: Hints, backend: Backend, **how: Any) -> list[str]:
    """Give the hints the plate that the video shows, which is read once for it; a note where it shows none.

    how: as of `koutu.open_video`. Raises InputError for a pipe, which cannot be read twice.
    """
    if is_pipe(source):
        raise InputError(f"{source}: expected a file to find a plate in, got a pipe, which is read once; name a file")
    try:
        with open_video(source, **how) as reader:
            hints.found(sought_plate(reader, backend, str(source)))
    except InputError as e:
        hints.found(None)
        return [f"no plate was found in the video, which was matted without: {e}"]
    return []
