"""Pictures from one kind of light to another: SDR, PQ and HLG, BT.709, P3 and BT.2020, with SDR's white at 203 nits.

Transfers are those of IEC 61966-2-1 and ITU-R BT.2100, HLG shown on a screen of 1000 nits; 203 nits for the white of
SDR and of graphics is ITU-R BT.2408's.
"""

from collections.abc import Callable
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from koutu.color import halve, rgb_to_yuv_matrix, unit_rgb
from koutu.types import Picture, Planes, Primaries, Transfer, Viewing, Yuv420

WHITE = 203.0  # nits of SDR's white, which is 1 in linear light below
_HLG_PEAK, _HLG_GAMMA = 1000.0, 1.2
_KNEE = 0.85  # of SDR's white, from which brighter light is pressed together
_BRIGHTEST = _HLG_PEAK / WHITE  # what becomes SDR's white, as does anything above
_BEND = 32.7  # of the curve between, so that it leaves the knee straight on
_CODES, _STEPS = 1023, 8191  # of tables
_PQ_LIGHT = 10_000 / WHITE
_WHITE_POINT = (0.3127, 0.3290)
_CORNERS: dict[Primaries, tuple[tuple[float, float], ...]] = {
    "bt709": ((0.640, 0.330), (0.300, 0.600), (0.150, 0.060)),
    "p3": ((0.680, 0.320), (0.265, 0.690), (0.150, 0.060)),
    "bt2020": ((0.708, 0.292), (0.170, 0.797), (0.131, 0.046)),
}
_TRANSFERS: dict[int, Transfer] = {16: "pq", 18: "hlg"}
_PRIMARIES: dict[int, Primaries] = {9: "bt2020", 11: "p3", 12: "p3"}


def transfer_of(code: int) -> Transfer:
    """The transfer of a number of ITU-T H.273; all that is not HDR is "sdr"."""
    return _TRANSFERS.get(code, "sdr")


def primaries_of(code: int) -> Primaries:
    """The primaries of a number of ITU-T H.273; the old ones of television are taken for BT.709's."""
    return _PRIMARIES.get(code, "bt709")


def same_light(a: Viewing, b: Viewing) -> bool:
    """Whether numbers mean the same light in both."""
    return (a.transfer, a.primaries) == (b.transfer, b.primaries)


def relit(picture: Picture, source: Viewing, target: Viewing, planes: Planes | None) -> Picture:
    """The picture, whose numbers mean light as in `source`, as one for `target`: of that kind, or RGB."""
    light = _linear(unit_rgb(picture), source.transfer)
    light = cv2.transform(light, _matrix(source.primaries, target.primaries))
    brighter = source.transfer != "sdr" and target.transfer == "sdr"
    coded = _coded(np.maximum(light, 0), target.transfer, pressed=brighter)
    if planes is None:
        return np.rint(coded * 255).astype(np.uint8)
    space, depth, made_of = planes
    yuv = cv2.transform(coded * np.float32(255), rgb_to_yuv_matrix(space, depth).astype(np.float32))
    kind, top = (np.uint8 if depth == 8 else np.uint16), 2**depth - 1
    y, u, v = cv2.split(yuv)
    u, v = (halve(u), halve(v)) if made_of is Yuv420 else (u, v)
    y, u, v = (np.clip(np.rint(plane), 0, top).astype(kind) for plane in (y, u, v))
    return made_of(y, u, v, space, depth)


def linear_light(picture: Picture, viewing: Viewing) -> NDArray[np.float32]:
    """The light (H, W, 3) that the picture's numbers mean, of its own primaries, 1 for SDR's white."""
    return _linear(unit_rgb(picture), viewing.transfer)


def _linear(coded: NDArray[np.float32], transfer: Transfer) -> NDArray[np.float32]:
    light = _decoding(transfer)[(coded * _CODES + 0.5).astype(np.uint16)]
    if transfer == "hlg":  # of the scene until here
        light *= (_HLG_PEAK / WHITE) * np.maximum(_luminance(light), 1e-6) ** np.float32(_HLG_GAMMA - 1)
    return light


def _coded(light: NDArray[np.float32], transfer: Transfer, *, pressed: bool) -> NDArray[np.float32]:
    """pressed: light above SDR's white, and some below it, is brought down to it."""
    if pressed:
        light = light * _pressing()[_steps(light.max(axis=2, keepdims=True), _PQ_LIGHT)]  # hues stay
    if transfer == "hlg":
        light = light * np.float32(WHITE / _HLG_PEAK)
        light *= np.maximum(_luminance(light), 1e-6) ** np.float32(1 / _HLG_GAMMA - 1)
    return _encoding(transfer)[_steps(light, _most(transfer))]


def _steps(light: NDArray[np.float32], most: float) -> NDArray[np.uint16]:
    """Places in tables whose last step stands for `most`, even for the eye."""
    root = np.sqrt(np.sqrt(np.minimum(light * np.float32(1 / most), 1)))
    return (root * _STEPS + 0.5).astype(np.uint16)


@lru_cache
def _pressing() -> NDArray[np.float32]:
    """What to multiply by, for the brightest of a pixel's three: 1 as far as the knee, then a curve to the peak."""
    light = np.maximum(np.linspace(0, 1, _STEPS + 1) ** 4 * _PQ_LIGHT, 1e-6)
    above = np.clip(light - _KNEE, 0, _BRIGHTEST - _KNEE)
    curve = _KNEE + (1 - _KNEE) * np.log1p(_BEND * above) / np.log1p(_BEND * (_BRIGHTEST - _KNEE))
    return (np.where(light <= _KNEE, light, curve) / light).astype(np.float32)


def _luminance(light: NDArray[np.float32]) -> NDArray[np.float32]:
    return cv2.transform(light, np.float32([[0.2627, 0.6780, 0.0593]]))[..., None]  # type: ignore[arg-type]


def _most(transfer: Transfer) -> float:
    """The light that the last step of the encoding table stands for."""
    return 1.0 if transfer == "hlg" else _PQ_LIGHT


@lru_cache
def _decoding(transfer: Transfer) -> NDArray[np.float32]:
    """Linear light of each code: 1 is SDR's white; for HLG light of the scene."""
    code = np.linspace(0, 1, _CODES + 1)
    decode: dict[Transfer, Callable[[NDArray], NDArray]] = {
        "sdr": lambda v: np.where(v <= 0.04045, v / 12.92, ((v + 0.055) / 1.055) ** 2.4),
        "pq": lambda v: _PQ_LIGHT * _pq_light(v),
        "hlg": lambda v: np.where(v <= 0.5, v * v / 3, (np.exp((v - 0.55991073) / 0.17883277) + 0.28466892) / 12),
    }
    return decode[transfer](code).astype(np.float32)


@lru_cache
def _encoding(transfer: Transfer) -> NDArray[np.float32]:
    """The code, 0 … 1, of the fourth power of each step, times what the last step stands for."""
    light = np.linspace(0, 1, _STEPS + 1) ** 4 * _most(transfer)
    encode: dict[Transfer, Callable[[NDArray], NDArray]] = {
        "sdr": _srgb_code,
        "pq": lambda x: _pq_code(x / _PQ_LIGHT),
        "hlg": lambda x: np.where(
            x <= 1 / 12, np.sqrt(3 * x), 0.17883277 * np.log(np.maximum(12 * x - 0.28466892, 1e-9)) + 0.55991073
        ),
    }
    return np.clip(encode[transfer](light), 0, 1).astype(np.float32)


def _srgb_code(x: NDArray) -> NDArray:
    return np.where(x <= 0.0031308, x * 12.92, 1.055 * np.maximum(x, 1e-9) ** (1 / 2.4) - 0.055)


_M1, _M2, _C1, _C2, _C3 = 2610 / 16384, 2523 / 32, 3424 / 4096, 2413 / 128, 2392 / 128


def _pq_light(code: NDArray) -> NDArray:
    """Light, 1 for 10,000 nits."""
    power = code ** (1 / _M2)
    return (np.maximum(power - _C1, 0) / (_C2 - _C3 * power)) ** (1 / _M1)


def _pq_code(light: NDArray) -> NDArray:
    power = light**_M1
    return ((_C1 + _C2 * power) / (1 + _C3 * power)) ** _M2


@lru_cache
def _matrix(source: Primaries, target: Primaries) -> NDArray[np.float32]:
    return (np.linalg.inv(_to_xyz(target)) @ _to_xyz(source)).astype(np.float32)


def _to_xyz(primaries: Primaries) -> NDArray[np.float64]:
    corners = np.array([(x / y, 1, (1 - x - y) / y) for x, y in (*_CORNERS[primaries], _WHITE_POINT)]).T
    return corners[:, :3] * np.linalg.solve(corners[:, :3], corners[:, 3])
