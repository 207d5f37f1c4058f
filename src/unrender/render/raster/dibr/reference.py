"""DIB-R's soft silhouette in plain PyTorch: the definition that the kernels are held to."""

from __future__ import annotations

import torch
from torch import Tensor

from ..grid import Grid
from ..pairs import boundary_distance, pixel_pairs


def soft_mask(
    triangles: Tensor,
    image_starts: Tensor,
    index: Tensor,
    grid: Grid,
    *,
    sigma: float,
    reach: float,
    max_faces: int | None,
) -> Tensor:
    """See :func:`unrender.render.raster.dibr.soft_mask`."""
    covered = (index >= 0).reshape(-1)
    pairs = pixel_pairs(grid, triangles, image_starts, reach=reach, valid=None)
    pairs = pairs.select(~covered[pairs.pixel])
    box = triangles.detach()[..., :2]
    low, high = (box.amin(1) - reach)[pairs.triangle], (box.amax(1) + reach)[pairs.triangle]
    inside = (pairs.x >= low[:, 0]) & (pairs.x < high[:, 0]) & (pairs.y >= low[:, 1]) & (pairs.y < high[:, 1])
    pairs = pairs.select(inside)
    if max_faces is not None:
        # pairs are ordered by triangle, so a stable sort by pixel ranks the triangles of each pixel
        order = torch.sort(pairs.pixel, stable=True).indices
        pixel = pairs.pixel[order]
        counts = torch.bincount(pixel, minlength=covered.shape[0])
        rank = torch.arange(pixel.shape[0], device=pixel.device) - (counts.cumsum(0) - counts)[pixel]
        keep = torch.zeros_like(inside[inside])
        keep[order] = rank < max_faces
        pairs = pairs.select(keep)
    square = boundary_distance(triangles[pairs.triangle], pairs.x, pairs.y)
    p = torch.exp(-square / sigma)
    clear = p.new_ones(covered.shape[0]).scatter_reduce(0, pairs.pixel, 1 - p, "prod")
    return torch.where(covered, 1, 1 - clear).view(index.shape)
