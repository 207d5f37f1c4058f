"""(pixel, triangle) pairs in plain PyTorch: what the reference implementations are built on."""

from __future__ import annotations

import dataclasses

import torch
from torch import Tensor

from .grid import Grid, image_of_triangles


@dataclasses.dataclass(frozen=True)
class PixelPairs:
    """Pixels and triangles that may meet, ordered by triangle.

    Attributes:
        pixel: flat index into the (I, H, W) pictures, int64, shape (P,).
        triangle: int64, shape (P,).
        x: screen x of the pixel, shape (P,).
        y: screen y of the pixel, shape (P,).
    """

    pixel: Tensor
    triangle: Tensor
    x: Tensor
    y: Tensor

    @staticmethod
    def of(grid: Grid, pixel: Tensor, triangle: Tensor, dtype: torch.dtype) -> PixelPairs:
        """Pairs with the coordinates of the given flat pixel indices."""
        xs, ys = grid.centres(dtype, pixel.device)
        row = torch.div(pixel, grid.width, rounding_mode="floor")
        return PixelPairs(pixel, triangle, xs[pixel - row * grid.width], ys[row % grid.height])

    def select(self, keep: Tensor) -> PixelPairs:
        """The pairs where ``keep``, bool of shape (P,), is true."""
        return PixelPairs(self.pixel[keep], self.triangle[keep], self.x[keep], self.y[keep])


def pixel_pairs(
    grid: Grid, triangles: Tensor, image_starts: Tensor, *, reach: float, valid: Tensor | None
) -> PixelPairs:
    """All pixels in the bounding box of each triangle, enlarged by ``reach`` (generous by up to a pixel)."""
    count = triangles.shape[0]
    first, last = grid.pixel_boxes(triangles, reach)
    span = last - first
    sizes = span[:, 0] * span[:, 1]
    if valid is not None:
        sizes = sizes * valid
    ends = sizes.cumsum(0)
    triangle = torch.repeat_interleave(torch.arange(count, device=first.device), sizes)
    local = torch.arange(triangle.shape[0], device=first.device) - (ends - sizes)[triangle]
    wide = span[:, 0].clamp(min=1)[triangle]
    down = torch.div(local, wide, rounding_mode="floor")
    row = first[:, 1][triangle] + down
    column = first[:, 0][triangle] + local - down * wide
    image = image_of_triangles(image_starts, count)[triangle]
    return PixelPairs.of(grid, (image * grid.height + row) * grid.width + column, triangle, triangles.dtype)


def edge_functions(t: Tensor, x: Tensor, y: Tensor) -> Tensor:
    """Twice the signed areas that points (P,) span with the edges of triangles (P, 3, 3): shape (P, 3)."""
    dx, dy = t[..., 0] - x[:, None], t[..., 1] - y[:, None]
    bx, cx, by, cy = dx.roll(-1, 1), dx.roll(-2, 1), dy.roll(-1, 1), dy.roll(-2, 1)
    return bx * cy - by * cx


def boundary_distance(t: Tensor, x: Tensor, y: Tensor) -> Tensor:
    """Squared distance from points (P,) to the boundary of triangles (P, 3, 3) on the screen: shape (P,)."""
    a = t[..., :2]
    u = a.roll(-1, 1) - a
    v = torch.stack([x, y], -1)[:, None] - a
    length = (u * u).sum(-1)
    # to first order the nearest point does not slide, so the gradient passes it by
    along = ((u * v).sum(-1) / torch.where(length > 0, length, 1)).clamp(0, 1).detach()
    gap = v - along[..., None] * u
    return (gap * gap).sum(-1).amin(1)
