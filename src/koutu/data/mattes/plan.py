"""How mattes are made if nothing else is said."""

from dataclasses import dataclass

from koutu.classical import Method


@dataclass(frozen=True)
class MattePlan:
    """How every image is treated. networks: as of `koutu.zoo.load_named`, who find people where there are no masks.

    mirrored: they are shown the mirror image too.
    long_side: pixels to which larger images are shrunk, 0 never. pictures: write them beside their mattes, as src.
    """

    networks: tuple[str, ...] = ()
    mirrored: bool = True
    long_side: int = 0
    method: Method = "closed-form"
    pictures: bool = False
