"""Stools, deck chairs and benches."""

from __future__ import annotations

import math

import numpy as np

from . import legs, materials
from .lofts import lathe, plate, smooth_path, tube
from .parts import box, rounded_box
from .workshop import Workshop


def stool(shop: Workshop) -> None:
    """A stool, low or for a bar: round, square or saddle seat on legs with rungs or on one foot."""
    top = shop.material(
        materials.choose_finish(shop.rng) if shop.chance(0.5) else materials.upholstery(shop.rng)
    )
    base = shop.material(materials.choose_finish(shop.rng) if shop.chance(0.5) else materials.metal(shop.rng))
    height = shop.uniform(0.35, 0.5) if shop.chance(0.5) else shop.uniform(0.6, 0.8)
    width, thick = shop.uniform(0.28, 0.42), shop.uniform(0.03, 0.12)
    square = shop.chance(0.3)
    if square:
        shop.add(rounded_box(width, thick, width * shop.uniform(0.8, 1.3), thick * 0.4).moved(0, height), top)
    else:
        r = width / 2
        shop.add(
            lathe(
                [(r * 0.9, -thick / 2), (r, -thick / 4), (r, thick / 4), (r * 0.9, thick / 2)], segments=20
            ).moved(0, height),
            top,
        )
    foot = height - thick / 2
    if shop.chance(0.35):
        legs.pedestal(shop, base, foot, width * shop.uniform(0.45, 0.65))
        return
    count, lean = (4 if square else shop.count(3, 4)), width * shop.uniform(0, 0.3)
    radius, inner = shop.uniform(0.012, 0.025), width * 0.42
    for i in range(count):
        leg = tube([(inner + lean, 0, 0), (inner, foot, 0)], radius, segments=8)
        shop.add(leg.turned("y", 360 / count * (i + 0.5)), base)
    if shop.chance(0.7):
        t = shop.uniform(0.25, 0.5)
        reach = inner + lean * (1 - t)
        angle = np.linspace(0, 2 * np.pi, 16, endpoint=False)
        ring = np.stack([reach * np.cos(angle), 0 * angle + foot * t, reach * np.sin(angle)], -1)
        shop.add(tube(ring, radius * 0.7, segments=6, closed=True), base)


def deck_chair(shop: Workshop) -> None:
    """A lounge or deck chair: a long bent seat, slatted or covered, on a low frame."""
    frame = shop.material(materials.choose_finish(shop.rng))
    cover = shop.material(materials.upholstery(shop.rng))
    width, height, long = shop.uniform(0.5, 0.75), shop.uniform(0.2, 0.4), shop.uniform(0.8, 1.6)
    bend, tilt = shop.uniform(0.3, 0.6), math.radians(shop.uniform(25, 75))
    front, rear = long * (1 - bend), long * bend
    path = [(height + shop.uniform(-0.08, 0.05), front / 2), (height, -front / 2)]
    path += [(height + rear * math.sin(tilt), -front / 2 - rear * math.cos(tilt))]
    path = np.array(path)
    if shop.chance(0.5):
        for a, b in ((path[0], path[1]), (path[1], path[2])):
            count = shop.count(5, 9)
            angle = math.degrees(math.atan2(b[0] - a[0], b[1] - a[1]))
            for t in (np.arange(count) + 0.5) / count:
                y, z = a + (b - a) * t
                slat = box(width, 0.018, np.linalg.norm(b - a) / count * 0.7).turned("x", -angle)
                shop.add(slat.moved(0, y, z), frame)
    else:
        rounded = np.concatenate(
            [
                path[:1],
                smooth_path([path[0] * 0.3 + path[1] * 0.7, path[1], path[1] * 0.7 + path[2] * 0.3], 3),
                path[2:],
            ]
        )
        shop.add(plate(rounded, width * 0.94, shop.uniform(0.02, 0.09)), cover)
    sides = np.stack([np.full(3, width / 2), path[:, 0], path[:, 1]], -1)
    for a, b in ((sides[0], sides[1]), (sides[1], sides[2])):
        shop.add(tube([a, b], 0.022, segments=6), frame, mirror="x")
    x, z = width / 2, front / 2
    if shop.chance(0.5):
        shop.add(tube([(x, 0, z * 0.9), (x, height, -z * 0.9)], 0.02, segments=6), frame, mirror="x")
        shop.add(tube([(x, 0, -z * 1.2), (x, height, z * 0.7)], 0.02, segments=6), frame, mirror="x")
    else:
        shop.add(box(0.04, height, 0.04).moved(x, height / 2, z * 0.85), frame, mirror="xz")
    if shop.chance(0.5):
        up = shop.uniform(0.15, 0.25)
        shop.add(box(0.05, 0.025, front * 0.9).moved(x, height + up), frame, mirror="x")
        shop.add(box(0.035, up, 0.035).moved(x, height + up / 2, z * 0.7), frame, mirror="xz")


def bench(shop: Workshop) -> None:
    """A bench for the garden or the hall: planks or a pad, legs or end boards, often a back."""
    frame = shop.material(materials.choose_finish(shop.rng))
    width, depth = shop.uniform(0.9, 1.8), shop.uniform(0.32, 0.5)
    height, thick = shop.uniform(0.38, 0.48), shop.uniform(0.03, 0.06)
    if shop.chance(0.5):
        legs.four_legs(shop, frame, width * 0.95, depth * 0.95, height, shop.pick(legs.KINDS), thick * 1.4)
    else:
        inset = width * shop.uniform(0.02, 0.15)
        shop.add(
            box(thick, height, depth * 0.9).moved(width / 2 - inset - thick / 2, height / 2),
            frame,
            mirror="x",
        )
        shop.add(box(width - 2 * inset, thick * 1.5, thick * 0.6).moved(0, height * 0.6), frame)
    planks = shop.count(1, 4)
    for i in range(planks):
        z = ((i + 0.5) / planks - 0.5) * depth
        plank = rounded_box(width, thick, depth / planks * (0.85 if planks > 1 else 1), thick * 0.2)
        shop.add(plank.moved(0, height + thick / 2, z), frame)
    if shop.chance(0.5):
        rise, count = shop.uniform(0.3, 0.5), shop.count(1, 3)
        shop.add(
            box(thick, rise, thick).moved(width * 0.44, height + rise / 2, -depth / 2), frame, mirror="x"
        )
        for i in range(count):
            plank = box(width * 0.96, rise / count * 0.7, thick * 0.6)
            shop.add(plank.moved(0, height + rise * (1 - (i + 0.4) / count) + thick * 0.5, -depth / 2), frame)
        if shop.chance(0.5):
            shop.add(box(thick, thick * 0.6, depth).moved(width * 0.46, height + 0.2), frame, mirror="x")
            shop.add(box(thick, 0.2, thick).moved(width * 0.46, height + 0.1, depth * 0.4), frame, mirror="x")


BENCHES = {bench: 1}
