"""People and four-legged animals of tubes and balls."""

from __future__ import annotations

import math

import numpy as np

from . import materials
from .lofts import ball, lathe, smooth_path, superellipse, tube
from .parts import rounded_box
from .workshop import Workshop

_HAIRS = ((0.08, 0.06, 0.05), (0.28, 0.17, 0.09), (0.50, 0.26, 0.12), (0.80, 0.65, 0.35), (0.55, 0.54, 0.52))


def person(shop: Workshop) -> None:
    """A man, woman or child who stands, sits or lies, dressed; shop-window dummies too."""
    skin = shop.material(materials.plain(materials.choose_color(shop.rng, materials.SKINS)))
    top = shop.material(materials.upholstery(shop.rng))
    legs = shop.material(materials.cloth(shop.rng))
    shoes = shop.material(materials.plain(materials.choose_color(shop.rng, materials.LACQUERS[2:8])))
    hair = shop.material(materials.plain(materials.choose_color(shop.rng, _HAIRS)))
    child, pose = shop.chance(0.25), shop.pick(("stand", "sit", "lie"), (6, 3, 1))
    stout = shop.uniform(0.85, 1.25)
    thigh, shin = (0.3, 0.3) if child else (0.43, 0.43)
    hip = 0.09 * stout
    turn, knee_bend = (0.0, 0.0) if pose != "sit" else (shop.uniform(75, 95), shop.uniform(70, 100))
    seat = thigh + shin + 0.06
    skirt = shop.chance(0.15) and pose != "sit"
    for side in (1, -1):
        swing = turn + shop.uniform(-12, 12)
        out = side * shop.uniform(0.0, 0.08)
        start = np.array([side * hip, seat, 0])
        a, b = math.radians(swing), math.radians(swing - knee_bend)
        knee = start + thigh * np.array([out, -math.cos(a), math.sin(a)])
        foot = knee + shin * np.array([out, -math.cos(b), math.sin(b)])
        path = smooth_path([start, knee, foot], 3)
        sizes = np.linspace(0.085, 0.05, len(path)) * stout
        shop.add(tube(path, sizes, segments=8), skin if skirt else legs)
        shoe = rounded_box(0.085, 0.075, 0.24, 0.035, segments=1)
        shop.add(shoe.moved(foot[0], foot[1] - 0.03, foot[2] + 0.05), shoes)
    trunk = 0.36 if child else 0.5
    shoulder = (0.15 if child else 0.19) * shop.uniform(0.9, 1.1)
    oval = superellipse(14, 2.4) * np.array([1, 0.62])
    waist = shoulder * shop.uniform(0.65, 0.85) * stout
    profile = [
        (hip * 1.7, -0.05),
        (hip * 1.9, 0.04),
        (waist, trunk * 0.4),
        (shoulder, trunk * 0.8),
        (shoulder * 0.8, trunk * 0.95),
        (0.05, trunk + 0.02),
    ]
    shop.add(lathe(smooth_path(profile, 2), outline=oval).moved(0, seat), top)
    if skirt:
        shop.add(lathe([(0.3, -0.4), (hip * 1.9, 0.08)], outline=oval).moved(0, seat), legs)
    neck = seat + trunk
    size = 0.2 if child else 0.22
    shop.add(tube([(0, neck - 0.02, 0), (0, neck + 0.1, 0.01)], 0.05, segments=8), skin)
    head = neck + 0.06 + size * 0.55
    shop.add(ball(size * 0.74, size * 1.1, size * 0.88, segments=14, rows=9).moved(0, head, 0.015), skin)
    long = shop.chance(0.45)
    if shop.chance(0.92):
        shop.add(
            ball(size * 0.84, size * 0.95, size * 0.92, segments=14, rows=9).moved(
                0, head + size * 0.13, -size * 0.12
            ),
            hair,
        )
        if long:
            shop.add(
                rounded_box(size * 0.82, size * 1.3, size * 0.4, size * 0.18, segments=2).moved(
                    0, head - size * 0.3, -size * 0.3
                ),
                hair,
            )
    bare = shop.chance(0.35)
    for side in (1, -1):
        out, front = (
            shop.uniform(0.02, 0.3),
            math.radians(shop.uniform(-10, 25) + (35 if pose == "sit" else 0)),
        )
        bend = math.radians(shop.uniform(0, 80 if shop.chance(0.5) else 20))
        start = np.array([side * shoulder * 0.92, seat + trunk * 0.84, 0])
        arm = trunk * 0.56
        elbow = start + arm * np.array([side * out, -math.cos(front), math.sin(front)])
        hand = elbow + arm * np.array([side * out * 0.3, -math.cos(front + bend), math.sin(front + bend)])
        shop.add(
            tube([start, (start + elbow) / 2, elbow], np.array([0.06, 0.052, 0.045]) * stout, segments=8), top
        )
        shop.add(
            tube([elbow, (elbow + hand) / 2, hand], np.array([0.045, 0.04, 0.03]) * stout, segments=8),
            skin if bare else top,
        )
        shop.add(ball(0.07, 0.1, 0.06, segments=8, rows=5).moved(*hand), skin)
    if pose == "lie":
        shop.lay_down()


def animal(shop: Workshop) -> None:
    """A dog, cat, horse, cow, sheep or rabbit, its head to +Z."""
    fur = materials.choose_color(shop.rng, (*_HAIRS, (0.85, 0.82, 0.78), (0.62, 0.45, 0.28)))
    paint = (
        materials.dots(shop.rng, fur, [(0.9, 0.88, 0.84), (0.15, 0.12, 0.1)])
        if shop.chance(0.3)
        else materials.speckle(shop.rng, fur, 0.25)
    )
    coat, dark = shop.material(paint), shop.material(materials.plain((0.07, 0.06, 0.06)))
    long, leg = shop.uniform(0.5, 0.75), shop.uniform(0.15, 0.5)
    girth, neck = long * shop.uniform(0.28, 0.5), shop.uniform(0.1, 0.4)
    level = leg + girth * 0.45
    t = np.linspace(0, 1, 9)
    profile = np.stack([girth / 2 * (np.sin(np.pi * t) ** 0.45) * (0.85 + 0.2 * t), (t - 0.5) * long], -1)
    profile[[0, -1], 0] = 0
    shop.add(lathe(profile, segments=14).turned("x", 90).moved(0, level), coat)
    thick = girth * shop.uniform(0.11, 0.18)
    for z in (0.36, -0.36):
        path = [
            (girth * 0.28, level, z * long),
            (girth * 0.3, leg * 0.5, z * long - 0.02),
            (girth * 0.28, 0, z * long),
        ]
        shop.add(tube(path, [thick * 1.5, thick, thick * 0.8]), coat, mirror="x")
    up = math.radians(shop.uniform(20, 75))
    front = np.array([0, level + girth * 0.15, long * 0.4])
    head = front + (neck + girth * 0.3) * np.array([0, math.sin(up), math.cos(up)])
    shop.add(
        tube([front, (front + head) / 2, head], [girth * 0.34, girth * 0.24, girth * 0.2], segments=10), coat
    )
    size, snout = girth * shop.uniform(0.45, 0.7), shop.uniform(0.5, 1.5)
    shop.add(ball(size * 0.85, size, size * 1.1, segments=12).moved(*head), coat)
    nose = head + np.array([0, -size * 0.12, size * (0.3 + 0.35 * snout)])
    shop.add(tube([head, nose], [size * 0.38, size * 0.25]), coat)
    shop.add(ball(size * 0.2, size * 0.16, size * 0.14, segments=8, rows=5).moved(*nose), dark)
    for side in (1, -1):
        shop.add(
            ball(size * 0.13, size * 0.13, size * 0.1, segments=6, rows=5).moved(
                head[0] + side * size * 0.28, head[1] + size * 0.2, head[2] + size * 0.44
            ),
            dark,
        )
    ear = shop.uniform(0.2, 0.6) * size
    shop.add(
        ball(size * 0.3, 2 * ear, size * 0.16, segments=8)
        .turned("z", -15)
        .moved(head[0] + size * 0.3, head[1] + size * 0.45, head[2] - size * 0.1),
        coat,
        mirror="x",
    )
    tail = smooth_path(
        [
            (0, level + girth * 0.2, -long / 2),
            (0, level + shop.uniform(-0.1, 0.2), -long * 0.62),
            (0, level + shop.uniform(-0.3, 0.3), -long * 0.72),
        ],
        3,
    )
    shop.add(tube(tail, np.linspace(1, 0.5, len(tail)) * thick * 0.6, segments=6), coat)


PERSONS = {person: 1}
ANIMALS = {animal: 1}
