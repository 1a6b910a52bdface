"""Scenes of which tests know what is in them."""

from koutu.data.scenes.config import SceneConfig

# somebody before a place, sharp and as they are
CALM = SceneConfig(
    as_is=0, empty=0, second=0, dye=0, decoy=0, props=0, occluder=0, bokeh=0, harmonise=0, shadow=0, lamps=0, tone=0,
    drift=0, blur=0, noise=0, codec=0, enter=0, crowd=0,
)  # fmt: skip
