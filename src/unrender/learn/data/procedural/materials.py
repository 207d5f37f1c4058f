"""What surfaces look like: small square pictures of wood, cloth, metal, stone and leaves, and their colours.

A paint is a function from the side S of a picture to the picture, shape (S, S, 3), row 0 at the top, so that
an object's texture decides how much room each gets. All randomness is drawn when the paint is made.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

Color = Sequence[float] | NDArray[np.float64]
Paint = Callable[[int], NDArray[np.float64]]

WOODS = (
    (0.84, 0.68, 0.44),  # pine
    (0.78, 0.57, 0.30),  # oak
    (0.82, 0.70, 0.52),  # beech
    (0.72, 0.45, 0.20),  # alder
    (0.74, 0.50, 0.12),  # honey
    (0.58, 0.34, 0.16),  # teak
    (0.55, 0.24, 0.11),  # cherry
    (0.40, 0.19, 0.10),  # mahogany
    (0.36, 0.23, 0.14),  # walnut
    (0.17, 0.10, 0.07),  # wenge
    (0.88, 0.84, 0.76),  # bleached
)
LACQUERS = (
    (0.93, 0.93, 0.92),
    (0.90, 0.88, 0.82),
    (0.07, 0.07, 0.08),
    (0.20, 0.20, 0.22),
    (0.45, 0.46, 0.48),
    (0.72, 0.72, 0.72),
    (0.62, 0.05, 0.06),
    (0.10, 0.17, 0.42),
    (0.20, 0.45, 0.68),
    (0.30, 0.48, 0.25),
    (0.85, 0.70, 0.18),
    (0.85, 0.42, 0.12),
    (0.78, 0.55, 0.58),
    (0.36, 0.24, 0.40),
)
LACQUER_ODDS = (9, 4, 5, 3, 3, 3, 2, 2, 1, 1, 1, 1, 1, 1)
CLOTHS = (
    (0.88, 0.84, 0.74),
    (0.76, 0.69, 0.56),
    (0.55, 0.42, 0.30),
    (0.30, 0.20, 0.14),
    (0.85, 0.85, 0.84),
    (0.50, 0.50, 0.50),
    (0.22, 0.22, 0.24),
    (0.08, 0.08, 0.09),
    (0.08, 0.10, 0.34),
    (0.15, 0.24, 0.50),
    (0.42, 0.55, 0.68),
    (0.58, 0.07, 0.08),
    (0.40, 0.06, 0.14),
    (0.72, 0.15, 0.32),
    (0.80, 0.60, 0.16),
    (0.82, 0.40, 0.14),
    (0.40, 0.44, 0.20),
    (0.16, 0.32, 0.20),
    (0.55, 0.48, 0.64),
)
METALS = (
    (0.74, 0.75, 0.77),
    (0.55, 0.56, 0.58),
    (0.06, 0.06, 0.06),
    (0.15, 0.15, 0.16),
    (0.88, 0.88, 0.88),
    (0.72, 0.55, 0.22),
    (0.45, 0.28, 0.16),
)
METAL_ODDS = (6, 3, 5, 2, 2, 2, 1)
CERAMICS = ((0.95, 0.95, 0.94), (0.90, 0.87, 0.80), (0.85, 0.85, 0.86), (0.93, 0.92, 0.90))
LEAVES = ((0.20, 0.36, 0.10), (0.12, 0.27, 0.08), (0.32, 0.45, 0.14), (0.24, 0.34, 0.20), (0.40, 0.48, 0.22))
FLOWERS = ((0.80, 0.10, 0.16), (0.92, 0.80, 0.20), (0.90, 0.55, 0.68), (0.60, 0.40, 0.75), (0.94, 0.93, 0.90))
SKINS = ((0.92, 0.74, 0.62), (0.84, 0.62, 0.48), (0.66, 0.44, 0.31), (0.40, 0.26, 0.18))
GLASSES = ((0.60, 0.68, 0.70), (0.45, 0.60, 0.60), (0.36, 0.40, 0.44), (0.16, 0.18, 0.21), (0.78, 0.82, 0.84))


def choose_color(rng: Generator, colors: Sequence[Color], odds: Sequence[float] | None = None) -> NDArray:
    """One of some colours, a little lighter, darker and shifted, shape (3,)."""
    share = np.ones(len(colors)) if odds is None else np.asarray(odds, np.float64)
    color = np.asarray(colors[int(rng.choice(len(colors), p=share / share.sum()))], np.float64)
    tint = 0.02 + 0.1 * np.ptp(color)  # greys stay grey
    return (color * rng.uniform(0.85, 1.1) * rng.uniform(1 - tint, 1 + tint, 3)).clip(0.02, 0.98)


def plain(color: Color) -> Paint:
    """One colour."""
    return lambda size: np.broadcast_to(np.asarray(color, np.float64), (size, size, 3))


def wood(rng: Generator, color: Color | None = None) -> Paint:
    """Grain that runs upwards in wavy lines; of a usual wood where no colour is given."""
    color = choose_color(rng, WOODS) if color is None else np.asarray(color)
    seed, lines, contrast = int(rng.integers(2**31)), rng.uniform(3, 9), rng.uniform(0.04, 0.2)

    def paint(size: int) -> NDArray:
        noise = np.random.default_rng(seed)
        x, y = np.linspace(0, 1, size), np.linspace(0, 1, size)[:, None]
        bend = noise.uniform(0.02, 0.12) * np.sin(2 * np.pi * (y * noise.uniform(0.3, 1.2) + noise.random()))
        rings = np.sin(2 * np.pi * lines * (x + bend) + 2 * np.sin(2 * np.pi * (x * 1.7 + y * 0.4)))
        fibres = _waves(noise, size, (3, size // 2))
        return _shade(color, 1 + contrast * (0.5 * rings + 0.8 * fibres))

    return paint


def cloth(rng: Generator, color: Color | None = None) -> Paint:
    """Woven cloth: fine and broad noise; of a usual colour where none is given."""
    color = choose_color(rng, CLOTHS) if color is None else np.asarray(color)
    seed, fine, broad = int(rng.integers(2**31)), rng.uniform(0, 0.1), rng.uniform(0, 0.1)

    def paint(size: int) -> NDArray:
        noise = np.random.default_rng(seed)
        return _shade(
            color, 1 + fine * noise.uniform(-1, 1, (size, size)) + broad * _waves(noise, size, (4, 4))
        )

    return paint


def stripes(rng: Generator, first: Color, second: Color, *, crosswise: bool = False) -> Paint:
    """Stripes in two colours, upwards or crosswise."""
    count, share = int(rng.integers(2, 8)), rng.uniform(0.3, 0.7)

    def paint(size: int) -> NDArray:
        wave = (np.arange(size) / size * count % 1 < share)[None, :, None]
        picture = np.where(wave, first, second) * np.ones((size, 1, 1))
        return picture.transpose(1, 0, 2) if crosswise else picture

    return paint


def checks(rng: Generator, first: Color, second: Color) -> Paint:
    """A chess board, or the crossing half-tone bands of a tablecloth."""
    count, woven = int(rng.integers(2, 7)), rng.random() < 0.5

    def paint(size: int) -> NDArray:
        band = np.arange(size) / size * count % 1 < 0.5
        row, column = band[:, None].astype(float), band[None].astype(float)
        mix = (row + column) / 2 if woven else np.abs(row - column)
        return _mix(first, second, mix)

    return paint


def dots(rng: Generator, ground: Color, colors: Sequence[Color]) -> Paint:
    """Round spots at random places, as flowers on cloth, balls on a tree or chips in stone."""
    count, radius = int(rng.integers(6, 30)), rng.uniform(0.03, 0.12)
    places = rng.random((count, 2))
    picks = rng.integers(len(colors), size=count)

    def paint(size: int) -> NDArray:
        line = (np.arange(size) + 0.5) / size
        apart = np.abs(np.stack(np.meshgrid(line, line), -1)[:, :, None] - places)
        near = (np.minimum(apart, 1 - apart) ** 2).sum(-1) < radius**2
        spot = np.asarray(colors, np.float64)[picks[near.argmax(-1)]]
        return np.where(near.any(-1)[..., None], spot, np.asarray(ground))

    return paint


def marble(rng: Generator, color: Color, vein: Color) -> Paint:
    """Stone with soft veins."""
    seed = int(rng.integers(2**31))

    def paint(size: int) -> NDArray:
        noise = np.random.default_rng(seed)
        field = _waves(noise, size, (4, 4)) + 0.5 * _waves(noise, size, (9, 9))
        return _mix(color, vein, np.exp(-((4 * field) ** 2)) * 0.6 + 0.1 * noise.random((size, size)))

    return paint


def speckle(rng: Generator, color: Color, contrast: float = 0.35) -> Paint:
    """Grainy stone, gravel, bark or leaves seen from afar."""
    seed = int(rng.integers(2**31))

    def paint(size: int) -> NDArray:
        noise = np.random.default_rng(seed)
        return _shade(color, 1 + contrast * (noise.random((size, size)) + _waves(noise, size, (8, 8)) - 0.5))

    return paint


def weave(rng: Generator, color: Color) -> Paint:
    """Wickerwork: over and under in turns."""
    count = int(rng.integers(5, 11))

    def paint(size: int) -> NDArray:
        t = np.arange(size) / size * count
        over = (t[:, None].astype(int) + t[None].astype(int)) % 2
        bulge = np.where(over, np.abs(np.sin(np.pi * t))[:, None], np.abs(np.sin(np.pi * t))[None])
        return _shade(color, 0.45 + 0.65 * bulge)

    return paint


def leaf(rng: Generator, color: Color) -> Paint:
    """A leaf: a light rib in the middle, darker to the rims."""
    rib = rng.uniform(1.1, 1.5)

    def paint(size: int) -> NDArray:
        off = np.abs(np.linspace(-1, 1, size))[None] * np.ones((size, 1))
        side = 0.1 * np.sin(np.linspace(0, 40, size)[:, None] + 9 * off)
        return _shade(color, np.where(off < 0.08, rib, 1.05 - 0.3 * off + side))

    return paint


def choose_finish(rng: Generator) -> Paint:
    """What furniture is made of: wood more often than lacquer."""
    return wood(rng) if rng.random() < 0.6 else lacquer(rng)


def lacquer(rng: Generator) -> Paint:
    """Plain paint or plastic in a usual colour, mostly white, black and grey."""
    return plain(choose_color(rng, LACQUERS, LACQUER_ODDS))


def metal(rng: Generator) -> Paint:
    """Plain metal: chrome, steel, black or white coated, brass, rust."""
    return plain(choose_color(rng, METALS, METAL_ODDS))


def upholstery(rng: Generator) -> Paint:
    """Cloth or leather, mostly of one colour, some with stripes, checks or flowers."""
    color = choose_color(rng, CLOTHS)
    other = color * 0.6 + 0.4 * choose_color(rng, CLOTHS)
    kind = rng.random()
    if kind < 0.72:
        return cloth(rng, color)
    if kind < 0.84:
        return stripes(rng, color, other, crosswise=rng.random() < 0.3)
    if kind < 0.92:
        return checks(rng, color, other)
    return dots(rng, color, [other, choose_color(rng, CLOTHS)])


def _mix(first: Color, second: Color, share: NDArray) -> NDArray:
    """From ``first`` at share 0 to ``second`` at 1: shape (S, S) to (S, S, 3)."""
    first, second = np.asarray(first, np.float64), np.asarray(second, np.float64)
    return (first + (second - first) * share[..., None]).clip(0, 1)


def _shade(color: Color, brightness: NDArray) -> NDArray:
    return (np.asarray(color) * brightness[..., None]).clip(0, 1)


def _waves(noise: Generator, size: int, knots: tuple[int, int]) -> NDArray:
    """Smooth noise in [-1, 1], shape (S, S): random values at knots (down, across), linear in between."""
    picture = noise.uniform(-1, 1, (knots[0] + 1, knots[1] + 1))
    for _ in range(2):
        place = np.linspace(0, picture.shape[0] - 1, size)
        low = np.minimum(place.astype(int), picture.shape[0] - 2)
        part = (place - low)[:, None]
        picture = (picture[low] * (1 - part) + picture[low + 1] * part).T
    return picture
