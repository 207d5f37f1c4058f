"""Light vehicles: bicycles, scooters, kick scooters, tricycles, prams, skateboards, wheelbarrows."""

from __future__ import annotations

import numpy as np

from . import materials
from .lofts import cylinder, plate, smooth_path, tube
from .parts import Solid, box, rounded_box, scattered
from .workshop import Workshop


def _rim(radius: float, thick: float) -> Solid:
    """A tyre about the x axis."""
    angle = np.linspace(0, 2 * np.pi, 20, endpoint=False)
    path = np.stack([0 * angle, radius * np.cos(angle), radius * np.sin(angle)], -1)
    return tube(path, thick, segments=6, closed=True)


def _spoked(shop: Workshop, radius: float, place: tuple[float, float], tyre: int, metal: int) -> None:
    """A wheel with spokes at (y, z)."""
    y, z = place
    shop.add(_rim(radius, radius * 0.055).moved(0, y, z), tyre)
    spoke = tube([(0, 0.05 * radius, 0), (0, radius, 0)], radius * 0.012, segments=4)
    angles = np.arange(12) * np.pi / 6
    turns = np.zeros((12, 3, 3))
    turns[:, 0, 0] = 1
    turns[:, 1, 1] = turns[:, 2, 2] = np.cos(angles)
    turns[:, 2, 1], turns[:, 1, 2] = np.sin(angles), -np.sin(angles)
    places = np.tile([(0.0, y, z)], (12, 1))
    shop.add(scattered(spoke, places, turns, np.ones(12)), metal)
    shop.add(cylinder(radius * 0.08, 0.1, segments=8).turned("z", 90).moved(0.05, y, z), metal)


def bicycle(shop: Workshop) -> None:
    """A bicycle seen along +Z: two wheels, frame, handlebar, saddle, pedals, mudguards at times."""
    frame = shop.material(materials.lacquer(shop.rng))
    dark, metal = shop.material(materials.plain((0.06, 0.06, 0.06))), shop.material(materials.metal(shop.rng))
    radius, base = shop.uniform(0.22, 0.35), shop.uniform(0.85, 1.05)
    front, rear = base / 2, -base / 2
    for z in (front, rear):
        _spoked(shop, radius, (radius, z), dark, metal)
    saddle, head = radius + shop.uniform(0.45, 0.6), radius + shop.uniform(0.42, 0.55)
    crank, seat = (radius * 0.9, rear * 0.1), (saddle, rear * 0.45)
    neck = (head, front * 0.65)
    low = shop.chance(0.4)
    bars = [
        (crank, neck),
        (crank, seat),
        (crank, (radius, rear)),
        ((saddle - 0.1, rear * 0.4), (radius, rear)),
        (((saddle - 0.1) * (0.75 if low else 1), rear * 0.35), neck),
        (neck, (radius, front)),
        (neck, (head + 0.12, front * 0.58)),
    ]
    thick = shop.uniform(0.014, 0.022)
    for a, b in bars:
        shop.add(tube([(0, *a), (0, *b)], thick, segments=6), frame)
    wide, up = shop.uniform(0.22, 0.32), head + 0.12
    path = [
        (wide, up + shop.uniform(-0.04, 0.1), front * 0.3),
        (wide * 0.6, up + 0.03, front * 0.6),
        (0, up, front * 0.58),
    ]
    shop.add(tube(smooth_path(path, 3), 0.013, segments=6), metal, mirror="x")
    shop.add(tube([path[0], (wide, path[0][1], path[0][2] - 0.12)], 0.018, segments=6), dark, mirror="x")
    board = plate(
        [(saddle, seat[1] + 0.14), (saddle + 0.01, seat[1]), (saddle + 0.02, seat[1] - 0.12)],
        [0.05, 0.12, 0.18],
        0.045,
    )
    shop.add(board, dark)
    shop.add(cylinder(radius * 0.3, 0.02).turned("z", 90).moved(0.05, *crank), metal)
    for side in (1, -1):
        shop.add(box(0.02, 0.18, 0.02).moved(0.07 * side, crank[0] + 0.09 * side, crank[1]), metal)
        shop.add(box(0.09, 0.02, 0.06).moved(0.11 * side, crank[0] + 0.18 * side, crank[1]), dark)
    if shop.chance(0.4):
        angle = np.linspace(-0.3, 1.9, 8)
        for z in (front, rear):
            guard = np.stack([radius + radius * 1.12 * np.sin(angle), z - radius * 1.12 * np.cos(angle)], -1)
            shop.add(plate(guard, 0.05, 0.008, columns=3), frame)


def kick_scooter(shop: Workshop) -> None:
    """A board on two small wheels with a steering bar."""
    metal, dark = (
        shop.material(materials.lacquer(shop.rng)),
        shop.material(materials.plain((0.06, 0.06, 0.06))),
    )
    long, high, radius = shop.uniform(0.6, 0.8), shop.uniform(0.7, 1), shop.uniform(0.06, 0.1)
    shop.add(rounded_box(0.11, 0.03, long, 0.012).moved(0, radius * 1.1, -0.05), metal)
    wheel = cylinder(radius, 0.03, segments=14).turned("z", 90)
    for z in (long / 2 + 0.06, -long / 2 - 0.08):
        shop.add(wheel.moved(0.015, radius, z), dark)
    shop.add(tube([(0, radius, long / 2 + 0.06), (0, high, long / 2 - 0.08)], 0.018), metal)
    shop.add(tube([(-0.2, high, long / 2 - 0.08), (0.2, high, long / 2 - 0.08)], 0.016), dark)


def motor_scooter(shop: Workshop) -> None:
    """A scooter or motorcycle: a leg shield, a tail, a seat and two fat wheels."""
    paint, dark = (
        shop.material(materials.lacquer(shop.rng)),
        shop.material(materials.plain((0.07, 0.07, 0.07))),
    )
    metal = shop.material(materials.metal(shop.rng))
    radius, base = shop.uniform(0.2, 0.3), shop.uniform(1.1, 1.35)
    front, rear = base / 2, -base / 2
    for z in (front, rear):
        shop.add(_rim(radius * 0.78, radius * 0.24).moved(0, radius, z), dark)
        shop.add(cylinder(radius * 0.6, 0.06).turned("z", 90).moved(0.03, radius, z), metal)
    shop.add(tube([(0, radius, front), (0, 0.95, front - 0.3)], 0.05), metal)
    shield = smooth_path([(0.9, front - 0.22), (0.55, front - 0.2), (0.3, front - 0.35), (0.26, 0.0)], 3)
    shop.add(plate(shield, np.linspace(0.3, 0.42, len(shield)), 0.06, dish=-0.05), paint)
    tail = rounded_box(0.34, 0.4, base * 0.55, 0.14, segments=2).moved(0, radius + 0.28, rear + 0.12)
    shop.add(tail, paint)
    shop.add(rounded_box(0.28, 0.1, base * 0.5, 0.05, segments=2).moved(0, radius + 0.5, rear + 0.18), dark)
    shop.add(
        tube(
            smooth_path(
                [(-0.33, 1.02, front - 0.42), (0, 0.98, front - 0.32), (0.33, 1.02, front - 0.42)], 4
            ),
            0.022,
        ),
        dark,
    )
    lamp = shop.material(materials.plain((0.9, 0.9, 0.85)))
    shop.add(cylinder(0.08, 0.06).turned("x", 90).moved(0, 0.88, front - 0.2), lamp)
    shop.add(
        plate(
            smooth_path(
                [(radius * 1.6, front + 0.2), (radius * 2.15, front), (radius * 1.5, front - 0.22)], 3
            ),
            0.14,
            0.03,
            dish=-0.03,
        ),
        paint,
    )


def tricycle(shop: Workshop) -> None:
    """A child's tricycle or a small cart with three or four wheels and a seat."""
    bright = ((0.85, 0.15, 0.1), (0.2, 0.6, 0.2), (0.15, 0.35, 0.75), (0.95, 0.75, 0.1))
    first, second = (
        shop.material(materials.plain(materials.choose_color(shop.rng, bright))) for _ in range(2)
    )
    dark = shop.material(materials.plain((0.08, 0.08, 0.08)))
    big, small = shop.uniform(0.13, 0.18), shop.uniform(0.09, 0.13)
    long, wide = shop.uniform(0.5, 0.65), shop.uniform(0.32, 0.42)
    shop.add(cylinder(big, 0.07, segments=16).turned("z", 90).moved(0.035, big, long / 2), dark)
    shop.add(
        cylinder(small, 0.07, segments=16).turned("z", -90).moved(wide / 2 - 0.07, small, -long / 2),
        dark,
        mirror="x",
    )
    shop.add(tube([(0, small, -long / 2), (0, big * 1.6, 0), (0, big * 2.8, long * 0.38)], 0.035), first)
    shop.add(tube([(-wide / 2, small, -long / 2), (wide / 2, small, -long / 2)], 0.02), first)
    shop.add(tube([(0, big, long / 2), (0, big * 3.6, long * 0.32)], 0.025), second)
    shop.add(tube([(-0.17, big * 3.6, long * 0.28), (0.17, big * 3.6, long * 0.28)], 0.02), second)
    seat = smooth_path([(big * 2.1, 0), (big * 2, -long * 0.28), (big * 3.3, -long * 0.42)], 3)
    shop.add(plate(seat, 0.24, 0.03, dish=-0.03).moved(0), second)
    if shop.chance(0.4):
        shop.add(rounded_box(wide * 0.8, 0.12, 0.22, 0.02).moved(0, big * 1.4, -long / 2 - 0.05), second)


def pram(shop: Workshop) -> None:
    """A pushchair or pram: frame, four wheels, a cloth seat and a hood."""
    cloth, metal = shop.material(materials.upholstery(shop.rng)), shop.material(materials.metal(shop.rng))
    dark = shop.material(materials.plain((0.08, 0.08, 0.08)))
    width, high, radius = shop.uniform(0.42, 0.55), shop.uniform(0.9, 1.1), shop.uniform(0.07, 0.14)
    x = width / 2
    shop.add(tube([(x, radius, 0.35), (x, high, -0.4)], 0.015, segments=6), metal, mirror="x")
    shop.add(tube([(x, radius, -0.3), (x, high * 0.62, 0.0)], 0.015, segments=6), metal, mirror="x")
    shop.add(tube([(-x, high, -0.4), (x, high, -0.4)], 0.018, segments=6), dark)
    wheel = cylinder(radius, 0.04, segments=14).turned("z", 90)
    for z in (0.35, -0.3):
        shop.add(wheel.moved(x + 0.02, radius, z), dark, mirror="x")
    level = high * 0.45
    if shop.chance(0.6):
        seat = smooth_path([(level * 0.6, 0.3), (level, 0.22), (level * 0.95, -0.05), (high * 0.95, -0.3)], 3)
        shop.add(plate(seat, width * 0.9, 0.05, dish=-0.06), cloth)
    else:
        shop.add(rounded_box(width * 0.95, 0.26, 0.75, 0.12, segments=2).moved(0, level + 0.1), cloth)
    angle = np.linspace(0.15, 1.9, 7)
    hood = np.stack([high * 0.66 + 0.28 * np.sin(angle), -0.12 + 0.28 * np.cos(angle)], -1)
    shop.add(plate(hood, width * 0.95, 0.02, dish=-0.03), cloth)


def skateboard(shop: Workshop) -> None:
    """A skateboard or roller board."""
    deck, dark = (
        shop.material(
            materials.dots(shop.rng, materials.choose_color(shop.rng, materials.WOODS), [(0.8, 0.2, 0.1)])
        ),
        shop.material(materials.lacquer(shop.rng)),
    )
    long, lift = shop.uniform(0.6, 0.85), shop.uniform(0.03, 0.08)
    path = smooth_path(
        [(0.07 + lift, long / 2), (0.07, long * 0.3), (0.07, -long * 0.3), (0.07 + lift, -long / 2)], 4
    )
    widths = 0.2 * np.minimum(1, 0.55 + 3 * np.linspace(0, 1, len(path)) * (1 - np.linspace(0, 1, len(path))))
    shop.add(plate(path, widths, 0.014), deck)
    wheel = cylinder(0.03, 0.035, segments=12).turned("z", -90)
    for z in (0.27, -0.27):
        shop.add(box(0.14, 0.025, 0.03).moved(0, 0.04, z * long), dark)
        shop.add(wheel.moved(0.06, 0.03, z * long), dark, mirror="x")


KINDS = {bicycle: 5, kick_scooter: 1, motor_scooter: 2, tricycle: 2, pram: 2, skateboard: 1}
