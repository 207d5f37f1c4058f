"""What neural_renderer's tests draw."""

import torch

import unrender.compat.neural_renderer as nr
from unrender.geometry import icosphere


def triangle(device, *corners):
    """One face (1, 1, 3, 3) on the screen; by default it covers the lower left half of the picture."""
    corners = corners or ((-1.0, -1.0, 2.0), (1.0, -1.0, 2.0), (-1.0, 1.0, 2.0))
    return torch.tensor([[corners]], device=device, dtype=torch.float64)


def ball(device, dtype=torch.float64, size=3):
    """A batch of one mesh with dents and random textures."""
    mesh = icosphere(1, dtype=torch.float64)
    x, y, z = mesh.vertices.unbind(-1)
    vertices = mesh.vertices * (1 + 0.3 * torch.sin(5 * x) * torch.cos(4 * y + z))[:, None]
    textures = torch.rand(1, mesh.num_faces, size, size, size, 3, dtype=torch.float64)
    return vertices[None].to(device, dtype), mesh.faces[None].to(device), textures.to(device, dtype)


def plain_renderer(**options):
    """Small pictures in the colours of the textures."""
    own = {"camera_mode": "look_at", "image_size": 32, "anti_aliasing": False, "light_intensity_ambient": 1.0}
    return nr.Renderer(**{**own, "light_intensity_directional": 0.0, **options})
