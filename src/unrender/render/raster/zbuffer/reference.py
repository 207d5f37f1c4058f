"""The z-buffer in plain PyTorch: the definition that the kernels are held to."""

from __future__ import annotations

import torch
from torch import Tensor

from ..grid import Grid
from ..pairs import PixelPairs, edge_functions, pixel_pairs


def rasterize(
    triangles: Tensor,
    image_starts: Tensor,
    valid: Tensor | None,
    grid: Grid,
    *,
    perspective: bool,
    eps: float,
) -> tuple[Tensor, Tensor, Tensor]:
    """See :func:`unrender.render.raster.zbuffer.rasterize`."""
    pixels = grid.images * grid.height * grid.width
    with torch.no_grad():
        pairs = pixel_pairs(grid, triangles, image_starts, reach=0.0, valid=valid)
        weights, z, inside = _interpolate(triangles, pairs, perspective, eps)
        keep = inside & (z < torch.inf)
        pixel, triangle, z = pairs.pixel[keep], pairs.triangle[keep], z[keep]
        nearest = z.new_full((pixels,), torch.inf).scatter_reduce(0, pixel, z, "amin")
        first = z == nearest[pixel]
        count = triangles.shape[0]
        index = triangle.new_full((pixels,), count)
        index = index.scatter_reduce(0, pixel[first], triangle[first], "amin")
        covered = (index < count).nonzero().squeeze(1)
        chosen = PixelPairs.of(grid, covered, index[covered], triangles.dtype)
    weights, z, _ = _interpolate(triangles, chosen, perspective, eps)
    shape = (grid.images, grid.height, grid.width)
    full_weights = triangles.new_zeros(pixels, 3).index_put((covered,), weights)
    full_z = triangles.new_zeros(pixels).index_put((covered,), z)
    index = torch.where(index < count, index, -1).int()
    return index.view(shape), full_weights.view(*shape, 3), full_z.view(shape)


def _interpolate(
    triangles: Tensor, pairs: PixelPairs, perspective: bool, eps: float
) -> tuple[Tensor, Tensor, Tensor]:
    """Weights (P, 3) and depth (P,) of each pair, and whether the pixel is inside."""
    t = triangles[pairs.triangle]
    e = edge_functions(t, pairs.x, pairs.y)
    area = e[:, 0] + e[:, 1] + e[:, 2]
    area = area + torch.where(area < 0, -eps, eps)
    proper = area.abs() > torch.finfo(area.dtype).tiny  # of smaller areas the inverse overflows
    b = e / torch.where(proper, area, 1)[:, None]
    box = t.detach()[..., :2]
    low, high = box.amin(1), box.amax(1)
    inside = (b >= 0).all(1) & proper
    inside &= (pairs.x >= low[:, 0]) & (pairs.x < high[:, 0])
    inside &= (pairs.y >= low[:, 1]) & (pairs.y < high[:, 1])
    if not perspective:
        return b, (b * t[..., 2]).sum(1), inside
    s = b / t[..., 2]
    z = 1 / s.sum(1)
    return s * z[:, None], z, inside
