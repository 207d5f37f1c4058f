"""Machines of kitchen and laundry: boxes with doors, dials and hobs, hoods, and small ones."""

from __future__ import annotations

import numpy as np

from . import fronts, materials
from .lofts import ball, cylinder, lathe, smooth_path, superellipse, tapered_box, tube
from .parts import box, rounded_box
from .workshop import Workshop

_DARK = (0.06, 0.06, 0.07)
_CASES = (
    (0.94, 0.94, 0.94),
    (0.72, 0.73, 0.75),
    (0.10, 0.10, 0.11),
    (0.88, 0.85, 0.78),
    (0.45, 0.46, 0.48),
    (0.60, 0.06, 0.07),
)
_CASE_ODDS = (8, 4, 3, 2, 2, 1)


def _case(shop: Workshop) -> tuple[int, materials.Color]:
    color = materials.choose_color(shop.rng, _CASES, _CASE_ODDS)
    return shop.material(materials.plain(color)), color


def fridge(shop: Workshop) -> None:
    """A fridge or freezer: one door, two above each other or side by side."""
    case, _ = _case(shop)
    knob = shop.material(materials.metal(shop.rng))
    wide = shop.chance(0.25)
    width, depth = (shop.uniform(0.8, 1) if wide else shop.uniform(0.5, 0.75)), shop.uniform(0.55, 0.75)
    height = shop.uniform(0.8, 1.2) if shop.chance(0.25) and not wide else shop.uniform(1.4, 2)
    front, thick = depth / 2, shop.uniform(0.03, 0.07)
    shop.add(rounded_box(width, height, depth, shop.uniform(0.005, 0.05)).moved(0, height / 2), case)
    split = shop.uniform(0.3, 0.7) * height if height > 1.2 and not wide else height
    out = shop.pick(("bar", "bow", "none"), (3, 2, 1))
    for low, high in ((0.02, split), (split, height)):
        if high - low < 0.1:
            continue
        tall, y = high - low - 0.015, (high + low) / 2
        for column in (0, 1) if wide else (0,):
            x = (column - 0.5) * width / 2 if wide else 0.0
            door = rounded_box(width / (2 if wide else 1) - 0.01, tall, thick, 0.012)
            shop.add(door.moved(x, y, front + thick / 2), case)
            if out != "none":
                at = (2 * column - 1) * 0.04 if wide else width * 0.42
                shop.add(box(0.02, min(0.5, tall * 0.5), 0.03).moved(at, y, front + thick + 0.015), knob)


def washer(shop: Workshop) -> None:
    """A front-loading washing machine or dryer."""
    case, color = _case(shop)
    width, depth, height = shop.uniform(0.55, 0.62), shop.uniform(0.45, 0.65), shop.uniform(0.8, 0.9)
    shop.add(rounded_box(width, height, depth, shop.uniform(0.005, 0.03)).moved(0, height / 2), case)
    rim, glass = (
        shop.material(materials.metal(shop.rng)),
        shop.material(
            materials.plain(materials.choose_color(shop.rng, ((0.2, 0.22, 0.25), (0.5, 0.55, 0.6))))
        ),
    )
    radius, y = width * shop.uniform(0.27, 0.36), height * shop.uniform(0.42, 0.52)
    shop.add(
        lathe([(radius, 0), (radius, 0.02), (radius * 0.85, 0.04)], segments=24)
        .turned("x", 90)
        .moved(0, y, depth / 2),
        rim,
    )
    shop.add(ball(radius * 1.5, radius * 1.5, 0.12, segments=16).moved(0, y, depth / 2 + 0.01), glass)
    _panel(shop, color, width, 0.12, height - 0.075, depth / 2)


def _panel(shop: Workshop, color: materials.Color, width: float, tall: float, y: float, front: float) -> None:
    """A strip with dials, a display and buttons."""
    panel = shop.material(materials.plain(color if shop.chance(0.5) else _DARK))
    shop.add(box(width * 0.98, tall, 0.01).moved(0, y, front + 0.003), panel)
    knob = shop.material(materials.metal(shop.rng))
    count = shop.count(1, 6)
    for x in np.linspace(-0.38, 0.38, count + 1)[1:] * width:
        dial = cylinder(tall * 0.3, 0.025, segments=10).turned("x", 90)
        shop.add(dial.moved(x, y, front), knob)
    screen = shop.material(fronts.screen(shop.rng))
    shop.add(
        box(width * 0.18, tall * 0.5, 0.012, fit=True).moved(-0.36 * width, y, front + 0.006),
        screen,
        whole=True,
    )


def cooker(shop: Workshop) -> None:
    """A stove with an oven: door with a window, handle, dials, rings or grates on top."""
    case, color = _case(shop)
    width, depth, height = shop.uniform(0.5, 0.95), shop.uniform(0.5, 0.65), shop.uniform(0.82, 0.92)
    shop.add(rounded_box(width, height, depth, 0.008).moved(0, height / 2), case)
    glass = materials.choose_color(shop.rng, ((0.05, 0.05, 0.06), (0.15, 0.15, 0.17), (0.3, 0.32, 0.34)))
    door = shop.material(
        fronts.framed(materials.plain(color if shop.chance(0.6) else _DARK), glass, (0.14, 0.22, 0.86, 0.82))
    )
    columns = 2 if width > 0.8 else 1
    for i in range(columns):
        x = ((i + 0.5) / columns - 0.5) * width * 0.96
        wide = width * 0.94 / columns
        shop.add(
            rounded_box(wide, height * 0.58, 0.03, 0.008, fit=True).moved(x, height * 0.5, depth / 2 + 0.015),
            door,
            whole=True,
        )
        shop.add(
            box(wide * 0.8, 0.02, 0.04).moved(x, height * 0.76, depth / 2 + 0.05),
            shop.material(materials.metal(shop.rng)),
        )
    shop.add(
        rounded_box(width * 0.94, height * 0.14, 0.02, 0.005).moved(0, height * 0.1, depth / 2 + 0.01), case
    )
    _panel(shop, color, width, 0.09, height - 0.06, depth / 2)
    _hob(shop, width, depth, height)
    if shop.chance(0.3):
        shop.add(box(width, shop.uniform(0.06, 0.2), 0.03).moved(0, height + 0.05, -depth / 2 + 0.015), case)


def _hob(shop: Workshop, width: float, depth: float, level: float) -> None:
    ground = np.array(_DARK) if shop.chance(0.7) else materials.choose_color(shop.rng, _CASES)
    gas = shop.chance(0.4)
    columns = 3 if width > 0.8 else 2
    spots = [
        ((i + 0.5) / columns, y, r * shop.uniform(0.8, 1.2) / columns)
        for i in range(columns)
        for y, r in ((0.28, 0.34), (0.72, 0.28))
    ]
    ring = (0.35, 0.35, 0.37) if shop.chance(0.6) else (0.12, 0.12, 0.12)
    picture = fronts.rings(ground, ring, [(x, y, r * 0.8 if shop.chance(0.5) else 0, r) for x, y, r in spots])
    plate = box(width * 0.98, 0.012, depth * 0.96, fit=True)
    shop.add(plate.moved(0, level + 0.006), shop.material(picture), whole=True)
    if gas:
        iron = shop.material(materials.plain((0.05, 0.05, 0.05)))
        for x, y, r in spots:
            place = ((x - 0.5) * width, level, (y - 0.5) * depth)
            shop.add(cylinder(r * width * 0.4, 0.02).moved(*place), iron)
            shop.add(box(r * width * 1.7, 0.015, 0.012).moved(place[0], level + 0.035, place[2]), iron)
            shop.add(box(0.012, 0.03, r * width * 1.7).moved(place[0], level + 0.027, place[2]), iron)


def cooktop(shop: Workshop) -> None:
    """A hob alone."""
    width, depth = shop.uniform(0.3, 0.8), shop.uniform(0.45, 0.55)
    shop.add(rounded_box(width, shop.uniform(0.02, 0.06), depth, 0.008).moved(0, -0.01), _case(shop)[0])
    _hob(shop, width, depth, 0.0)


def microwave(shop: Workshop) -> None:
    """A microwave or a built-in oven: window at the left, or below a panel."""
    case, color = _case(shop)
    width = shop.uniform(0.4, 0.62)
    depth, height = width * shop.uniform(0.6, 0.9), width * shop.uniform(0.5, 1)
    shop.add(rounded_box(width, height, depth, shop.uniform(0.005, 0.04)).moved(0, height / 2), case)
    glass = materials.choose_color(shop.rng, materials.GLASSES)
    door = shop.material(
        fronts.framed(materials.plain(color if shop.chance(0.5) else _DARK), glass, (0.1, 0.15, 0.9, 0.85))
    )
    wide = width * shop.uniform(0.68, 0.78)
    front = rounded_box(wide, height * 0.92, 0.025, 0.008, fit=True)
    shop.add(front.moved(-(width - wide) / 2 + 0.01, height / 2, depth / 2 + 0.012), door, whole=True)
    pad = shop.material(fronts.keys(shop.rng, color, (0.3, 0.3, 0.3)))
    side, x = width - wide - 0.03, wide / 2 + 0.005
    shop.add(box(side, height * 0.5, 0.01, fit=True).moved(x, height * 0.4, depth / 2), pad, whole=True)
    shop.add(
        box(side, height * 0.15, 0.012, fit=True).moved(x, height * 0.8, depth / 2),
        shop.material(fronts.screen(shop.rng)),
        whole=True,
    )
    if shop.chance(0.6):
        shop.add(
            box(0.015, height * 0.7, 0.03).moved(wide - width / 2 - 0.02, height / 2, depth / 2 + 0.035),
            shop.material(materials.metal(shop.rng)),
        )


def dishwasher(shop: Workshop) -> None:
    """A box with one plain door, a handle and a strip of buttons; boilers on the wall look the same."""
    case, color = _case(shop)
    width, depth, height = shop.uniform(0.4, 0.62), shop.uniform(0.3, 0.62), shop.uniform(0.5, 0.9)
    shop.add(rounded_box(width, height, depth, shop.uniform(0.005, 0.04)).moved(0, height / 2), case)
    shop.add(
        rounded_box(width * 0.97, height * 0.76, 0.03, 0.01).moved(0, height * 0.46, depth / 2 + 0.01), case
    )
    _panel(shop, color, width, height * 0.11, height * 0.92, depth / 2)
    shop.add(
        box(width * shop.uniform(0.3, 0.9), 0.02, 0.035).moved(0, height * 0.79, depth / 2 + 0.03),
        shop.material(materials.metal(shop.rng)),
    )


def hood(shop: Workshop) -> None:
    """An extractor hood: a chimney on a slanted or flat funnel."""
    case, _ = _case(shop)
    width, depth, tall = shop.uniform(0.5, 1), shop.uniform(0.4, 0.55), shop.uniform(0.3, 0.8)
    pipe, slope = width * shop.uniform(0.28, 0.4), shop.uniform(0.03, 0.3)
    rim = shop.uniform(0.03, 0.1)
    shop.add(box(width, rim, depth).moved(0, rim / 2), case)
    shift = (0.0, -depth / 2 + pipe * 0.45)
    shop.add(tapered_box((width, depth), (pipe, pipe * 0.9), slope, shift=shift).moved(0, rim), case)
    shop.add(box(pipe, tall, pipe * 0.9).moved(0, rim + slope + tall / 2, shift[1]), case)
    shop.add(
        box(width * 0.9, 0.01, depth * 0.8),
        shop.material(materials.stripes(shop.rng, (0.4, 0.4, 0.4), (0.6, 0.6, 0.6))),
    )
    shop.add(
        box(width * 0.3, rim * 0.5, 0.01, fit=True).moved(0, rim / 2, depth / 2),
        shop.material(fronts.keys(shop.rng, (0.2, 0.2, 0.2), (0.7, 0.7, 0.7))),
        whole=True,
    )


def kitchen_machine(shop: Workshop) -> None:
    """Something for the worktop: coffee machine, toaster, kettle, blender, rice cooker, fryer."""
    case, _ = _case(shop)
    dark, shine = shop.material(materials.plain(_DARK)), shop.material(materials.metal(shop.rng))
    kind = shop.pick(("coffee", "toaster", "kettle", "blender", "pot"))
    width = shop.uniform(0.18, 0.3)
    if kind == "coffee":
        height, depth = shop.uniform(0.28, 0.4), shop.uniform(0.2, 0.3)
        shop.add(rounded_box(width, height * 0.15, depth, 0.02).moved(0, height * 0.075), case)
        shop.add(rounded_box(width, height, depth * 0.42, 0.03).moved(0, height / 2, -depth * 0.29), case)
        shop.add(rounded_box(width, height * 0.32, depth, 0.03).moved(0, height * 0.84), case)
        jug = lathe([(width * 0.3, 0), (width * 0.38, height * 0.15), (width * 0.3, height * 0.4)])
        shop.add(jug.moved(0, height * 0.15, depth * 0.12), dark)
        shop.add(
            box(width * 0.6, height * 0.1, 0.01, fit=True).moved(0, height * 0.85, depth / 2),
            shop.material(fronts.screen(shop.rng)),
            whole=True,
        )
    elif kind == "toaster":
        height = width * shop.uniform(0.5, 0.8)
        shop.add(
            rounded_box(width * 1.3, height, width * 0.8, height * 0.3, segments=2).moved(0, height / 2), case
        )
        for z in (-0.15, 0.15):
            shop.add(box(width, 0.01, width * 0.13).moved(0, height, z * width), dark)
        shop.add(box(0.02, 0.02, 0.06).moved(width * 0.66, height * 0.7), dark)
    elif kind == "kettle":
        height = width * shop.uniform(0.9, 1.4)
        shop.add(
            lathe(
                smooth_path(
                    [(width * 0.5, 0.0), (width * 0.52, height * 0.3), (width * 0.32, height * 0.9)], 4
                )
            ),
            case,
        )
        shop.add(ball(width * 0.6, height * 0.2, width * 0.6).moved(0, height * 0.9), dark)
        grip = smooth_path(
            [
                (width * 0.3, height * 0.85, 0),
                (width * 0.75, height * 0.9, 0),
                (width * 0.75, height * 0.4, 0),
                (width * 0.5, height * 0.2, 0),
            ],
            4,
        )
        shop.add(tube(grip, 0.014), dark)
        shop.add(
            tube([(-width * 0.35, height * 0.5, 0), (-width * 0.65, height * 0.85, 0)], [0.035, 0.015]), case
        )
    elif kind == "blender":
        height = shop.uniform(0.3, 0.45)
        shop.add(lathe([(width * 0.5, 0), (width * 0.45, height * 0.2), (width * 0.28, height * 0.35)]), case)
        glass = shop.material(materials.plain(materials.choose_color(shop.rng, materials.GLASSES)))
        shop.add(cylinder(width * 0.26, height * 0.55, top=width * 0.4).moved(0, height * 0.35), glass)
        shop.add(cylinder(width * 0.41, height * 0.1, top=width * 0.3).moved(0, height * 0.9), dark)
        shop.add(cylinder(0.015, 0.03).turned("x", 90).moved(0, height * 0.12, width * 0.45), shine)
    else:
        height = width * shop.uniform(0.6, 0.9)
        outline = superellipse(20, shop.uniform(2, 4)) * np.array([1, shop.uniform(1, 1.3)])
        r = width * 0.6
        shop.add(
            lathe(
                [(r * 0.85, 0), (r, height * 0.3), (r, height * 0.7), (r * 0.8, height * 0.95), (0, height)],
                outline=outline,
            ),
            case,
        )
        shop.add(lathe([(r * 1.02, height * 0.62), (r * 1.02, height * 0.68)], outline=outline), shine)
        shop.add(ball(width * 0.3, height * 0.15, width * 0.3).moved(0, height), dark)
        shop.add(
            box(width * 0.4, height * 0.2, 0.02, fit=True).moved(0, height * 0.4, r * 1.05),
            shop.material(fronts.screen(shop.rng)),
            whole=True,
        )


def vacuum(shop: Workshop) -> None:
    """A vacuum cleaner with a hose, or a hair dryer."""
    case, dark = shop.material(materials.lacquer(shop.rng)), shop.material(materials.plain(_DARK))
    if shop.chance(0.3):
        shop.add(lathe([(0.03, 0), (0.045, 0.05), (0.04, 0.14), (0.03, 0.2)]).turned("x", 90), case)
        shop.add(rounded_box(0.04, 0.14, 0.045, 0.015).turned("x", 10).moved(0, -0.08, 0.05), dark)
        return
    long = shop.uniform(0.35, 0.5)
    shop.add(rounded_box(long * 0.6, long * 0.5, long, long * 0.2, segments=2).moved(0, long * 0.3), case)
    shop.add(
        cylinder(long * 0.2, 0.05, segments=14).turned("z", 90).moved(long * 0.36, long * 0.2, -long * 0.25),
        dark,
        mirror="x",
    )
    up = shop.uniform(0.6, 1)
    hose = smooth_path(
        [(0, long * 0.45, long * 0.4), (0, up * 0.9, long), (0, up, long * 1.5), (0, 0.04, long * 2.2)], 5
    )
    shop.add(tube(hose, 0.025), dark)
    shop.add(rounded_box(0.28, 0.04, 0.1, 0.015).moved(0, 0.02, long * 2.25), case)


KINDS = {
    fridge: 9,
    washer: 5,
    cooker: 7,
    cooktop: 3,
    microwave: 6,
    dishwasher: 4,
    hood: 4,
    kitchen_machine: 8,
    vacuum: 2,
}
