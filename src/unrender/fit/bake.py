"""Painting what a field says onto a mesh."""

from __future__ import annotations

import torch
from torch import Tensor

from ..errors import InputError
from ..geometry import Mesh, gather_corners
from ..implicit.cast import colors_at
from ..implicit.field import Field
from ..io import unwrap
from ..io.atlas import pad_texture
from ..render.raster.grid import Grid
from ..render.raster.interpolate import interpolate
from ..render.raster.zbuffer import rasterize

SEAM = 8  # texels that islands grow over their seams


def bake_texture(field: Field, mesh: Mesh, size: int) -> Mesh:
    """Unwrap a mesh and give every texel the colour of the field at its place on the surface.

    Args:
        field: in whose frame the mesh is.
        mesh: without batch dimensions; its own colours are left out.
        size: side of the texture [texels].

    Returns:
        The mesh with ``uvs`` and a texture (size, size, 3), whose islands grow over their seams.

    Raises:
        InputError: the size is not positive, the mesh has batch dimensions, or a colour is not finite.
        ImportError: xatlas is not installed.
    """
    if size < 1:
        raise InputError(f"size must be positive, got {size}")
    plain = Mesh(mesh.vertices.detach(), mesh.faces)
    unwrapped = unwrap(plain, resolution=size)
    places, covered = texel_places(unwrapped, size)
    texture = torch.zeros(size, size, 3, dtype=mesh.dtype, device=mesh.device)
    with torch.no_grad():
        points = places[covered]
        if len(points):
            texture[covered] = colors_at(field, points).to(texture)
    return unwrapped.replace(texture=pad_texture(texture, covered, pixels=SEAM))


def texel_places(mesh: Mesh, size: int) -> tuple[Tensor, Tensor]:
    """Where centres of texels lie on an unwrapped mesh, (size, size, 3), and which do, bool, (size, size)."""
    assert mesh.uvs is not None
    assert mesh.uv_faces is not None
    x, y = mesh.uvs.unbind(-1)
    flat = torch.stack([(x - 0.5) * size, (0.5 - y) * size, torch.ones_like(x)], -1)  # row 0 is at v = 1
    triangles = gather_corners(flat, mesh.uv_faces)
    starts = torch.tensor([0, mesh.num_faces], device=mesh.device)
    grid = Grid(1, size, size)
    index, weights, _ = rasterize(triangles, starts, grid, perspective=False)
    corners = gather_corners(mesh.vertices, mesh.faces)
    found = interpolate(corners, index, weights, triangles=triangles, image_starts=starts, grid=grid)
    return found[0], index[0] >= 0
