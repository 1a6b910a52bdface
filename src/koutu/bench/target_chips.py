"""Chips that are not here: what their makers say of them, for predictions."""

from dataclasses import dataclass

from koutu.types import InputError


@dataclass(frozen=True)
class Chip:
    """soc: as atc calls it. teraflops: of products in half floats, int8 is twice that. gigabytes: a second, of memory.

    vector: billions of half-float operations a second beside the products. source: where the numbers are from.
    """

    title: str
    soc: str
    teraflops: float
    gigabytes: float
    vector: float
    operators: str  # the list of `koutu.export.ascend.operators` that its converter goes by
    source: str


_LANES = 128  # half floats that a core's vector unit takes in a cycle (256 bytes: CANN's platform table)

CHIPS = {
    "ascend310": Chip(
        "Ascend 310 as in the HiLens Kit: 16 TOPS", "Ascend310", 8.0, 45.6, 2 * _LANES * 0.488, "kit",
        "8 TFLOPS of half floats: HiSilicon's announcement of 2018; 2 cores of 4096 products a cycle at 488 MHz. "
        "45.6 GB/s: 67 bytes a cycle at 680 MHz, CANN's platform table, of 51.2 that 128 bits of LPDDR4X can do",
    ),
    "ascend310b": Chip(
        "Ascend 310B4 as in the Atlas 200I DK A2: 8 TOPS", "Ascend310B4", 4.0, 25.6, _LANES * 0.5, "cann",
        "1 core at 500 MHz, 4 TFLOPS of half floats, 64 bits of LPDDR4X at 3200 Mbit/s: the board's specification; "
        "its vector unit is taken to be as wide as the 310's",
    ),
    "ascend310p": Chip(
        "Ascend 310P3 as in the Atlas 300I Pro: 140 TOPS", "Ascend310P3", 70.0, 204.8, 8 * _LANES * 1.068, "cann",
        "70 TFLOPS of half floats, 204.8 GB/s, 8 cores: said of the card, not found in Huawei's own pages; that is "
        "4096 products a cycle and core at 1.07 GHz",
    ),
}  # fmt: skip


def chip(name: str) -> Chip:
    """One of the table; raises InputError for another name."""
    if name not in CHIPS:
        raise InputError(f"expected a target out of {', '.join(CHIPS)}, got {name!r}; choose one with --target")
    return CHIPS[name]
