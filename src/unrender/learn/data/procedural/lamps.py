"""Lamps: table, floor, desk, hanging and wall lamps, chandeliers, candles, spots."""

from __future__ import annotations

import itertools
import math

import numpy as np

from . import legs, materials
from .lofts import ball, cylinder, lathe, smooth_path, superellipse, tube
from .parts import Solid, box, rounded_box
from .workshop import Workshop


def _shade_paint(shop: Workshop) -> int:
    if shop.chance(0.65):
        pale = materials.choose_color(shop.rng, ((0.95, 0.93, 0.86), (0.90, 0.85, 0.70), (0.95, 0.95, 0.95)))
        return shop.material(materials.cloth(shop.rng, pale))
    return shop.material(materials.upholstery(shop.rng))


def _shade(shop: Workshop, radius: float, height: float) -> Solid:
    """A lamp shade from y = 0 up: cone, drum, bell, globe or pyramid."""
    kind = shop.pick(("cone", "bell", "globe", "pyramid"), (6, 2, 2, 1))
    if kind == "globe":
        return ball(2 * radius, min(height, 2 * radius), 2 * radius, segments=16, rows=9).moved(
            0, min(height / 2, radius)
        )
    top = radius * shop.uniform(0.35, 1)
    if kind == "bell":
        t = np.linspace(0, 1, 6)
        return lathe(np.stack([top + (radius - top) * (1 - t) ** 2, t * height], -1), segments=20)
    if kind == "pyramid":
        square = [(-1, -1), (1, -1), (1, 1), (-1, 1)]
        return lathe([(radius * 0.85, 0), (top * 0.85, height)], outline=square)
    return cylinder(radius, height, top=top, segments=20)


def table_lamp(shop: Workshop) -> None:
    """A shade on a turned, bottle-shaped or straight foot."""
    body = shop.material(_body_paint(shop))
    shade = _shade_paint(shop)
    height, radius = shop.uniform(0.18, 0.45), shop.uniform(0.1, 0.24)
    foot = radius * shop.uniform(0.35, 0.8)
    if shop.chance(0.75):
        belly, waist = shop.uniform(0.2, 1.1) * foot, shop.uniform(0.08, 0.25) * foot
        points = [
            (foot, 0.0),
            (foot * 0.9, 0.06),
            (waist, 0.12),
            (belly, shop.uniform(0.25, 0.5)),
            (waist, 0.8),
            (waist, 1.0),
        ]
        profile = smooth_path(points, 3)
        shop.add(lathe(profile.clip(0.004, None) * (1, height), segments=16), body)
    else:
        legs.pedestal(shop, body, height, foot)
    shop.add(_shade(shop, radius, radius * shop.uniform(0.9, 1.8)).moved(0, height * 0.95), shade)


def _body_paint(shop: Workshop) -> materials.Paint:
    kind = shop.rng.random()
    if kind < 0.4:
        return materials.metal(shop.rng)
    if kind < 0.65:
        return materials.wood(shop.rng)
    return materials.lacquer(shop.rng)


def floor_lamp(shop: Workshop) -> None:
    """A high lamp: a shade or bowl on a thin post, a tripod or an arc."""
    body, shade = shop.material(_body_paint(shop)), _shade_paint(shop)
    height, radius = shop.uniform(1.2, 1.8), shop.uniform(0.12, 0.26)
    kind = shop.pick(("post", "tripod", "arc"), (5, 2, 2))
    if kind == "arc":
        reach = shop.uniform(0.3, 0.8)
        path = smooth_path(
            [
                (-reach / 2, 0, 0),
                (-reach / 2, height * 0.7, 0),
                (0, height, 0),
                (reach / 2, height * 0.85, 0),
            ],
            6,
        )
        shop.add(tube(path, 0.014), body)
        shop.add(cylinder(radius * 0.8, 0.04, segments=16).moved(-reach / 2), body)
        shop.add(_shade(shop, radius, radius).moved(reach / 2, height * 0.85 - radius), shade)
        return
    if kind == "tripod":
        for i in range(3):
            leg = tube([(radius * 1.3, 0, 0), (0.02, height * 0.85, 0)], 0.014, segments=6)
            shop.add(leg.turned("y", 120 * i + 90), body)
    else:
        shop.add(cylinder(shop.uniform(0.01, 0.025), height), body)
        shop.add(cylinder(radius * shop.uniform(0.6, 1), shop.uniform(0.02, 0.06), segments=18), body)
    if shop.chance(0.3):
        bowl = lathe(
            [
                (0, 0),
                (radius * 0.7, 0.04),
                (radius, 0.12),
                (radius * 0.95, 0.12),
                (radius * 0.6, 0.07),
                (0, 0.05),
            ],
            segments=18,
        )
        shop.add(bowl.moved(0, height), shade)
    else:
        shop.add(_shade(shop, radius, radius * shop.uniform(0.8, 1.8)).moved(0, height * 0.85), shade)


def desk_lamp(shop: Workshop) -> None:
    """A head on a jointed or bent arm over a heavy foot."""
    body = shop.material(materials.lacquer(shop.rng))
    head = body if shop.chance(0.6) else shop.material(materials.metal(shop.rng))
    first, second = shop.uniform(0.2, 0.4), shop.uniform(0.15, 0.4)
    back, over = math.radians(shop.uniform(-20, 40)), math.radians(shop.uniform(20, 80))
    elbow = np.array([0, first * math.cos(back), -first * math.sin(back)])
    end = elbow + np.array([0, second * math.cos(over), second * math.sin(over)])
    path = np.array([(0, 0.02, 0), elbow, end])
    if shop.chance(0.5):
        path = smooth_path(path, 5)
        shop.add(tube(path, shop.uniform(0.006, 0.014), segments=6), body)
    else:
        for a, b in itertools.pairwise(path):
            shop.add(tube([a, b], shop.uniform(0.006, 0.015), segments=6), body)
        shop.add(ball(0.03, 0.03, 0.03, segments=8, rows=5).moved(*elbow), body)
    radius = shop.uniform(0.05, 0.09)
    if shop.chance(0.7):
        shop.add(cylinder(radius * 1.4, 0.025, segments=18), body)
    else:
        shop.add(rounded_box(radius * 2.4, 0.025, radius * 2, 0.008).moved(0, 0.0125), body)
    if shop.chance(0.75):
        cone = lathe(
            [
                (radius, 0),
                (radius * 0.8, radius * 0.8),
                (radius * 0.3, radius * 1.6),
                (radius * 0.25, radius * 2),
            ],
            segments=14,
        )
        hat = cone.turned("x", shop.uniform(-60, 10)).moved(0, -radius, radius * 0.6)
    else:
        hat = rounded_box(0.06, 0.03, 0.3, 0.012).turned("x", shop.uniform(-10, 20)).moved(0, 0, 0.08)
    shop.add(hat.moved(*end), head)


def hanging_lamp(shop: Workshop) -> None:
    """A pendant: a shade below a cord and a rose."""
    body, shade = shop.material(materials.metal(shop.rng)), _shade_paint(shop)
    radius, cord = shop.uniform(0.1, 0.35), shop.uniform(0.05, 0.8)
    tall = radius * shop.uniform(0.5, 1.8)
    shop.add(_shade(shop, radius, tall), shade)
    shop.add(cylinder(0.008, cord + tall * 0.3, segments=6).moved(0, tall * 0.7), body)
    shop.add(cylinder(0.05, 0.03).moved(0, tall + cord), body)


def chandelier(shop: Workshop) -> None:
    """Arms with little shades, globes or candles about a middle, hanging or standing."""
    body, shade = shop.material(materials.metal(shop.rng)), _shade_paint(shop)
    arms, radius = shop.count(3, 8), shop.uniform(0.2, 0.45)
    hang, size = shop.uniform(0.2, 0.6), shop.uniform(0.03, 0.08)
    stand = shop.chance(0.3)
    if stand:
        legs.pedestal(shop, body, hang, radius * 0.6)
    shop.add(cylinder(0.012, hang).moved(0, 0 if not stand else 0.0), body)
    shop.add(ball(0.09, 0.12, 0.09, segments=10), body)
    level = hang * shop.uniform(0.5, 0.9) if stand else 0.0
    path = smooth_path([(0, level, 0), (radius * 0.5, level - 0.08, 0), (radius, level + 0.03, 0)], 4)
    kind = shop.pick(("candle", "cone", "globe"))
    for i in range(arms):
        turn = 360 / arms * i
        shop.add(tube(path, 0.01, segments=6).turned("y", turn), body)
        if kind == "candle":
            light = cylinder(size * 0.4, size * 3, segments=8)
        elif kind == "cone":
            light = cylinder(size, size * 1.6, top=size * 0.5, segments=10)
        else:
            light = ball(2 * size, 2 * size, 2 * size, segments=10, rows=7).moved(0, size)
        shop.add(light.moved(radius, level + 0.03).turned("y", turn), shade)


def ceiling_lamp(shop: Workshop) -> None:
    """A flat dish, ring, strip or row of spots."""
    body, shade = shop.material(_body_paint(shop)), _shade_paint(shop)
    width = shop.uniform(0.25, 0.6)
    kind = shop.pick(("dish", "strip", "spots"), (3, 1, 1))
    if kind == "dish":
        deep, r = width * shop.uniform(0.1, 0.35), width / 2
        outline = None if shop.chance(0.7) else superellipse(24, 9)
        shop.add(lathe([(0, -deep), (r * 0.6, -deep * 0.85), (r, 0)], segments=24, outline=outline), shade)
        shop.add(lathe([(r * 1.03, -0.01), (r * 1.03, 0.02)], segments=24, outline=outline), body)
        return
    long = width * shop.uniform(1.5, 3)
    shop.add(rounded_box(long, 0.04, 0.08, 0.01), body)
    if kind == "strip":
        shop.add(cylinder(0.03, long * 0.95).turned("z", 90).moved(long * 0.475, -0.04), shade)
        return
    for x in np.linspace(-0.42, 0.42, shop.count(2, 4)) * long:
        spot = (
            cylinder(0.05, 0.11, top=0.03)
            .turned("x", shop.uniform(-60, 60))
            .turned("y", shop.uniform(-90, 90))
        )
        shop.add(spot.moved(x, -0.12), shade)


def wall_lamp(shop: Workshop) -> None:
    """A sconce: a plate on the wall, an arm and a shade, or a half drum."""
    body, shade = shop.material(_body_paint(shop)), _shade_paint(shop)
    tall, out = shop.uniform(0.12, 0.35), shop.uniform(0.08, 0.25)
    if shop.chance(0.35):
        arc = np.linspace(0, np.pi, 9)
        width = shop.uniform(0.2, 0.4)
        half = np.stack([width / 2 * np.cos(arc), 0 * arc, out * np.sin(arc)], -1)
        shop.add(tube(np.array([(0, 0, 0), (0, tall, 0)]), 1, outline=half[:, [0, 2]]), shade)
        shop.add(rounded_box(width * 1.05, tall * 1.05, 0.02, 0.006).moved(0, tall / 2), body)
        return
    shop.add(rounded_box(0.1, tall, 0.02, 0.006), body)
    shop.add(tube(smooth_path([(0, 0, 0), (0, -0.04, out * 0.6), (0, 0.02, out)], 4), 0.01, segments=6), body)
    radius = shop.uniform(0.05, 0.11)
    shop.add(_shade(shop, radius, radius * shop.uniform(1, 2)).moved(0, 0.0, out), shade)


def candle(shop: Workshop) -> None:
    """Candles on a plate, a stick or in a lantern."""
    wax = shop.material(
        materials.plain(
            materials.choose_color(shop.rng, ((0.92, 0.88, 0.75), (0.75, 0.08, 0.08), (0.9, 0.9, 0.9)))
        )
    )
    body = shop.material(_body_paint(shop))
    if shop.chance(0.4):
        size, tall = shop.uniform(0.1, 0.2), shop.uniform(0.2, 0.4)
        shop.add(box(size * 1.2, 0.02, size * 1.2), body)
        shop.add(box(size * 1.2, 0.02, size * 1.2).moved(0, tall), body)
        shop.add(box(0.014, tall, 0.014).moved(size * 0.5, tall / 2, size * 0.5), body, mirror="xz")
        shop.add(cylinder(size, size * 0.5, top=size * 0.1, segments=4).turned("y", 45).moved(0, tall), body)
        shop.add(cylinder(size * 0.2, tall * 0.5), wax)
        return
    height = shop.uniform(0.05, 0.3)
    legs.pedestal(shop, body, height, shop.uniform(0.04, 0.09))
    shop.add(cylinder(0.035, 0.01, top=0.045).moved(0, height), body)
    shop.add(cylinder(shop.uniform(0.01, 0.03), shop.uniform(0.08, 0.2)).moved(0, height), wax)


def street_lamp(shop: Workshop) -> None:
    """A post with a lantern or a bent arm; traffic lights too."""
    body, shade = shop.material(materials.metal(shop.rng)), _shade_paint(shop)
    height = shop.uniform(2.5, 5)
    shop.add(cylinder(0.09, height, top=0.05), body)
    shop.add(cylinder(0.16, 0.25, top=0.1), body)
    if shop.chance(0.4):
        reach = shop.uniform(0.5, 1.4)
        shop.add(
            tube(
                smooth_path(
                    [(0, height * 0.98, 0), (reach * 0.4, height * 1.08, 0), (reach, height * 1.08, 0)], 4
                ),
                0.045,
            ),
            body,
        )
        shop.add(rounded_box(0.6, 0.14, 0.26, 0.06).moved(reach + 0.2, height * 1.07), shade)
    else:
        shop.add(lathe([(0.12, 0), (0.26, 0.45)], segments=6).moved(0, height), shade)
        shop.add(lathe([(0.32, 0.45), (0, 0.7)], segments=6).moved(0, height), body)


KINDS = {
    table_lamp: 12,
    floor_lamp: 5,
    desk_lamp: 6,
    hanging_lamp: 5,
    chandelier: 3,
    ceiling_lamp: 4,
    wall_lamp: 4,
    candle: 3,
    street_lamp: 2,
}
