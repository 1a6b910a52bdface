"""Hair styles in numbers."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Style:
    """Lengths in metres on a head of 0.23 m from chin to crown.

    length, and how much it varies; lift off the skin; weight: pull of gravity; comb: how strictly it lies as combed;
    clump: strands drawn together 0…1; curl: radius, and turns a metre; frizz; fly: share of stray strands.
    part: parted; fringe: over the forehead; tied: "" or bun, tail, tails; level: lower roots are shorter, so that the
    hem is straight, 0…1; sides: length at sides and nape, of the whole; back: combed back; cling: sinks to the skin.
    braided: "" or single, pair, all over; share: of the usual number of strands, each as much thicker.
    """

    length: float
    varied: float = 0.2
    lift: float = 0.2
    weight: float = 1.0
    comb: float = 0.7
    clump: float = 0.4
    curl: float = 0.0
    turns: float = 0.0
    frizz: float = 0.004
    fly: float = 0.04
    part: bool = False
    fringe: bool = False
    tied: str = ""
    level: float = 0.0
    sides: float = 1.0
    back: bool = False
    cling: float = 0.0
    receding: bool = False
    fine: bool = False  # thin strands, more of them
    braided: str = ""
    share: float = 1.0


STYLES: dict[str, Style] = {
    "buzz": Style(0.007, lift=0.8, weight=0, comb=0.3, clump=0, frizz=0.0006, fly=0, fine=True),
    "crop": Style(0.026, 0.25, 0.3, 0.3, 0.9, 0.35, frizz=0.002, sides=0.45, cling=0.3, fine=True),
    "short": Style(0.06, 0.25, 0.16, 0.9, 1.0, 0.5, 0.002, 10, sides=0.3, cling=0.35),
    "undercut": Style(0.075, 0.2, 0.3, 0.5, 1.0, 0.55, 0.002, 8, sides=0.1, back=True, cling=0.25),
    "slick": Style(0.09, 0.15, 0.1, 0.7, 1.0, 0.6, frizz=0.002, fly=0.02, back=True, cling=0.4, sides=0.6),
    "spiky": Style(0.05, 0.25, 0.9, 0.05, 0.35, 0.8, frizz=0.004, sides=0.4),
    "messy": Style(0.085, 0.3, 0.3, 0.8, 0.8, 0.55, 0.006, 10, 0.008, 0.08, sides=0.4, cling=0.15),
    "mop": Style(0.11, 0.2, 0.3, 0.9, 0.6, 0.5, 0.008, 14, 0.008, 0.07, fringe=True, sides=0.7),
    "bob": Style(0.25, 0.06, 0.22, 1.0, 0.7, 0.35, 0.002, 5, 0.004, 0.03, part=True, level=1.0, cling=0.06),
    "bobfringe": Style(0.24, 0.06, 0.22, 1.0, 0.6, 0.35, 0.002, 5, 0.003, 0.03, fringe=True, level=1.0, cling=0.06),
    "long": Style(0.45, 0.1, 0.2, 1.0, 0.7, 0.45, 0.003, 4, 0.006, 0.03, part=True, level=0.3, cling=0.05),
    "longfringe": Style(0.42, 0.1, 0.2, 1.0, 0.7, 0.4, 0.003, 4, 0.005, 0.03, fringe=True, level=0.3),
    "longback": Style(0.4, 0.1, 0.25, 0.9, 0.9, 0.4, 0.005, 5, 0.006, 0.04, level=0.3, back=True),
    "longwavy": Style(0.42, 0.12, 0.25, 1.0, 0.7, 0.6, 0.012, 12, 0.007, 0.04, part=True, level=0.3),
    "curly": Style(0.25, 0.2, 0.45, 0.75, 0.35, 0.72, 0.012, 28, 0.008, 0.05, level=0.3),
    "shortcurly": Style(0.09, 0.2, 0.6, 0.5, 0.3, 0.65, 0.008, 40, 0.006, 0.05, sides=0.5),
    "afro": Style(0.062, 0.1, 1.0, 0, 0, 0.3, 0.0045, 90, 0.008, 0.03),
    "bigafro": Style(0.12, 0.12, 1.0, 0.05, 0, 0.35, 0.006, 70, 0.012, 0.05),
    "dreads": Style(0.3, 0.15, 0.4, 0.9, 0.4, 0.96, 0.001, 30, 0.003, 0.02, level=0.3),
    "bun": Style(0.22, 0.05, 0.08, 0, 1.0, 0.3, frizz=0.003, fly=0.04, tied="bun"),
    "ponytail": Style(0.45, 0.1, 0.08, 0, 1.0, 0.3, 0.003, 4, 0.004, 0.04, tied="tail"),
    "pigtails": Style(0.36, 0.1, 0.08, 0, 1.0, 0.3, 0.003, 6, 0.005, 0.05, tied="tails"),
    "braid": Style(0.36, fly=0.05, frizz=0.0007, braided="single", share=0.35),
    "braids": Style(0.3, fly=0.05, frizz=0.0007, braided="pair", share=0.35),
    "boxbraids": Style(0.34, 0.12, 0.1, 1.0, 0.7, frizz=0.0004, fly=0.015, cling=0.2, braided="all over", share=0.25),
    "balding": Style(0.03, 0.25, 0.2, 0.6, 0.9, 0.4, frizz=0.003, fly=0.05, receding=True, cling=0.35, fine=True),
    "wisps": Style(0.05, 0.4, 0.5, 0.5, 0.5, 0.2, frizz=0.008, fly=0.25, receding=True),
}
