"""Seats for one with a back: dining chairs, armchairs, shells, office chairs, tubs."""

from __future__ import annotations

import math

import numpy as np

from . import legs, materials
from .lofts import cylinder, lathe, loft, plate, smooth_path, superellipse, tube
from .parts import box, rounded_box
from .stools import deck_chair, stool
from .workshop import Workshop


def chair(shop: Workshop) -> None:
    """A dining chair: four legs or runners, a seat, a back of slats, rungs, spindles or a board."""
    frame = shop.material(
        materials.choose_finish(shop.rng) if shop.chance(0.8) else materials.metal(shop.rng)
    )
    soft = shop.material(materials.upholstery(shop.rng))
    width, depth = shop.uniform(0.36, 0.54), shop.uniform(0.36, 0.5)
    height, rise = shop.uniform(0.38, 0.5), shop.uniform(0.32, 0.65)
    thick = shop.uniform(0.025, 0.05)
    seat = shop.uniform(0.02, 0.05)
    if shop.chance(0.15):
        legs.runners(shop, frame, width, depth * 0.9, height, thick)
    else:
        legs.four_legs(shop, frame, width, depth, height, shop.pick(legs.KINDS, (5, 3, 2, 2, 2, 1, 1)), thick)
        if shop.chance(0.5):
            legs.stretchers(shop, frame, width, depth, height, thick)
    upholstered = shop.chance(0.5)
    if shop.chance(0.15):
        top = lathe([(0.5, 0), (0.52, seat / 2), (0.5, seat)], segments=20).scaled(width, 1, depth)
        shop.add(top.moved(0, height), soft if upholstered else frame)
    else:
        shop.add(rounded_box(width, seat, depth, seat * 0.3).moved(0, height + seat / 2), frame)
        if upholstered:
            pad = seat * shop.uniform(1, 2.2)
            cushion = rounded_box(width * 0.96, pad, depth * 0.96, pad / 2, segments=2)
            shop.add(cushion.moved(0, height + seat + pad * 0.2), soft)
    _chair_back(shop, frame, soft, upholstered, (width, depth, height + seat, rise), thick)
    if shop.chance(0.35):
        _arm_rests(shop, frame, width, depth, height + seat, thick)


def _chair_back(
    shop: Workshop,
    frame: int,
    soft: int,
    upholstered: bool,
    size: tuple[float, float, float, float],
    thick: float,
) -> None:
    """A back on a seat of ``size`` (width, depth, level, rise of the back)."""
    width, depth, level, rise = size
    lean, thin = math.radians(shop.uniform(2, 16)), thick * 0.8

    def place(solid, x: float, up: float):
        return solid.turned("x", -math.degrees(lean)).moved(
            x, level + up * math.cos(lean), -depth / 2 + thin / 2 - up * math.sin(lean)
        )

    kind = shop.pick(
        ("slats", "rungs", "board", "pad", "hoop", "cross"), (4, 3, 2, 4 if upholstered else 1, 1.5, 0.7)
    )
    x, start = width / 2 - thin / 2, rise * shop.uniform(0.05, 0.4)
    if kind == "hoop":
        arc = np.linspace(0, np.pi, 11)
        hoop = np.stack([x * np.cos(arc), rise * np.sin(arc) ** 0.7, 0 * arc], -1)
        shop.add(place(tube(hoop, thin * 0.4), 0, 0), frame)
        for t in np.linspace(-0.7, 0.7, shop.count(3, 7)):
            long = rise * math.sqrt(1 - t * t) ** 0.7
            shop.add(place(cylinder(thin * 0.2, long, segments=6), t * x, 0), frame)
        return
    for side in (-x, x):
        shop.add(place(box(thin, rise, thin), side, rise / 2), frame)
    tall = rise * shop.uniform(0.1, 0.2)
    inner = width - thin
    if kind in ("slats", "cross"):
        for up in (start, rise - tall / 2):
            shop.add(place(box(inner, tall * (1 if up > start else 0.5), thin * 0.7), 0, up), frame)
        if kind == "cross":
            angle = math.degrees(math.atan2(rise - start, inner))
            for turn in (angle, -angle):
                bar = box(math.hypot(rise - start, inner) * 0.95, thin * 0.8, thin * 0.5).turned("z", turn)
                shop.add(place(bar, 0, (start + rise) / 2), frame)
            return
        count = shop.count(3, 8)
        wide = inner / count * shop.uniform(0.2, 0.7)
        for at in (np.arange(count) + 0.5) / count - 0.5:
            shop.add(place(box(wide, rise - start, thin * 0.4), at * inner, (rise + start) / 2), frame)
    elif kind == "rungs":
        count = shop.count(2, 5)
        step = (rise - start) / count
        for i in range(count):
            rung = box(inner, step * shop.uniform(0.3, 0.7), thin * 0.6)
            shop.add(place(rung, 0, rise - step * (i + 0.4)), frame)
    else:
        panel = frame if kind == "board" else soft
        deep = thin * (0.7 if kind == "board" else shop.uniform(0.9, 2))
        board = rounded_box(
            inner * shop.uniform(0.85, 1.05), rise - start + thin, deep, deep * 0.45, segments=2
        )
        shop.add(place(board, 0, (rise + start) / 2), panel)


def _arm_rests(shop: Workshop, frame: int, width: float, depth: float, level: float, thick: float) -> None:
    high, x = shop.uniform(0.16, 0.26), width / 2
    front = depth * shop.uniform(0.1, 0.48)
    if shop.chance(0.4):
        path = smooth_path(
            [(x, level + high, -depth / 2), (x + 0.02, level + high, front * 0.8), (x, level, front)], 5
        )
        shop.add(tube(path, thick * 0.4), frame, mirror="x")
        return
    rest = rounded_box(thick * shop.uniform(1, 1.8), thick * 0.6, depth / 2 + front, thick * 0.2)
    shop.add(rest.moved(x, level + high, (front - depth / 2) / 2), frame, mirror="x")
    shop.add(box(thick * 0.7, high, thick * 0.7).moved(x, level + high / 2, front - thick), frame, mirror="x")


def armchair(shop: Workshop) -> None:
    """A soft armchair: blocks with round edges, cushions, short legs; with wings now and then."""
    cover = shop.material(materials.upholstery(shop.rng))
    soft = cover if shop.chance(0.6) else shop.material(materials.upholstery(shop.rng))
    wood = shop.material(materials.choose_finish(shop.rng))
    width, depth, foot = shop.uniform(0.65, 1), shop.uniform(0.65, 0.95), shop.uniform(0.03, 0.2)
    seat, rise = shop.uniform(0.18, 0.3), shop.uniform(0.35, 0.65)
    arm, back = width * shop.uniform(0.1, 0.24), depth * shop.uniform(0.16, 0.28)
    legs.four_legs(
        shop, wood, width * 0.92, depth * 0.92, foot + 0.01, shop.pick(("square", "tapered", "turned")), 0.05
    )
    shop.add(rounded_box(width * 0.98, seat, depth * 0.98, 0.03).moved(0, foot + seat / 2), cover)
    lean = shop.uniform(0, 14)
    high = seat + rise
    rest = rounded_box(
        width - arm * shop.uniform(0, 1.8), high, back, back * shop.uniform(0.2, 0.5), segments=2
    )
    rest = rest.moved(0, high / 2).turned("x", -lean)
    shop.add(rest.moved(0, foot, -depth / 2 + back / 2 + 0.5 * math.sin(math.radians(lean)) * seat), cover)
    up = seat + shop.uniform(0.12, 0.28)
    reach = depth * shop.uniform(0.85, 1)
    side = rounded_box(arm, up, reach, arm * shop.uniform(0.1, 0.5), segments=2)
    shop.add(side.moved(width / 2 - arm / 2, foot + up / 2, (depth - reach) / 2), cover, mirror="x")
    if shop.chance(0.3):
        roll = cylinder(arm * 0.6, reach, segments=12).turned("x", 90)
        shop.add(
            roll.moved(width / 2 - arm / 2, foot + up, (depth - reach) / 2 - reach / 2), cover, mirror="x"
        )
    pad = shop.uniform(0.08, 0.18)
    cushion = rounded_box(width - 2 * arm, pad, depth - back * 0.8, pad * 0.45, segments=2)
    shop.add(cushion.moved(0, foot + seat + pad * 0.35, back * 0.4), soft)
    if shop.chance(0.25):
        wing = rounded_box(arm * 0.6, rise * 0.7, depth * 0.35, arm * 0.25)
        shop.add(
            wing.moved(width / 2 - arm / 2, foot + seat + rise * 0.6, -depth / 2 + back * 1.2),
            cover,
            mirror="x",
        )
    if shop.chance(0.3):
        pillow = rounded_box(width * 0.45, width * 0.45, 0.15, 0.074, segments=2).turned("x", -20)
        shop.add(
            pillow.moved(0, foot + seat + pad + width * 0.16, -depth / 2 + back + 0.05),
            shop.material(materials.upholstery(shop.rng)),
        )


def shell_chair(shop: Workshop) -> None:
    """A seat and back of one bent shell, on four legs, wires, runners, a trumpet or a star."""
    shell = shop.material(
        materials.choose_finish(shop.rng) if shop.chance(0.6) else materials.upholstery(shop.rng)
    )
    base = shop.material(materials.metal(shop.rng) if shop.chance(0.6) else materials.wood(shop.rng))
    width, height, rise = shop.uniform(0.42, 0.75), shop.uniform(0.3, 0.5), shop.uniform(0.3, 0.6)
    depth, lean = shop.uniform(0.4, 0.6), shop.uniform(0.02, 0.3)
    z = depth / 2
    path = smooth_path(
        [(-0.02, z), (0, 0.55 * z), (-0.01, -0.4 * z), (0.25 * rise, -z), (rise, -z - lean)], 4
    )
    bowl = shop.uniform(0, 0.22)
    t = np.linspace(0, 1, len(path))
    widths = width * (1 - shop.uniform(0, 0.35) * t**3) * np.minimum(1, 0.75 + 6 * t * (1 - t))
    shop.add(
        plate(
            path,
            widths,
            shop.uniform(0.015, 0.05),
            dish=-bowl * np.sin(np.pi * t.clip(0.05, 0.97)),
            columns=9,
        ).moved(0, height),
        shell,
    )
    if shop.chance(0.35):
        pad = rounded_box(width * 0.75, 0.06, depth * 0.8, 0.03, segments=2)
        shop.add(pad.moved(0, height + 0.02 + bowl * 0.1), shop.material(materials.upholstery(shop.rng)))
    kind = shop.pick(("legs", "runners", "pedestal", "star"), (4, 2, 2, 2))
    if kind == "legs":
        legs.four_legs(
            shop,
            base,
            width * 0.7,
            depth * 0.75,
            height,
            shop.pick(("round", "splayed", "hairpin", "tapered")),
            0.035,
        )
    elif kind == "runners":
        legs.runners(shop, base, width * 0.85, depth * 0.85, height, 0.03)
    elif kind == "pedestal":
        legs.pedestal(shop, base, height, width * shop.uniform(0.35, 0.5))
    else:
        legs.castor_star(shop, base, base, height, width * 0.5)


def office_chair(shop: Workshop) -> None:
    """A swivel chair on a star with castors, with or without arms."""
    soft = shop.material(materials.cloth(shop.rng))
    metal, black = (
        shop.material(materials.metal(shop.rng)),
        shop.material(materials.plain((0.06, 0.06, 0.07))),
    )
    width, depth = shop.uniform(0.45, 0.56), shop.uniform(0.42, 0.52)
    height, rise = shop.uniform(0.4, 0.52), shop.uniform(0.35, 0.8)
    legs.castor_star(shop, metal, black, height, shop.uniform(0.26, 0.34))
    pad = shop.uniform(0.05, 0.1)
    shop.add(rounded_box(width, pad, depth, pad * 0.48, segments=2).moved(0, height + pad / 2), soft)
    start, lean = shop.uniform(0.02, 0.2), shop.uniform(3, 14)
    tall = max(rise - start, 0.2)
    back = rounded_box(width * shop.uniform(0.8, 1), tall, pad, pad * 0.48, segments=2)
    shop.add(back.moved(0, tall / 2).turned("x", -lean).moved(0, height + start + pad, -depth / 2), soft)
    shop.add(
        box(0.06, start + tall * 0.5, 0.03).moved(0, height + (start + tall / 2) / 2, -depth / 2 - pad * 0.5),
        black,
    )
    if shop.chance(0.6):
        x, up = width / 2 + 0.03, shop.uniform(0.16, 0.24)
        if shop.chance(0.5):
            loop = [(x, height, -0.12), (x, height + up, -0.14), (x, height + up, 0.12), (x, height, 0.1)]
            shop.add(tube(smooth_path(loop, 3), 0.016), black, mirror="x")
        else:
            shop.add(box(0.03, up, 0.05).moved(x, height + up / 2), black, mirror="x")
        shop.add(rounded_box(0.06, 0.03, 0.26, 0.012).moved(x, height + up, 0.0), black, mirror="x")


def ball_chair(shop: Workshop) -> None:
    """A tub of one piece: round walls about a seat, on a foot or the floor."""
    shell, soft = shop.material(materials.upholstery(shop.rng)), shop.material(materials.upholstery(shop.rng))
    width, seat, rise = shop.uniform(0.6, 0.9), shop.uniform(0.12, 0.3), shop.uniform(0.3, 0.5)
    foot, wall = shop.uniform(0.02, 0.25), width * shop.uniform(0.06, 0.14)
    outline = superellipse(20, shop.uniform(2, 4))
    shop.add(lathe([(width * 0.4, foot), (width * 0.5, foot + seat)], outline=outline), shell)
    angle = np.radians(np.linspace(-50, 230, 19))
    front = shop.uniform(0.2, 0.6)
    high = rise * (front + (1 - front) * (0.5 + 0.5 * np.sin(angle)))
    radius = width / 2 - wall / 2
    rings = []
    for a, up in zip(angle, high, strict=True):
        out = np.array([math.cos(a), 0, -math.sin(a)])
        section = [(-0.5, 0), (0.5, 0), (0.6, 0.8), (0.25, 1), (-0.25, 1), (-0.5, 0.85)]
        rings.append(
            [
                out * (radius + wall * s) + np.array([0, foot + seat * 0.7 + t * (up + seat * 0.3), 0])
                for s, t in section
            ]
        )
    shop.add(loft(rings), shell)
    shop.add(
        lathe([(width * 0.4, 0), (width * 0.42, 0.05), (width * 0.38, 0.09)], outline=outline).moved(
            0, foot + seat
        ),
        soft,
    )
    if foot > 0.08 and shop.chance(0.6):
        legs.pedestal(shop, shop.material(materials.metal(shop.rng)), foot + 0.02, width * 0.4)
    else:
        legs.four_legs(
            shop,
            shop.material(materials.wood(shop.rng)),
            width * 0.6,
            width * 0.6,
            foot + 0.02,
            "tapered",
            0.05,
        )


KINDS = {
    chair: 30,
    armchair: 14,
    shell_chair: 10,
    office_chair: 7,
    stool: 11,
    deck_chair: 7,
    ball_chair: 4,
}
