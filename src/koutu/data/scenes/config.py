"""How often a scene shows what."""

from dataclasses import dataclass


@dataclass(frozen=True)
class SceneConfig:
    """Probabilities, drawn once a scene, and how often each set is drawn per packed image.

    exact: only what keeps src = αF + (1 − α)B to within rounding, and only composed scenes.
    """

    exact: bool = False
    # what is seen
    as_is: float = 0.36  # the image with its own background; studio portraits nearly always get another
    empty: float = 0.04  # nobody in it
    second: float = 0.12  # another person behind
    crowd: float = 0.05  # three to five people side by side
    strands: float = 0.9  # hair strands drawn on a real cut-out whose hair is sure: about half of portraits
    whole_hair: tuple[str, ...] = ("rendered",)  # sets that show every strand as they are
    dye: float = 0.5  # white clothes of studio portraits recoloured
    decoy: float = 0.15  # somebody's outline filled by another place: shape alone is nobody
    props: float = 0.08  # something held, that belongs to the person
    occluder: float = 0.06  # something before the person, that does not
    bokeh: float = 0.25  # the place out of focus
    weights: tuple[tuple[str, float], ...] = (
        ("eg1800", 1.0), ("ccp", 0.6), ("mixed", 0.7), ("london", 4.0), ("canada", 3.0), ("generated", 2.0),
        ("official", 1.2), ("rgba", 12.0), ("grid", 0.5),
    )  # fmt: skip
    background_weights: tuple[tuple[str, float], ...] = (("rooms", 1.0), ("places", 3.0), ("scenery", 8.0))
    # how it moves
    motion: float = 0.8  # people glide
    pan: float = 0.35  # the place glides
    shake: float = 0.5  # the camera is held in the hand
    sway: float = 0.7  # people lean and rock
    bend: float = 0.4  # people are not stiff
    enter: float = 0.1  # somebody comes in or leaves
    pause: float = 0.15  # everything stands still for a part of the clip
    # light
    harmonise: float = 0.35  # people take on the place's tones
    shadow: float = 0.25
    lamps: float = 0.25  # each of two
    tone: float = 1.0  # exposure, contrast, colours
    drift: float = 0.3  # of the tone over a clip
    # the camera
    blur: float = 0.28  # motion, defocus or too few pixels
    noise: float = 0.35
    codec: float = 0.25
    # what is remembered of the frame before the first
    previous_blank: float = 0.3
    # the moving people's alpha a frame earlier; the rest as `koutu.data.scenes.previous_alpha`
    previous_true: float = 0.15
    previous_moves: bool = False  # people of stills move too, so that there is one
    previous_cases: tuple[tuple[str, float], ...] = (
        ("near", 0.33), ("far", 0.1), ("other", 0.05), ("corrupt", 0.17), ("exact", 0.05),
    )  # fmt: skip
