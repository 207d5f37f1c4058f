"""Everything else in a house: books, bins, ladders, tools, luggage, and loose assemblies."""

from __future__ import annotations

import numpy as np

from . import fronts, materials
from .building import fireplace, hut, picture_frame, radiator
from .lofts import ball, cylinder, lathe, loft, smooth_path, superellipse, tapered_box, tube
from .parts import box, rounded_box
from .workshop import Workshop


def _any_paint(shop: Workshop) -> materials.Paint:
    return shop.pick(
        (materials.wood, materials.lacquer, materials.metal, materials.upholstery, materials.lacquer)
    )(shop.rng)


def assembly(shop: Workshop) -> None:
    """A few solids of any kind that touch, often mirrored left to right."""
    paints = [shop.material(_any_paint(shop)) for _ in range(shop.count(2, 4))]
    base = np.array([shop.uniform(0.3, 1), shop.uniform(0.2, 1), shop.uniform(0.2, 1)])
    shop.add(_lump_of(shop, base), paints[0])
    place, size = np.zeros(3), base
    for _ in range(shop.count(2, 6)):
        side, sign = shop.count(0, 2), shop.pick((-1.0, 1.0))
        part = size * shop.rng.uniform(0.15, 0.9, 3)
        at = place + shop.rng.uniform(-0.3, 0.3, 3) * size
        at[side] = place[side] + sign * (size[side] + part[side]) * 0.46
        shop.add(_lump_of(shop, part).moved(*at), shop.pick(paints), mirror="x" if shop.chance(0.6) else "")
        if shop.chance(0.4):
            place, size = at, part


def _lump_of(shop: Workshop, size: np.ndarray):
    """A solid that fills a box of ``size`` about the origin."""
    w, h, d = (float(s) for s in size)
    kind = shop.pick(("box", "round", "cylinder", "ball", "cone", "lathe", "taper"), (4, 3, 3, 2, 1, 1, 2))
    if kind == "box":
        return rounded_box(w, h, d, 0.02 * min(w, h, d))
    if kind == "round":
        return rounded_box(w, h, d, min(w, h, d) * shop.uniform(0.1, 0.5), segments=2)
    if kind == "ball":
        return ball(w, h, d, segments=16, rows=9)
    if kind == "taper":
        k = shop.uniform(0.2, 1)
        return tapered_box((w, d), (w * k, d * k), h).moved(0, -h / 2)
    if kind == "lathe":
        radii = shop.rng.uniform(0.25, 0.5, 5)
        profile = smooth_path(np.stack([radii, np.linspace(-0.5, 0.5, 5)], -1).tolist(), 3)
        return lathe(profile).scaled(w, h, d)
    solid = cylinder(0.5, 1, top=0.5 if kind == "cylinder" else shop.uniform(0.05, 0.3), segments=18).moved(
        0, -0.5
    )
    turn = shop.pick(("", "x", "z"), (3, 1, 1))
    return (solid.turned(turn, 90) if turn else solid).scaled(w, h, d)


def book(shop: Workshop) -> None:
    """A closed or open book, a magazine, a pile of them."""
    pages = shop.material(materials.stripes(shop.rng, (0.93, 0.91, 0.85), (0.84, 0.82, 0.76)))
    wide, tall = shop.uniform(0.13, 0.24), shop.uniform(0.18, 0.3)
    thick = shop.uniform(0.008, 0.05)
    if shop.chance(0.4):
        inside = shop.material(
            fronts.screen(shop.rng) if shop.chance(0.5) else materials.cloth(shop.rng, (0.9, 0.9, 0.88))
        )
        lift = shop.uniform(2, 12)
        half = rounded_box(wide, thick, tall, thick * 0.3, fit=True).moved(wide / 2)
        shop.add(half.turned("z", lift), inside, mirror="x", whole=True)
        return
    y = 0.0
    for i in range(1 if shop.chance(0.5) else shop.count(2, 6)):
        cover = (
            shop.material(
                materials.dots(
                    shop.rng, materials.choose_color(shop.rng, materials.CLOTHS), [(0.9, 0.9, 0.9)]
                )
                if shop.chance(0.4)
                else materials.upholstery(shop.rng)
            )
            if i < 6
            else pages
        )
        turn = shop.uniform(-20, 20) if i else 0.0
        shop.add(
            rounded_box(wide * 0.97, thick * 0.9, tall * 0.95, thick * 0.1)
            .turned("y", turn)
            .moved(0, y + thick / 2),
            pages,
        )
        for level in (0, thick):
            shop.add(
                box(wide, thick * 0.1, tall, fit=True).turned("y", turn).moved(0, y + level),
                cover,
                whole=True,
            )
        shop.add(
            box(thick * 0.1, thick, tall).moved(-wide / 2).turned("y", turn).moved(0, y + thick / 2), cover
        )
        y += thick * 1.1


def waste_bin(shop: Workshop) -> None:
    """A bin, bucket, basket, barrel or wheelie bin."""
    body = shop.material(
        materials.weave(shop.rng, materials.choose_color(shop.rng, materials.WOODS))
        if shop.chance(0.25)
        else _any_paint(shop)
    )
    lid = shop.material(materials.lacquer(shop.rng))
    height, width = shop.uniform(0.3, 1), shop.uniform(0.2, 0.6)
    if shop.chance(0.4):
        low = shop.uniform(0.75, 1)
        shop.add(tapered_box((width * low, width * low), (width, width * 1.1), height), body)
        shop.add(
            rounded_box(width * 1.06, 0.06, width * 1.18, 0.02)
            .turned("x", shop.uniform(-4, 8))
            .moved(0, height + 0.02),
            lid,
        )
        shop.add(
            cylinder(0.09, 0.05, segments=14).turned("z", 90).moved(width * 0.45, 0.09, -width * 0.5),
            lid,
            mirror="x",
        )
        return
    r = width / 2
    if shop.chance(0.5):
        t = r * 0.07
        shop.add(
            lathe(
                [(0, 0), (r * 0.8, 0), (r, height), (r - t, height), (r * 0.8 - t, t), (0, t)], segments=20
            ),
            body,
        )
        if shop.chance(0.5):
            arc = np.linspace(0, np.pi, 9)
            bow = np.stack([r * np.cos(arc), height + r * np.sin(arc), 0 * arc], -1)
            shop.add(tube(bow, 0.012, segments=6), lid)
    else:
        bulge = shop.uniform(1, 1.2)
        shop.add(lathe(smooth_path([(r, 0), (r * bulge, height / 2), (r, height)], 4), segments=20), body)
        for level in (0.15, 0.85):
            shop.add(
                cylinder(r * (1.02 + (bulge - 1) * 0.55), height * 0.04, segments=20).moved(
                    0, height * level
                ),
                lid,
            )


def ladder(shop: Workshop) -> None:
    """A ladder, a step ladder, a clothes horse or a coat stand."""
    frame = shop.material(
        materials.choose_finish(shop.rng) if shop.chance(0.5) else materials.metal(shop.rng)
    )
    height, width = shop.uniform(0.8, 2.4), shop.uniform(0.35, 0.6)
    kind = shop.pick(("ladder", "steps", "stand"))
    if kind == "stand":
        shop.add(cylinder(0.025, height), frame)
        for i in range(shop.count(3, 4)):
            shop.add(tube([(0.3, 0, 0), (0, 0.2, 0)], 0.018, segments=6).turned("y", 90 * i + 45), frame)
        for i in range(shop.count(4, 8)):
            hook = smooth_path([(0, 0, 0), (0.12, 0.02, 0), (0.17, 0.12, 0)], 3)
            shop.add(
                tube(hook, 0.012, segments=6)
                .turned("y", 90 * i + 22 * (i > 3))
                .moved(0, height * (0.97 if i < 4 else 0.8)),
                frame,
            )
        return
    lean = shop.uniform(8, 20)
    steps = round(height / 0.27)
    sides = [(0.0, lean)] if kind == "ladder" else [(0.0, lean), (180.0, lean)]
    for turn, tilt in sides:
        for x in (width / 2, -width / 2):
            shop.add(
                box(0.03, height, 0.06).moved(x, -height / 2).turned("x", -tilt).turned("y", turn), frame
            )
        for i in range(1, steps + 1):
            step = box(width, 0.025, 0.09 if kind == "steps" and not turn else 0.03)
            if not turn or i % 3 == 0:
                shop.add(
                    step.moved(0, -height * i / (steps + 0.5)).turned("x", -tilt).turned("y", turn), frame
                )


def tool(shop: Workshop) -> None:
    """A long thing with a grip: knife, spoon, brush, hammer, screwdriver, racket, pencil; lying along X."""
    grip = shop.material(_any_paint(shop))
    head = shop.material(materials.metal(shop.rng) if shop.chance(0.7) else _any_paint(shop))
    long, reach, thick = shop.uniform(0.08, 0.16), shop.uniform(0.06, 0.3), shop.uniform(0.008, 0.02)
    belly = smooth_path(
        [(thick * 0.7, 0.0), (thick, long * 0.3), (thick * 0.7, long * 0.7), (thick * 0.8, long)], 3
    )
    shop.add(lathe(belly, segments=10).turned("z", 90), grip)
    kind = shop.pick(("blade", "spoon", "hammer", "rod", "racket", "brush"))
    if kind == "blade":
        w = thick * shop.uniform(1, 2.5)
        rings = [
            np.array([(x, 0.002, -w * k), (x, 0.002, w), (x, -0.002, w), (x, -0.002, -w * k)])
            for x, k in ((0.0, 1), (reach * 0.7, 0.9), (reach, -0.9))
        ]
        shop.add(loft(rings), head)
    elif kind == "spoon":
        shop.add(tube([(0, 0, 0), (reach, 0, 0)], thick * 0.35, segments=6), head)
        shop.add(ball(reach * 0.4, thick, reach * 0.3, segments=14).moved(reach * 1.1), head)
    elif kind == "hammer":
        shop.add(tube([(0, 0, 0), (reach, 0, 0)], thick * 0.6, segments=8), grip)
        shop.add(
            rounded_box(thick * 3, thick * 2.5, reach * shop.uniform(0.4, 0.9), thick * 0.5).moved(reach),
            head,
        )
    elif kind == "racket":
        shop.add(
            cylinder(reach * 0.5, thick * 0.6, segments=20)
            .scaled(1.15, 1, 1)
            .moved(reach * 0.5, -thick * 0.3),
            head,
        )
    elif kind == "brush":
        shop.add(rounded_box(reach * 0.6, thick * 1.2, reach * 0.4, thick * 0.3).moved(reach * 0.3), grip)
        shop.add(box(reach * 0.55, thick * 3, reach * 0.36).moved(reach * 0.3, -thick * 2), head)
    else:
        shop.add(tube([(0, 0, 0), (reach, 0, 0)], [thick * 0.4, thick * 0.3], segments=6), head)


def suitcase(shop: Workshop) -> None:
    """A suitcase, bag or backpack; a safe and a box look alike."""
    body, trim = shop.material(materials.upholstery(shop.rng)), shop.material(materials.lacquer(shop.rng))
    width, height, deep = shop.uniform(0.3, 0.7), shop.uniform(0.3, 0.65), shop.uniform(0.15, 0.35)
    shop.add(rounded_box(width, height, deep, shop.uniform(0.02, 0.1), segments=2).moved(0, height / 2), body)
    bow = smooth_path(
        [(-0.08, height, 0), (-0.07, height + 0.06, 0), (0.07, height + 0.06, 0), (0.08, height, 0)], 3
    )
    shop.add(tube(bow, 0.012, segments=6), trim)
    if shop.chance(0.6):
        shop.add(
            rounded_box(width * 0.8, height * 0.4, deep * 0.25, 0.02).moved(0, height * 0.3, deep * 0.55),
            body,
        )
    for x in (-0.3, 0.3):
        shop.add(box(0.04, height * 1.01, deep * 1.02).moved(x * width, height / 2), trim)


def soft_thing(shop: Workshop) -> None:
    """A cushion, towel, ball, hat, fruit or bread: one round or flat body with a small part on it."""
    body, other = shop.material(_any_paint(shop)), shop.material(_any_paint(shop))
    width, high, deep = shop.uniform(0.15, 0.5), shop.uniform(0.06, 0.4), shop.uniform(0.15, 0.4)
    kind = shop.pick(("pillow", "ball", "roll", "hat"))
    if kind == "pillow":
        shop.add(rounded_box(width, high * 0.4, deep, high * 0.2, segments=2), body)
        shop.add(rounded_box(width * 1.04, high * 0.06, deep * 1.04, high * 0.02), other)
    elif kind == "ball":
        shop.add(ball(width, width * shop.uniform(0.6, 1.1), width, segments=20, rows=11), body)
        shop.add(cylinder(width * 0.05, width * 0.2, segments=6).moved(0, width * 0.4), other)
    elif kind == "roll":
        shop.add(cylinder(high / 2, width, segments=18).turned("z", 90), body)
        shop.add(cylinder(high * 0.1, width * 1.3).turned("z", 90).moved(width * 0.15), other)
    else:
        brim = superellipse(24, 2)
        shop.add(lathe([(width * 0.5, 0), (width * 0.5, 0.01)], outline=brim), body)
        shop.add(
            lathe(
                smooth_path([(width * 0.3, 0), (width * 0.29, high * 0.4), (width * 0.2, high * 0.6)], 3),
                outline=brim,
            ),
            body,
        )
        shop.add(lathe([(width * 0.31, 0.01), (width * 0.31, high * 0.12)], outline=brim), other)


OTHER = {
    assembly: 12,
    book: 4,
    waste_bin: 4,
    ladder: 4,
    radiator: 4,
    tool: 6,
    suitcase: 3,
    hut: 3,
    fireplace: 3,
    soft_thing: 5,
    picture_frame: 4,
}
