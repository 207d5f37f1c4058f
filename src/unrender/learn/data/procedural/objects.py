"""Objects drawn by number: which category, which kind, and the mesh."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from ....errors import InputError
from ....geometry import Mesh
from . import cabinets, chairs, lamps, tables
from .workshop import Workshop

# category -> (its share, makers with their odds); shares follow the training split of home, but for a little
# of what home lacks
_FAMILIES: dict[str, tuple[float, dict[Callable[[Workshop], None], float]]] = {
    "cabinet": (111, cabinets.KINDS),
    "table": (67, tables.KINDS),
    "chair": (65, chairs.KINDS),
    "lamp": (36, lamps.KINDS),
}
CATEGORIES = tuple(_FAMILIES)


class ProceduralObject(NamedTuple):
    """A made-up object.

    Attributes:
        mesh: upright +Y, front +Z, in the cube [-1/2, 1/2]^3, with a texture.
        category: one of ``CATEGORIES``.
        name: kind, seed and index, as ``office_chair-0-17``.
    """

    mesh: Mesh
    category: str
    name: str


def random_object(index: int, seed: int = 0, category: str | None = None) -> ProceduralObject:
    """Object number ``index`` of a sequence without end.

    The same numbers give the same object everywhere; nothing else has an influence. Where the category is
    drawn, shares are about those of household objects in the catalogue of Sweet Home 3D.

    Args:
        index: which, at least 0.
        seed: which sequence, at least 0.
        category: one of ``CATEGORIES``; drawn at random when None.

    Raises:
        InputError: a number is negative, or there is no such category.
    """
    if index < 0 or seed < 0:
        raise InputError(f"index and seed must be at least 0, got {index} and {seed}")
    if category is not None and category not in _FAMILIES:
        raise InputError(f"category must be one of {', '.join(CATEGORIES)}, got {category!r}")
    shop = Workshop(np.random.default_rng([seed, index]))
    drawn = shop.pick(CATEGORIES, [share for share, _ in _FAMILIES.values()])
    category = category or drawn
    kinds = _FAMILIES[category][1]
    make = shop.pick(list(kinds), list(kinds.values()))
    make(shop)
    return ProceduralObject(shop.mesh(), category, f"{make.__name__}-{seed}-{index}")
