"""The Soft Rasterizer: pictures as probabilistic mixtures of all faces."""

from .mixture import aggregate, aggregate_textures, contributions, silhouette
from .reference import Contributions
from .renderer import Aggregation, SoftRas

__all__ = [
    "Aggregation",
    "Contributions",
    "SoftRas",
    "aggregate",
    "aggregate_textures",
    "contributions",
    "silhouette",
]
