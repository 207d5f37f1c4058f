"""Pianos and guitars."""

from __future__ import annotations

import numpy as np

from . import materials
from .lofts import cylinder, loft
from .parts import box, rounded_box
from .workshop import Workshop


def piano(shop: Workshop) -> None:
    """An upright piano, a keyboard on legs or an organ."""
    body, keys = (
        shop.material(materials.choose_finish(shop.rng)),
        shop.material(materials.stripes(shop.rng, (0.92, 0.92, 0.9), (0.06, 0.06, 0.06))),
    )
    width, deep, high = shop.uniform(1, 1.5), shop.uniform(0.3, 0.45), shop.uniform(0.75, 1.25)
    shop.add(box(width, high, deep * 0.7).moved(0, high / 2, -deep * 0.15), body)
    shop.add(box(width, 0.12, deep * 0.7).moved(0, 0.66, deep * 0.45), body)
    shop.add(box(width * 0.92, 0.02, deep * 0.35).moved(0, 0.73, deep * 0.55), keys)
    shop.add(box(0.07, 0.62, 0.07).moved(width * 0.46, 0.31, deep * 0.7), body, mirror="x")
    shop.add(rounded_box(width * 1.03, 0.04, deep * 0.8, 0.01).moved(0, high, -deep * 0.12), body)
    if shop.chance(0.4):
        shop.add(box(0.7, 0.06, 0.32).moved(0, 0.47, deep * 1.6), body)
        shop.add(box(0.05, 0.45, 0.05).moved(0.3, 0.23, deep * 1.6), body, mirror="x")


def guitar(shop: Workshop) -> None:
    """A guitar that stands upright, strings to the front."""
    body, neck = shop.material(materials.wood(shop.rng)), shop.material(materials.wood(shop.rng))
    dark = shop.material(materials.plain((0.06, 0.05, 0.05)))
    t = np.linspace(0, 2 * np.pi, 28, endpoint=False)
    y, x = (
        0.24 * np.sin(t),
        0.17 * np.cos(t) * (1 - 0.25 * np.sin(t)) * (1 - 0.22 * np.exp(-((np.sin(t) - 0.15) ** 2) * 18)),
    )
    deep = shop.uniform(0.03, 0.1)
    shop.add(loft([np.stack([x, y, np.full(28, z)], -1) for z in (-deep / 2, deep / 2)]), body)
    shop.add(cylinder(0.045, 0.005).turned("x", 90).moved(0, 0.06, deep / 2), dark)
    shop.add(box(0.05, 0.55, 0.02).moved(0, 0.46, deep / 2), neck)
    shop.add(box(0.075, 0.14, 0.018).turned("x", -8).moved(0, 0.8, deep / 2), neck)
    shop.add(box(0.12, 0.02, 0.012).moved(0, -0.11, deep / 2), dark)


KINDS = {piano: 1, guitar: 1}
