"""Which of MakeHuman's skins somebody has: by sex, age and how dark they are."""

from dataclasses import dataclass

from arrays import Rng

FOLDER = "3dify/makehuman-docker/custom_makehuman/makehuman/data/skins/textures"
WOMEN = ("young_lightskinned_female_diffuse2", "young_lightskinned_female_diffuse3")
WOMEN_OF_40 = ("middleage_lightskinned_female_diffuse2",)
MEN = ("young_lightskinned_male_diffuse", "young_lightskinned_male_diffuse2", "young_lightskinned_male_diffuse3")
MEN_OF_40 = ("middleage_lightskinned_male_diffuse", "middleage_lightskinned_male_diffuse2")
DARK_MEN = ("young_darkskinned_male_diffuse", "middleage_darkskinned_male_diffuse", "old_darkskinned_male_diffuse")
WRINKLED = DARK_MEN[2]  # whose wrinkles old people of any skin have
_DARK, _PAINTED = 0.6, 1.12  # darkness from which dark textures are worn, and that they are painted with
_MIDDLE, _OLD = 40.0, 60.0  # years from which the next texture is worn
_FIRST, _ALL = 50.0, 85.0  # years with the first wrinkles, and with all


@dataclass(frozen=True)
class Skin:
    """name: of the texture; darkness: that it is painted with; wrinkles: of WRINKLED to add, 0…1."""

    name: str
    darkness: float = 0.0
    wrinkles: float = 0.0


def skin_of(traits: dict, rng: Rng) -> Skin:
    """A boy's is a man's, whose textures are shaven."""
    years = traits["years"]
    aged = min(max((years - _FIRST) / (_ALL - _FIRST), 0.0), 1.0)
    if traits["gender"] > 0.5:
        if traits["darkness"] > _DARK:
            name = DARK_MEN[0 if years < _MIDDLE else 1 if years < _OLD else 2]
            return Skin(name, _PAINTED, 0.0 if name == WRINKLED else aged)
        names = MEN if years < _MIDDLE else MEN_OF_40
    else:
        names = WOMEN if years < _MIDDLE else WOMEN_OF_40
    return Skin(str(rng.choice(names)), 0.0, aged)
