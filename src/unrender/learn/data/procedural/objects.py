"""Objects drawn by number: which category, which kind, and the mesh."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping

import numpy as np

from ....errors import InputError
from ....geometry import Mesh
from . import (
    appliances,
    bathroom,
    cabinets,
    cars,
    chairs,
    craft,
    cycles,
    electronics,
    figures,
    instruments,
    lamps,
    plants,
    soft,
    stools,
    sundries,
    tables,
    vessels,
)
from .workshop import Workshop

# category -> (its share, makers with their odds); shares follow the training split of home, but for a little
# of what home lacks
_FAMILIES: dict[str, tuple[float, Mapping[Callable[[Workshop], None], float]]] = {
    "cabinet": (111, cabinets.KINDS),
    "table": (67, tables.KINDS),
    "chair": (65, chairs.KINDS),
    "appliance": (41, appliances.KINDS),
    "lamp": (36, lamps.KINDS),
    "plant": (34, plants.KINDS),
    "vessel": (30, vessels.KINDS),
    "electronics": (29, electronics.KINDS),
    "bathroom": (28, bathroom.KINDS),
    "bed": (24, soft.BEDS),
    "sofa": (23, soft.SOFAS),
    "person": (15, figures.PERSONS),
    "vehicle": (15, cycles.KINDS | cars.HEAVY),
    "car": (25, cars.CARS),
    "airplane": (12, craft.AIRPLANES),
    "boat": (10, craft.BOATS),
    "animal": (8, figures.ANIMALS),
    "bench": (6, stools.BENCHES),
    "instrument": (4, instruments.KINDS),
    "other": (100, sundries.OTHER),
}
CATEGORIES = tuple(_FAMILIES)


@dataclasses.dataclass(frozen=True, eq=False)
class ProceduralObject:
    """A made-up object.

    Attributes:
        mesh: upright +Y, front +Z, in the cube [-1/2, 1/2]^3, with a texture.
        category: one of ``CATEGORIES``.
        name: kind, seed and index, as ``office_chair-0-17``.
    """

    mesh: Mesh
    category: str
    name: str


def object_category(index: int, seed: int = 0) -> str:
    """The category that :func:`random_object` draws, without making the object.

    Args:
        index: which object, at least 0.
        seed: which sequence, at least 0.

    Raises:
        InputError: a number is negative.
    """
    return _draw_category(_open_workshop(index, seed))


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
    shop = _open_workshop(index, seed)
    drawn = _draw_category(shop)
    if category is not None and category not in _FAMILIES:
        raise InputError(f"category must be one of {', '.join(CATEGORIES)}, got {category!r}")
    category = category or drawn
    kinds = _FAMILIES[category][1]
    make = shop.pick(list(kinds), list(kinds.values()))
    make(shop)
    return ProceduralObject(shop.mesh(), category, f"{make.__name__}-{seed}-{index}")


def _open_workshop(index: int, seed: int) -> Workshop:
    if index < 0 or seed < 0:
        raise InputError(f"index and seed must be at least 0, got {index} and {seed}")
    return Workshop(np.random.default_rng([seed, index]))


def _draw_category(shop: Workshop) -> str:
    return shop.pick(CATEGORIES, [share for share, _ in _FAMILIES.values()])
