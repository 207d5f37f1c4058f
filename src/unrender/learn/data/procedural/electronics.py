"""Screens, computers, phones, loudspeakers, cameras and other devices."""

from __future__ import annotations

import numpy as np

from . import fronts, materials
from .lofts import cylinder, lathe, smooth_path, tapered_box, tube
from .parts import box, rounded_box
from .workshop import Workshop

_CASES = ((0.06, 0.06, 0.07), (0.18, 0.18, 0.19), (0.70, 0.71, 0.73), (0.93, 0.93, 0.93), (0.45, 0.46, 0.48))
_CASE_ODDS = (6, 3, 3, 3, 1)


def _case(shop: Workshop) -> tuple[int, materials.Color]:
    color = materials.choose_color(shop.rng, _CASES, _CASE_ODDS)
    return shop.material(materials.plain(color)), color


def monitor(shop: Workshop) -> None:
    """A flat screen on a stand or the wall: monitor, television, all-in-one; at times with a keyboard."""
    case, color = _case(shop)
    width = shop.uniform(0.4, 1.2)
    tall, thick = width * shop.uniform(0.52, 0.75), width * shop.uniform(0.03, 0.12)
    stand = shop.pick(("foot", "legs", "none", "plinth"), (5, 2, 1.5, 1.5))
    lift = 0.0 if stand == "none" else tall * shop.uniform(0.08, 0.4)
    lean = -shop.uniform(0, 8)
    body = rounded_box(width, tall, thick, thick * 0.3).moved(0, tall / 2)
    face = box(width * shop.uniform(0.92, 0.98), tall * 0.93, 0.004, fit=True).moved(0, tall / 2, thick / 2)
    shop.add(body.turned("x", lean).moved(0, lift), case)
    shop.add(face.turned("x", lean).moved(0, lift), shop.material(fronts.screen(shop.rng)), whole=True)
    if shop.chance(0.4):
        rear = tapered_box((width * 0.7, tall * 0.7), (width * 0.4, tall * 0.4), thick).turned("x", -90)
        shop.add(rear.moved(0, lift + tall / 2, -thick * 0.4), case)
    deep = width * shop.uniform(0.2, 0.4)
    if stand in ("foot", "plinth"):
        neck = width * (0.06 if stand == "foot" else 0.3)
        shop.add(
            box(neck, lift + tall * 0.4, thick * 0.6).moved(0, (lift + tall * 0.4) / 2, -thick * 0.5), case
        )
        if shop.chance(0.5):
            shop.add(cylinder(deep * 0.8, width * 0.015, segments=20).scaled(1.2, 1, 0.8), case)
        else:
            shop.add(rounded_box(width * 0.45, width * 0.02, deep, 0.005).moved(0, width * 0.01), case)
    elif stand == "legs":
        foot = box(width * 0.03, lift + tall * 0.1, deep).moved(width * 0.35, (lift + tall * 0.1) / 2)
        shop.add(foot, case, mirror="x")
    if stand == "foot" and shop.chance(0.25):
        pad = shop.material(fronts.keys(shop.rng, color, np.asarray(color) * 0.6 + 0.15))
        keyboard = box(width * 0.85, 0.02, width * 0.28, fit=True).turned("x", 4)
        shop.add(keyboard.moved(0, 0.012, deep + width * 0.1), pad, whole=True)
        shop.add(rounded_box(0.06, 0.03, 0.1, 0.014).moved(width * 0.55, 0.015, deep + width * 0.1), case)


def laptop(shop: Workshop) -> None:
    """An open laptop."""
    case, color = _case(shop)
    width = shop.uniform(0.28, 0.4)
    depth, thick = width * shop.uniform(0.6, 0.78), width * shop.uniform(0.04, 0.1)
    shop.add(rounded_box(width, thick, depth, thick * 0.3).moved(0, thick / 2), case)
    key = np.asarray(color) * 0.4 if np.mean(color) > 0.4 else np.asarray(color) + 0.15
    pad = shop.material(fronts.keys(shop.rng, color, key))
    shop.add(box(width * 0.9, 0.003, depth * 0.55, fit=True).moved(0, thick, -depth * 0.15), pad, whole=True)
    touch = shop.material(materials.plain(key))
    shop.add(box(width * 0.25, 0.003, depth * 0.2).moved(0, thick, depth * 0.32), touch)
    open_by, lid = shop.uniform(5, 35), thick * 0.5
    cover = rounded_box(width, depth, lid, lid * 0.3).moved(0, depth / 2).turned("x", -open_by)
    face = box(width * 0.92, depth * 0.88, 0.003, fit=True).moved(0, depth / 2, lid / 2).turned("x", -open_by)
    shop.add(cover.moved(0, thick, -depth / 2), case)
    shop.add(face.moved(0, thick, -depth / 2), shop.material(fronts.screen(shop.rng)), whole=True)


def flat_device(shop: Workshop) -> None:
    """A slab with a screen or keys: phone, tablet, remote control, keyboard; lying or standing."""
    case, color = _case(shop)
    long = shop.uniform(0.1, 0.4)
    wide, thick = long * shop.uniform(0.25, 0.8), long * shop.uniform(0.03, 0.12)
    solid = rounded_box(wide, thick, long, thick * 0.45)
    kind = shop.pick(("screen", "keys", "both"))
    key = np.asarray(color) * 0.5 if np.mean(color) > 0.4 else np.asarray(color) + 0.35
    pieces = [(solid, case)]
    if kind != "keys":
        share = 0.88 if kind == "screen" else 0.4
        face = box(wide * 0.88, 0.002, long * share, fit=True)
        pieces.append(
            (face.moved(0, thick / 2, -long * (0.44 - share / 2)), shop.material(fronts.screen(shop.rng)))
        )
    if kind != "screen":
        share = 0.88 if kind == "keys" else 0.42
        face = box(wide * 0.88, 0.002, long * share, fit=True)
        pieces.append(
            (
                face.moved(0, thick / 2, long * (0.44 - share / 2)),
                shop.material(fronts.keys(shop.rng, color, key)),
            )
        )
    turn = shop.pick((0.0, 90.0, shop.uniform(40, 80)), (3, 1, 1))
    for piece, material in pieces:
        shop.add(piece.turned("x", turn), material, whole=True)
    if 0 < turn < 90:
        shop.add(
            rounded_box(wide * 1.4, thick * 1.5, long * 0.6, thick * 0.4).moved(0, -long * 0.42, 0), case
        )


def desk_phone(shop: Workshop) -> None:
    """A slanted case with keys, a display and a receiver."""
    case, color = _case(shop)
    width, depth = 0.2, shop.uniform(0.18, 0.24)
    slope = shop.uniform(8, 25)
    key = np.asarray(color) * 0.5 if np.mean(color) > 0.4 else np.asarray(color) + 0.4
    pad = shop.material(fronts.keys(shop.rng, color, key))
    shop.add(rounded_box(width, 0.04, depth, 0.01).turned("x", slope), case)
    shop.add(
        box(width * 0.5, 0.004, depth * 0.55, fit=True).moved(0.03, 0.021, 0.03).turned("x", slope),
        pad,
        whole=True,
    )
    screen = shop.material(fronts.screen(shop.rng))
    shop.add(
        box(width * 0.5, 0.004, depth * 0.22, fit=True).moved(0.03, 0.021, -0.07).turned("x", slope),
        screen,
        whole=True,
    )
    grip = smooth_path(
        [(-0.07, 0.02, -0.09), (-0.07, 0.05, -0.05), (-0.07, 0.05, 0.05), (-0.07, 0.02, 0.09)], 3
    )
    shop.add(tube(grip, 0.02, segments=8).turned("x", slope), case)


def loudspeaker(shop: Workshop) -> None:
    """A box with round cones in front, small or as high as a table."""
    body = shop.material(materials.choose_finish(shop.rng))
    width = shop.uniform(0.15, 0.35)
    depth, height = width * shop.uniform(0.7, 1.3), width * shop.uniform(1.2, 4.5)
    shop.add(rounded_box(width, height, depth, 0.01).moved(0, height / 2), body)
    dark, rim = shop.material(materials.plain((0.05, 0.05, 0.05))), shop.material(materials.metal(shop.rng))
    front = depth / 2
    if shop.chance(0.4):
        shop.add(box(width * 0.92, height * 0.9, 0.012).moved(0, height / 2, front), dark)
    y, radius = height * 0.25, width * 0.38
    for _ in range(shop.count(1, 3)):
        if y + radius > height:
            break
        cone = lathe(
            [(radius, 0), (radius, 0.012), (radius * 0.85, 0.012), (radius * 0.3, 0.002), (0, 0.01)],
            segments=18,
        )
        shop.add(cone.turned("x", 90).moved(0, y, front + 0.003), shop.pick((dark, rim)))
        y, radius = y + radius * 2.1, radius * shop.uniform(0.5, 0.95)


def deck(shop: Workshop) -> None:
    """A flat case with knobs, slots and lights: amplifier, player, console, projector, printer."""
    case, color = _case(shop)
    width = shop.uniform(0.25, 0.5)
    depth, height = width * shop.uniform(0.6, 1), width * shop.uniform(0.15, 0.6)
    shop.add(rounded_box(width, height, depth, height * shop.uniform(0.03, 0.3)).moved(0, height / 2), case)
    panel = shop.material(fronts.screen(shop.rng))
    wide = width * shop.uniform(0.2, 0.5)
    at = shop.uniform(-0.2, 0.2) * width
    shop.add(box(wide, height * 0.3, 0.006, fit=True).moved(at, height * 0.65, depth / 2), panel, whole=True)
    pad = shop.material(fronts.keys(shop.rng, color, np.asarray(color) * 0.6 + 0.2))
    shop.add(
        box(width * 0.6, height * 0.2, 0.006, fit=True).moved(0, height * 0.25, depth / 2), pad, whole=True
    )
    shine = shop.material(materials.metal(shop.rng))
    kind = shop.pick(("knob", "lens", "tray"))
    if kind == "knob":
        shop.add(
            cylinder(height * 0.2, 0.02).turned("x", 90).moved(width * 0.38, height * 0.6, depth / 2), shine
        )
    elif kind == "lens":
        radius = height * 0.35
        ring = lathe([(radius, 0), (radius, 0.05), (radius * 0.8, 0.05), (0, 0.03)], segments=16)
        shop.add(
            ring.turned("x", 90).moved(width * shop.uniform(-0.25, 0.25), height * 0.5, depth / 2 - 0.01),
            shine,
        )
    else:
        shop.add(
            box(width * 0.7, 0.01, depth * 0.4).turned("x", 15).moved(0, height * 0.3, depth * 0.6), case
        )
        shop.add(
            rounded_box(width * 0.9, height * 0.2, depth * 0.8, 0.01).moved(0, height * 1.05, -depth * 0.05),
            case,
        )


def camera(shop: Workshop) -> None:
    """A photo camera, or one that watches from the wall."""
    case, _ = _case(shop)
    dark, shine = shop.material(materials.plain((0.05, 0.05, 0.06))), shop.material(materials.metal(shop.rng))
    if shop.chance(0.3):
        long = shop.uniform(0.15, 0.3)
        shop.add(rounded_box(long * 0.4, long * 0.4, long, 0.02).turned("x", 15), case)
        shop.add(cylinder(long * 0.15, 0.01).turned("x", 90).moved(0, 0, long / 2).turned("x", 15), dark)
        arm = smooth_path([(0, 0, 0), (0, long * 0.5, -long * 0.2), (0, long * 0.6, -long * 0.7)], 4)
        shop.add(tube(arm, 0.012), shine)
        shop.add(cylinder(0.05, 0.02).turned("x", 90).moved(0, long * 0.6, -long * 0.75), case)
        return
    width, height = shop.uniform(0.1, 0.14), shop.uniform(0.06, 0.1)
    depth, lens = shop.uniform(0.025, 0.06), shop.uniform(0.02, 0.09)
    shop.add(rounded_box(width, height, depth, 0.012, segments=2).moved(0, height / 2), case)
    radius = height * shop.uniform(0.28, 0.42)
    barrel = lathe(
        [(radius, 0), (radius, lens), (radius * 0.8, lens), (radius * 0.7, lens * 0.8), (0, lens * 0.85)],
        segments=18,
    )
    shop.add(
        barrel.turned("x", 90).moved(shop.uniform(-0.1, 0.1) * width, height * 0.48, depth / 2),
        shop.pick((dark, shine)),
    )
    shop.add(rounded_box(width * 0.3, height * 0.25, depth, 0.008).moved(0, height * 1.05), case)
    shop.add(cylinder(0.008, 0.008).moved(width * 0.35, height), shine)


def microphone(shop: Workshop) -> None:
    """Thin bars: a microphone on a stand, a tripod, an aerial."""
    bar, dark = shop.material(materials.metal(shop.rng)), shop.material(materials.plain((0.08, 0.08, 0.08)))
    height = shop.uniform(0.9, 1.6)
    shop.add(cylinder(0.012, height), bar)
    for i in range(3):
        shop.add(tube([(0, 0.12, 0), (0.28, 0.01, 0)], 0.01, segments=6).turned("y", 120 * i + 90), bar)
    if shop.chance(0.5):
        end = (0.0, height + shop.uniform(-0.1, 0.2), shop.uniform(0.2, 0.5))
        shop.add(tube([(0, height - 0.05, -0.15), end], 0.009, segments=6), bar)
        shop.add(
            lathe([(0.012, 0), (0.016, 0.12), (0.03, 0.14), (0.03, 0.17), (0.01, 0.2)])
            .turned("x", 70)
            .moved(*end),
            dark,
        )
        return
    long = shop.uniform(0.4, 0.9)
    shop.add(tube([(0, height, -long / 2), (0, height, long / 2)], 0.01, segments=6), bar)
    for z in np.linspace(-0.45, 0.45, shop.count(5, 9)) * long:
        shop.add(box(long * shop.uniform(0.4, 0.7), 0.01, 0.01).moved(0, height, z), bar)


KINDS = {
    monitor: 9,
    laptop: 5,
    flat_device: 7,
    desk_phone: 2,
    loudspeaker: 3,
    deck: 5,
    camera: 3,
    microphone: 2,
}
