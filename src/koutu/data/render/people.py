"""Who is rendered: traits of a person, drawn from random numbers alone."""

from collections.abc import Mapping
from random import Random
from typing import Any

Traits = dict[str, Any]

SUITS_WOMEN = (
    "female_casualsuit01", "female_casualsuit02", "female_elegantsuit01", "female_sportsuit01", "male_casualsuit01",
    "male_casualsuit03", "male_casualsuit05",
)  # fmt: skip
SUITS_MEN = (
    "male_casualsuit01", "male_casualsuit02", "male_casualsuit03", "male_casualsuit04", "male_casualsuit05",
    "male_casualsuit06", "male_elegantsuit01", "male_worksuit01",
)  # fmt: skip
SHOES = ("shoes01", "shoes02", "shoes03", "shoes04", "shoes05", "shoes06")
STYLES_MEN = {
    "buzz": 2, "crop": 4, "short": 5, "undercut": 3, "slick": 2, "spiky": 2, "messy": 4, "mop": 2, "shortcurly": 2,
    "curly": 1, "afro": 2, "bigafro": 1, "dreads": 1, "longback": 1, "longwavy": 1, "bun": 0.5, "balding": 2, "bald": 2,
    "boxbraids": 0.8, "braid": 0.3,
}  # fmt: skip
STYLES_WOMEN = {
    "bob": 4, "bobfringe": 3, "long": 5, "longfringe": 3, "longback": 2, "longwavy": 5, "curly": 4, "shortcurly": 1.5,
    "afro": 2, "bigafro": 2, "dreads": 1, "bun": 3, "ponytail": 4, "pigtails": 1.5, "short": 1.5, "messy": 1,
    "undercut": 0.5, "crop": 0.5, "braid": 3, "braids": 2, "boxbraids": 1.5,
}  # fmt: skip
STYLES_OLD_MEN = {"balding": 5, "wisps": 3, "bald": 2, "crop": 3, "short": 4, "slick": 2, "messy": 2}
UNDER_HOODS = (
    "buzz", "crop", "short", "undercut", "slick", "messy", "mop", "shortcurly", "bob", "balding", "wisps", "bald",
)  # fmt: skip
HATS = {"": 86, "beanie": 4, "cap": 4, "fedora": 3, "scarf": 3, "durag": 1.5}
_ONLY_WOMEN, _ONLY_MEN = "scarf", "durag"
STRANDS = 13000  # of one person alone
STRANDS_IN_GROUPS = 7000


def draw_person(rng: Random, strands: int = STRANDS) -> Traits:
    """Traits of anybody; lengths in metres, shares from 0 to 1.

    years, gender (1 male), ancestry (african, asian, caucasian), weight, muscle, height: of the body. smile,
    open_mouth, brows_up: of the face. darkness: of skin. style, strands, wild, melanin, redness, dyed: of hair.
    beard: its length, 0 none. clothes (hood "", "up", "down"), hat, glasses ("", "clear", "dark"), headset ("",
    "plain", "microphone").
    seed: of all that is left open.
    """
    years, male = _years(rng), rng.random() < 0.5
    ancestry = _shares(rng)
    child = years < 14
    person: Traits = {
        "seed": rng.getrandbits(32),
        "years": years,
        "gender": abs(float(male) - rng.uniform(0, 0.15)),
        "ancestry": ancestry,
        "weight": _within(rng.gauss(0.5, 0.17), 0.08, 0.97),
        "muscle": _within(rng.gauss(0.5, 0.13), 0.2, 0.9),
        "height": _within(rng.gauss(0.5, 0.13), 0.15, 0.85),
        "smile": rng.uniform(0.1, 0.8) if rng.random() < 0.55 else 0.0,
        "open_mouth": rng.uniform(0.03, 0.16) if rng.random() < 0.15 else 0.0,
        "brows_up": rng.uniform(0.1, 0.8),
        "darkness": _darkness(rng, ancestry),
    }
    person |= _hair(rng, years, male, ancestry, strands)
    grown_man = male and years > 18
    person["beard"] = rng.choices([0.0022, 0.006, 0.014, 0.03, 0.06], [5, 4, 3, 2, 1])[0] * (
        grown_man and rng.random() < 0.45
    )
    person["clothes"] = _clothes(rng, male)
    other = _ONLY_WOMEN if male else _ONLY_MEN
    person["hat"] = drawn(rng, {kind: n for kind, n in HATS.items() if kind != other})
    person["glasses"] = drawn(rng, {"": 72, "clear": 22, "dark": 6})
    person["headset"] = drawn(rng, {"": 88, "plain": 6, "microphone": 6}) if not person["hat"] and not child else ""
    _hooded(rng, person)
    return rounded(person)


def drawn(rng: Random, weights: Mapping[str, float]) -> str:
    """One of the words, by weight."""
    return rng.choices(list(weights), list(weights.values()))[0]


def rounded(value: Any) -> Any:
    """Floats to 4 places, in dictionaries and lists too: what is written is what is rendered."""
    if isinstance(value, dict):
        return {key: rounded(held) for key, held in value.items()}
    if isinstance(value, list | tuple):
        return [rounded(held) for held in value]
    return round(value, 4) if isinstance(value, float) else value


def _years(rng: Random) -> float:
    low, high = rng.choices([(4, 13), (14, 18), (19, 50), (51, 86)], [13, 9, 55, 23])[0]
    return rng.uniform(low, high)


def _shares(rng: Random) -> list[float]:
    """Three that add up to 1, mostly one large."""
    parts = [rng.gammavariate(0.5, 1) + 1e-3 for _ in range(3)]
    return [part / sum(parts) for part in parts]


def _darkness(rng: Random, ancestry: list[float]) -> float:
    african, asian, caucasian = ancestry
    mean = 0.8 * african + 0.24 * asian + 0.1 * caucasian
    return _within(rng.gauss(mean, 0.1), 0.0, 1.05)


def _hair(rng: Random, years: float, male: bool, ancestry: list[float], strands: int) -> Traits:
    styles = STYLES_OLD_MEN if male and years > 55 else STYLES_MEN if male else STYLES_WOMEN
    if years < 14:
        styles = {name: n for name, n in styles.items() if name not in ("bald", "balding", "wisps", "dreads")}
    if ancestry[2] > 0.5:
        melanin, redness = rng.choices([0.14, 0.28, 0.45, 0.65, 0.85], [2, 3, 3, 3, 3])[0], rng.uniform(0.1, 0.6)
        redness = rng.uniform(0.8, 1.0) if rng.random() < 0.12 else redness
    else:
        melanin, redness = rng.uniform(0.8, 0.99), rng.uniform(0.1, 0.5)
    grey = _within((years - 42) / 35, 0, 0.9)
    if rng.random() < grey:
        melanin, redness = rng.uniform(0.02, 0.3), 0.1
    dyed = rng.random() < 0.05
    return {
        "style": drawn(rng, styles),
        "strands": strands,
        "wild": rng.choices([0.6, 1.0, 2.5, 5.0], [3, 4, 2, 1])[0],
        "melanin": 0.15 if dyed else _within(melanin * rng.uniform(0.85, 1.15), 0.01, 0.99),
        "redness": redness,
        "dyed": dyed,
    }


def _clothes(rng: Random, male: bool) -> Traits:
    """A suit of MakeHuman's by its name, or cuts of top and bottom in shares of the limbs and metres."""
    shoes = rng.choice(SHOES)
    if rng.random() < 0.5:
        return {"suit": rng.choice(SUITS_MEN if male else SUITS_WOMEN), "shoes": shoes}
    skirt = 0.0 if male or rng.random() < 0.55 else rng.uniform(0.35, 0.85)
    return {
        "suit": "",
        "shoes": shoes,
        "sleeves": rng.choices([0.02, 0.28, 0.5, 0.8, 0.97], [1 if male else 3, 4, 1, 2, 6])[0],
        "neck": rng.uniform(-0.03, 0.035),
        "loose": rng.choice([0.004, 0.008, 0.014, 0.02]),
        "hem": rng.uniform(0.0, 0.16),
        "legs": rng.choices([0.3, 0.55, 0.97], [1, 1, 6])[0],
        "skirt": skirt,
    }


def _hooded(rng: Random, person: Traits) -> None:
    """A hood at some tops with long sleeves; up, it takes a hat's place, and long hair's."""
    clothes = person["clothes"]
    if clothes["suit"]:
        return
    kind = drawn(rng, {"": 6, "down": 2.5, "up": 1.5})
    clothes["hood"] = kind if clothes["sleeves"] > 0.7 and person["hat"] != "scarf" else ""
    if clothes["hood"] == "up":
        person["hat"] = person["headset"] = ""
        person["style"] = person["style"] if person["style"] in UNDER_HOODS else rng.choice(("bob", "short", "messy"))
    if clothes["hood"]:
        clothes["loose"], clothes["neck"] = max(clothes["loose"], 0.014), min(clothes["neck"], -0.01)


def _within(value: float, low: float, high: float) -> float:
    return min(max(value, low), high)
