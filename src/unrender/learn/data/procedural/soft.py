"""Beds and sofas."""

from __future__ import annotations

import numpy as np

from . import legs, materials
from .lofts import cylinder, lathe, smooth_path, tube
from .parts import box, rounded_box
from .workshop import Workshop


def _bedding(shop: Workshop) -> tuple[int, int, int]:
    """Materials of mattress, blanket and pillow."""
    pale = materials.choose_color(shop.rng, materials.CERAMICS)
    mattress = shop.material(materials.cloth(shop.rng, pale))
    blanket = shop.material(materials.upholstery(shop.rng)) if shop.chance(0.75) else mattress
    pillow = mattress if shop.chance(0.6) else shop.material(materials.upholstery(shop.rng))
    return mattress, blanket, pillow


def _made_up(shop: Workshop, stuff: tuple[int, int, int], width: float, long: float, level: float) -> float:
    """A mattress at ``level`` with a blanket and pillows, head at -Z; the height of its top."""
    mattress, blanket, pillow = stuff
    thick = shop.uniform(0.1, 0.28)
    shop.add(rounded_box(width, thick, long, min(0.05, thick * 0.4)).moved(0, level + thick / 2), mattress)
    if shop.chance(0.8):
        cover, over = long * shop.uniform(0.5, 0.95), shop.uniform(0.0, 0.04)
        drop = thick * shop.uniform(0.2, 1)
        quilt = rounded_box(width + 2 * over + 0.02, drop + 0.03, cover, 0.03)
        shop.add(quilt.moved(0, level + thick - drop / 2 + 0.02, (long - cover) / 2 + 0.01), blanket)
    if shop.chance(0.85):
        count = 2 if width > 1.1 else 1
        wide = width / count * shop.uniform(0.6, 0.85)
        for i in range(count):
            x = ((i + 0.5) / count - 0.5) * width
            cushion = rounded_box(wide, 0.14, 0.4, 0.07, segments=2).turned("x", -shop.uniform(5, 30))
            shop.add(cushion.moved(x, level + thick + 0.07, -long / 2 + 0.25), pillow)
    return level + thick


def _head_board(shop: Workshop, material: int, width: float, height: float, z: float) -> None:
    """A board, slats, bars or a padded panel across the bed, from the floor up."""
    kind = shop.pick(("board", "slats", "pad", "arch", "iron"), (4, 2, 1.5, 1.5, 1))
    thick = shop.uniform(0.03, 0.07)
    if kind == "board":
        shop.add(rounded_box(width, height * 0.95, thick, thick * 0.3).moved(0, height * 0.525, z), material)
    elif kind == "pad":
        soft = shop.material(materials.upholstery(shop.rng))
        shop.add(
            rounded_box(width, height * 0.9, thick * 2, thick * 0.8, segments=2).moved(0, height * 0.55, z),
            soft,
        )
    elif kind == "arch":
        angle = np.linspace(0, np.pi, 9)
        bow = np.stack([width / 2 * np.cos(angle), height * (0.75 + 0.25 * np.sin(angle)), 0 * angle + z], -1)
        shop.add(tube(bow, thick * 0.6, segments=6), material)
        shop.add(box(width, height * 0.78, thick * 0.6).moved(0, height * 0.39, z), material)
    else:
        bar = thick if kind == "slats" else thick * 0.5
        shop.add(box(bar, height, bar).moved(width / 2, height / 2, z), material, mirror="x")
        for up in (0.4, 0.92):
            shop.add(box(width, bar, bar * 0.8).moved(0, height * up, z), material)
        count = shop.count(4, 10)
        for x in ((np.arange(count) + 0.5) / count - 0.5) * width:
            shop.add(box(bar * 0.6, height * 0.5, bar * 0.4).moved(x, height * 0.67, z), material)


def bed(shop: Workshop) -> None:
    """A bed with head and foot boards, for one or two, on legs, a box or drawers."""
    frame, stuff = shop.material(materials.choose_finish(shop.rng)), _bedding(shop)
    width, long = shop.uniform(0.8, 1.9), shop.uniform(1.8, 2.15)
    level, rail = shop.uniform(0.18, 0.42), shop.uniform(0.1, 0.25)
    boxed = shop.chance(0.35)
    low = 0.03 if boxed else max(0.02, level - rail)
    shop.add(rounded_box(width + 0.06, level - low + 0.04, long, 0.015).moved(0, (level + low) / 2), frame)
    if boxed and shop.chance(0.4):
        knob = shop.material(materials.metal(shop.rng))
        count, tall = shop.count(2, 3), level - low
        for i in range(count):
            z = ((i + 0.5) / count - 0.5) * long * 0.9
            front = rounded_box(0.02, tall * 0.8, long * 0.86 / count, 0.006)
            shop.add(front.moved(width / 2 + 0.03, (level + low) / 2, z), frame, mirror="x")
            shop.add(box(0.03, 0.02, 0.14).moved(width / 2 + 0.05, (level + low) / 2, z), knob, mirror="x")
    if not boxed:
        legs.four_legs(
            shop, frame, width, long, level, shop.pick(("square", "tapered", "round", "turned")), 0.07
        )
    top = _made_up(shop, stuff, width, long - 0.05, level)
    if shop.chance(0.85):
        _head_board(shop, frame, width + 0.06, top + shop.uniform(0.2, 0.7), -long / 2)
    if shop.chance(0.5):
        _head_board(shop, frame, width + 0.06, top + shop.uniform(-0.05, 0.3), long / 2)


def loft_bed(shop: Workshop) -> None:
    """A high bed on posts with rails and a ladder; with a second bed or a desk below, or nothing."""
    frame, stuff = shop.material(materials.choose_finish(shop.rng)), _bedding(shop)
    width, long, level = shop.uniform(0.85, 1.45), shop.uniform(1.9, 2.1), shop.uniform(1.1, 1.75)
    post, rail = shop.uniform(0.05, 0.1), shop.uniform(0.2, 0.45)
    x, z = width / 2, long / 2
    shop.add(box(post, level + rail, post).moved(x, (level + rail) / 2, z), frame, mirror="xz")
    levels = [level]
    if shop.chance(0.5):
        levels.append(shop.uniform(0.2, 0.4))
    for at in levels:
        shop.add(box(width, 0.12, long).moved(0, at), frame)
        _made_up(shop, stuff, width - post, long - post, at + 0.04)
    for up in np.linspace(level + 0.2, level + rail, shop.count(1, 2)):
        shop.add(box(0.03, 0.08, long).moved(x, up), frame, mirror="x")
        shop.add(box(width, 0.08, 0.03).moved(0, up, z), frame, mirror="z")
    if len(levels) == 1 and shop.chance(0.4):
        shop.add(box(width, 0.03, long * 0.5).moved(0, 0.72, -long * 0.2), frame)
    place, side = shop.uniform(-0.3, 0.3) * long, shop.pick((1, -1))
    lean, wide = shop.uniform(0, 0.4), 0.4
    for edge in (-wide / 2, wide / 2):
        rail_path = [
            (side * (x + lean + 0.04), 0, place + edge),
            (side * (x + 0.04), level + rail * 0.7, place + edge),
        ]
        shop.add(tube(rail_path, 0.025, segments=6), frame)
    for t in np.linspace(0.12, 0.9, 5):
        step = box(0.04, 0.025, wide)
        shop.add(step.moved(side * (x + 0.04 + lean * (1 - t)), t * (level + rail * 0.7), place), frame)


def crib(shop: Workshop) -> None:
    """A child's bed with bars all round."""
    frame, stuff = shop.material(materials.choose_finish(shop.rng)), _bedding(shop)
    width, long, height = shop.uniform(0.6, 0.8), shop.uniform(1.1, 1.5), shop.uniform(0.75, 1.05)
    level, post = height * shop.uniform(0.3, 0.6), 0.05
    shop.add(box(post, height, post).moved(width / 2, height / 2, long / 2), frame, mirror="xz")
    shop.add(box(width, 0.05, long).moved(0, level), frame)
    shop.add(rounded_box(width * 0.95, 0.1, long * 0.95, 0.03).moved(0, level + 0.06), stuff[0])
    for up in (level * 0.8, height * 0.96):
        shop.add(box(0.035, 0.05, long).moved(width / 2, up), frame, mirror="x")
        shop.add(box(width, 0.05, 0.035).moved(0, up, long / 2), frame, mirror="z")
    tall = height * 0.96 - level * 0.8
    middle, bar = level * 0.8 + tall / 2, shop.uniform(0.012, 0.025)
    for z in np.linspace(-0.44, 0.44, shop.count(8, 12)) * long:
        shop.add(box(bar, tall, bar).moved(width / 2, middle, z), frame, mirror="x")
    if shop.chance(0.5):
        shop.add(box(width * 0.98, tall, 0.02).moved(0, middle, long / 2), frame, mirror="z")
    else:
        for x in np.linspace(-0.4, 0.4, 5) * width:
            shop.add(box(bar, tall, bar).moved(x, middle, long / 2), frame, mirror="z")


def mattress(shop: Workshop) -> None:
    """A mattress on a base, or a divan, without boards."""
    stuff = _bedding(shop)
    base = shop.material(materials.upholstery(shop.rng))
    width, long, level = shop.uniform(0.8, 1.8), shop.uniform(1.8, 2.1), shop.uniform(0.08, 0.3)
    shop.add(rounded_box(width, level, long, 0.02).moved(0, level / 2 + 0.03), base)
    _made_up(shop, stuff, width, long, level + 0.02)


def sofa(shop: Workshop) -> None:
    """A sofa for two to four: blocks, cushions, arms of several kinds, feet; at times with a corner."""
    cover = shop.material(materials.upholstery(shop.rng))
    soft = cover if shop.chance(0.7) else shop.material(materials.upholstery(shop.rng))
    wood = shop.material(materials.choose_finish(shop.rng))
    seats = shop.count(2, 4)
    arm = shop.uniform(0.08, 0.28) if shop.chance(0.85) else 0.0
    width, depth = seats * shop.uniform(0.5, 0.72) + 2 * arm, shop.uniform(0.75, 1.05)
    foot, base, rise = shop.uniform(0.02, 0.16), shop.uniform(0.15, 0.28), shop.uniform(0.3, 0.6)
    back, lean = depth * shop.uniform(0.15, 0.27), shop.uniform(0, 14)
    kind = shop.pick(("square", "tapered", "round"))
    legs.four_legs(shop, wood, width * 0.95, depth * 0.9, foot + 0.01, kind, 0.06)
    shop.add(rounded_box(width, base, depth, 0.03).moved(0, foot + base / 2), cover)
    inner, level = width - 2 * arm, foot + base
    rest = rounded_box(
        width - arm * shop.uniform(0, 2), base + rise, back, back * shop.uniform(0.15, 0.5), segments=2
    )
    rest = rest.moved(0, (base + rise) / 2).turned("x", -lean)
    shop.add(rest.moved(0, foot, -depth / 2 + back / 2), cover)
    if arm:
        _sofa_arms(shop, cover, wood, arm, (width, depth), foot, base)
    corner = shop.pick((1, -1)) if shop.chance(0.2) else 0
    pad = shop.uniform(0.1, 0.2)
    for i in range(seats):
        x = ((i + 0.5) / seats - 0.5) * inner
        cushion = rounded_box(
            inner / seats * 0.99, pad, depth - back * 0.7, pad * shop.uniform(0.2, 0.48), segments=2
        )
        shop.add(cushion.moved(x, level + pad * 0.4, back * 0.35), soft)
        if shop.chance(0.7):
            tall = rise * shop.uniform(0.7, 0.95)
            behind = rounded_box(inner / seats * 0.97, tall, 0.16, 0.07, segments=2).turned("x", -lean - 5)
            shop.add(behind.moved(x, level + pad * 0.7 + tall / 2, -depth / 2 + back + 0.02), soft)
    if corner:
        long = shop.uniform(0.6, 1.1)
        x = corner * (width / 2 - depth * 0.45)
        shop.add(
            rounded_box(depth * 0.9, base, long, 0.03).moved(x, foot + base / 2, depth / 2 + long / 2 - 0.03),
            cover,
        )
        shop.add(
            rounded_box(depth * 0.86, pad, long, pad * 0.4, segments=2).moved(
                x, level + pad * 0.4, depth / 2 + long / 2 - 0.05
            ),
            soft,
        )
        if shop.chance(0.5):
            side = rounded_box(back, base + rise * 0.9, depth + long, back * 0.3, segments=2)
            shop.add(
                side.moved(corner * (width / 2 - back / 2), foot + (base + rise * 0.9) / 2, long / 2), cover
            )
    if shop.chance(0.4):
        spare = shop.material(materials.upholstery(shop.rng))
        for i in range(shop.count(1, 4)):
            pillow = (
                rounded_box(0.4, 0.4, 0.15, 0.074, segments=2)
                .turned("x", -25)
                .turned("y", shop.uniform(-30, 30))
            )
            x = shop.uniform(-0.42, 0.42) * inner
            shop.add(pillow.moved(x, level + pad + 0.13, -depth / 2 + back + 0.16 + 0.01 * i), spare)


def _sofa_arms(
    shop: Workshop, cover: int, wood: int, arm: float, size: tuple[float, float], foot: float, base: float
) -> None:
    width, depth = size
    up, reach = base + shop.uniform(0.12, 0.32), depth * shop.uniform(0.85, 1)
    x, z = width / 2 - arm / 2, (depth - reach) / 2
    kind = shop.pick(("block", "roll", "wood"), (5, 3, 1))
    if kind == "wood":
        shop.add(rounded_box(arm, 0.04, reach, 0.015).moved(x, foot + up, z), wood, mirror="x")
        shop.add(box(0.05, up, 0.05).moved(x, foot + up / 2, reach * 0.4 + z), wood, mirror="xz")
        return
    block = rounded_box(arm, up, reach, arm * shop.uniform(0.1, 0.5), segments=2)
    shop.add(block.moved(x, foot + up / 2, z), cover, mirror="x")
    if kind == "roll":
        roll = cylinder(arm * 0.62, reach * 1.01, segments=14).turned("x", 90)
        shop.add(roll.moved(x, foot + up - arm * 0.1, z - reach / 2), cover, mirror="x")


def garden_sofa(shop: Workshop) -> None:
    """A frame of bars, bamboo or wickerwork with loose cushions; swings under a roof too."""
    color = materials.choose_color(shop.rng, materials.WOODS)
    frame = shop.material(
        materials.weave(shop.rng, color) if shop.chance(0.4) else materials.choose_finish(shop.rng)
    )
    soft = shop.material(materials.upholstery(shop.rng))
    width, depth, level = shop.uniform(1.1, 2), shop.uniform(0.6, 0.85), shop.uniform(0.28, 0.4)
    rise, bar = shop.uniform(0.35, 0.5), shop.uniform(0.03, 0.07)
    x, z = width / 2, depth / 2
    arm = level + shop.uniform(0.18, 0.28)
    shop.add(box(bar, arm, bar).moved(x, arm / 2, z), frame, mirror="x")
    shop.add(box(bar, level + rise, bar).moved(x, (level + rise) / 2, -z), frame, mirror="x")
    shop.add(box(bar, bar, depth).moved(x, arm), frame, mirror="x")
    shop.add(box(width, bar, depth).moved(0, level - bar / 2), frame)
    for up in np.linspace(level + rise, level + 0.1, shop.count(2, 4)):
        shop.add(box(width, bar, bar * 0.7).moved(0, up - bar / 2, -z), frame)
    pad, seats = shop.uniform(0.08, 0.16), shop.count(1, 3)
    for i in range(seats):
        at = ((i + 0.5) / seats - 0.5) * (width - bar)
        shop.add(
            rounded_box((width - bar) / seats * 0.98, pad, depth * 0.92, pad * 0.4, segments=2).moved(
                at, level + pad / 2
            ),
            soft,
        )
        tall = rise * 0.9
        rest = rounded_box((width - bar) / seats * 0.96, tall, pad, pad * 0.4, segments=2).turned("x", -10)
        shop.add(rest.moved(at, level + pad + tall / 2 - 0.03, -z + pad), soft)
    if shop.chance(0.15):
        high = shop.uniform(1.7, 2)
        shop.add(tube([(x + 0.15, 0, z), (x + 0.1, high, 0)], 0.025, segments=6), frame, mirror="xz")
        shop.add(box(width + 0.3, 0.04, depth * 1.3).turned("x", shop.uniform(-8, 8)).moved(0, high), soft)


def futon(shop: Workshop) -> None:
    """A folded mattress on a low frame; laid out flat, or with its back up."""
    frame, soft = (
        shop.material(materials.choose_finish(shop.rng)),
        shop.material(materials.upholstery(shop.rng)),
    )
    width, depth, level = shop.uniform(1.2, 2), shop.uniform(0.8, 1), shop.uniform(0.12, 0.32)
    thick = shop.uniform(0.1, 0.2)
    shop.add(box(width * 0.98, 0.06, depth * 0.95).moved(0, level - 0.03), frame)
    shop.add(box(0.06, level, depth * 0.9).moved(width * 0.45, level / 2), frame, mirror="x")
    shop.add(rounded_box(width, thick, depth, thick * 0.45, segments=2).moved(0, level + thick / 2), soft)
    angle = shop.pick((0.0, shop.uniform(55, 80)), (1, 2))
    tall = depth * shop.uniform(0.6, 1)
    rest = rounded_box(width, thick, tall, thick * 0.45, segments=2).moved(0, thick / 2, -tall / 2)
    shop.add(
        rest.turned("x", angle).moved(
            0, level + (0.02 if angle else 0), -depth / 2 + (thick * 0.8 if angle else 0)
        ),
        soft,
    )
    if shop.chance(0.4):
        path = smooth_path(
            [(width / 2, 0, -0.35), (width / 2, 0.5, -0.3), (width / 2, 0.5, 0.3), (width / 2, 0, 0.35)], 4
        )
        shop.add(tube(path, 0.03), frame, mirror="x")
    if shop.chance(0.3):
        roll = lathe([(0.0, -0.3), (0.09, -0.28), (0.09, 0.28), (0.0, 0.3)]).turned("z", 90)
        shop.add(roll.moved(0, level + thick + 0.09, -depth * 0.2), soft)


BEDS = {bed: 16, loft_bed: 5, crib: 2, mattress: 2}
SOFAS = {sofa: 16, garden_sofa: 3, futon: 4}
