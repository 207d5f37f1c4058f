"""Tables: dining, round, pedestal, coffee, desks, trolleys and workbenches."""

from __future__ import annotations

import numpy as np

from . import fronts, legs, materials
from .lofts import cylinder, lathe, loft, superellipse
from .parts import box, rounded_box
from .workshop import Workshop


def table(shop: Workshop) -> None:
    """A rectangular table on four legs, with an apron, stretchers or a shelf."""
    low = shop.chance(0.3)
    width = shop.uniform(0.6, 1.3) if low else shop.uniform(0.7, 2.2)
    depth = width * shop.uniform(0.4, 1)
    height = shop.uniform(0.25, 0.5) if low else shop.uniform(0.65, 0.8)
    _four_legged(shop, width, depth, height)


def side_table(shop: Workshop) -> None:
    """A small and high table."""
    width = shop.uniform(0.35, 0.6)
    _four_legged(shop, width, width * shop.uniform(0.7, 1.1), shop.uniform(0.4, 0.75))


def _four_legged(shop: Workshop, width: float, depth: float, height: float) -> None:
    board, frame = _materials(shop)
    leg, thick = shop.uniform(0.03, 0.1) * min(1, width), shop.uniform(0.015, 0.06)
    inset = shop.uniform(0, 0.08) * width
    outer = (width - 2 * inset, depth - 2 * min(inset, 0.2 * depth))
    kind = shop.pick(legs.KINDS, (6, 3, 2, 2, 2, 1.5, 1))
    legs.four_legs(shop, frame, *outer, height - thick, kind, leg)
    _top(shop, board, width, depth, thick, height)
    apron = shop.uniform(0.04, 0.12)
    if shop.chance(0.65) and kind not in ("hairpin", "splayed"):
        thin, y = leg * 0.4, height - thick - apron / 2
        shop.add(box(outer[0] - leg, apron, thin).moved(0, y, outer[1] / 2 - leg / 2), frame, mirror="z")
        shop.add(box(thin, apron, outer[1] - leg).moved(outer[0] / 2 - leg / 2, y), frame, mirror="x")
    if shop.chance(0.2):
        legs.stretchers(shop, frame, *outer, height, leg)
    elif shop.chance(0.25):
        y = height * shop.uniform(0.15, 0.6)
        shop.add(box(outer[0] - leg / 2, thick, outer[1] - leg / 2).moved(0, y), shop.pick((board, frame)))


def _materials(shop: Workshop) -> tuple[int, int]:
    """Board and frame: of one wood, or of two materials, glass and stone among them."""
    frame = shop.material(
        materials.choose_finish(shop.rng) if shop.chance(0.65) else materials.metal(shop.rng)
    )
    kind = shop.rng.random()
    if kind < 0.5:
        return frame, frame
    if kind < 0.8:
        return shop.material(materials.choose_finish(shop.rng)), frame
    if kind < 0.88:
        return shop.material(materials.plain(materials.choose_color(shop.rng, materials.GLASSES))), frame
    if kind < 0.94:
        pale = materials.choose_color(shop.rng, materials.CERAMICS)
        return shop.material(materials.marble(shop.rng, pale, pale * 0.5)), frame
    return shop.material(materials.upholstery(shop.rng)), frame


def _top(
    shop: Workshop,
    board: int,
    width: float,
    depth: float,
    thick: float,
    height: float,
    *,
    curved: float = 0.15,
) -> None:
    if shop.chance(curved):
        power = shop.uniform(3, 9)
        outline = superellipse(28, power) * np.array([width, depth]) / 2
        shop.add(lathe([(1, height - thick), (1, height)], outline=outline), board)
    else:
        slab = rounded_box(width, thick, depth, thick * shop.uniform(0.05, 0.45))
        shop.add(slab.moved(0, height - thick / 2), board)


def round_table(shop: Workshop) -> None:
    """A round or oval table on a pedestal or on legs."""
    board, frame = _materials(shop)
    radius, height = shop.uniform(0.25, 0.75), shop.uniform(0.35, 0.8)
    if shop.chance(0.15):
        radius, height = shop.uniform(0.25, 0.4), shop.uniform(0.95, 1.1)
    thick, oval = shop.uniform(0.015, 0.06), shop.uniform(0.5, 1) if shop.chance(0.3) else 1.0
    rim = thick * shop.uniform(0.05, 0.4)
    top = lathe([(radius - rim, 0), (radius, rim), (radius, thick - rim), (radius - rim, thick)], segments=28)
    shop.add(top.scaled(1, 1, oval).moved(0, height - thick), board)
    if shop.chance(0.6):
        legs.pedestal(shop, frame, height - thick, radius * shop.uniform(0.45, 0.75) * oval)
    else:
        side = radius * shop.uniform(1.1, 1.4)
        kind = shop.pick(legs.KINDS)
        legs.four_legs(shop, frame, side, side * oval, height - thick, kind, shop.uniform(0.03, 0.07))
        if shop.chance(0.4):
            shelf = cylinder(radius * 0.6, thick * 0.7, segments=20).scaled(1, 1, oval)
            shop.add(shelf.moved(0, height * shop.uniform(0.2, 0.5)), board)


def trestle_table(shop: Workshop) -> None:
    """A table on end boards, crossed legs or T-shaped feet."""
    board, frame = _materials(shop)
    width, depth, height = shop.uniform(0.8, 2), shop.uniform(0.5, 0.95), shop.uniform(0.4, 0.78)
    thick = shop.uniform(0.02, 0.05)
    x, bar = width / 2 * shop.uniform(0.6, 0.95), shop.uniform(0.03, 0.08)
    kind = shop.pick(("boards", "cross", "feet"))
    if kind == "boards":
        shop.add(
            box(bar, height - thick, depth * shop.uniform(0.7, 1)).moved(x, (height - thick) / 2),
            frame,
            mirror="x",
        )
    elif kind == "cross":
        angle = np.degrees(np.arctan2(height - thick, depth * 0.8))
        long = float(np.hypot(height - thick - bar, depth * 0.8))
        for turn in (angle, -angle):
            shop.add(box(bar, bar, long).turned("x", turn).moved(x, (height - thick) / 2), frame, mirror="x")
    else:
        shop.add(box(bar, bar, depth * 0.85).moved(x, bar / 2), frame, mirror="x")
        shop.add(box(bar, bar, depth * 0.85).moved(x, height - thick - bar / 2), frame, mirror="x")
        shop.add(
            box(bar, height - thick, bar * shop.uniform(1, 3)).moved(x, (height - thick) / 2),
            frame,
            mirror="x",
        )
    if shop.chance(0.7):
        shop.add(box(2 * x, bar * 1.5, bar * 0.5).moved(0, height * shop.uniform(0.3, 0.8)), frame)
    _top(shop, board, width, depth, thick, height)


def desk(shop: Workshop) -> None:
    """A writing desk: drawers under one or both sides, boards or legs, at times a corner or a hutch."""
    board, frame = _materials(shop)
    width, depth, height = shop.uniform(0.9, 1.9), shop.uniform(0.5, 0.85), shop.uniform(0.7, 0.78)
    thick = shop.uniform(0.02, 0.05)
    _top(shop, board, width, depth, thick, height, curved=0)
    under, wide = height - thick, width * shop.uniform(0.22, 0.35)
    knob = shop.material(materials.metal(shop.rng))
    sides = shop.pick(((1,), (-1,), (1, -1), ()), (3, 3, 3, 2))
    short = under if shop.chance(0.7) else under * shop.uniform(0.3, 0.6)
    for side in sides:
        place = (side * (width / 2 - wide / 2 - 0.02), under - short / 2)
        shop.add(box(wide, short, depth * 0.92).moved(*place), frame)
        fronts.drawers(shop, board, knob, (wide, short), (*place, depth * 0.46), shop.count(2, 4), 1)
    lone = [side for side in (1, -1) if side not in sides or short < under]
    kind = shop.pick(("board", "leg"))
    for side in lone:
        if kind == "board":
            shop.add(box(thick, under, depth * 0.92).moved(side * (width / 2 - 0.03), under / 2), frame)
        else:
            for z in (1, -1):
                leg = box(0.05, under, 0.05)
                shop.add(leg.moved(side * (width / 2 - 0.05), under / 2, z * (depth / 2 - 0.05)), frame)
    if shop.chance(0.5):
        tall = under * shop.uniform(0.3, 0.9)
        shop.add(box(width * 0.95, tall, 0.02).moved(0, under - tall / 2, -depth * 0.4), frame)
    if shop.chance(0.25):
        up, deep = shop.uniform(0.25, 0.6), depth * 0.4
        y, z = height + up / 2, -depth / 2 + deep / 2
        shop.add(box(0.025, up, deep).moved(width / 2 - 0.02, y, z), frame, mirror="x")
        for level in np.linspace(height + up, height, shop.count(2, 3), endpoint=False):
            shop.add(box(width, 0.025, deep).moved(0, level, z), board)
    if shop.chance(0.15):
        reach, side = shop.uniform(0.4, 0.9), shop.pick((1, -1))
        x = side * (width / 2 - depth * 0.35)
        shop.add(box(depth * 0.7, thick, reach).moved(x, height - thick / 2, depth / 2 + reach / 2), board)
        shop.add(box(depth * 0.65, under, thick).moved(x, under / 2, depth / 2 + reach - 0.05), frame)


def trolley(shop: Workshop) -> None:
    """Shelves between posts, on wheels or not: tea trolleys, racks, workbenches."""
    board, frame = _materials(shop)
    width, depth, height = shop.uniform(0.4, 1.2), shop.uniform(0.35, 0.6), shop.uniform(0.6, 1)
    post, thick, wheel = shop.uniform(0.015, 0.04), shop.uniform(0.015, 0.03), shop.uniform(0.03, 0.06)
    foot = wheel * 2 if shop.chance(0.5) else 0.0
    x, z = width / 2 - post / 2, depth / 2 - post / 2
    shop.add(box(post, height - foot, post).moved(x, (height + foot) / 2, z), frame, mirror="xz")
    for level in np.linspace(foot + 0.06, height - thick, shop.count(2, 4)):
        shop.add(box(width, thick, depth).moved(0, level), board)
    if foot:
        roll = cylinder(wheel, 0.02).turned("z", 90).moved(x + 0.01, wheel, z)
        shop.add(roll, shop.material(materials.plain((0.08, 0.08, 0.08))), mirror="xz")
    if shop.chance(0.4):
        up = shop.uniform(0.1, 0.6)
        shop.add(box(width, up, thick).moved(0, height + up / 2, -z), shop.pick((board, frame)))


def block_table(shop: Workshop) -> None:
    """A low block, drum or slab with curved sides."""
    board, _ = _materials(shop)
    width, height = shop.uniform(0.4, 1.2), shop.uniform(0.25, 0.5)
    depth = width * shop.uniform(0.5, 1)
    if shop.chance(0.5):
        shop.add(rounded_box(width, height, depth, shop.uniform(0.005, 0.1)).moved(0, height / 2), board)
        return
    outline = superellipse(24, shop.uniform(2, 6)) * np.array([width, depth]) / 2
    waist, levels = shop.uniform(0.6, 1.1), np.linspace(-1, 1, 7)
    rings = [
        np.stack([outline[:, 0] * k, np.full(24, (y + 1) / 2 * height), outline[:, 1] * k], -1)
        for y, k in zip(levels, waist + (1 - waist) * levels**2, strict=True)
    ]
    shop.add(loft(rings), board)


KINDS = {table: 30, side_table: 7, round_table: 12, trestle_table: 8, desk: 16, trolley: 5, block_table: 3}
