"""What shows on the front of boxes: doors, drawers, handles, windows, screens, dials, rows of books."""

from __future__ import annotations

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from .lofts import cylinder, tube
from .materials import Color, Paint
from .parts import box, rounded_box
from .workshop import Workshop


def panelled(paint: Paint, border: float = 0.16) -> Paint:
    """A door of frame and panel: the border catches light above, and shadow below."""

    def draw(size: int) -> NDArray:
        picture = np.array(paint(size))
        edge = np.minimum(*np.meshgrid(*[np.minimum(np.arange(size), np.arange(size)[::-1])] * 2)) / size
        return (
            picture * np.where(np.abs(edge - border) < 0.035, 0.6, np.where(edge < border, 1, 0.9))[..., None]
        ).clip(0, 1)

    return draw


def glazed(paint: Paint, glass: Color, columns: int, rows: int) -> Paint:
    """A window: bars in the frame's paint round panes."""

    def draw(size: int) -> NDArray:
        across = np.arange(size)[None] / size
        down = np.arange(size)[:, None] / size
        bar = 0.07
        border = (np.minimum(across, 1 - across) < 0.1) | (np.minimum(down, 1 - down) < 0.1)
        bars = (np.abs(across * columns % 1 - 0.5) > 0.5 - bar * columns / 2) | (
            np.abs(down * rows % 1 - 0.5) > 0.5 - bar * rows / 2
        )
        pane = np.asarray(glass) * (1.1 - 0.3 * down + 0 * across)[..., None]
        return np.where((border | bars)[..., None], paint(size), pane).clip(0, 1)

    return draw


def louvred(paint: Paint, count: int) -> Paint:
    """Slats with shadows between them, from side to side."""

    def draw(size: int) -> NDArray:
        shade = 1 - 0.5 * ((np.arange(size) / size * count) % 1) ** 2
        return np.asarray(paint(size)) * shade[:, None, None]

    return draw


def books(rng: Generator) -> Paint:
    """A row of book backs."""
    seed = int(rng.integers(2**31))

    def draw(size: int) -> NDArray:
        noise = np.random.default_rng(seed)
        picture = np.full((size, size, 3), 0.12)
        x = 0
        while x < size:
            wide, top = int(noise.integers(2, 5)), int(noise.uniform(0, 0.35) * size)
            picture[top:, x : x + wide] = noise.uniform(0.1, 0.8, 3) * noise.uniform(0.6, 1)
            picture[top + size // 8 : top + size // 5, x : x + wide] *= 1.3
            picture[:, x : x + 1] *= 0.7
            x += wide
        return picture.clip(0, 1)

    return draw


def screen(rng: Generator) -> Paint:
    """A display in a dark rim: off, or showing a desktop, text or a scene."""
    kind, top, low = rng.random(), rng.uniform(0, 0.8, 3), rng.uniform(0, 0.6, 3)
    seed = int(rng.integers(2**31))

    def draw(size: int) -> NDArray:
        down = np.linspace(0, 1, size)[:, None, None]
        if kind < 0.4:
            picture = np.full((size, size, 3), 0.05) + 0.06 * (1 - down)
        else:
            picture = (top + (low - top) * down) * np.ones((1, size, 1))
        if kind > 0.7:
            noise = np.random.default_rng(seed)
            for _ in range(6):
                y, x = noise.integers(0, size * 3 // 4, 2)
                h, w = noise.integers(1, size // 3, 2)
                picture[y : y + h, x : x + w] = noise.uniform(0, 1, 3)
        rim = max(1, size // 20)
        picture[:rim] = picture[-rim:] = picture[:, :rim] = picture[:, -rim:] = 0.04
        return picture

    return draw


def keys(rng: Generator, case: Color, key: Color) -> Paint:
    """Rows of keys or buttons."""
    columns, rows = int(rng.integers(3, 14)), int(rng.integers(3, 7))

    def draw(size: int) -> NDArray:
        across, down = np.arange(size) / size * columns % 1, np.arange(size) / size * rows % 1
        on = (np.abs(across - 0.5) < 0.36)[None] & (np.abs(down - 0.5) < 0.34)[:, None]
        edge = np.minimum(*np.meshgrid(*[np.minimum(np.arange(size), np.arange(size)[::-1])] * 2)) / size
        return np.where((on & (edge > 0.08))[..., None], np.asarray(key), np.asarray(case))

    return draw


def rings(ground: Color, ring: Color, places: list[tuple[float, float, float, float]]) -> Paint:
    """Discs and rings on a ground: (x, y from the top, inner and outer radius) in sides of the picture."""

    def draw(size: int) -> NDArray:
        line = (np.arange(size) + 0.5) / size
        picture = np.ones((size, size, 1)) * np.asarray(ground, np.float64)
        for x, y, inner, outer in places:
            far = np.hypot(line[None] - x, line[:, None] - y)
            picture[(far >= inner) & (far <= outer)] = ring
        return picture

    return draw


def framed(paint: Paint, inside: Color, box_: tuple[float, float, float, float]) -> Paint:
    """A field of another colour, (left, top, right, bottom) in sides of the picture, darker above."""
    left, top, right, bottom = box_

    def draw(size: int) -> NDArray:
        picture = np.array(paint(size))
        rows, columns = slice(int(top * size), int(bottom * size)), slice(int(left * size), int(right * size))
        shade = np.linspace(0.75, 1.15, picture[rows].shape[0])[:, None, None]
        picture[rows, columns] = (np.asarray(inside) * shade).clip(0, 1)
        return picture

    return draw


def handle(
    shop: Workshop, material: int, place: tuple[float, float, float], long: float, upright: bool, kind: str
) -> None:
    """A knob, bar, bow or cup that stands out from the front at ``place`` towards +Z."""
    out = min(0.035, 0.35 * long)
    if kind == "knob":
        knob = cylinder(out * 0.4, out, top=out * 0.6, segments=8).turned("x", 90)
        shop.add(knob.moved(*place), material)
        return
    if kind == "bow":
        solid = tube(
            [(-long / 2, 0, 0), (-long * 0.4, 0, out), (long * 0.4, 0, out), (long / 2, 0, 0)],
            out * 0.22,
            segments=6,
        )
    else:
        solid = box(long, out * 0.5, out).moved(0, 0, out / 2)
    shop.add((solid.turned("z", 90) if upright else solid).moved(*place), material)


def drawers(
    shop: Workshop,
    material: int,
    knob: int,
    size: tuple[float, float],
    place: tuple[float, float, float],
    rows: int,
    columns: int,
) -> None:
    """Drawer fronts in rows and columns over a field of ``size`` about ``place`` on the front."""
    wide, tall = size[0] / columns, size[1] / rows
    gap, thick = 0.04 * min(wide, tall), 0.02
    kind = shop.pick(("knob", "bow", "bar", "none"), (3, 3, 3, 1))
    long = wide * shop.uniform(0.15, 0.5)
    for row in range(rows):
        for column in range(columns):
            x = place[0] + (column + 0.5) * wide - size[0] / 2
            y = place[1] + (row + 0.5) * tall - size[1] / 2
            front = rounded_box(wide - 2 * gap, tall - 2 * gap, thick, thick * 0.3, fit=True)
            shop.add(front.moved(x, y, place[2] + thick / 2), material, whole=True)
            if kind != "none":
                handle(shop, knob, (x, y + tall * 0.1, place[2] + thick), long, False, kind)


def doors(
    shop: Workshop,
    material: int,
    knob: int,
    size: tuple[float, float],
    place: tuple[float, float, float],
    columns: int,
    rows: int = 1,
) -> None:
    """Doors side by side over a field of ``size`` about ``place`` on the front, handles where they meet."""
    wide, tall = size[0] / columns, size[1] / rows
    gap, thick = 0.02 * min(wide, tall), 0.02
    kind = shop.pick(("knob", "bow", "bar", "none"), (3, 3, 3, 1))
    long, level = min(0.3 * tall, shop.uniform(0.1, 0.3)), shop.uniform(-0.2, 0.3) * tall
    left = bool(shop.chance(0.5))
    for row in range(rows):
        for column in range(columns):
            x = place[0] + (column + 0.5) * wide - size[0] / 2
            y = place[1] + (row + 0.5) * tall - size[1] / 2
            front = rounded_box(wide - 2 * gap, tall - 2 * gap, thick, thick * 0.3, fit=True)
            shop.add(front.moved(x, y, place[2] + thick / 2), material, whole=True)
            if kind != "none":
                side = 1 if (column % 2 == 0) != (left and columns == 1) else -1
                at = (x + side * wide * 0.38, y + level, place[2] + thick)
                handle(shop, knob, at, long, True, kind)
