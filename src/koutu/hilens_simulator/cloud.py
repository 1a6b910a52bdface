"""The cloud behind a simulated Kit: a folder stands for the bucket in OBS, messages go to the log."""

import hashlib
import re
from pathlib import Path

from koutu.hilens_simulator.session import Session

# the framework's error codes
OPENFILE_FAILED, ACCESS_FILE_FAILED, WRITE_ERROR, NOT_FOUND, INVALID_PARAM = 4, 6, 9, 12, 23
MODES = ("write", "append")
_KEY = re.compile(r"(?!.*//)(?!/)[^\0]+")


class Cloud:
    """What a skill sends and fetches; every method gives 0, or an error code."""

    def __init__(self, session: Session):
        self._bucket = Path(session.bucket) if session.bucket else None

    def upload(self, key: str, content: bytes, mode: str) -> int:
        """Into the bucket at `key`, over what is there or behind it."""
        if mode not in MODES or not _KEY.fullmatch(key) or any(part.strip(".") != part for part in key.split("/")[:-1]):
            return INVALID_PARAM
        if self._bucket is None:
            return WRITE_ERROR
        target = self._bucket / key
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            with open(target, "ab" if mode == "append" else "wb") as file:
                file.write(content)
        except OSError:
            return WRITE_ERROR
        return 0

    def upload_file(self, key: str, path: str, mode: str) -> int:
        """A file's content."""
        try:
            content = Path(path).read_bytes()
        except OSError:
            return ACCESS_FILE_FAILED
        return self.upload(key, content, mode)

    def download(self, url: str, folder: str) -> int:
        """What the bucket has at the address's path, into a folder that is there."""
        key = re.sub(r"^\w+://[^/]*/", "", url)
        found = self._bucket / key if self._bucket is not None else None
        if found is None or not found.is_file():
            return NOT_FOUND
        try:
            (Path(folder) / found.name).write_bytes(found.read_bytes())
        except OSError:
            return OPENFILE_FAILED
        return 0


def md5_of(path: str) -> str:
    """Of a file's content in hexadecimal digits; empty if it cannot be read."""
    try:
        return hashlib.md5(Path(path).read_bytes(), usedforsecurity=False).hexdigest()
    except OSError:
        return ""
