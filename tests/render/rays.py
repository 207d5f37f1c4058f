"""What a render is held to: rays against every face, in numpy, and a mesh with bumps to shoot at."""

import dataclasses

import numpy as np
import torch

from unrender.geometry import Mesh, icosphere
from unrender.render import Camera


def bumpy_mesh(device, dtype=torch.float64, *, subdivisions: int = 2) -> Mesh:
    """A closed shape with dents, about 1 in radius, with uvs and a colour at each vertex."""
    mesh = icosphere(subdivisions, dtype=torch.float64)
    x, y, z = mesh.vertices.unbind(-1)
    vertices = mesh.vertices * (1 + 0.2 * torch.sin(5 * x) * torch.cos(4 * y + z))[:, None]
    colors = 0.5 + 0.5 * torch.sin(3 * vertices + torch.tensor([0.0, 1.0, 2.0]))
    uvs = 0.5 + 0.4 * torch.stack([torch.sin(2 * x + y), torch.cos(2 * y + z)], -1)
    return Mesh(vertices, mesh.faces, uvs=uvs, vertex_colors=colors).to(dtype).to(device)


def odd_camera(device, dtype=torch.float64, *, orthographic: bool = False, **options) -> Camera:
    """36 x 26 pixels, not square, with skew and the principal point off the middle."""
    distance = torch.tensor(2.5, dtype=torch.float64)
    camera = Camera.orbit(distance, 25.0, 40.0, fov_y=50.0, width=36, height=26)
    scale = 1 / 2.5 if orthographic else 1.0
    intrinsics = torch.tensor(
        [[31 * scale, 2 * scale, 15.3], [0, 24 * scale, 14.8], [0, 0, 1]], dtype=torch.float64
    )
    camera = camera.replace(intrinsics=intrinsics, orthographic=orthographic, **options)
    return camera.to(dtype).to(device)


@dataclasses.dataclass(frozen=True)
class Hits:
    """Nearest face of each pixel, or -1, whether it shows its outside, and the point on it."""

    face: np.ndarray
    front: np.ndarray
    depth: np.ndarray
    barycentrics: np.ndarray
    points: np.ndarray

    def interpolate(self, values: torch.Tensor | None, faces: torch.Tensor) -> np.ndarray:
        """Values of vertices (V, C) at each pixel, 0 where nothing is hit."""
        assert values is not None
        corners = values.detach().double().cpu().numpy()[faces.cpu().numpy()[self.face]]
        result = (self.barycentrics[..., None] * corners).sum(-2)
        return np.where(self.face[..., None] >= 0, result, 0)


def cast_rays(mesh: Mesh, camera: Camera) -> Hits:
    """Möller and Trumbore's intersection of the ray of every pixel with every face, in float64."""
    pose = camera.world_to_camera.detach().double().cpu().numpy()
    corners = mesh.vertices.detach().double().cpu().numpy() @ pose[:3, :3].T + pose[:3, 3]
    a, b, c = (corners[mesh.faces.cpu().numpy()[:, k]] for k in range(3))
    columns, rows = np.meshgrid(np.arange(camera.width) + 0.5, np.arange(camera.height) + 0.5)
    pixels = np.stack([columns, rows, np.ones_like(rows)], -1)
    screen = pixels @ np.linalg.inv(camera.intrinsics.detach().double().cpu().numpy()).T
    if camera.orthographic:
        origin, ray = screen * [1, 1, 0], np.broadcast_to([0.0, 0, 1], screen.shape)
    else:
        origin, ray = np.zeros(screen.shape), screen  # z = 1, so that lengths along it are depths
    origin, ray = origin[..., None, :], ray[..., None, :]

    normal_b = np.cross(ray, c - a)
    with np.errstate(divide="ignore", invalid="ignore"):
        determinant = ((b - a) * normal_b).sum(-1)
        w1 = ((origin - a) * normal_b).sum(-1) / determinant
        normal_c = np.cross(origin - a, b - a)
        w2 = (ray * normal_c).sum(-1) / determinant
        depth = ((c - a) * normal_c).sum(-1) / determinant
        hit = (w1 >= 0) & (w2 >= 0) & (w1 + w2 <= 1) & (depth > camera.near)
    depth = np.where(hit, depth, np.inf)
    face = depth.argmin(-1)
    w0, w1, w2, depth = (
        np.take_along_axis(v, face[..., None], -1)[..., 0] for v in (1 - w1 - w2, w1, w2, depth)
    )
    seen = np.isfinite(depth)
    points = origin[..., 0, :] + np.where(seen, depth, 0)[..., None] * ray[..., 0, :]
    points = (points - pose[:3, 3]) @ pose[:3, :3]
    return Hits(
        np.where(seen, face, -1),
        np.take_along_axis(determinant > 0, face[..., None], -1)[..., 0],
        np.where(seen, depth, 0),
        np.where(seen[..., None], np.stack([w0, w1, w2], -1), 0),
        np.where(seen[..., None], points, 0),
    )
