"""Meshes to start from: spheres of three kinds, and a box."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from ..errors import InputError
from .corners import gather_corners
from .mesh import Mesh
from .subdivision import subdivide

# The golden-ratio icosahedron: 12 vertices on three rectangles, faces counter-clockwise from outside.
_PHI = (1 + math.sqrt(5)) / 2
_ICOSAHEDRON_VERTICES = (
    (-1, _PHI, 0), (1, _PHI, 0), (-1, -_PHI, 0), (1, -_PHI, 0), (0, -1, _PHI), (0, 1, _PHI),
    (0, -1, -_PHI), (0, 1, -_PHI), (_PHI, 0, -1), (_PHI, 0, 1), (-_PHI, 0, -1), (-_PHI, 0, 1),
)  # fmt: skip
_ICOSAHEDRON_FACES = (
    (0, 11, 5), (0, 5, 1), (0, 1, 7), (0, 7, 10), (0, 10, 11), (1, 5, 9), (5, 11, 4), (11, 10, 2), (10, 7, 6),
    (7, 1, 8), (3, 9, 4), (3, 4, 2), (3, 2, 6), (3, 6, 8), (3, 8, 9), (4, 9, 5), (2, 4, 11), (6, 2, 10),
    (8, 6, 7), (9, 8, 1),
)  # fmt: skip


def icosphere(
    subdivisions: int = 3,
    *,
    radius: float = 1.0,
    dtype: torch.dtype = torch.float32,
    device: torch.device | str | None = None,
) -> Mesh:
    """A sphere of nearly equal triangles: an icosahedron, subdivided and projected.

    It has 10 * 4^n + 2 vertices and 20 * 4^n faces: 162 and 320 at n = 2, 642 and 1280 at n = 3 (the template
    of the papers), 2562 and 5120 at n = 4.

    Args:
        subdivisions: n.
        radius: [world units].
        dtype: floating-point type of the vertices.
        device: where to make it.

    Raises:
        InputError: ``subdivisions`` is negative.
    """
    vertices = torch.tensor(_ICOSAHEDRON_VERTICES, dtype=torch.float64)
    mesh = Mesh(vertices, torch.tensor(_ICOSAHEDRON_FACES))
    if subdivisions < 0:
        raise InputError(f"subdivisions must not be negative, got {subdivisions}")
    for _ in range(subdivisions):
        mesh = subdivide(mesh.replace(vertices=_on_unit_sphere(mesh.vertices)))
    mesh = mesh.replace(vertices=radius * _on_unit_sphere(mesh.vertices))
    return mesh.to(dtype) if device is None else mesh.to(dtype).to(torch.device(device))


def uv_sphere(
    rows: int = 24,
    columns: int = 48,
    *,
    radius: float = 1.0,
    dtype: torch.dtype = torch.float32,
    device: torch.device | str | None = None,
) -> Mesh:
    """A sphere of latitude rows and longitude columns with UVs in [0, 1] (an equirectangular map).

    The picture's centre is at +Z, its right half towards +X, its top at +Y, and its seam at -Z. The mesh is
    closed: seam and poles are doubled in ``uvs`` alone, the seam as u = 0 and u = 1, the poles as one UV in
    the middle of each column.

    Args:
        rows: bands from pole to pole, at least 2.
        columns: at least 3.
        radius: [world units].
        dtype: floating-point type.
        device: where to make it.

    Returns:
        A mesh of (rows - 1) * columns + 2 vertices and 2 * (rows - 1) * columns faces.

    Raises:
        InputError: too few rows or columns.
    """
    if rows < 2 or columns < 3:
        raise InputError(f"a uv sphere needs at least 2 rows and 3 columns, got {rows} and {columns}")
    v = 1 - torch.arange(1, rows, dtype=torch.float64) / rows
    u = torch.arange(columns + 1, dtype=torch.float64) / columns
    ring_uvs = torch.stack(torch.broadcast_tensors(u[None, :], v[:, None]), -1)
    poles = torch.tensor([[0.0, 1.0, 0.0], [0.0, -1.0, 0.0]], dtype=torch.float64)
    vertices = torch.cat([_from_spherical(ring_uvs[:, :-1].reshape(-1, 2)), poles])
    middles = (u[1:] + u[:-1]) / 2
    pole_uvs = [torch.stack([middles, torch.full_like(middles, end)], -1) for end in (1.0, 0.0)]
    uvs = torch.cat([ring_uvs.reshape(-1, 2), *pole_uvs])

    column = torch.arange(columns)
    ring = torch.arange(rows - 1)[:, None]
    first_pole = (rows - 1) * columns
    first_pole_uv = (rows - 1) * (columns + 1)
    faces = _sphere_faces(
        ring * columns + column,
        ring * columns + (column + 1) % columns,
        torch.full((columns,), first_pole),
        torch.full((columns,), first_pole + 1),
    )
    left = ring * (columns + 1) + column
    uv_faces = _sphere_faces(left, left + 1, first_pole_uv + column, first_pole_uv + columns + column)
    mesh = Mesh(radius * vertices, faces, uvs=uvs, uv_faces=uv_faces).to(dtype)
    return mesh if device is None else mesh.to(torch.device(device))


def fibonacci_sphere(
    vertices: int = 1352,
    *,
    radius: float = 1.0,
    dtype: torch.dtype = torch.float32,
    device: torch.device | str | None = None,
) -> Mesh:
    """A sphere of any number of vertices, evenly spread along a spiral: the hull of a Fibonacci lattice.

    It has 2 V - 4 nearly equilateral faces; 1352 vertices are those of the sphere that Soft Rasterizer's
    example deforms.

    Args:
        vertices: V, at least 4.
        radius: [world units].
        dtype: floating-point type of the vertices.
        device: where to make it.

    Raises:
        InputError: fewer than 4 vertices.
        ImportError: SciPy is not installed.
    """
    if vertices < 4:
        raise InputError(f"a sphere needs at least 4 vertices, got {vertices}")
    try:
        from scipy.spatial import ConvexHull
    except ImportError as error:
        raise ImportError("fibonacci_sphere needs SciPy: pip install 'unrender[mesh]'") from error
    i = torch.arange(vertices, dtype=torch.float64) + 0.5
    height, angle = 1 - 2 * i / vertices, i * math.pi * (3 - math.sqrt(5))
    across = (1 - height.square()).sqrt()
    points = torch.stack([across * angle.cos(), height, across * angle.sin()], -1)
    faces = torch.from_numpy(ConvexHull(points.numpy()).simplices).long()
    a, b, c = points[faces].unbind(1)
    inward = (torch.linalg.cross(b - a, c - a) * a).sum(-1) < 0
    faces = torch.where(inward[:, None], faces.flip(-1), faces)
    mesh = Mesh(radius * points, faces).to(dtype)
    return mesh if device is None else mesh.to(torch.device(device))


def cube(
    *, size: float = 1.0, dtype: torch.dtype = torch.float32, device: torch.device | str | None = None
) -> Mesh:
    """A box of 8 vertices and 12 faces round the origin, each side with its own cell of the UV square.

    The cells are 3 by 2: +X, -X, +Y in the upper row of the picture, -Y, +Z, -Z in the lower; seen from
    outside none is mirrored.

    Args:
        size: length of an edge [world units].
        dtype: floating-point type.
        device: where to make it.
    """
    signs = torch.tensor([-1.0, 1.0], dtype=torch.float64)
    vertices = torch.cartesian_prod(signs, signs, signs) * size / 2
    # Corners 4x + 2y + z of each side: lower left, lower right, upper right, upper left, seen from outside.
    sides = torch.tensor([[5, 4, 6, 7], [0, 1, 3, 2], [3, 7, 6, 2], [0, 4, 5, 1], [1, 5, 7, 3], [4, 0, 2, 6]])
    # UV points on a grid of 4 columns and 3 rows; row 0 at the bottom.
    grid = torch.cartesian_prod(
        torch.arange(3.0, dtype=torch.float64) / 2, torch.arange(4.0, dtype=torch.float64) / 3
    )
    cell = torch.tensor([4, 5, 6, 0, 1, 2])[:, None]
    cells = torch.cat([cell, cell + 1, cell + 5, cell + 4], -1)
    halves = [[0, 1, 2], [0, 2, 3]]
    mesh = Mesh(
        vertices, sides[:, halves].reshape(-1, 3), uvs=grid.flip(-1), uv_faces=cells[:, halves].reshape(-1, 3)
    ).to(dtype)
    return mesh if device is None else mesh.to(torch.device(device))


def spherical_uvs(mesh: Mesh) -> Mesh:
    """Give a star-shaped mesh, such as an icosphere, the UVs of :func:`uv_sphere` round the origin.

    No vertex is doubled. Every face gets UVs without a jump: one that crosses the seam reaches beyond u = 1,
    so the texture has to be sampled with wrap-around in u; a corner on the pole gets the middle u of the
    other two corners. The UVs carry no gradient.

    Args:
        mesh: one mesh without batch dimensions; its old UVs are dropped.

    Raises:
        InputError: the mesh is batched.
    """
    if mesh.batch_shape:
        raise InputError(f"spherical_uvs needs vertices of shape (V, 3), got {tuple(mesh.vertices.shape)}")
    x, y, z = mesh.vertices.detach().unbind(-1)
    across = torch.hypot(x, z)
    u = torch.atan2(x, z) / (2 * torch.pi) + 0.5
    v = torch.atan2(y, across) / torch.pi + 0.5
    on_pole = across <= 1e-6 * torch.hypot(across, y)
    per_vertex = torch.stack([u, v, on_pole.to(u.dtype)], -1)
    u, v, pole = gather_corners(per_vertex, mesh.faces).unbind(-1)
    pole = pole > 0

    # Unwrap against the first corner that is not on a pole.
    reference = u.gather(-1, pole.int().argmin(-1, keepdim=True))
    u = reference + (u - reference + 0.5) % 1 - 0.5
    others = torch.where(pole, 0, u).sum(-1, keepdim=True) / (~pole).sum(-1, keepdim=True).clamp(min=1)
    u = torch.where(pole, others, u)
    # Whole faces move together, so that the least u lies in [0, 1).
    u = (u - (u.amin(-1, keepdim=True) + 1e-6).floor()).clamp(min=0)

    # Corners of one vertex share a UV where they agree, to rounding, in u.
    corners = torch.stack([u, v], -1).reshape(-1, 2)
    keys = torch.stack([mesh.faces.reshape(-1).long(), (corners[:, 0] * 2**16).round().long()], -1)
    _, uv_faces = torch.unique(keys, dim=0, return_inverse=True)
    places = torch.arange(uv_faces.shape[0], device=mesh.device)
    first = torch.full_like(places, places.shape[0]).scatter_reduce(0, uv_faces, places, "amin")
    uvs = corners[first[: int(uv_faces.max()) + 1]]
    return mesh.replace(uvs=uvs, uv_faces=uv_faces.reshape(-1, 3))


def _on_unit_sphere(vertices: Tensor) -> Tensor:
    return vertices / torch.linalg.vector_norm(vertices, dim=-1, keepdim=True)


def _from_spherical(uvs: Tensor) -> Tensor:
    azimuth, elevation = 2 * torch.pi * (uvs[:, 0] - 0.5), torch.pi * (uvs[:, 1] - 0.5)
    across = torch.cos(elevation)
    return torch.stack([across * torch.sin(azimuth), torch.sin(elevation), across * torch.cos(azimuth)], -1)


def _sphere_faces(left: Tensor, right: Tensor, top: Tensor, bottom: Tensor) -> Tensor:
    """Faces between the rings (R, columns), given the index left and right of each cell, and to the poles."""
    cells = torch.stack([left[1:], right[1:], right[:-1], left[:-1]], -1).reshape(-1, 4)
    bands = cells[:, [[0, 1, 2], [0, 2, 3]]].reshape(-1, 3)
    caps = [torch.stack([left[0], right[0], top], -1), torch.stack([right[-1], left[-1], bottom], -1)]
    return torch.cat([bands, *caps])
