"""Things that hold something: bottles, vases, cups, glasses, bowls, jars, pots."""

from __future__ import annotations

import numpy as np

from . import materials
from .lofts import ball, cylinder, lathe, smooth_path, superellipse, tube
from .parts import Solid
from .workshop import Workshop


def _paint(shop: Workshop) -> materials.Paint:
    """Glazed clay, glass or plastic: plain, banded, spotted or veined."""
    kind = shop.rng.random()
    color = materials.choose_color(shop.rng, materials.LACQUERS)
    other = materials.choose_color(shop.rng, materials.LACQUERS)
    if kind < 0.25:
        return materials.plain(materials.choose_color(shop.rng, materials.GLASSES))
    if kind < 0.45:
        return materials.plain(materials.choose_color(shop.rng, materials.CERAMICS))
    if kind < 0.68:
        return materials.plain(color)
    if kind < 0.78:
        return materials.stripes(shop.rng, color, other, crosswise=shop.chance(0.7))
    if kind < 0.86:
        return materials.dots(shop.rng, color, [other])
    if kind < 0.93:
        return materials.marble(shop.rng, color, other)
    return materials.speckle(shop.rng, materials.choose_color(shop.rng, materials.WOODS), 0.25)


def _hollow(profile, wall: float, floor: float, *, segments: int = 24, outline=None) -> Solid:
    """A vessel from its outer profile (radius, height), upwards: the wall goes down again inside."""
    outer = np.asarray(profile, np.float64)
    inner = outer[outer[:, 1] > floor][::-1] - np.array([wall, 0])
    inner[:, 0] = inner[:, 0].clip(wall * 0.3)
    last = np.array([[inner[-1, 0] * 0.95, floor], [0, floor]])
    return lathe(np.concatenate([[[0, outer[0, 1]]], outer, inner, last]), segments=segments, outline=outline)


def vase(shop: Workshop) -> None:
    """A vase or jug of any outline: bellied, waisted, flared; round, square or ruffled."""
    body = shop.material(_paint(shop))
    height, width = shop.uniform(0.2, 0.5), shop.uniform(0.06, 0.2)
    factors = [
        shop.uniform(0.4, 0.8),
        shop.uniform(0.6, 1),
        shop.uniform(0.5, 1),
        shop.uniform(0.15, 0.7),
        shop.uniform(0.25, 0.9),
    ]
    levels = [0, 0.25, 0.5, shop.uniform(0.7, 0.85), 1]
    profile = smooth_path(np.stack([np.array(factors) * width, np.array(levels) * height], -1).tolist(), 4)
    outline = None
    if shop.chance(0.2):
        outline = superellipse(24, shop.uniform(2.5, 8))
    elif shop.chance(0.15):
        lobes = 1 + 0.12 * np.cos(np.arange(36) / 36 * 2 * np.pi * shop.count(5, 9))
        outline = superellipse(36, 2) * lobes[:, None]
    shop.add(_hollow(profile.clip(0.01, None) * (1, 1), 0.012, height * 0.06, outline=outline), body)
    if shop.chance(0.25):
        _handle(shop, body, width, height)
    if shop.chance(0.15):
        _handle(shop, body, -width, height)


def _handle(
    shop: Workshop, body: int, reach: float, height: float, top: float = 0.85, low: float = 0.3
) -> None:
    """A bow from high to low at the side; a negative reach is on the left."""
    x = 0.65 * reach
    path = smooth_path(
        [
            (x, height * top, 0),
            (1.4 * reach, height * (top - 0.05), 0),
            (1.4 * reach, height * (low + 0.1), 0),
            (x, height * low, 0),
        ],
        4,
    )
    shop.add(tube(path, abs(reach) * shop.uniform(0.08, 0.16), segments=8), body)


def bottle(shop: Workshop) -> None:
    """A bottle with a neck, label and stopper."""
    color = materials.choose_color(
        shop.rng,
        (
            (0.10, 0.06, 0.04),
            (0.06, 0.14, 0.07),
            (0.62, 0.7, 0.72),
            (0.92, 0.92, 0.92),
            (0.2, 0.55, 0.3),
            (0.8, 0.5, 0.1),
            (0.3, 0.4, 0.7),
        ),
    )
    body = shop.material(materials.plain(color))
    height, radius = shop.uniform(0.15, 0.33), shop.uniform(0.025, 0.06)
    neck, shoulder = radius * shop.uniform(0.25, 0.6), shop.uniform(0.4, 0.78)
    points = [
        (radius, 0),
        (radius, shoulder),
        (radius * 0.85, shoulder + 0.06),
        (neck, min(shoulder + shop.uniform(0.1, 0.2), 0.92)),
        (neck, 1),
    ]
    profile = np.concatenate([np.array(points[:1]), smooth_path(points[1:], 3)]) * (1, height)
    outline = (
        superellipse(20, shop.uniform(3, 6)) * np.array([1, shop.uniform(0.5, 1)])
        if shop.chance(0.2)
        else None
    )
    shop.add(lathe(profile, segments=20, outline=outline), body)
    cap = shop.material(materials.lacquer(shop.rng))
    shop.add(cylinder(neck * 1.15, height * shop.uniform(0.04, 0.12)).moved(0, height * 0.98), cap)
    if shop.chance(0.7) and outline is None:
        label = shop.material(_paint(shop))
        low, tall = shop.uniform(0.1, 0.25), shop.uniform(0.2, 0.4)
        shop.add(cylinder(radius * 1.015, height * tall, segments=20).moved(0, height * low), label)


def cup(shop: Workshop) -> None:
    """A mug, tea cup, beaker or paper cup."""
    body = shop.material(_paint(shop))
    radius = shop.uniform(0.035, 0.05)
    height = radius * shop.uniform(1.2, 2.8)
    low = radius * shop.uniform(0.55, 1)
    profile = smooth_path([(low, 0.0), (radius * shop.uniform(0.8, 1.05), height * 0.5), (radius, height)], 4)
    shop.add(_hollow(profile, radius * 0.1, height * 0.08), body)
    if shop.chance(0.6):
        _handle(shop, body, radius, height)
    if shop.chance(0.2):
        plate = shop.material(_paint(shop)) if shop.chance(0.3) else body
        shop.add(_hollow([(radius, -0.008), (radius * 1.9, 0.008)], 0.006, -0.002), plate)
    elif shop.chance(0.2):
        shop.add(
            lathe([(radius * 1.05, 0), (radius * 1.05, 0.012), (radius * 0.8, 0.016)]).moved(0, height),
            shop.material(materials.lacquer(shop.rng)),
        )


def stemmed_glass(shop: Workshop) -> None:
    """A wine, cocktail or champagne glass."""
    glass = shop.material(materials.plain(materials.choose_color(shop.rng, materials.GLASSES)))
    radius, stem = shop.uniform(0.025, 0.055), shop.uniform(0.04, 0.11)
    bowl = radius * shop.uniform(0.8, 3)
    if shop.chance(0.2):
        cup_ = [(0.006, stem), (radius, stem + bowl * 0.7)]
    else:
        cup_ = smooth_path(
            [
                (0.006, stem),
                (radius * 0.9, stem + bowl * 0.25),
                (radius, stem + bowl * 0.5),
                (radius * shop.uniform(0.7, 1), stem + bowl),
            ],
            4,
        ).tolist()
    foot = radius * shop.uniform(0.7, 0.95)
    shop.add(
        _hollow(
            [(foot, 0), (foot, 0.003), (0.006, 0.01), (0.004, stem * 0.6), *cup_], 0.0025, stem + bowl * 0.08
        ),
        glass,
    )
    if shop.chance(0.3):
        wine = shop.material(
            materials.plain(materials.choose_color(shop.rng, ((0.35, 0.03, 0.08), (0.85, 0.75, 0.4))))
        )
        shop.add(
            lathe([(0.004, 0), (radius * 0.8, bowl * 0.25), (radius * 0.85, bowl * 0.4)]).moved(
                0, stem + bowl * 0.06
            ),
            wine,
        )


def bowl(shop: Workshop) -> None:
    """A bowl or dish, empty or with fruit or salad."""
    body = shop.material(_paint(shop) if shop.chance(0.6) else materials.wood(shop.rng))
    radius = shop.uniform(0.06, 0.2)
    height, foot = radius * shop.uniform(0.25, 1), radius * shop.uniform(0.3, 0.6)
    profile = smooth_path(
        [(foot, 0.0), (radius * 0.85, height * 0.45), (radius * shop.uniform(0.85, 1), height)], 4
    )
    shop.add(_hollow(profile, radius * 0.06, height * 0.1), body)
    if shop.chance(0.4):
        skins = [
            shop.material(
                materials.speckle(
                    shop.rng, materials.choose_color(shop.rng, materials.LEAVES + materials.FLOWERS), 0.2
                )
            )
            for _ in range(3)
        ]
        for _ in range(shop.count(4, 9)):
            size, angle = radius * shop.uniform(0.35, 0.6), shop.uniform(0, 2 * np.pi)
            far = shop.uniform(0, 0.5) * radius
            fruit = ball(size, size * shop.uniform(0.8, 1.1), size, segments=10)
            shop.add(fruit.moved(far * np.cos(angle), height * 0.75, far * np.sin(angle)), shop.pick(skins))


def jar(shop: Workshop) -> None:
    """A jar, pot or tin with a lid; ears or a long handle now and then."""
    body = shop.material(_paint(shop) if shop.chance(0.7) else materials.metal(shop.rng))
    radius = shop.uniform(0.04, 0.15)
    height = radius * shop.uniform(0.8, 2.6)
    belly = shop.uniform(0.95, 1.3)
    profile = smooth_path([(radius * 0.85, 0.0), (radius * belly, height * 0.45), (radius * 0.9, height)], 4)
    shop.add(lathe(profile, segments=24), body)
    lid = shop.material(_paint(shop)) if shop.chance(0.6) else body
    dome = radius * shop.uniform(0.1, 0.5)
    arc = np.linspace(0, np.pi / 2, 5)
    top = np.stack([radius * 0.95 * np.cos(arc), dome * np.sin(arc)], -1)
    top[-1, 0] = 0
    shop.add(lathe([(radius * 0.95, -0.01), *top], segments=24).moved(0, height), lid)
    if shop.chance(0.7):
        shop.add(
            ball(radius * 0.3, radius * 0.25, radius * 0.3, segments=10).moved(
                0, height + dome + radius * 0.1
            ),
            lid,
        )
    kind = shop.pick(("none", "ears", "pan", "spout"), (4, 2, 1, 2))
    if kind == "ears":
        for side in (1, -1):
            bow = smooth_path(
                [(0.85, 0.75, -0.25), (1.3, 0.78, -0.2), (1.3, 0.78, 0.2), (0.85, 0.75, 0.25)], 3
            )
            shop.add(tube(bow * np.array([side * radius, height, radius]), radius * 0.08, segments=6), body)
    elif kind == "pan":
        shop.add(tube([(radius * 0.9, height * 0.8, 0), (radius * 2.6, height * 0.9, 0)], radius * 0.1), lid)
    elif kind == "spout":
        spout = smooth_path(
            [
                (-radius * 0.8, height * 0.3, 0),
                (-radius * 1.4, height * 0.5, 0),
                (-radius * 1.7, height * 0.95, 0),
            ],
            4,
        )
        shop.add(tube(spout, np.linspace(0.25, 0.12, len(spout)) * radius), body)
        _handle(shop, body, radius, height)


def jug(shop: Workshop) -> None:
    """A carafe, jug or fish bowl: a wide body under a narrower mouth."""
    body = shop.material(_paint(shop))
    radius = shop.uniform(0.05, 0.12)
    height = radius * shop.uniform(1.4, 3.5)
    mouth, waist = shop.uniform(0.5, 0.9), shop.uniform(0.35, 0.7)
    profile = smooth_path(
        [
            (radius * 0.7, 0.0),
            (radius, height * 0.25),
            (radius * 0.85, height * 0.5),
            (radius * waist, height * 0.8),
            (radius * mouth, height),
        ],
        4,
    )
    shop.add(_hollow(profile, radius * 0.07, height * 0.06), body)
    if shop.chance(0.5):
        _handle(shop, body, radius, height)


KINDS = {vase: 8, bottle: 8, cup: 7, stemmed_glass: 3, bowl: 4, jar: 5, jug: 3}
