"""What furniture stands on: four legs of many kinds, pedestals, stars on castors, runners."""

from __future__ import annotations

import numpy as np

from .lofts import cylinder, lathe, plate, smooth_path, tapered_box, tube
from .parts import Solid, box, rounded_box
from .workshop import Workshop

KINDS = ("square", "tapered", "round", "splayed", "turned", "curved", "hairpin")


def four_legs(
    shop: Workshop, material: int, width: float, depth: float, height: float, kind: str, thickness: float
) -> None:
    """Four legs whose outer sides stand ``width`` and ``depth`` apart at the top, of a kind of ``KINDS``."""
    x, z = width / 2 - thickness / 2, depth / 2 - thickness / 2
    if kind == "hairpin":
        spread, out = thickness * shop.uniform(0.6, 1.6), shop.uniform(0, 0.06)
        path = [(x - spread, height, z), (x + out, 0, z + out), (x, height, z - spread)]
        shop.add(tube(smooth_path(path, 5), thickness * 0.16, segments=6), material, mirror="xz")
        return
    shop.add(_leg(shop, height, kind, thickness).moved(x, 0, z), material, mirror="xz")


def _leg(shop: Workshop, height: float, kind: str, thickness: float) -> Solid:
    """One leg from the floor up, for the corner at +X, +Z."""
    half = thickness / 2
    if kind == "square":
        return box(thickness, height, thickness).moved(0, height / 2)
    if kind == "tapered":
        foot = thickness * shop.uniform(0.4, 0.8)
        return tapered_box((foot, foot), (thickness, thickness), height)
    if kind == "round":
        return cylinder(half * shop.uniform(0.6, 1), height, top=half, segments=10)
    if kind == "splayed":
        out = height * shop.uniform(0.06, 0.25)
        path = np.array([(out, 0, out), (0, height, 0)])
        return tube(path, [half * shop.uniform(0.4, 0.9), half], segments=8)
    if kind == "turned":
        beads = shop.count(1, 4)
        levels = np.linspace(0, 0.75, 4 * beads + 1)
        radii = half * (0.65 + 0.35 * np.sin(np.linspace(0, 2 * np.pi * beads, len(levels)) + 0.7))
        profile = np.stack([radii, levels * height], -1)
        return lathe([*profile, (half, 0.8 * height), (half, height)], segments=10)
    bow = height * shop.uniform(0.06, 0.14)
    path = smooth_path(
        [
            (bow, 0, bow),
            (-bow / 3, 0.3 * height, -bow / 3),
            (bow / 3, 0.75 * height, bow / 3),
            (0, height, 0),
        ],
        4,
    )
    square = [(-0.7, -0.7), (0.7, -0.7), (0.7, 0.7), (-0.7, 0.7)]
    return tube(path, np.linspace(0.55, 1.1, len(path)) * half, outline=square)


def stretchers(
    shop: Workshop, material: int, width: float, depth: float, height: float, thickness: float
) -> None:
    """Bars between four legs: round about, at the sides with a cross-bar, or a cross."""
    level, kind = height * shop.uniform(0.15, 0.45), shop.pick(("round", "h", "cross"))
    x, z = width / 2 - thickness, depth / 2 - thickness
    bar = thickness * shop.uniform(0.4, 0.8)
    if kind == "cross":
        shop.add(tube([(-x, level, -z), (x, level, z)], bar / 2, segments=6), material, mirror="x")
        return
    shop.add(box(bar, bar, 2 * z).moved(x, level), material, mirror="x")
    if kind == "round":
        shop.add(box(2 * x, bar, bar).moved(0, level, z), material, mirror="z")
    else:
        shop.add(box(2 * x, bar, bar).moved(0, level), material)


def pedestal(shop: Workshop, material: int, height: float, radius: float) -> None:
    """One column in the middle, straight or turned, on a disc, a square plate, a cone or curved feet."""
    stem = radius * shop.uniform(0.1, 0.28)
    foot = shop.pick(("disc", "cone", "plate", "feet", "trumpet"))
    if foot == "trumpet":
        t = np.linspace(0, 1, 8)
        shop.add(
            lathe(np.stack([stem + (radius - stem) * (1 - t) ** 4, t * height], -1), segments=20), material
        )
        return
    if shop.chance(0.4):
        levels = np.linspace(0, 1, 14)
        waves = 1 + 0.5 * np.sin(levels * shop.uniform(6, 16) + shop.uniform(0, 6))
        shop.add(lathe(np.stack([stem * waves, levels * height], -1), segments=12), material)
    else:
        shop.add(cylinder(stem, height), material)
    thick = height * shop.uniform(0.02, 0.06)
    if foot == "disc":
        shop.add(cylinder(radius, thick, segments=20), material)
    elif foot == "cone":
        shop.add(cylinder(radius, thick * 3, top=stem, segments=20), material)
    elif foot == "plate":
        shop.add(rounded_box(radius * 1.7, thick, radius * 1.7, thick / 3).moved(0, thick / 2), material)
    else:
        feet = shop.count(3, 5)
        path = smooth_path(
            [(0, height * 0.3, 0), (radius * 0.6, height * 0.16, 0), (radius, stem * 0.4, 0)], 4
        )
        for i in range(feet):
            shop.add(tube(path, stem * 0.7, segments=6).turned("y", 360 / feet * i + 30), material)


def castor_star(shop: Workshop, material: int, wheels: int, height: float, radius: float) -> None:
    """The foot of an office chair: a column on a star of four to six arms, with castors or glides."""
    arms, rolls = shop.count(4, 6), shop.chance(0.75)
    lift = radius * 0.2 if rolls else radius * 0.06
    shop.add(cylinder(radius * 0.11, height - lift).moved(0, lift), material)
    shop.add(cylinder(radius * 0.18, (height - lift) * 0.5).moved(0, lift), wheels)
    for i in range(arms):
        turn = 360 / arms * i + 18
        path = [(0, lift + radius * 0.12, 0), (radius, lift + radius * 0.02, 0)]
        shop.add(tube(path, [radius * 0.09, radius * 0.055], segments=6).turned("y", turn), material)
        if rolls:
            wheel = cylinder(lift / 2, lift * 0.7, segments=10).moved(0, -lift * 0.35).turned("x", 90)
            shop.add(wheel.moved(radius * 0.97, lift / 2).turned("y", turn), wheels)


def runners(
    shop: Workshop, material: int, width: float, depth: float, height: float, thickness: float
) -> None:
    """A bent bar at each side: closed frames, cantilevers that are open at the back, or rockers."""
    x, z, kind = width / 2 - thickness / 2, depth / 2, shop.pick(("frame", "cantilever", "rocker"), (2, 2, 1))
    bar, low = thickness * 0.45, thickness * 0.45
    if kind == "frame":
        path = [(x, height, z), (x, low, z), (x, low, -z), (x, height, -z)]
    elif kind == "cantilever":
        path = [(x, height, -z), (x, height, z), (x, low, z), (x, low, -z)]
    else:
        rocker = plate(
            smooth_path([(0.12 * height, 1.4 * z), (0, 0.2 * z), (0.16 * height, -1.6 * z)], 5),
            bar * 2,
            bar * 2,
            columns=2,
        )
        shop.add(rocker.moved(x), material, mirror="x")
        shop.add(box(bar * 2, height, bar * 2).moved(x, height / 2 + bar, z * 0.8), material, mirror="xz")
        return
    corners = np.array(path, np.float64)
    bend = 0.25 * height
    points = [corners[0]]
    for before, at, after in zip(corners[:-2], corners[1:-1], corners[2:], strict=True):
        into, out = at - before, after - at
        points += [at - into / np.linalg.norm(into) * bend * t for t in (1, 0.35)]
        points += [at + out / np.linalg.norm(out) * bend * t for t in (0.35, 1)]
    points.append(corners[-1])
    shop.add(tube(points, bar, segments=8), material, mirror="x")
    shop.add(tube([(-x, low, -z), (x, low, -z)], bar, segments=8), material)
