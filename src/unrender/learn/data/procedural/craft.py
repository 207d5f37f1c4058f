"""Aeroplanes and boats."""

from __future__ import annotations

import numpy as np

from . import fronts, materials
from .lofts import cylinder, lathe, loft, smooth_path, tube
from .parts import Solid, box, rounded_box
from .workshop import Workshop

_GLASS = (0.12, 0.15, 0.18)


def _wing(root: float, tip: float, span: float, sweep: float, rise: float, thick: float) -> Solid:
    """A wing to +X from the origin: chords at root and tip along z, swept back, raised at the tip."""
    section = np.array([(0.5, 0), (0.2, 0.5), (-0.2, 0.4), (-0.5, 0), (-0.2, -0.3), (0.2, -0.5)])
    rings = []
    for chord, x, z, y in ((root, 0.0, 0.0, 0.0), (tip, span, -sweep, rise)):
        depth = thick * chord / root
        rings.append(np.stack([np.full(6, x), y + section[:, 1] * depth, z + section[:, 0] * chord], -1))
    return loft(rings)


def airplane(shop: Workshop) -> None:
    """An airliner, a jet, a propeller plane or a glider, its nose to +Z."""
    paint = shop.material(
        materials.plain(materials.choose_color(shop.rng, materials.LACQUERS, materials.LACQUER_ODDS))
    )
    second = paint if shop.chance(0.5) else shop.material(materials.lacquer(shop.rng))
    glass, dark = shop.material(materials.plain(_GLASS)), shop.material(materials.plain((0.15, 0.15, 0.16)))
    kind = shop.pick(("liner", "jet", "propeller", "biplane"), (5, 3, 3, 1))
    _long, slim = 1.0, shop.uniform(0.04, 0.06) if kind == "liner" else shop.uniform(0.045, 0.075)
    points = [
        (0.0, 0.5),
        (slim * 0.6, 0.47),
        (slim, 0.36),
        (slim, 0.0),
        (slim * 0.95, -0.2),
        (slim * 0.25, -0.5),
    ]
    profile = np.concatenate([[points[0]], smooth_path(points[1:], 3)])
    shop.add(lathe(profile[::-1], segments=14).turned("x", 90), paint)
    shop.add(
        rounded_box(slim * 1.1, slim * 0.8, 0.1, slim * 0.35, segments=2).moved(0, slim * 0.75, 0.36), glass
    )
    swept = kind in ("liner", "jet")
    span = shop.uniform(0.4, 0.6) if kind != "jet" else shop.uniform(0.25, 0.4)
    root = shop.uniform(0.14, 0.22) if kind != "jet" else shop.uniform(0.25, 0.42)
    tip, sweep = (
        root * shop.uniform(0.25, 0.5 if swept else 0.95),
        span * shop.uniform(0.3, 0.6) if swept else 0.0,
    )
    high = shop.chance(0.3)
    y, z = (slim * 0.8 if high else -slim * 0.4), shop.uniform(0.02, 0.14)
    wing = _wing(root, tip, span, sweep, 0 if high else span * shop.uniform(0, 0.12), root * 0.11)
    shop.add(wing.moved(0, y, z), second, mirror="x")
    if kind == "biplane":
        shop.add(wing.moved(0, y + slim * 3, z), second, mirror="x")
        shop.add(cylinder(0.006, slim * 3, segments=6).moved(span * 0.6, y, z), dark, mirror="x")
    tall = shop.uniform(0.13, 0.2)
    fin = _wing(0.14, 0.07, tall, tall * 0.6 if swept else 0.04, 0, 0.02).turned("z", 90)
    shop.add(fin.moved(0, 0, -0.42), second)
    top = tall if shop.chance(0.25) else slim * 0.3
    shop.add(
        _wing(0.11, 0.06, tall, tall * 0.5 if swept else 0, 0, 0.015).moved(0, top, -0.45), second, mirror="x"
    )
    _engines(shop, kind, (slim, span, sweep, root), (y, z), dark, paint)
    if kind == "liner" and shop.chance(0.8):
        strip = box(slim * 2.01, slim * 0.25, 0.6).moved(0, slim * 0.25, 0.03)
        shop.add(strip, shop.material(materials.stripes(shop.rng, _GLASS, (0.8, 0.8, 0.8), crosswise=True)))
    if shop.chance(0.4):
        leg = slim * shop.uniform(1.2, 2)
        for x, at in ((0.0, 0.33), (slim * 1.6, -0.02), (-slim * 1.6, -0.02)):
            shop.add(cylinder(0.006, leg, segments=6).moved(x, -leg - slim * 0.5, at), dark)
            shop.add(
                cylinder(slim * 0.45, 0.02, segments=10)
                .turned("z", 90)
                .moved(x + 0.01, -leg - slim * 0.5, at),
                dark,
            )


def _engines(
    shop: Workshop,
    kind: str,
    size: tuple[float, float, float, float],
    place: tuple[float, float],
    dark: int,
    paint: int,
) -> None:
    slim, span, sweep, root = size
    y, z = place
    if kind == "liner":
        pod = lathe(
            [(0.018, -0.07), (0.034, -0.03), (0.036, 0.04), (0.03, 0.06), (0.028, 0.03), (0, 0.03)],
            segments=14,
        ).turned("x", 90)
        if shop.chance(0.25):
            shop.add(pod.moved(slim * 1.8, slim * 0.4, -0.28), paint, mirror="x")
            return
        for share in (0.33,) if shop.chance(0.7) else (0.3, 0.6):
            shop.add(pod.moved(span * share, y - 0.035, z - sweep * share + root * 0.4), paint, mirror="x")
    elif kind == "jet":
        shop.add(cylinder(slim * 0.7, 0.08, top=slim * 0.5).turned("x", -90).moved(0, 0, -0.45), dark)
    else:
        twin = kind == "propeller" and shop.chance(0.3)
        for x in (span * 0.35, -span * 0.35) if twin else (0.0,):
            front = z + root * 0.75 if twin else 0.5
            if twin:
                shop.add(cylinder(0.03, 0.16, top=0.02).turned("x", 90).moved(x, y, z - 0.02), paint)
            shop.add(
                box(0.02, 0.24, 0.008).turned("z", shop.uniform(0, 180)).moved(x, y if twin else 0, front),
                dark,
            )
            shop.add(cylinder(0.016, 0.03, top=0.004).turned("x", 90).moved(x, y if twin else 0, front), dark)


def boat(shop: Workshop) -> None:
    """A rowing boat, motor boat, yacht, fishing boat or ship, its bow to +Z."""
    paint = shop.material(
        materials.plain(materials.choose_color(shop.rng, materials.LACQUERS, materials.LACQUER_ODDS))
    )
    wood, white = shop.material(materials.wood(shop.rng)), shop.material(materials.plain((0.92, 0.92, 0.9)))
    kind = shop.pick(("row", "motor", "sail", "ship"), (2, 3, 3, 3))
    width = shop.uniform(0.28, 0.4) if kind != "ship" else shop.uniform(0.12, 0.2)
    deep, sheer = width * shop.uniform(0.3, 0.5), shop.uniform(0.02, 0.07)
    t = np.linspace(0, 1, 9)
    half = width / 2 * np.minimum(1, 0.75 + 0.6 * t) * (1 - t**3) ** 0.7
    half[-1] = 0.004
    deck = deep + sheer * t**2
    rings = []
    for k, (w, top) in enumerate(zip(half, deck, strict=True)):
        keel = deep * 0.9 * max(0.0, t[k] - 0.6) ** 2 * 3
        z = t[k] - 0.5 + 0.06 * (t[k] == 1)
        rings.append(
            [
                (w, top, z),
                (w * 0.8, (top + keel) / 2, z),
                (w * 0.15, keel, z),
                (-w * 0.15, keel, z),
                (-w * 0.8, (top + keel) / 2, z),
                (-w, top, z),
            ]
        )
    rings = np.array(rings)
    shop.add(loft(rings), paint)
    if kind == "row":
        inside = rings[1:-2].copy()
        inside[..., 0] *= 0.88
        inside[:, 2:4, 1] += deep * 0.95
        dark = shop.material(materials.wood(shop.rng))
        for z in (-0.25, 0.0, 0.22):
            shop.add(box(width * 0.85, 0.012, 0.08).moved(0, deep + 0.012, z), wood)
        edge = np.stack([half, deck + 0.015, t - 0.5], -1)
        shop.add(tube(edge, 0.012, segments=6), dark, mirror="x")
        if shop.chance(0.6):
            shop.add(
                tube(
                    [(width * 0.2, deep + 0.05, 0), (width * 1.3, deep - 0.03, -0.15)],
                    [0.008, 0.012],
                    segments=6,
                ),
                wood,
                mirror="x",
            )
        return
    glass = shop.material(fronts.glazed(materials.plain((0.92, 0.92, 0.9)), _GLASS, 4, 1))
    cover = rings[:-1, [0, 5]].mean(0)
    shop.add(box(width * 0.8, 0.012, 0.75).moved(0, float(cover[:, 1].mean()) - 0.002, -0.08), wood)
    level, z = deep, shop.uniform(-0.25, 0.05) if kind != "ship" else -0.32
    for i in range(1 if kind == "sail" else shop.count(1, 2) if kind == "motor" else shop.count(2, 4)):
        high, wide, deepness = (
            width * shop.uniform(0.2, 0.35),
            width * (0.66 - 0.1 * i),
            shop.uniform(0.2, 0.35) * (1 - 0.2 * i),
        )
        shop.add(box(wide, high, deepness, fit=True).moved(0, level + high / 2, z), glass, whole=True)
        shop.add(rounded_box(wide * 1.06, 0.012, deepness * 1.06, 0.004).moved(0, level + high, z), white)
        level += high
    if kind == "sail":
        mast = shop.uniform(0.9, 1.3)
        shop.add(cylinder(0.01, mast, segments=6).moved(0, deep, 0.08), wood)
        shop.add(cylinder(0.008, 0.45, segments=6).turned("x", -90).moved(0, deep + 0.14, 0.08), wood)
        for foot, top in ((-0.36, 0.95), (0.46, 0.8)):
            corners = np.array(
                [(0.0, deep + 0.15, 0.07), (0.0, deep + 0.15, foot), (0.0, deep + mast * top, 0.08)]
            )
            bow = np.array([0.006, 0, 0])
            shop.add(loft([corners - bow, corners + bow]), white)
    elif kind == "ship":
        shop.add(
            cylinder(width * 0.16, width * 0.5, top=width * 0.13).moved(0, level, z),
            shop.material(materials.lacquer(shop.rng)),
        )
        for i in range(shop.count(0, 5)):
            size = (width * 0.7, width * shop.uniform(0.2, 0.5), 0.1)
            shop.add(
                box(*size).moved(0, deep + size[1] / 2, -0.08 + 0.115 * i * 0.9),
                shop.material(materials.lacquer(shop.rng)) if i < 4 else paint,
            )
    elif shop.chance(0.5):
        shop.add(box(0.05, 0.12, 0.06).moved(0, deep, -0.52), shop.material(materials.plain((0.1, 0.1, 0.1))))


AIRPLANES = {airplane: 1}
BOATS = {boat: 1}
