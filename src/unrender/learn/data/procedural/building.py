"""Parts of buildings: huts, fireplaces, doors and pictures in frames, radiators."""

from __future__ import annotations

import numpy as np

from . import fronts, materials
from .lofts import ball, cylinder, lathe, loft, tapered_box, tube
from .parts import box, rounded_box
from .workshop import Workshop


def hut(shop: Workshop) -> None:
    """A garden hut, dog house, greenhouse or house: walls, a roof, a door and windows."""
    wall_paint = materials.wood(shop.rng) if shop.chance(0.6) else materials.lacquer(shop.rng)
    wall, roof = shop.material(wall_paint), shop.material(materials.choose_finish(shop.rng))
    width, deep, high = shop.uniform(1, 2.5), shop.uniform(1, 2.5), shop.uniform(0.8, 2)
    rise, over = shop.uniform(0.2, 0.9), 0.08
    shop.add(rounded_box(width, high, deep, 0.02).moved(0, high / 2), wall)
    gable = np.array([(-width / 2 - over, high), (width / 2 + over, high), (0.0, high + rise)])
    shop.add(
        loft([np.column_stack([gable, np.full(3, z)]) for z in (-deep / 2 - over, deep / 2 + over)]), roof
    )
    glass = materials.choose_color(shop.rng, materials.GLASSES)
    pane = shop.material(fronts.glazed(wall_paint, glass, 2, 2))
    door = shop.material(fronts.panelled(materials.wood(shop.rng)))
    tall = min(high * 0.85, 1.9)
    x = shop.uniform(-0.25, 0.25) * width
    shop.add(box(width * 0.3, tall, 0.05, fit=True).moved(x, tall / 2, deep / 2), door, whole=True)
    shop.add(box(width + 0.05, high * 0.35, deep * 0.35, fit=True).moved(0, high * 0.6), pane, whole=True)
    if shop.chance(0.4):
        shop.add(
            box(0.25, rise, 0.25).moved(width * 0.25, high + rise * 0.8),
            shop.material(materials.checks(shop.rng, (0.6, 0.25, 0.15), (0.5, 0.2, 0.12))),
        )


def fireplace(shop: Workshop) -> None:
    """A fireplace or stove: an opening with fire below a mantel or pipe; a barbecue on legs."""
    stone = shop.material(
        materials.speckle(
            shop.rng, materials.choose_color(shop.rng, materials.LACQUERS + materials.WOODS), 0.3
        )
    )
    dark = shop.material(materials.plain((0.07, 0.06, 0.06)))
    width, deep, high = shop.uniform(0.5, 1.3), shop.uniform(0.35, 0.6), shop.uniform(0.6, 1.1)
    if shop.chance(0.3):
        radius = width * 0.4
        shop.add(
            lathe(
                [
                    (0, 0),
                    (radius * 0.7, radius * 0.12),
                    (radius, radius * 0.5),
                    (radius * 0.95, radius * 0.5),
                    (0, radius * 0.3),
                ],
                segments=20,
            ).moved(0, high * 0.7),
            dark,
        )
        for i in range(3):
            shop.add(
                tube([(radius * 0.9, 0, 0), (radius * 0.5, high * 0.78, 0)], 0.02, segments=6).turned(
                    "y", 120 * i
                ),
                stone,
            )
        return
    fire = shop.material(
        fronts.framed(materials.plain((0.08, 0.07, 0.07)), (0.95, 0.5, 0.1), (0.15, 0.45, 0.85, 0.95))
    )
    shop.add(box(width, high, deep).moved(0, high / 2), stone)
    shop.add(box(width * 0.65, high * 0.6, 0.04, fit=True).moved(0, high * 0.42, deep / 2), fire, whole=True)
    shop.add(
        rounded_box(width * 1.12, 0.07, deep * 1.15, 0.015).moved(0, high),
        shop.material(materials.choose_finish(shop.rng)),
    )
    shop.add(box(width * 1.05, 0.08, deep * 1.4).moved(0, 0.04, deep * 0.2), stone)
    if shop.chance(0.6):
        up = shop.uniform(0.4, 1.2)
        shop.add(
            tapered_box(
                (width * 0.8, deep * 0.8), (width * 0.4, deep * 0.6), up, shift=(0, -deep * 0.1)
            ).moved(0, high),
            stone,
        )


def picture_frame(shop: Workshop) -> None:
    """A picture, mirror, clock, door or window: a flat frame with something in it."""
    paint = materials.choose_finish(shop.rng)
    frame = shop.material(paint)
    inner = shop.pick(
        (
            fronts.screen(shop.rng),
            fronts.panelled(paint),
            materials.plain((0.75, 0.8, 0.83)),
            fronts.glazed(paint, materials.choose_color(shop.rng, materials.GLASSES), 2, 3),
        )
    )
    width, high, bar = shop.uniform(0.3, 1.2), shop.uniform(0.3, 2), shop.uniform(0.03, 0.1)
    thick = shop.uniform(0.02, 0.08)
    shop.add(box(width, high, thick * 0.6, fit=True).moved(0, high / 2), shop.material(inner), whole=True)
    shop.add(box(bar, high, thick).moved(width / 2, high / 2), frame, mirror="x")
    for y in (0, high):
        shop.add(box(width + bar, bar, thick).moved(0, y), frame)
    shop.add(ball(0.06, 0.06, 0.06).moved(width * 0.4, high * 0.5, thick * 0.5), frame)


def radiator(shop: Workshop) -> None:
    """A radiator of columns, a panel, a towel rail, a fence or a grille."""
    body = shop.material(
        materials.plain(materials.choose_color(shop.rng, materials.LACQUERS, materials.LACQUER_ODDS))
    )
    width, height, deep = shop.uniform(0.3, 1.6), shop.uniform(0.4, 1.6), shop.uniform(0.04, 0.14)
    count = max(4, min(22, round(width / shop.uniform(0.05, 0.12))))
    if shop.chance(0.3):
        for y in np.linspace(0.05, 0.95, count) * height:
            shop.add(tube([(-width / 2, y, 0.02), (width / 2, y, 0.02)], 0.012, segments=6), body)
        shop.add(box(0.035, height, 0.03).moved(width / 2, height / 2), body, mirror="x")
        return
    wide = width / count
    for x in ((np.arange(count) + 0.5) / count - 0.5) * width:
        shop.add(
            rounded_box(wide * shop.uniform(0.6, 0.9), height, deep, wide * 0.25).moved(x, height / 2), body
        )
    for y in (0.1, 0.9):
        shop.add(box(width, height * 0.05, deep * 0.6).moved(0, height * y), body)
    knob = shop.material(materials.plain((0.85, 0.85, 0.85)))
    shop.add(cylinder(0.03, 0.09).turned("z", -90).moved(width / 2, height * 0.88), knob)
