"""Storage: chests of drawers, cupboards, wardrobes, bookcases, shelves, kitchen units, chests, racks."""

from __future__ import annotations

import itertools

import numpy as np

from . import fronts, legs, materials
from .lofts import cylinder, loft, tube
from .parts import box, rounded_box
from .workshop import Workshop


def _body_and_front(shop: Workshop) -> tuple[int, int, int]:
    """Materials of the body, of doors and drawers, and of handles."""
    paint = materials.choose_finish(shop.rng)
    body = shop.material(paint)
    if shop.chance(0.4):
        paint = materials.choose_finish(shop.rng)
    style = shop.rng.random()
    if style < 0.4:
        front = fronts.panelled(paint, shop.uniform(0.1, 0.2))
    elif style < 0.47:
        front = fronts.louvred(paint, shop.count(6, 14))
    else:
        front = paint
    return body, shop.material(front), shop.material(materials.metal(shop.rng))


def _foot(shop: Workshop, body: int, width: float, depth: float) -> float:
    """Legs, a plinth or nothing; the height of it."""
    kind = shop.pick(("none", "plinth", "legs"), (4, 3, 3))
    if kind == "none":
        return 0.0
    height = shop.uniform(0.03, 0.16)
    if kind == "plinth":
        shop.add(box(width * 0.96, height, depth * 0.92).moved(0, height / 2), body)
    else:
        leg = shop.pick(("square", "tapered", "round", "turned", "curved"))
        legs.four_legs(shop, body, width * 0.96, depth * 0.96, height, leg, min(0.06, depth * 0.2))
    return height


def _crown(shop: Workshop, body: int, width: float, depth: float, level: float) -> None:
    """A top board that stands out, a cornice, a slab of stone, or nothing."""
    kind = shop.pick(("none", "board", "stone"), (4, 4, 1))
    if kind == "none":
        return
    material = body
    if kind == "stone":
        material = shop.material(
            materials.speckle(shop.rng, materials.choose_color(shop.rng, materials.LACQUERS))
        )
    over, thick = shop.uniform(0.01, 0.05), shop.uniform(0.015, 0.05)
    top = rounded_box(width + 2 * over, thick, depth + over, thick * 0.3)
    shop.add(top.moved(0, level + thick / 2, over / 2), material)


def drawers(shop: Workshop) -> None:
    """A chest of drawers, from a bedside table to a tall one."""
    body, front, knob = _body_and_front(shop)
    width, depth, height = shop.uniform(0.35, 1.4), shop.uniform(0.35, 0.6), shop.uniform(0.4, 1.2)
    foot = _foot(shop, body, width, depth)
    shop.add(box(width, height, depth).moved(0, foot + height / 2), body)
    rows = max(1, round(height / shop.uniform(0.18, 0.3)))
    columns = 1 if width < 0.8 else shop.count(1, 3)
    fronts.drawers(
        shop, front, knob, (width * 0.97, height * 0.96), (0, foot + height / 2, depth / 2), rows, columns
    )
    _crown(shop, body, width, depth, foot + height)


def cupboard(shop: Workshop) -> None:
    """A cupboard with doors below drawers, or doors alone; also hanging units and kitchen units."""
    body, front, knob = _body_and_front(shop)
    width, depth, height = shop.uniform(0.35, 1.6), shop.uniform(0.3, 0.65), shop.uniform(0.5, 1.3)
    _fronted(shop, body, front, knob, width, depth, height)


def wardrobe(shop: Workshop) -> None:
    """A tall cabinet: wardrobe, pantry, locker."""
    body, front, knob = _body_and_front(shop)
    width, depth, height = shop.uniform(0.5, 2.2), shop.uniform(0.4, 0.65), shop.uniform(1.6, 2.3)
    _fronted(shop, body, front, knob, width, depth, height)


def _fronted(
    shop: Workshop, body: int, front: int, knob: int, width: float, depth: float, height: float
) -> None:
    foot = _foot(shop, body, width, depth)
    shop.add(box(width, height, depth).moved(0, foot + height / 2), body)
    columns = max(1, round(width / shop.uniform(0.35, 0.6)))
    strip = shop.uniform(0.15, 0.4) * height if shop.chance(0.4) else 0.0
    doors, wide = height * 0.97 - strip, width * 0.97
    above = shop.chance(0.5)
    middle = foot + height / 2 + (-strip / 2 if above else strip / 2)
    rows = 2 if height > 1.5 and shop.chance(0.3) else 1
    fronts.doors(shop, front, knob, (wide, doors), (0, middle, depth / 2), columns, rows)
    if strip:
        edge = foot + height * 0.985 - strip / 2 if above else foot + height * 0.015 + strip / 2
        count = max(1, round(strip / 0.25))
        fronts.drawers(shop, front, knob, (wide, strip), (0, edge, depth / 2), count, shop.pick((1, columns)))
    _crown(shop, body, width, depth, foot + height)


def glass_cabinet(shop: Workshop) -> None:
    """A display cabinet: glazed doors, at times over closed ones."""
    paint = materials.choose_finish(shop.rng)
    body, knob = shop.material(paint), shop.material(materials.metal(shop.rng))
    glass = materials.choose_color(shop.rng, materials.GLASSES)
    pane = shop.material(fronts.glazed(paint, glass, shop.count(1, 2), shop.count(1, 4)))
    width, depth, height = shop.uniform(0.45, 1.5), shop.uniform(0.25, 0.5), shop.uniform(0.6, 2.1)
    foot = _foot(shop, body, width, depth)
    shop.add(box(width, height, depth).moved(0, foot + height / 2), body)
    columns, solid = max(1, round(width / 0.5)), height * shop.uniform(0.25, 0.5) if shop.chance(0.4) else 0.0
    tall = height * 0.97 - solid
    fronts.doors(
        shop,
        pane,
        knob,
        (width * 0.97, tall),
        (0, foot + height - tall / 2 - height * 0.015, depth / 2),
        columns,
    )
    if solid:
        closed = shop.material(fronts.panelled(paint))
        place = (0, foot + solid / 2 + height * 0.015, depth / 2)
        fronts.doors(shop, closed, knob, (width * 0.97, solid), place, columns)
    _crown(shop, body, width, depth, foot + height)


def bookcase(shop: Workshop) -> None:
    """Open shelves between sides, with or without a back, empty or with books and boxes."""
    body = shop.material(materials.choose_finish(shop.rng))
    width, depth, height = shop.uniform(0.3, 1.6), shop.uniform(0.2, 0.45), shop.uniform(0.6, 2.2)
    thick = shop.uniform(0.015, 0.04)
    foot = _foot(shop, body, width, depth)
    levels = np.linspace(
        foot + thick / 2, foot + height - thick / 2, max(2, round(height / shop.uniform(0.25, 0.5)) + 1)
    )
    shop.add(box(thick, height, depth).moved(width / 2 - thick / 2, foot + height / 2), body, mirror="x")
    for level in levels:
        shop.add(box(width - thick, thick, depth * 0.98).moved(0, level), body)
    if shop.chance(0.75):
        shop.add(
            box(width - thick, height * 0.99, thick * 0.5).moved(
                0, foot + height / 2, -depth / 2 + thick / 4
            ),
            body,
        )
    columns = max(1, round(width / shop.uniform(0.35, 0.9)))
    inner = width - thick
    for i in range(1, columns):
        shop.add(
            box(thick, height * 0.99, depth * 0.97).moved((i / columns - 0.5) * inner, foot + height / 2),
            body,
        )
    filled = shop.uniform(0, 1) if shop.chance(0.5) else 0.0
    rows = [shop.material(fronts.books(shop.rng)) for _ in range(2)] if filled else []
    room = inner / columns - thick
    for low, high in itertools.pairwise(levels):
        for i in range(columns):
            if not shop.chance(filled):
                continue
            tall, wide = (high - low - thick) * shop.uniform(0.6, 0.95), room * shop.uniform(0.4, 1)
            x = ((i + 0.5) / columns - 0.5) * inner + (wide - room) / 2
            row = box(wide, tall, depth * 0.7, fit=True).moved(x, low + thick / 2 + tall / 2, 0)
            shop.add(row, shop.pick(rows), whole=True)


def shelf_rack(shop: Workshop) -> None:
    """Boards on posts: steel shelves, pinewood racks, towel and bottle racks."""
    frame = shop.material(materials.wood(shop.rng) if shop.chance(0.5) else materials.metal(shop.rng))
    board = frame if shop.chance(0.6) else shop.material(materials.choose_finish(shop.rng))
    width, depth, height = shop.uniform(0.35, 1.3), shop.uniform(0.2, 0.5), shop.uniform(0.5, 2)
    post, count = shop.uniform(0.015, 0.045), shop.count(2, 6)
    x, z = width / 2 - post / 2, depth / 2 - post / 2
    shop.add(box(post, height, post).moved(x, height / 2, z), frame, mirror="xz")
    slatted = shop.chance(0.4)
    for level in np.linspace(height * shop.uniform(0.03, 0.15), height * shop.uniform(0.9, 0.99), count):
        if slatted:
            planks = shop.count(3, 4)
            for i in range(planks):
                plank = box(width, 0.015, depth / planks * 0.6)
                shop.add(plank.moved(0, level, ((i + 0.5) / planks - 0.5) * depth), board)
        else:
            shop.add(box(width, 0.02, depth).moved(0, level), board)
    if shop.chance(0.3):
        shop.add(
            tube([(-x, height * 0.1, -z), (x, height * 0.9, -z)], post * 0.3, segments=6), frame, mirror="x"
        )


def corner_cabinet(shop: Workshop) -> None:
    """A unit with a slanted, round or quarter-circle plan: closed with a door, or open shelves."""
    body, front, knob = _body_and_front(shop)
    side, height = shop.uniform(0.3, 0.9), shop.uniform(0.6, 2)
    angle = np.linspace(0, np.pi / 2, 7) if shop.chance(0.5) else np.array([0, np.pi / 2])
    arc = np.stack([np.cos(angle), np.sin(angle)], -1) * side
    plan = np.concatenate([[(0, 0)], arc]) - side / 2
    if shop.chance(0.3):
        plan = np.array([(0, 0), (side, 0), (side, side / 2), (side / 2, side), (0, side)]) - side / 2

    def slab(low: float, high: float):
        return loft([np.stack([plan[:, 0], np.full(len(plan), y), plan[:, 1]], -1) for y in (low, high)])

    if shop.chance(0.5):
        thick = 0.025
        for level in np.linspace(0, height - thick, shop.count(2, 6)):
            shop.add(slab(level, level + thick), body)
        shop.add(box(thick, height, side).moved(-side / 2 + thick / 2, height / 2), body)
        shop.add(box(side, height, thick).moved(0, height / 2, -side / 2 + thick / 2), body)
        return
    shop.add(slab(0, height), body)
    wide = side * shop.uniform(0.4, 0.65)
    door = rounded_box(wide, height * 0.9, 0.03, 0.008, fit=True).turned("y", 45)
    off = float((plan.sum(1).max()) / 2)
    shop.add(door.moved(off, height / 2, off), front, whole=True)
    shop.add(
        cylinder(0.012, 0.04, segments=8)
        .turned("x", 90)
        .turned("y", 45)
        .moved(off + 0.08, height / 2, off - 0.02),
        knob,
    )


def chest(shop: Workshop) -> None:
    """A trunk, flat or with a round lid, bands and a lock."""
    body, band = shop.material(materials.choose_finish(shop.rng)), shop.material(materials.metal(shop.rng))
    width, depth, height = shop.uniform(0.6, 1.3), shop.uniform(0.35, 0.6), shop.uniform(0.3, 0.6)
    shop.add(box(width, height, depth).moved(0, height / 2), body)
    arc = np.linspace(0, np.pi, 9)
    dome = shop.uniform(0.1, 0.5) * depth if shop.chance(0.5) else 0.03

    def lid(wide: float, grow: float):
        section = np.stack(
            [np.zeros(9), height + dome * grow * np.sin(arc), depth / 2 * grow * np.cos(arc)], -1
        )
        return loft([section + np.array([x, 0, 0]) for x in (-wide / 2, wide / 2)])

    shop.add(lid(width * 1.01, 1.02), body)
    if shop.chance(0.6):
        for at in (-0.3, 0.3):
            shop.add(lid(0.04, 1.06).moved(at * width), band)
            shop.add(box(0.04, height, depth * 1.03).moved(at * width, height / 2), band)
    shop.add(box(0.06, 0.08, 0.02).moved(0, height * 0.95, depth / 2 + 0.01), band)


def sideboard_sink(shop: Workshop) -> None:
    """A kitchen or bathroom unit with a worktop and a basin let into it."""
    body, front, knob = _body_and_front(shop)
    width, depth, height = shop.uniform(0.45, 1.5), shop.uniform(0.45, 0.65), shop.uniform(0.7, 0.9)
    shop.add(box(width, height, depth).moved(0, height / 2), body)
    fronts.doors(
        shop,
        front,
        knob,
        (width * 0.97, height * 0.9),
        (0, height * 0.52, depth / 2),
        max(1, round(width / 0.45)),
    )
    top = shop.material(
        materials.speckle(shop.rng, materials.choose_color(shop.rng, materials.LACQUERS), 0.2)
    )
    shop.add(rounded_box(width * 1.02, 0.04, depth * 1.04, 0.01).moved(0, height + 0.02), top)
    white = shop.material(materials.plain(materials.choose_color(shop.rng, materials.CERAMICS)))
    if shop.chance(0.5):
        bowl = rounded_box(min(width * 0.7, 0.6), 0.1, depth * 0.7, 0.045, segments=2)
        shop.add(bowl.moved(0, height + 0.06), white)
    spout = [
        (0, height, -depth * 0.4),
        (0, height + 0.22, -depth * 0.4),
        (0, height + 0.25, -depth * 0.25),
        (0, height + 0.18, -depth * 0.15),
    ]
    shop.add(tube(spout, 0.015), knob)
    if shop.chance(0.3):
        mirror = shop.material(materials.plain((0.75, 0.82, 0.85)))
        shop.add(box(width * 0.9, height * 0.8, 0.03).moved(0, height * 1.7, -depth * 0.48), mirror)


KINDS = {
    drawers: 20,
    cupboard: 22,
    wardrobe: 14,
    glass_cabinet: 12,
    bookcase: 20,
    shelf_rack: 9,
    corner_cabinet: 7,
    chest: 5,
    sideboard_sink: 4,
}
