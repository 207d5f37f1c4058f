"""Toilets, washbasins, bath tubs, showers."""

from __future__ import annotations

import numpy as np

from . import fronts, materials
from .lofts import circle, cylinder, lathe, loft, smooth_path, superellipse, tube
from .parts import Solid, box, rounded_box
from .workshop import Workshop


def _ceramic(shop: Workshop) -> int:
    color = materials.choose_color(shop.rng, materials.CERAMICS)
    if shop.chance(0.1):
        color = materials.choose_color(shop.rng, materials.LACQUERS)
    return shop.material(materials.plain(color))


def _bowl(outline, wall: float, levels: list[tuple[float, float]], depth: float) -> Solid:
    """A hollow of the given outline: (factor, height) from the floor up to the rim, then down inside."""
    high = levels[-1][1]
    inner = np.maximum(1 - wall / np.abs(outline).max(0), 0.3)
    inside = [(1, high), (0.85, high - depth * 0.6), (0.55, high - depth)]
    rings = [
        np.stack([outline[:, 0] * k, np.full(len(outline), y), outline[:, 1] * k], -1) for k, y in levels
    ]
    rings += [
        np.stack([outline[:, 0] * k * inner[0], np.full(len(outline), y), outline[:, 1] * k * inner[1]], -1)
        for k, y in inside
    ]
    return loft(rings)


def _tap(shop: Workshop, x: float, y: float, z: float, size: float) -> None:
    """A tap that stands at a place and leans to the front."""
    shine = shop.material(
        materials.plain(materials.choose_color(shop.rng, materials.METALS, materials.METAL_ODDS))
    )
    path = smooth_path(
        [(0, 0, 0), (0, size, 0), (0, size * 1.15, size * 0.5), (0, size * 0.8, size * 0.9)], 4
    )
    shop.add(tube(path, size * 0.1, segments=6).moved(x, y, z), shine)
    if shop.chance(0.5):
        knob = cylinder(size * 0.14, size * 0.4, segments=8)
        for side in (-1, 1):
            shop.add(knob.moved(x + side * size * 0.6, y, z), shine)
    else:
        shop.add(box(size * 0.1, size * 0.08, size * 0.6).moved(x, y + size * 1.2, z), shine)


def toilet(shop: Workshop) -> None:
    """A toilet with a cistern, on the floor or hung; bidets and urinals too."""
    white = _ceramic(shop)
    lid = white if shop.chance(0.75) else shop.material(materials.choose_finish(shop.rng))
    width, long, height = shop.uniform(0.34, 0.4), shop.uniform(0.45, 0.58), shop.uniform(0.36, 0.44)
    oval = superellipse(20, shop.uniform(2, 2.8)) * np.array([width, long]) / 2
    hung, bidet = shop.chance(0.25), shop.chance(0.15)
    waist = shop.uniform(0.45, 0.8)
    low = height * 0.3 if hung else 0.0
    levels = [(waist, low), (waist * 0.95, low + (height - low) * 0.35), (0.9, height * 0.82), (1, height)]
    if bidet or shop.chance(0.2):
        shop.add(_bowl(oval, 0.05, levels, height * 0.4), white)
    else:
        shop.add(_bowl(oval, 0.05, levels, 0.02), white)
        seat = np.stack([oval[:, 0], 0 * oval[:, 0], oval[:, 1]], -1) * 1.02
        shop.add(loft([seat, seat + np.array([0, 0.03, 0])]).moved(0, height), lid)
    back = -long / 2
    shop.add(
        rounded_box(width * 0.6, height - low, long * 0.35, 0.03).moved(0, (height + low) / 2, back + 0.08),
        white,
    )
    if bidet:
        _tap(shop, 0, height, back + 0.08, 0.1)
        return
    if shop.chance(0.25) and not hung:
        cover = loft([np.stack([oval[:, 0], oval[:, 1], np.full(20, z)], -1) for z in (0, 0.02)])
        shop.add(cover.turned("x", -8).moved(0, height + long / 2, back + 0.12), lid)
    if not hung:
        tall, deep, wide = shop.uniform(0.3, 0.42), shop.uniform(0.14, 0.2), width * shop.uniform(0.95, 1.25)
        shop.add(
            rounded_box(wide, tall, deep, 0.03, segments=2).moved(
                0, height + tall / 2 - 0.02, back - deep * 0.3
            ),
            white,
        )
        shop.add(
            rounded_box(wide * 1.06, 0.035, deep * 1.1, 0.012).moved(
                0, height + tall - 0.02, back - deep * 0.3
            ),
            white,
        )
        shop.add(
            cylinder(0.02, 0.02).moved(0, height + tall, back - deep * 0.3),
            shop.material(materials.metal(shop.rng)),
        )


def washbasin(shop: Workshop) -> None:
    """A basin on a column, on the wall, on a slab, or a free-standing bowl."""
    white = _ceramic(shop)
    width, depth, tall = shop.uniform(0.35, 0.75), shop.uniform(0.3, 0.5), shop.uniform(0.1, 0.2)
    kind = shop.pick(("column", "wall", "slab", "cabinet"), (4, 3, 2, 2))
    level = 0.0 if kind == "wall" else shop.uniform(0.65, 0.75)
    outline = superellipse(24, shop.uniform(2, 8)) * np.array([width, depth]) / 2
    low = shop.uniform(0.4, 0.85)
    bowl = _bowl(outline, 0.05, [(low, 0), (0.9, tall * 0.5), (1, tall * 0.85), (1, tall)], tall * 0.75)
    shop.add(bowl.moved(0, level), white)
    if kind in ("column", "wall"):
        shop.add(
            rounded_box(width * 0.9, tall * 0.6, depth * 0.25, 0.02).moved(
                0, level + tall * 0.7, -depth * 0.42
            ),
            white,
        )
    _tap(shop, 0, level + tall, -depth * 0.42, shop.uniform(0.08, 0.16))
    if kind == "column":
        foot = shop.uniform(0.06, 0.1)
        profile = smooth_path(
            [(foot * 1.3, 0.0), (foot * 0.85, level * 0.3), (foot, level * 0.8), (foot * 1.4, level + 0.02)],
            4,
        )
        shop.add(lathe(profile), white)
    elif kind == "slab":
        top = shop.material(materials.choose_finish(shop.rng))
        shop.add(rounded_box(width * 1.8, 0.04, depth * 1.25, 0.01).moved(0, level - 0.01), top)
        shop.add(cylinder(0.03, level).moved(0, 0, -depth * 0.2), shop.material(materials.metal(shop.rng)))
    elif kind == "cabinet":
        body, knob = (
            shop.material(materials.choose_finish(shop.rng)),
            shop.material(materials.metal(shop.rng)),
        )
        shop.add(box(width * 1.1, level, depth * 0.95).moved(0, level / 2), body)
        fronts.doors(
            shop, body, knob, (width * 1.05, level * 0.92), (0, level / 2, depth * 0.475), shop.count(1, 2)
        )
    if kind != "column" and shop.chance(0.2):
        mirror = shop.material(materials.plain((0.72, 0.78, 0.82)))
        shop.add(box(width * 1.1, 0.7, 0.02).moved(0, level + 0.75, -depth * 0.5), mirror)


def bathtub(shop: Workshop) -> None:
    """A tub: built in, free-standing on feet, round or in a corner; buckets and bowls are small ones."""
    white = _ceramic(shop)
    width, long, tall = shop.uniform(1.3, 1.9), shop.uniform(0.65, 0.9), shop.uniform(0.4, 0.65)
    if shop.chance(0.2):
        long = width = shop.uniform(1, 1.6)
    power = shop.pick((2.3, 3.5, 12.0), (2, 2, 4))
    outline = superellipse(28, power) * np.array([width, long]) / 2
    slope = shop.uniform(0.7, 0.95) if power < 5 else 0.99
    levels = [(slope, 0), ((1 + slope) / 2, tall * 0.7), (1, tall * 0.96), (1, tall)]
    lift = 0.0
    if shop.chance(0.25):
        lift = shop.uniform(0.06, 0.15)
        feet = shop.material(materials.metal(shop.rng))
        shop.add(cylinder(0.025, lift * 1.3, top=0.06).moved(width * 0.32, 0, long * 0.28), feet, mirror="xz")
    shop.add(
        _bowl(outline, shop.uniform(0.05, 0.1), levels, tall * shop.uniform(0.6, 0.85)).moved(0, lift), white
    )
    if shop.chance(0.7):
        _tap(shop, shop.pick((0.0, -width * 0.4)), lift + tall, -long * 0.46, 0.12)
    if shop.chance(0.15):
        pane = shop.material(materials.plain(materials.choose_color(shop.rng, materials.GLASSES)))
        shop.add(box(width * 0.45, 1.3, 0.02).moved(-width * 0.27, tall + 0.65, long * 0.46), pane)


def shower(shop: Workshop) -> None:
    """A shower: tray, panes in a frame, a rail with a head; or a door alone."""
    glass = shop.material(materials.plain(materials.choose_color(shop.rng, materials.GLASSES)))
    frame = shop.material(materials.metal(shop.rng))
    side, tall = shop.uniform(0.75, 1.1), shop.uniform(1.8, 2.1)
    if shop.chance(0.2):
        shop.add(box(side, tall, 0.03).moved(0, tall / 2), glass)
        shop.add(box(0.03, tall, 0.05).moved(side / 2, tall / 2), frame, mirror="x")
        shop.add(box(0.02, 0.25, 0.1).moved(side * 0.38, tall / 2), frame)
        shop.add(rounded_box(side, 0.04, 0.06, 0.01).moved(0, tall), frame)
        return
    tray = _ceramic(shop)
    half = side / 2
    shop.add(rounded_box(side, 0.12, side, 0.03).moved(0, 0.06), tray)
    back = (
        shop.material(materials.checks(shop.rng, (0.85, 0.87, 0.88), (0.75, 0.78, 0.8)))
        if shop.chance(0.4)
        else glass
    )
    shop.add(box(side, tall, 0.02).moved(0, tall / 2, -half + 0.01), back)
    closed = shop.count(1, 3)
    shop.add(box(0.02, tall, side).moved(half - 0.01, tall / 2), glass, mirror="x" if closed > 1 else "")
    if closed == 3:
        if shop.chance(0.5):
            shop.add(box(side, tall, 0.02).moved(0, tall / 2, half - 0.01), glass)
        else:
            arc = circle(24)[0:7][::-1] * side
            wall = [np.array([[p[0], y, p[1]] for p in (*arc, *(arc[::-1] * 0.97))]) for y in (0.1, tall)]
            shop.add(loft(wall).moved(-half, 0, -half), glass)
    for x, z in ((half, -half), (-half, -half), (half, half), (-half, half)):
        shop.add(box(0.03, tall, 0.03).moved(x * 0.98, tall / 2, z * 0.98), frame)
    rail = smooth_path([(0, 1, -half + 0.05), (0, tall * 0.95, -half + 0.05), (0, tall, -half * 0.5)], 4)
    shop.add(tube(rail, 0.012, segments=6), frame)
    shop.add(cylinder(0.1, 0.02, top=0.04).moved(0, tall * 0.98, -half * 0.45), frame)


def kitchen_sink(shop: Workshop) -> None:
    """A metal or stone slab with one or two hollows and a drainer."""
    plate = shop.material(materials.metal(shop.rng)) if shop.chance(0.6) else _ceramic(shop)
    width, depth, tall = shop.uniform(0.4, 1.2), shop.uniform(0.4, 0.55), shop.uniform(0.12, 0.22)
    count = 2 if width > 0.8 else 1
    room = width / count
    for i in range(count):
        x = ((i + 0.5) / count - 0.5) * width
        outline = superellipse(24, 8) * np.array([room, depth]) / 2
        if i and shop.chance(0.4):
            shop.add(rounded_box(room * 1.02, tall * 0.2, depth, 0.01).moved(x, tall * 0.9), plate)
        else:
            levels = [(0.8, 0), (0.85, tall * 0.85), (1, tall * 0.9), (1, tall)]
            shop.add(_bowl(outline, 0.08, levels, tall * 0.85).moved(x), plate)
    _tap(shop, 0, tall, -depth * 0.45, shop.uniform(0.15, 0.25))


def tap(shop: Workshop) -> None:
    """A tap by itself."""
    base = shop.material(materials.metal(shop.rng))
    shop.add(lathe([(0.035, 0), (0.028, 0.02), (0.022, 0.05)]), base)
    _tap(shop, 0, 0.04, 0, shop.uniform(0.1, 0.2))


KINDS = {toilet: 8, washbasin: 10, bathtub: 6, shower: 5, kitchen_sink: 3, tap: 1}
