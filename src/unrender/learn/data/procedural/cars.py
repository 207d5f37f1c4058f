"""Road vehicles with bodies: cars of all shapes, vans, pickups, trucks, buses, trailers."""

from __future__ import annotations

import numpy as np

from . import fronts, materials
from .lofts import cylinder, lathe, loft, superellipse, tube
from .parts import Solid, box, rounded_box
from .workshop import Workshop

_PAINTS = (
    (0.90, 0.90, 0.90),
    (0.65, 0.66, 0.68),
    (0.35, 0.36, 0.38),
    (0.06, 0.06, 0.07),
    (0.62, 0.06, 0.07),
    (0.10, 0.18, 0.42),
    (0.30, 0.42, 0.56),
    (0.70, 0.64, 0.52),
    (0.80, 0.40, 0.08),
    (0.85, 0.75, 0.15),
    (0.14, 0.28, 0.18),
)
_GLASS = (0.10, 0.12, 0.14)


def wheels(
    shop: Workshop, radius: float, width: float, track: float, axles: list[float], *, tyre: int | None = None
) -> None:
    """Wheels at both sides, ``track`` apart outside, at places ``axles`` along z."""
    rubber = shop.material(materials.plain((0.06, 0.06, 0.06))) if tyre is None else tyre
    rim = shop.material(materials.plain(materials.choose_color(shop.rng, materials.METALS[:2])))
    wheel = lathe(
        [(radius * 0.9, 0), (radius, width * 0.15), (radius, width * 0.85), (radius * 0.9, width)],
        segments=16,
    ).turned("z", -90)
    hub = cylinder(radius * 0.62, width * 0.3, top=radius * 0.5, segments=12).turned("z", -90)
    for z in axles:
        shop.add(wheel.moved(track / 2 - width, radius, z), rubber, mirror="x")
        shop.add(hub.moved(track / 2 - width * 0.27, radius, z), rim, mirror="x")


def _hull(stations: list[tuple[float, float, float, float]], power: float) -> Solid:
    """A closed hull along z: stations of (z, half width, bottom, top) with rounded-square sections."""
    outline = superellipse(16, power)
    rings = np.empty((len(stations), 16, 3))
    for ring, (z, half, low, high) in zip(rings, stations, strict=True):
        ring[:, 0] = outline[:, 0] * half
        ring[:, 1] = (low + high) / 2 + outline[:, 1] * (high - low) / 2
        ring[:, 2] = z
    return loft(rings)


def car(shop: Workshop) -> None:
    """A passenger car: city car, hatchback, saloon, estate, sports car, minivan, off-roader, pickup, van."""
    color = materials.choose_color(shop.rng, _PAINTS, (4, 4, 3, 3, 3, 3, 2, 1, 1, 1, 1))
    paint = shop.material(materials.plain(color))
    kind = shop.pick(("hatch", "saloon", "estate", "sports", "minivan", "off-road", "pickup", "van", "city"))
    long = shop.uniform(3.9, 4.7)
    width, height = shop.uniform(1.65, 1.85), shop.uniform(1.42, 1.55)
    if kind == "city":
        long, height = shop.uniform(2.5, 3.4), shop.uniform(1.45, 1.6)
    elif kind in ("minivan", "off-road"):
        height = shop.uniform(1.65, 1.9)
    elif kind == "van":
        long, height, width = shop.uniform(4.6, 5.8), shop.uniform(1.95, 2.6), shop.uniform(1.8, 2)
    elif kind == "sports":
        height, width = shop.uniform(1.15, 1.3), shop.uniform(1.75, 1.95)
    radius = height * shop.uniform(0.2, 0.235)
    ground, belt = radius * shop.uniform(0.6, 0.85), height * shop.uniform(0.58, 0.65)
    half, nose, tail = width / 2, long / 2, -long / 2
    hood = belt * shop.uniform(0.86, 0.98)
    bonnet = {"van": 0.12, "minivan": 0.18, "city": 0.16}.get(kind, shop.uniform(0.24, 0.3))
    power = shop.uniform(3.5, 6)
    rear = belt * (0.9 if kind == "pickup" else 1.0)
    body = [
        (nose, half * 0.75, ground * 1.25, hood * 0.72),
        (nose - 0.04 * long, half * 0.92, ground, hood * 0.86),
        (nose - min(0.12, 0.6 * bonnet) * long, half * 0.98, ground, hood * 0.96),
        (nose - bonnet * long, half, ground, belt),
        (0, half, ground, belt),
        (tail + 0.2 * long, half, ground, belt),
        (tail + 0.05 * long, half * 0.97, ground, rear),
        (tail, half * 0.85, ground * 1.25, rear * 0.9),
    ]
    shop.add(_hull(body, power), paint)
    _cabin(shop, paint, color, kind, (long, width, height), belt, nose - bonnet * long)
    tread = 0.2 if kind != "sports" else 0.26
    axles = [nose - long * shop.uniform(0.17, 0.21), tail + long * shop.uniform(0.17, 0.21)]
    dark = shop.material(materials.plain((0.06, 0.06, 0.06)))
    for z in axles:
        arch = cylinder(radius * 1.15, width * 0.995, segments=16).turned("z", 90)
        shop.add(arch.moved(width * 0.4975, radius * 1.05, z), dark)
    wheels(shop, radius, tread, width * 1.01, axles, tyre=dark)
    _lights(shop, dark, (long, width), hood, rear, ground)


def _cabin(
    shop: Workshop,
    paint: int,
    color: materials.Color,
    kind: str,
    size: tuple[float, float, float],
    belt: float,
    cowl: float,
) -> None:
    """Windows and roof, from the cowl (the foot of the windscreen) backwards."""
    long, width, height = size
    tail = -long / 2
    end = {"saloon": tail + 0.16 * long, "sports": tail + 0.1 * long, "pickup": -0.08 * long}.get(
        kind, tail + 0.04 * long
    )
    rake = {"van": 0.1, "off-road": 0.08, "sports": 0.24}.get(kind, shop.uniform(0.14, 0.2)) * long
    slope = {"saloon": 0.14, "sports": 0.26, "hatch": 0.09, "city": 0.05}.get(kind, 0.03) * long
    taper = shop.uniform(0.76, 0.9)
    roof = height - belt + 0.05

    def corners(inset: float, front: float, back: float, y: float) -> np.ndarray:
        x = width / 2 * inset
        return np.array([(x, y, front), (x, y, back), (-x, y, back), (-x, y, front)])

    upper = (cowl - rake, end + slope)
    side = shop.material(
        fronts.glazed(materials.plain(color), _GLASS, 3 if kind in ("estate", "minivan") else 2, 1)
    )
    solid_sides = kind == "van" and shop.chance(0.7)
    rings = [corners(0.97, cowl, end, belt - 0.05), corners(taper, *upper, belt + roof * 0.82)]
    shop.add(loft(rings, fit=True), paint if solid_sides else side, whole=True)
    cap = [
        corners(taper * 1.01, *upper, belt + roof * 0.78),
        corners(taper * 0.86, upper[0] - 0.06, upper[1] + 0.06, height),
    ]
    shop.add(loft(cap), paint)
    glass = shop.material(materials.plain(_GLASS))
    for a, b in ((rings[0][[0, 3]], rings[1][[0, 3]]), (rings[0][[2, 1]], rings[1][[2, 1]])):
        if kind == "van" and a[0][2] < 0:
            continue
        pane = np.array(
            [
                a[0] * 0.9 + a[1] * 0.1,
                a[1] * 0.9 + a[0] * 0.1,
                b[1] * 0.88 + b[0] * 0.12,
                b[0] * 0.88 + b[1] * 0.12,
            ]
        )
        middle = pane.mean(0)
        out = np.array([0, 0.012, np.sign(a[0][2] - 0.5 * (cowl + end)) * 0.03])
        pane = middle + (pane - middle) * np.array([1, 0.85, 0.85])
        shop.add(loft([pane - out, pane + out]), glass)
    if solid_sides:
        shop.add(
            box(width * 0.99, roof * 0.45, long * 0.14).moved(
                0, belt + roof * 0.4, cowl - rake * 0.5 - long * 0.09
            ),
            glass,
        )
    if kind == "pickup":
        inside = shop.material(materials.plain((0.1, 0.1, 0.1)))
        shop.add(box(width * 0.85, 0.02, long * 0.36).moved(0, belt * 0.97, tail + long * 0.22), inside)


def _lights(
    shop: Workshop, dark: int, size: tuple[float, float], hood: float, rear: float, ground: float
) -> None:
    long, width = size
    white = shop.material(materials.plain((0.88, 0.88, 0.85)))
    red = shop.material(materials.plain((0.6, 0.05, 0.05)))
    lamp = rounded_box(width * 0.2, hood * 0.14, long * 0.05, 0.04)
    shop.add(lamp.moved(width * 0.33, hood * 0.72, long / 2 - long * 0.025), white, mirror="x")
    tail = rounded_box(width * 0.14, rear * 0.2, long * 0.04, 0.03)
    shop.add(tail.moved(width * 0.36, rear * 0.78, -long / 2 + long * 0.02), red, mirror="x")
    shop.add(box(width * 0.42, hood * 0.14, 0.05).moved(0, hood * 0.62, long / 2 - 0.005), dark)
    shop.add(box(width * 0.7, ground * 0.25, 0.06).moved(0, ground * 1.25, long / 2 - 0.02), dark)
    shop.add(box(0.5, 0.11, 0.04).moved(0, hood * 0.42, long / 2), white)
    shop.add(box(0.5, 0.11, 0.04).moved(0, rear * 0.5, -long / 2), white)
    mirror = rounded_box(0.14, 0.12, 0.1, 0.03)
    shop.add(mirror.moved(width / 2 + 0.04, hood * 1.12, long * 0.16), dark, mirror="x")


def truck(shop: Workshop) -> None:
    """A lorry: a cab with a box, a flat bed or a covered bed, at times with a long trailer."""
    paint = shop.material(materials.plain(materials.choose_color(shop.rng, _PAINTS)))
    load = shop.material(
        materials.lacquer(shop.rng)
        if shop.chance(0.7)
        else materials.stripes(shop.rng, (0.8, 0.8, 0.8), (0.6, 0.1, 0.1))
    )
    glass, dark = shop.material(materials.plain(_GLASS)), shop.material(materials.plain((0.08, 0.08, 0.08)))
    width, cab, height = shop.uniform(2, 2.5), shop.uniform(1.6, 2.3), shop.uniform(2.3, 3.3)
    long, radius = shop.uniform(3, 9), shop.uniform(0.4, 0.5)
    nose = (long + cab) / 2
    shop.add(
        rounded_box(width, height - 0.5, cab, 0.15).moved(0, 0.5 + (height - 0.5) / 2, nose - cab / 2), paint
    )
    shop.add(box(width * 0.88, height * 0.28, 0.04).moved(0, height * 0.68, nose), glass)
    shop.add(
        box(0.04, height * 0.26, cab * 0.5).moved(width / 2, height * 0.68, nose - cab * 0.42),
        glass,
        mirror="x",
    )
    shop.add(box(width * 0.98, 0.3, 0.1).moved(0, 0.6, nose), dark)
    lamp = shop.material(materials.plain((0.9, 0.9, 0.85)))
    shop.add(box(0.3, 0.18, 0.06).moved(width * 0.36, 0.85, nose), lamp, mirror="x")
    shop.add(box(width * 0.4, 0.25, long + cab * 0.8).moved(0, 0.75, 0), dark)
    back = nose - cab - long / 2 - 0.1
    if shop.chance(0.75):
        high = height * shop.uniform(0.7, 1.15)
        shop.add(rounded_box(width * 1.02, high, long, 0.04).moved(0, 0.9 + high / 2, back), load)
    else:
        shop.add(box(width, 0.12, long).moved(0, 0.95, back), load)
        shop.add(box(0.06, 0.5, long).moved(width / 2, 1.2, back), load, mirror="x")
        shop.add(box(width, 0.5, 0.06).moved(0, 1.2, back - long / 2), load)
    axles = [nose - cab * 0.55, back - long * 0.25]
    if long > 5:
        axles += [back - long * 0.25 + 1.1, back + long * 0.35]
    wheels(shop, radius, 0.3, width, axles, tyre=dark)


def bus(shop: Workshop) -> None:
    """A bus, coach, tram, railway carriage or caravan: one long box with windows."""
    color = materials.choose_color(shop.rng, _PAINTS)
    other = materials.choose_color(shop.rng, _PAINTS)
    paint = shop.material(materials.plain(color))
    caravan = shop.chance(0.35)
    long = shop.uniform(3, 4.5) if caravan else shop.uniform(7, 14)
    width, height = shop.uniform(2, 2.5), shop.uniform(2, 2.6) if caravan else shop.uniform(2.4, 3)
    y = 0.35 + height / 2
    shop.add(rounded_box(width, height, long, shop.uniform(0.1, 0.5)).moved(0, y), paint)
    count = shop.count(1, 3) if caravan else round(long / 1.4)
    pane = shop.material(fronts.glazed(materials.plain(_GLASS), (0.2, 0.23, 0.26), 2, 1))
    wide = long * (0.5 if caravan else 0.88)
    for z in ((np.arange(count) + 0.5) / count - 0.5) * wide:
        window = box(width + 0.03, height * 0.3, wide / count * 0.88, fit=True)
        shop.add(window.moved(0, y + height * 0.16, z), pane, whole=True)
    glass, dark = shop.material(materials.plain(_GLASS)), shop.material(materials.plain((0.08, 0.08, 0.08)))
    shop.add(box(width * 0.84, height * 0.4, 0.05).moved(0, y + height * 0.12, long / 2), glass)
    shop.add(box(width * 0.7, height * 0.25, 0.05).moved(0, y + height * 0.18, -long / 2), glass)
    shop.add(
        box(width + 0.02, height * shop.uniform(0.06, 0.2), long * 0.96).moved(0, y - height * 0.2),
        shop.material(materials.plain(other)),
    )
    axles = [0.0] if caravan else [long * 0.32, -long * 0.3]
    wheels(shop, 0.35 if caravan else 0.45, 0.25, width * 0.98, axles, tyre=dark)
    if caravan:
        shop.add(
            tube([(0.5, 0.45, long / 2 - 0.1), (0, 0.45, long / 2 + 0.9)], 0.04, segments=6), dark, mirror="x"
        )


def trailer(shop: Workshop) -> None:
    """A small trailer or cart with a pole, open or under a cover."""
    body, dark = (
        shop.material(materials.lacquer(shop.rng)),
        shop.material(materials.plain((0.08, 0.08, 0.08))),
    )
    width, long, tall = shop.uniform(0.8, 1.3), shop.uniform(1.2, 2), shop.uniform(0.3, 0.5)
    radius = shop.uniform(0.2, 0.32)
    shop.add(box(width, 0.05, long).moved(0, radius * 1.3), body)
    shop.add(box(0.03, tall, long).moved(width / 2, radius * 1.3 + tall / 2), body, mirror="x")
    shop.add(box(width, tall, 0.03).moved(0, radius * 1.3 + tall / 2, long / 2), body, mirror="z")
    if shop.chance(0.5):
        cover = shop.material(materials.plain(materials.choose_color(shop.rng, materials.CLOTHS)))
        high = shop.uniform(0.08, 0.5)
        shop.add(
            rounded_box(width * 1.03, high, long * 1.03, 0.04).moved(
                0, radius * 1.3 + tall + high / 2 - 0.04
            ),
            cover,
        )
    shop.add(
        tube([(width * 0.3, radius * 1.25, long / 2), (0, radius * 1.2, long * 0.95)], 0.03, segments=6),
        dark,
        mirror="x",
    )
    wheels(shop, radius, 0.16, width * 1.3, [0.0], tyre=dark)


CARS = {car: 1}
HEAVY = {truck: 4, bus: 4, trailer: 2}
