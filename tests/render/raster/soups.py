"""Screen triangles that the rasterizers are tested on: harmless ones and nasty ones."""

import dataclasses
import math

import torch
from hypothesis import strategies as st
from torch import Tensor

from unrender.render.raster.grid import Grid


@dataclasses.dataclass(frozen=True)
class Soup:
    """Triangles (T, 3, 3) of several pictures."""

    triangles: Tensor
    starts: Tensor
    grid: Grid

    def to(self, dtype: torch.dtype) -> "Soup":
        return dataclasses.replace(self, triangles=self.triangles.to(dtype))

    @property
    def shape(self) -> tuple[int, int, int]:
        return self.grid.images, self.grid.height, self.grid.width

    def pixels(self, count: float) -> float:
        """So many columns in screen units."""
        return count * 2 * abs(self.grid.step_x)

    def in_boxes(self, reach: float) -> Tensor:
        """Which pixel centres each triangle's enlarged bounding box holds: bool (T, H, W)."""
        xs, ys = self.grid.centres(torch.float64, self.triangles.device)
        xy = self.triangles.double()[..., :2]
        low, high = xy.amin(1) - reach, xy.amax(1) + reach
        across = (xs >= low[:, :1]) & (xs <= high[:, :1])
        down = (ys >= low[:, 1:]) & (ys <= high[:, 1:])
        return down[:, :, None] & across[:, None, :]


def make_soup(device, counts=(30, 0, 45), *, height=21, width=37, kaolin=False, largest=12.0) -> Soup:
    """Well-shaped triangles of radius up to ``largest`` pixels, some of them partly or wholly off-screen."""
    count = sum(counts)
    steps = (1000 / width, -1000 / height) if kaolin else (0.5, 0.5)
    random = torch.rand(count, 9, generator=torch.Generator().manual_seed(count), dtype=torch.float64)
    centre = (random[:, :2] - 0.5) * 1.3 * torch.tensor([width, height])
    radius = largest * (0.1 + 0.9 * random[:, 2:3]) * (0.7 + 0.3 * random[:, 3:6])
    angle = 2 * math.pi * (random[:, 2:3] * 7 + torch.tensor([0, 1, 2]) / 3)
    angle = torch.where(random[:, 3:4] < 0.5, angle, -angle)  # both windings
    x = (centre[:, :1] + radius * angle.cos()) * 2 * steps[0]
    y = (centre[:, 1:] + radius * angle.sin()) * 2 * steps[1]
    triangles = torch.stack([x, y, 1 + 3 * random[:, 6:]], -1)
    starts = torch.tensor([0, *counts]).cumsum(0)
    grid = Grid(len(counts), height, width, *steps)
    return Soup(triangles.to(device, torch.float32), starts.to(device), grid)


def mix(values: Tensor, count: int = 4) -> Tensor:
    """A few random linear functions of all values: gradcheck is slow in the number of outputs."""
    generator = torch.Generator().manual_seed(values.numel())
    rates = torch.rand(values.numel(), count, generator=generator, dtype=values.dtype) - 0.5
    return values.flatten() @ rates.to(values.device)


def _nasty(kind: str, values: list[float]) -> list[list[float]]:
    """One triangle of a troublesome kind from nine numbers in [-1, 1], on a grid of about 9 x 7 pixels."""
    a, b, c = ([4 * values[3 * k], 4 * values[3 * k + 1], 2.5 + values[3 * k + 2]] for k in range(3))
    half = [a[0] * 0.5, a[1] * 0.5, a[2]]
    scaled = {"sub-pixel": 1e-4, "sub-sub-pixel": 1e-8, "huge": 1e8 / 4, "off-screen": 1.0}.get(kind, 1.0)
    shift = 50.0 if kind == "off-screen" else 0.0
    corners = {
        "point": [a, a, a],
        "line": [a, a, b],
        "edge-on": [a, b, [(a[0] + b[0]) / 2, (a[1] + b[1]) / 2, c[2]]],
        "needle": [a, b, [a[0] + 1e-6, a[1], c[2]]],
        "nan": [a, b, [c[0], math.nan, c[2]]],
        "infinite": [a, b, [math.inf, c[1], c[2]]],
        "one far corner": [half, b, [c[0] * 1e8, c[1] * 1e8, c[2]]],
        "deep": [a, b, [c[0], c[1], 1e8]],
    }.get(kind, [a, b, c])
    return [[x * scaled + shift, y * scaled + shift, z] for x, y, z in corners]


NASTY_KINDS = [
    "plain", "point", "line", "edge-on", "needle", "sub-pixel", "sub-sub-pixel", "huge", "off-screen", "nan",
    "infinite", "one far corner", "deep",
]  # fmt: skip


@st.composite
def nasty_triangles(draw) -> Tensor:
    """Up to five triangles (T, 3, 3) on which a careless rasterizer divides by zero; some twice."""
    # eighths make coincidences, such as a corner on a pixel centre, likely; half floats are 0 or above 6e-8,
    # so that no area is so small that its inverse overflows
    number = st.integers(-8, 8).map(lambda n: n / 8) | st.floats(-1, 1, width=16)
    corners = st.lists(number, min_size=9, max_size=9)
    triangle = st.builds(_nasty, st.sampled_from(NASTY_KINDS), corners)
    triangles = draw(st.lists(triangle, max_size=5))
    if triangles and draw(st.booleans()):
        triangles.append(triangles[0])
    return torch.tensor(triangles, dtype=torch.float32).reshape(-1, 3, 3)
