"""A small coloured object, off the origin, and pictures of it."""

from collections.abc import Callable

import pytest
import torch

from unrender.geometry import Mesh, cube, icosphere, merge, subdivide
from unrender.io import Views
from unrender.render import Camera
from unrender.render.turntable import render_antialiased

MIDDLE = (5.0, -2.0, 1.0)
DISTANCE = 9.0


@pytest.fixture(scope="session")
def thing() -> Mesh:
    """A blue and white box with a red ellipsoid on top, about 2.4 units high, its box centred at MIDDLE."""
    box = subdivide(cube(size=2.0), 3)
    x, y, z = (box.vertices * torch.tensor([1.0, 0.6, 0.8])).unbind(-1)
    blue, white = torch.tensor([0.1, 0.2, 0.8]), torch.tensor([0.9, 0.9, 0.85])
    colors = torch.where((x + 0.3 * z > 0)[:, None], blue, white)
    box = Mesh(torch.stack([x, y, z], -1), box.faces, vertex_colors=colors)
    ball = icosphere(3)
    vertices = ball.vertices * torch.tensor([0.6, 0.9, 0.6]) + torch.tensor([0.2, 0.9, 0.0])
    red = torch.tensor([0.85, 0.15, 0.1]).expand(ball.num_vertices, 3)
    both = merge([box, Mesh(vertices, ball.faces, vertex_colors=red)])
    return both.replace(vertices=both.vertices + torch.tensor(MIDDLE))


def around(count: int, size: int, *, distance: float = DISTANCE) -> Camera:
    """Cameras all round the object, at three heights in turn."""
    index = torch.arange(count)
    elevation = torch.tensor([-25.0, 10.0, 45.0])[index % 3]
    target = (MIDDLE[0], MIDDLE[1] + 0.5, MIDDLE[2])
    return Camera.orbit(
        distance, elevation, index * 360.0 / count, fov_y=30.0, width=size, height=size, target=target
    )


@pytest.fixture(scope="session")
def thing_views(thing, device) -> Callable[..., Views]:
    """Makes pictures of the object: ``thing_views(count, size)``."""

    def make(count: int = 12, size: int = 48) -> Views:
        camera = around(count, size)
        rgba = render_antialiased(thing, camera, samples=4).clamp(0, 1)
        return Views(rgba[..., :3], rgba[..., 3], camera, [f"view{i}" for i in range(count)]).to(device)

    return make
