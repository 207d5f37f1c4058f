"""Models a mushroom house in code and renders the pictures in examples/demo_views for ``make demo-fit``.

    python examples/make_demo_views.py [FOLDER]

Every part is a curve turned about the y axis with a texture that is a function of position.
The picture files are the same on every run.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor

from unrender.geometry import Mesh, merge
from unrender.io import Views, save_views
from unrender.render import Camera, SphericalHarmonicsLight
from unrender.render.harmonics import environment_directions, environment_to_sh
from unrender.render.turntable import render_antialiased

Paint = Callable[[Tensor], Tensor]  # positions (V, 3) to colours (V, 3)
Profile = list[tuple[float, float]]  # radius and height, from the bottom up

VIEWS = 30
SIZE = 128
ROWS, COLUMNS = 48, 96  # quads of each part
TEXELS = 320, 640
ELEVATIONS = (-22.0, 14.0, 48.0)

RED, CREAM, WHITE = (0.80, 0.13, 0.10), (0.93, 0.86, 0.70), (0.97, 0.96, 0.92)
WOOD, DARK_WOOD, GOLD = (0.50, 0.29, 0.13), (0.27, 0.15, 0.08), (0.95, 0.75, 0.20)
GLASS, SKY = (0.98, 0.85, 0.42), (0.32, 0.56, 0.78)
BRICK, MORTAR = (0.62, 0.30, 0.22), (0.80, 0.76, 0.70)
GRASS, DARK_GRASS, EARTH, STONE = (
    (0.38, 0.62, 0.20),
    (0.22, 0.45, 0.14),
    (0.42, 0.30, 0.19),
    (0.66, 0.64, 0.60),
)


def turned(profile: Profile, paint: Paint) -> Mesh:
    """A smooth curve through the profile's points, turned about the y axis; u runs round it, v up."""
    u = torch.linspace(0, 1, COLUMNS + 1, dtype=torch.float64)
    v = torch.linspace(0, 1, ROWS + 1, dtype=torch.float64)
    vertices = surface(profile, u[:-1], v).reshape(-1, 3)
    uvs = torch.stack(torch.broadcast_tensors(u, v[:, None]), -1).reshape(-1, 2)
    texel_u = (torch.arange(TEXELS[1], dtype=torch.float64) + 0.5) / TEXELS[1]
    texel_v = 1 - (torch.arange(TEXELS[0], dtype=torch.float64) + 0.5) / TEXELS[0]
    texture = paint(surface(profile, texel_u, texel_v).reshape(-1, 3)).view(*TEXELS, 3)
    column = torch.arange(COLUMNS)
    faces = between_rings(column, (column + 1) % COLUMNS, COLUMNS)
    uv_faces = between_rings(column, column + 1, COLUMNS + 1)
    return Mesh(vertices, faces, uvs=uvs, uv_faces=uv_faces, texture=texture)


def surface(profile: Profile, u: Tensor, v: Tensor) -> Tensor:
    """Points of the turned curve: shape (V, U, 3)."""
    radius, height = spline(torch.tensor(profile, dtype=torch.float64), v)[:, None].unbind(-1)
    angle = 2 * math.pi * u
    radius = radius.clamp(min=1e-4)
    return torch.stack(torch.broadcast_tensors(radius * angle.sin(), height, radius * angle.cos()), -1)


def spline(points: Tensor, place: Tensor) -> Tensor:
    """A Catmull-Rom curve through points (P, 2), at places (N,) from 0, the first, to 1, the last: (N, 2)."""
    ends = torch.cat([2 * points[:1] - points[1:2], points, 2 * points[-1:] - points[-2:-1]])
    place = place * (len(points) - 1)
    first = place.long().clamp(max=len(points) - 2)
    t = (place - first)[:, None]
    a, b, c, d = (ends[first + k] for k in range(4))
    return b + t / 2 * (c - a + t * (2 * a - 5 * b + 4 * c - d + t * (3 * (b - c) + d - a)))


def between_rings(left: Tensor, right: Tensor, ring: int) -> Tensor:
    """Faces between ``ROWS + 1`` rings of points, seen from outside: index of a cell's left and right end."""
    start = torch.arange(ROWS)[:, None] * ring
    quads = torch.stack([start + left, start + right, start + ring + right, start + ring + left], -1)
    return quads.reshape(-1, 4)[:, [[0, 1, 2], [0, 2, 3]]].reshape(-1, 3)


def placed(mesh: Mesh, *, at: tuple[float, float, float], tilt: float = 0.0, scale: float = 1.0) -> Mesh:
    """The mesh, scaled, leaning ``tilt`` degrees towards +X, and moved."""
    sine, cosine = math.sin(math.radians(tilt)), math.cos(math.radians(tilt))
    rotation = mesh.vertices.new_tensor([[cosine, sine, 0], [-sine, cosine, 0], [0, 0, 1]])
    return mesh.replace(vertices=scale * mesh.vertices @ rotation.T + mesh.vertices.new_tensor(at))


def plain(color: tuple[float, float, float]) -> Paint:
    """Paint of one colour."""
    return lambda points: points.new_tensor(color).expand(len(points), 3)


def over(colors: Tensor, where: Tensor, color: tuple[float, float, float]) -> Tensor:
    """``colors`` with ``color`` laid over some of them."""
    return torch.where(where[:, None], colors.new_tensor(color), colors)


def paint_cap(points: Tensor) -> Tensor:
    """Red with white spots above; gills below."""
    colors = plain(RED)(points)
    middle = points.new_tensor([0.0, 0.62, 0.0])
    direction = torch.nn.functional.normalize(points - middle, dim=-1)
    spots = [(90, 0, 20), (48, 20, 17), (46, 92, 13), (50, 160, 16), (44, 232, 15), (47, 300, 12)]
    spots += [(17, 55, 12), (14, 126, 14), (18, 196, 11), (15, 265, 14), (17, 335, 13)]
    for elevation, azimuth, radius in spots:
        e, a = math.radians(elevation), math.radians(azimuth)
        centre = points.new_tensor([math.cos(e) * math.sin(a), math.sin(e), math.cos(e) * math.cos(a)])
        colors = over(colors, direction @ centre > math.cos(math.radians(radius)), WHITE)
    below = points[:, 1] < 0.655 - 0.06 * (torch.hypot(points[:, 0], points[:, 2]) > 0.9)
    inner = (torch.hypot(points[:, 0], points[:, 2]) < 0.87) & below
    gills = torch.cos(36 * torch.atan2(points[:, 0], points[:, 2])) > 0
    return over(over(colors, inner, CREAM), inner & gills, (0.80, 0.66, 0.50))


def paint_stem(points: Tensor) -> Tensor:
    """Cream plaster with a wooden door at +Z, round windows on the other sides, and a stone foot."""
    angle, height = torch.atan2(points[:, 0], points[:, 2]), points[:, 1]
    colors = plain(CREAM)(points)
    courses = torch.floor((height + 0.55) / 0.075)
    joints = torch.remainder(angle * 5.5 + courses * math.pi / 2, math.pi) < 0.25
    joints |= torch.remainder((height + 0.55) / 0.075, 1) < 0.16
    colors = over(colors, height < -0.40, STONE)
    colors = over(colors, (height < -0.40) & joints, (0.45, 0.43, 0.40))

    def from_middle(azimuth: float, middle: float) -> tuple[Tensor, Tensor]:
        sideways = torch.remainder(angle - math.radians(azimuth) + math.pi, 2 * math.pi) - math.pi
        return 0.5 * sideways, height - middle

    x, y = from_middle(0, -0.05)
    arch = torch.where(y > 0, torch.hypot(x, y), x.abs())
    door = (y > -0.52) & (arch < 0.21)
    colors = over(colors, (y > -0.52) & (arch < 0.26), DARK_WOOD)
    colors = over(colors, door, WOOD)
    colors = over(colors, door & (torch.remainder(x + 0.0525, 0.105) < 0.018), DARK_WOOD)
    colors = over(colors, torch.hypot(x - 0.13, y + 0.18) < 0.035, GOLD)
    for azimuth, middle, radius in ((90, 0.10, 0.16), (180, 0.02, 0.19), (270, 0.12, 0.15)):
        x, y = from_middle(azimuth, middle)
        away = torch.hypot(x, y)
        colors = over(colors, away < radius + 0.05, WOOD)
        colors = over(colors, away < radius, GLASS if azimuth != 180 else SKY)
        colors = over(colors, (away < radius) & (torch.minimum(x.abs(), y.abs()) < 0.018), DARK_WOOD)
    return colors


def paint_chimney(points: Tensor) -> Tensor:
    """Courses of bricks, dark on top."""
    angle, height = torch.atan2(points[:, 0], points[:, 2]), points[:, 1]
    course = torch.floor(height / 0.085)
    mortar = torch.remainder(height / 0.085, 1) < 0.2
    mortar |= torch.remainder(3 * angle + course * math.pi / 2, math.pi) < 0.35
    colors = over(plain(BRICK)(points), mortar, MORTAR)
    return over(colors, (torch.hypot(points[:, 0], points[:, 2]) < 0.10) & (height > 0.2), DARK_WOOD)


def paint_ground(points: Tensor) -> Tensor:
    """Grass in patches with a path of stones to the door; earth below."""
    x, y, z = points.unbind(-1)
    patches = torch.sin(7 * x + 1) * torch.sin(6 * z + 2 * x) + 0.4 * torch.sin(15 * x - 11 * z) > 0.2
    colors = over(plain(GRASS)(points), patches, DARK_GRASS)
    for i, (sideways, ahead) in enumerate(((0.0, 0.68), (0.06, 0.83), (-0.02, 0.98))):
        stone = torch.hypot((x - sideways) / 1.4, z - ahead) < 0.066 - 0.004 * i
        colors = over(colors, stone, STONE)
    return over(colors, y < -0.66, EARTH)


def paint_small_cap(points: Tensor) -> Tensor:
    """Orange with dots above, cream below."""
    angle, height = torch.atan2(points[:, 0], points[:, 2]), points[:, 1]
    colors = plain((0.90, 0.52, 0.12))(points)
    dots = torch.hypot(torch.remainder(angle, math.pi / 2.5) - math.pi / 5, (height - 0.62) * 5) < 0.36
    dots |= torch.hypot(points[:, 0], points[:, 2]) < 0.12
    return over(over(colors, dots & (height > 0.4), WHITE), height < 0.435, CREAM)


def paint_bush(points: Tensor) -> Tensor:
    """Leaf green with red berries."""
    x, y, z = points.unbind(-1)
    leaves = torch.sin(9 * x) * torch.sin(9 * y + 1) * torch.sin(9 * z + 2) > 0
    berries = torch.cos(4 * x + 0.5) * torch.cos(5 * y) * torch.cos(4 * z + 0.7) > 0.72
    colors = over(plain((0.20, 0.48, 0.17))(points), leaves, (0.34, 0.60, 0.22))
    return over(colors, berries, RED)


def mushroom_house() -> Mesh:
    """The model: about 2.2 units high, its door towards +Z."""
    cap = [(0.30, 0.50), (0.62, 0.52), (0.88, 0.46), (1.02, 0.44), (1.04, 0.56), (0.94, 0.82), (0.68, 1.10)]
    cap += [(0.34, 1.27), (0.0, 1.32)]
    stem = [(0.0, -0.62), (0.58, -0.62), (0.60, -0.45), (0.51, -0.15), (0.45, 0.20), (0.46, 0.55)]
    stem += [(0.0, 0.60)]
    ground = [(0.0, -0.80), (0.60, -0.78), (1.00, -0.70), (1.10, -0.62), (0.98, -0.57), (0.55, -0.53)]
    ground += [(0.0, -0.52)]
    chimney = [(0.0, 0.0), (0.13, 0.0), (0.13, 0.30), (0.17, 0.32), (0.17, 0.40), (0.10, 0.41), (0.08, 0.35)]
    chimney += [(0.0, 0.34)]
    small_cap = [(0.05, 0.42), (0.25, 0.40), (0.36, 0.42), (0.33, 0.56), (0.20, 0.70), (0.0, 0.76)]
    small_stem = [(0.0, 0.0), (0.13, 0.0), (0.11, 0.20), (0.12, 0.45), (0.0, 0.48)]
    ball = [(math.cos(math.radians(e)), math.sin(math.radians(e))) for e in range(-90, 91, 30)]
    bush = turned(ball, paint_bush)
    return merge(
        [
            turned(ground, paint_ground),
            turned(stem, paint_stem),
            turned(cap, paint_cap),
            placed(turned(chimney, paint_chimney), at=(0.56, 0.98, -0.30), tilt=8),
            placed(turned(small_stem, plain(WHITE)), at=(-0.74, -0.60, 0.42), tilt=-10),
            placed(turned(small_cap, paint_small_cap), at=(-0.74, -0.60, 0.42), tilt=-10),
            placed(bush, at=(0.76, -0.42, 0.34), scale=0.24),
            placed(bush, at=(0.86, -0.48, 0.05), scale=0.17),
        ]
    ).to(torch.float32)


def daylight() -> SphericalHarmonicsLight:
    """Blue sky, a warm sun on one side of it, and light that the ground sends back."""
    direction = environment_directions(32, 64)
    up = direction[..., 1:2]
    sky = torch.tensor([0.78, 0.86, 1.0]) * (0.75 + 0.15 * up)
    ground = torch.tensor([0.62, 0.58, 0.50]).expand_as(sky)
    sun = torch.nn.functional.normalize(torch.tensor([-0.5, 0.75, 0.65]), dim=0)
    beam = torch.tensor([1.9, 1.7, 1.35]) * (direction @ sun).clamp(min=0)[..., None] ** 8
    return SphericalHarmonicsLight(environment_to_sh(torch.where(up > 0, sky, ground) + beam))


def make_views() -> Views:
    """The pictures: three heights, one of them below the ground, all round."""
    index = torch.arange(VIEWS)
    camera = Camera.orbit(
        5.2,
        torch.tensor(ELEVATIONS)[index % len(ELEVATIONS)],
        index * (360.0 / VIEWS),
        fov_y=32.0,
        width=SIZE,
        height=SIZE,
        target=(0.0, 0.28, 0.0),
    )
    mesh, light = mushroom_house(), daylight()
    pictures = torch.cat(
        [render_antialiased(mesh, camera[i : i + 1], light, samples=4) for i in range(VIEWS)]
    ).clamp(0, 1)
    return Views(pictures[..., :3], pictures[..., 3], camera, [f"{i:02}" for i in range(VIEWS)])


if __name__ == "__main__":
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent / "demo_views"
    save_views(make_views(), folder)
    print(f"{VIEWS} views in {folder}")
