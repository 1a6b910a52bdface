"""What a reader of figures must know of a network: paper, licence, data, source."""

from koutu import third_party
from koutu.engines.described.description import read_description
from koutu.models import MODELS as NETWORKS
from koutu.zoo import MODELS


def card(name: str) -> str:
    """One paragraph on a packaged, published or described network; empty for an unknown file."""
    if name in MODELS:
        own = MODELS[name]
        return f"{own.summary}. Licence: {own.licence}. Data: {own.data}."
    if name in NETWORKS:
        theirs = NETWORKS[name]
        cost = f"{theirs.params:,} parameters, {theirs.gmacs:g} GMACs at {theirs.at[1]}×{theirs.at[0]}"
        return f"{theirs.paper}; {cost}. Licence of published weights: {theirs.licence}."
    return _described(name)


def _described(name: str) -> str:
    if name not in third_party.names():
        return ""
    described = read_description(third_party.path(name))
    return f"{described.title}. Licence: {described.licence}. From {described.source}."
