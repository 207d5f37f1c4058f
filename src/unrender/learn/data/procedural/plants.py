"""Plants: leaves in pots, trees, palms, bushes, conifers, flowers, bamboo, cacti."""

from __future__ import annotations

import math

import numpy as np

from . import materials
from .lofts import ball, cylinder, lathe, plate, smooth_path, tube
from .parts import Solid, box, scattered, swollen
from .workshop import Workshop


def _pot(shop: Workshop, radius: float) -> float:
    """A pot with earth; the height of the earth."""
    paint = (
        materials.lacquer(shop.rng)
        if shop.chance(0.6)
        else materials.plain(materials.choose_color(shop.rng, ((0.62, 0.32, 0.2), (0.3, 0.22, 0.16))))
    )
    pot = shop.material(paint)
    height, low = radius * shop.uniform(1, 2.4), radius * shop.uniform(0.55, 1)
    rim = radius * 1.06
    if shop.chance(0.2):
        shop.add(box(2 * radius, height, 2 * radius * shop.uniform(0.6, 1)).moved(0, height / 2), pot)
    elif shop.chance(0.3):
        profile = smooth_path([(low, 0), (rim * shop.uniform(1, 1.3), height * 0.5), (radius, height)], 4)
        shop.add(lathe(profile, segments=18), pot)
    else:
        shop.add(
            lathe([(low, 0), (radius, height * 0.82), (rim, height * 0.82), (rim, height)], segments=18), pot
        )
    earth = shop.material(materials.speckle(shop.rng, (0.18, 0.12, 0.08), 0.4))
    shop.add(cylinder(radius * 0.9, height * 0.03).moved(0, height * 0.985), earth)
    return height


def _green(shop: Workshop) -> int:
    return shop.material(materials.leaf(shop.rng, materials.choose_color(shop.rng, materials.LEAVES)))


def _blade(shop: Workshop, long: float, wide: float, rise: float, droop: float) -> Solid:
    """A leaf that leaves the origin upwards by ``rise`` degrees and bends down by ``droop`` along +Z."""
    t = np.linspace(0, 1, 6)
    angle = np.radians(rise - droop * t)
    steps = np.stack([np.sin(angle), np.cos(angle)], -1) * (long / 5)
    path = np.concatenate([np.zeros((1, 2)), steps[:-1].cumsum(0)])
    widths = wide * np.maximum(np.sin(np.pi * (0.08 + 0.9 * t ** shop.uniform(0.6, 1.2))), 0.08)
    return plate(path, widths, wide * 0.06 + long * 0.004, dish=wide * 0.12, columns=3)


def _crown(
    shop: Workshop, material: int, centre: np.ndarray, size: np.ndarray, count: int, leaf: float
) -> None:
    """Many small leaves in an ellipsoid: thin four-sided double pyramids."""
    base = lathe([(0, -0.12), (1, 0), (0, 0.12)], segments=4).scaled(0.5, 1, 1).moved(0, 0, 0.8)
    direction = shop.rng.uniform(-1, 1, (4 * count, 3))
    direction = direction[(direction**2).sum(-1) < 1][:count]
    turns = _random_turns(shop, len(direction))
    places = centre + direction * size / 2
    shop.add(scattered(base, places, turns, shop.rng.uniform(0.6, 1.2, len(places)) * leaf), material)


def _random_turns(shop: Workshop, count: int) -> np.ndarray:
    """Rotations (K, 3, 3) from uniform quaternions."""
    a, b, c = shop.rng.random((3, count)) * np.array([[1], [2 * np.pi], [2 * np.pi]])
    x, y, z, w = (
        np.sqrt(1 - a) * np.sin(b),
        np.sqrt(1 - a) * np.cos(b),
        np.sqrt(a) * np.sin(c),
        np.sqrt(a) * np.cos(c),
    )
    rows = [
        [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
        [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
        [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
    ]
    return np.array(rows).transpose(2, 0, 1)


def _lump(shop: Workshop, width: float, height: float, bumps: float) -> Solid:
    """A bumpy ball about the origin, for foliage seen from afar."""
    waves = shop.rng.uniform(-1, 1, (5, 3)) * 16 / max(width, height)
    solid = ball(width, height, width, segments=16, rows=11)
    return swollen(solid, waves, shop.rng.uniform(0, 6.28, 5), bumps)


def house_plant(shop: Workshop) -> None:
    """Long or broad leaves from a pot."""
    radius = shop.uniform(0.08, 0.16)
    level = _pot(shop, radius)
    greens = [_green(shop) for _ in range(2)]
    long, wide = shop.uniform(0.25, 0.7), shop.uniform(0.02, 0.14)
    droop, low = shop.uniform(10, 120), shop.uniform(30, 65)
    for i in range(shop.count(10, 26)):
        blade = _blade(
            shop, long * shop.uniform(0.6, 1.1), wide, shop.uniform(low, 92), droop * shop.uniform(0.5, 1.2)
        )
        shop.add(blade.turned("y", 137.5 * i).moved(0, level), shop.pick(greens))
    if shop.chance(0.25):
        bloom = shop.material(materials.plain(materials.choose_color(shop.rng, materials.FLOWERS)))
        for i in range(shop.count(2, 6)):
            lean, up = shop.uniform(0, 0.2), long * shop.uniform(0.6, 1.1)
            x, z = lean * math.cos(2.4 * i), lean * math.sin(2.4 * i)
            shop.add(tube([(0, level, 0), (x, level + up, z)], 0.006, segments=5), greens[0])
            shop.add(ball(0.06, 0.09, 0.06, segments=8).moved(x, level + up, z), bloom)


def tree(shop: Workshop) -> None:
    """A trunk with a crown of leaves or of lumps; in a pot or in the ground."""
    potted = shop.chance(0.4)
    level = _pot(shop, shop.uniform(0.12, 0.2)) if potted else 0.0
    bark = shop.material(
        materials.speckle(
            shop.rng,
            materials.choose_color(shop.rng, ((0.32, 0.22, 0.14), (0.5, 0.42, 0.34), (0.8, 0.78, 0.72))),
            0.4,
        )
    )
    trunk, width = shop.uniform(0.3, 1), shop.uniform(0.35, 1.1)
    height = width * shop.uniform(0.8, 2)
    thick = shop.uniform(0.015, 0.04)
    bend = shop.uniform(-0.08, 0.08)
    path = smooth_path(
        [(0, level, 0), (bend, level + trunk * 0.5, bend), (0, level + trunk + height * 0.4, 0)], 3
    )
    shop.add(tube(path, np.linspace(1.2, 0.5, len(path)) * thick), bark)
    middle = np.array([0, level + trunk + height * 0.4, 0])
    size = np.array([width, height, width])
    for i in range(shop.count(2, 5)):
        tip = middle + size * 0.35 * np.array([math.cos(2.2 * i), shop.uniform(-0.5, 0.6), math.sin(2.2 * i)])
        shop.add(
            tube([(0, level + trunk * shop.uniform(0.7, 1), 0), tip], [thick * 0.5, thick * 0.2], segments=5),
            bark,
        )
    if shop.chance(0.6):
        leaf, count = width * shop.uniform(0.03, 0.07), shop.count(150, 380)
        _crown(shop, _green(shop), middle, size, count // 2, leaf)
        _crown(shop, _green(shop), middle, size * 0.9, count // 2, leaf)
        return
    green = shop.material(
        materials.speckle(shop.rng, materials.choose_color(shop.rng, materials.LEAVES), 0.7)
    )
    shop.add(_lump(shop, width, height, 0.35).moved(*middle), green)
    for i in range(shop.count(0, 4)):
        side = np.array([math.cos(1.9 * i), shop.uniform(-0.8, 0.8), math.sin(1.9 * i)])
        place = middle + side * size * 0.3
        shop.add(_lump(shop, width * 0.55, height * 0.45, 0.4).moved(*place), green)


def palm(shop: Workshop) -> None:
    """A bare trunk with long leaves at its end; some are only slim stems with a tuft, in a pot."""
    level = _pot(shop, shop.uniform(0.12, 0.2)) if shop.chance(0.4) else 0.0
    bark = shop.material(materials.stripes(shop.rng, (0.45, 0.34, 0.24), (0.34, 0.25, 0.17), crosswise=True))
    greens = [_green(shop) for _ in range(2)]
    height, long = shop.uniform(0.4, 1.8), shop.uniform(0.3, 0.7)
    wide, droop = long * shop.uniform(0.06, 0.2), shop.uniform(60, 150)
    for stem in range(shop.count(1, 3) if level else 1):
        up = height * shop.uniform(0.6, 1) if stem else height
        x, z = (0.06 * stem * math.cos(2 * stem), 0.06 * stem * math.sin(2 * stem))
        lean = shop.uniform(-0.1, 0.1) * up
        path = smooth_path([(x, level, z), (x, level + up * 0.5, z), (x + lean, level + up, z)], 3)
        shop.add(tube(path, np.linspace(1.3, 0.8, len(path)) * height * shop.uniform(0.02, 0.035)), bark)
        for i in range(shop.count(9, 18)):
            blade = _blade(shop, long * shop.uniform(0.8, 1.1), wide, shop.uniform(10, 80), droop)
            shop.add(blade.turned("y", 137.5 * i).moved(x + lean, level + up * 0.99, z), shop.pick(greens))


def bush(shop: Workshop) -> None:
    """A low and broad heap of leaves, round or cut to a box, with or without flowers or a pot."""
    level = _pot(shop, shop.uniform(0.15, 0.25)) if shop.chance(0.4) else 0.0
    width = shop.uniform(0.4, 1)
    height = width * shop.uniform(0.5, 1.1)
    color = materials.choose_color(shop.rng, materials.LEAVES)
    middle = np.array([0, level + height * 0.5, 0])
    size = np.array([width, height, width])
    if shop.chance(0.5):
        shop.add(
            _lump(shop, width * 0.9, height * 0.9, 0.35).moved(*middle),
            shop.material(materials.speckle(shop.rng, color, 0.7)),
        )
    _crown(shop, _green(shop), middle, size, shop.count(120, 320), width * shop.uniform(0.04, 0.09))
    if shop.chance(0.5):
        bloom = shop.material(materials.plain(materials.choose_color(shop.rng, materials.FLOWERS)))
        flower = ball(1, 0.7, 1, segments=6, rows=4)
        count = shop.count(10, 35)
        angle, high = shop.rng.uniform(0, 2 * np.pi, count), shop.rng.uniform(-0.2, 1, count)
        flat = np.sqrt(1 - high**2)
        places = middle + np.stack([flat * np.cos(angle), high, flat * np.sin(angle)], -1) * size / 2
        shop.add(
            scattered(
                flower,
                places,
                np.tile(np.eye(3), (count, 1, 1)),
                np.full(count, width * shop.uniform(0.05, 0.12)),
            ),
            bloom,
        )


def conifer(shop: Workshop) -> None:
    """A fir, Christmas tree or cypress: cones in a row, one slim spindle, or needles round a stem."""
    height = shop.uniform(1, 2)
    width = height * shop.uniform(0.15, 0.65)
    bark = shop.material(materials.speckle(shop.rng, (0.32, 0.22, 0.14), 0.4))
    color = (
        materials.choose_color(shop.rng, materials.LEAVES)
        if shop.chance(0.85)
        else materials.choose_color(shop.rng, materials.CERAMICS)
    )
    decked = shop.chance(0.4)
    paint = (
        materials.dots(shop.rng, color, list(materials.FLOWERS))
        if decked
        else materials.speckle(shop.rng, color, 0.7)
    )
    green = shop.material(paint)
    shop.add(cylinder(width * 0.06, height * 0.3), bark)
    kind = shop.pick(("tiers", "spindle", "needles"), (3, 2, 2))
    low = height * shop.uniform(0.06, 0.15)
    if kind == "tiers":
        tiers = shop.count(3, 7)
        for i in range(tiers):
            r, up = width / 2 * (1 - i / tiers) ** 0.9, low + (height - low) * i / tiers
            ragged = 1 + 0.12 * np.cos(np.arange(24) * np.pi * shop.uniform(0.6, 1))
            ring = (
                np.stack([np.cos(np.arange(24) * np.pi / 12), np.sin(np.arange(24) * np.pi / 12)], -1)
                * ragged[:, None]
            )
            shop.add(lathe([(r, 0), (0, (height - low) / tiers * 1.6)], outline=ring).moved(0, up), green)
    elif kind == "spindle":
        t = np.linspace(0, 1, 9)
        profile = np.stack([width / 2 * np.sin(np.pi * t**0.7) ** 0.7, low + (height - low) * t], -1)
        profile[[0, -1], 0] = 0
        shop.add(lathe(profile, segments=16), green)
    else:
        leaves = _green(shop)
        for t in np.linspace(0.05, 0.95, 8):
            size = np.array([width * (1 - t), height * 0.18, width * (1 - t)])
            _crown(
                shop,
                leaves if t * 8 % 2 < 1 else green,
                np.array([0, low + (height - low) * t, 0]),
                size,
                int(60 * (1 - t)) + 8,
                height * 0.035,
            )
        shop.add(cylinder(width * 0.04, height * 0.95), bark)
    if decked and shop.chance(0.6):
        shop.add(
            ball(0.1, 0.1, 0.1).moved(0, height * 1.02), shop.material(materials.plain((0.9, 0.75, 0.1)))
        )


def flowers(shop: Workshop) -> None:
    """A bunch of stems with blooms and leaves in a vase."""
    vase = shop.material(materials.lacquer(shop.rng))
    height, radius = shop.uniform(0.15, 0.3), shop.uniform(0.04, 0.09)
    points = [
        (radius * 0.6, 0),
        (radius, height * 0.35),
        (radius * 0.5, height * 0.8),
        (radius * 0.7, height),
    ]
    shop.add(lathe(smooth_path(points, 4), segments=16), vase)
    green = _green(shop)
    blooms = [
        shop.material(materials.plain(materials.choose_color(shop.rng, materials.FLOWERS))) for _ in range(2)
    ]
    long, size = shop.uniform(0.15, 0.4), shop.uniform(0.02, 0.05)
    tall = shop.chance(0.3)
    for i in range(shop.count(5, 14)):
        lean = shop.uniform(0, 0.6) * long
        up = height + long * shop.uniform(0.6, 1)
        x, z = lean * math.cos(2.4 * i), lean * math.sin(2.4 * i)
        shop.add(
            tube(
                [(0, height * 0.9, 0), (x * 0.6, (height + up) / 2, z * 0.6), (x, up, z)], 0.004, segments=5
            ),
            green,
        )
        head = ball(
            size * (0.6 if tall else 2), size * (4 if tall else 1.6), size * (0.6 if tall else 2), segments=8
        )
        shop.add(head.moved(x, up, z), shop.pick(blooms))
        if shop.chance(0.5):
            shop.add(
                _blade(shop, long * 0.5, size, 70, 60)
                .turned("y", 137.5 * i + 40)
                .moved(x * 0.4, height * 1.05, z * 0.4),
                green,
            )


def bamboo(shop: Workshop) -> None:
    """Upright canes with leaves at their ends; or the columns of a cactus."""
    level = _pot(shop, shop.uniform(0.1, 0.2))
    color = materials.choose_color(shop.rng, materials.LEAVES)
    cane = shop.material(materials.stripes(shop.rng, color, color * 0.75, crosswise=shop.chance(0.6)))
    height = shop.uniform(0.3, 1)
    cactus = shop.chance(0.35)
    for i in range(shop.count(1, 3) if cactus else shop.count(3, 9)):
        x, z = 0.08 * math.cos(2.4 * i) * (i > 0), 0.08 * math.sin(2.4 * i) * (i > 0)
        up = height * shop.uniform(0.5, 1)
        if cactus:
            wide = shop.uniform(0.08, 0.14)
            shop.add(ball(wide, up * 2, wide, segments=14, rows=9).moved(x, level, z), cane)
            continue
        shop.add(cylinder(shop.uniform(0.008, 0.02), up, segments=8).moved(x, level, z), cane)
        for k in range(3):
            blade = _blade(shop, height * 0.4, height * 0.05, shop.uniform(30, 75), 70)
            shop.add(blade.turned("y", 137.5 * (i + k)).moved(x, level + up, z), cane)


KINDS = {house_plant: 9, tree: 8, palm: 6, bush: 5, conifer: 5, flowers: 5, bamboo: 4}
