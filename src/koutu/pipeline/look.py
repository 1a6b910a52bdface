"""How a result looks if nothing else is said."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from koutu.composite import Fit
    from koutu.media.background_spec import Spec


@dataclass(frozen=True)
class Look:
    """How the result should look."""

    background: "Spec" = "green"
    fit: "Fit" = "cover"
    loop: bool = True
    decontaminate: bool = True
    refine: bool = True
    smooth: bool = False  # one-frame-delay
    premultiplied: bool = False  # colours in files with alpha multiplied by it
    zoom: bool = True  # the network is shown only the part where somebody is
    opinion: bool = False  # two more networks are asked about every frame
