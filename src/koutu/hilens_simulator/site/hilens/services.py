"""Sound, and what goes to the cloud and comes from it."""

from pathlib import Path
from typing import Any

from koutu.hilens_simulator import cloud, sounds
from koutu.hilens_simulator.kit import LEVELS, kit
from koutu.types import KoutuError

from .errors import CreateError, require_ready

__all__ = [
    "AUDIO_BIT_WIDTH_16",
    "AUDIO_SAMPLE_RATE_8000",
    "AUDIO_SAMPLE_RATE_11025",
    "AUDIO_SAMPLE_RATE_12000",
    "AUDIO_SAMPLE_RATE_16000",
    "AUDIO_SAMPLE_RATE_22050",
    "AUDIO_SAMPLE_RATE_24000",
    "AUDIO_SAMPLE_RATE_32000",
    "AUDIO_SAMPLE_RATE_44100",
    "AUDIO_SAMPLE_RATE_48000",
    "AUDIO_SAMPLE_RATE_64000",
    "AUDIO_SAMPLE_RATE_96000",
    "AUDIO_SOUND_MODE_MONO",
    "AUDIO_SOUND_MODE_STEREO",
    "AudioCapture",
    "download_from_obs",
    "md5_of_file",
    "send_msg",
    "upload_bufer",
    "upload_buffer_to_obs",
    "upload_file",
    "upload_file_to_obs",
]

AUDIO_BIT_WIDTH_16, AUDIO_SOUND_MODE_MONO, AUDIO_SOUND_MODE_STEREO = 16, 1, 2
AUDIO_SAMPLE_RATE_8000, AUDIO_SAMPLE_RATE_11025, AUDIO_SAMPLE_RATE_12000, AUDIO_SAMPLE_RATE_16000 = sounds.RATES[:4]
AUDIO_SAMPLE_RATE_22050, AUDIO_SAMPLE_RATE_24000, AUDIO_SAMPLE_RATE_32000, AUDIO_SAMPLE_RATE_44100 = sounds.RATES[4:8]
AUDIO_SAMPLE_RATE_48000, AUDIO_SAMPLE_RATE_64000, AUDIO_SAMPLE_RATE_96000 = sounds.RATES[8:]


class AudioCapture:
    """AudioCapture() the microphone, ("file"), (sample_rate, bit_width, nSamples, sound_mode)."""

    def __init__(self, *args: Any):
        if len(args) not in (0, 1, 4):
            raise ValueError("incorrect parameter")
        require_ready("AudioCapture")
        rate, _, samples, channels = args if len(args) == 4 else (AUDIO_SAMPLE_RATE_44100, 16, 1024, 1)
        try:
            path = args[0] if len(args) == 1 else kit().session.video
            self._sound = sounds.Sound(Path(path), rate=rate, samples=samples, channels=channels)
        except KoutuError as e:
            raise CreateError(f"failed to create AudioCapture: {e}") from e

    def read(self, nFrames: int = 1) -> Any:
        """(nFrames, samples) int16; raises RuntimeError where there are no more."""
        found = self._sound.read(nFrames)
        if found is None:
            raise RuntimeError("Failed to read frames")
        return found

    def __del__(self):
        if hasattr(self, "_sound"):
            self._sound.close()


def upload_file_to_obs(key: str, filepath: str, mode: str) -> int:
    """mode: "write" or "append"; 0, or an error code."""
    return kit().cloud.upload_file(key, filepath, mode)


def upload_buffer_to_obs(key: str, buffer: str | bytes, mode: str) -> int:
    """mode: "write" or "append"; 0, or an error code."""
    return kit().cloud.upload(key, buffer.encode() if isinstance(buffer, str) else bytes(buffer), mode)


upload_file, upload_bufer = upload_file_to_obs, upload_buffer_to_obs  # the old names, spelt as they are


def download_from_obs(url: str, download_to: str) -> int:
    """0, or an error code."""
    return kit().cloud.download(url, download_to)


def send_msg(subject: str, message: str) -> int:
    """0, or an error code for an empty subject."""
    if not subject:
        return cloud.INVALID_PARAM
    kit().log(LEVELS.index("INFO"), f"message: {subject}: {message}")
    return 0


def md5_of_file(path: str) -> str:
    """In hexadecimal digits."""
    return cloud.md5_of(path)
