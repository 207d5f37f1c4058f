"""Solids on a grid of cells, by the protocol behind the published 3D IoU of N3MR and SoftRas."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from ..errors import InputError


def voxelize(triangles: Tensor, size: int) -> Tensor:
    """The cells of a cubic grid that a closed surface runs through or encloses.

    The protocol of the Neural 3D Mesh Renderer (Kato et al. 2018, released code), which Soft Rasterizer took
    over. With coordinates in cells, surface cells are those

    - that touch a grid line, along any of the three axes, at the height where the line meets a triangle, and
    - that hold a corner of a triangle.

    All cells that cannot be reached from the border of the grid through cells without surface are filled:
    the surface itself, and what it encloses. A surface with a hole of a cell or more is not filled. Cells
    reach up to one cell beyond the surface, so that the solid is a little too large.

    Args:
        triangles: corners, the grid being the cube [0, 1]^3, shape (..., F, 3, 3).
        size: S.

    Returns:
        Filled cells, bool, shape (..., S, S, S); cell (i, j, k) is [i, i + 1] x [j, j + 1] x [k, k + 1]
        over S. No gradient.

    Raises:
        InputError: a shape is wrong, or ``size`` is not positive.
    """
    if triangles.ndim < 3 or triangles.shape[-2:] != (3, 3):
        raise InputError(f"triangles must have shape (..., F, 3, 3), got {tuple(triangles.shape)}")
    if size < 1:
        raise InputError(f"size must be at least 1, got {size}")
    *batch, count, _, _ = triangles.shape
    corners = triangles.detach().reshape(-1, 3, 3) * size
    grids = math.prod(batch)
    grid = torch.arange(grids, device=corners.device).repeat_interleave(count)
    surface = torch.zeros(grids, size, size, size, dtype=torch.bool, device=corners.device)
    _mark(surface, grid[:, None].expand(-1, 3), corners.floor())
    for axis in range(3):
        _mark_line_hits(surface, grid, corners, axis)
    return (~_reached_from_outside(surface)).reshape(*batch, size, size, size)


def voxel_iou(a: Tensor, b: Tensor) -> Tensor:
    """Intersection over union of two solids: the number of cells in both over the number in any.

    Args:
        a: filled cells, bool, or numbers that count as filled where they are positive, shape (..., S, S, S).
        b: the same; batch dimensions broadcast.

    Returns:
        Shape (...), float32; 1 where both are empty.

    Raises:
        InputError: the shapes do not fit each other.
    """
    if a.ndim < 3 or a.shape[-3:] != b.shape[-3:]:
        raise InputError(
            f"a and b must have one shape (..., S, S, S), got {tuple(a.shape)} and {tuple(b.shape)}"
        )
    a, b = a > 0, b > 0
    both, either = (a & b).sum((-3, -2, -1)), (a | b).sum((-3, -2, -1))
    return torch.where(either > 0, both / either.clamp(min=1), 1.0)


def _mark_line_hits(surface: Tensor, grid: Tensor, corners: Tensor, axis: int) -> None:
    """Mark the four cells round each grid line along ``axis`` at the height where it meets a triangle.

    ``grid`` (T,) is each triangle's grid in ``surface`` (G, S, S, S); ``corners`` (T, 3, 3) are in cells.
    """
    size = surface.shape[-1]
    across = [a for a in range(3) if a != axis]
    flat, height = corners[..., across], corners[..., axis]

    # every pair of a triangle and a line through its bounding box
    low, high = flat.amin(1), flat.amax(1)
    finite = (torch.isfinite(low) & torch.isfinite(high)).all(1)
    first = low.ceil().clamp(0, size).nan_to_num().long()
    extent = (high.floor().clamp(-1, size - 1).nan_to_num(-1).long() + 1 - first).clamp(min=0)
    lines = extent.prod(1) * finite
    triangle = torch.arange(len(corners), device=corners.device).repeat_interleave(lines)
    place = torch.arange(len(triangle), device=corners.device) - (lines.cumsum(0) - lines)[triangle]
    width = extent[triangle, 1].clamp(min=1)
    line = first[triangle] + torch.stack([place // width, place % width], dim=-1)

    # Twice the areas that the line spans with each edge: neighbours get exactly opposite values at the edge
    # that they share, so no line passes between them.
    spokes = flat[triangle] - line[:, None]
    ahead, behind = spokes.roll(-1, 1), spokes.roll(1, 1)
    areas = ahead[..., 0] * behind[..., 1] - ahead[..., 1] * behind[..., 0]
    total = areas.sum(1)
    hit = ((areas >= 0).all(1) | (areas <= 0).all(1)) & (total != 0)
    areas, total, triangle, line = areas[hit], total[hit], triangle[hit], line[hit]
    rise = height[triangle] - height[triangle, :1]
    level = height[triangle, 0] + (areas * rise).sum(1) / total

    cells = torch.empty(len(line), 4, 3, dtype=corners.dtype, device=corners.device)
    cells[..., across] = (line[:, None] - line.new_tensor([[0, 0], [0, 1], [1, 0], [1, 1]])).to(corners.dtype)
    cells[..., axis] = level.floor()[:, None]
    _mark(surface, grid[triangle, None].expand(-1, 4), cells)


def _mark(surface: Tensor, grid: Tensor, cells: Tensor) -> None:
    """Mark cells (..., 3) of the grids (...), where they are in their grid."""
    size = surface.shape[-1]
    inside = ((cells >= 0) & (cells < size)).all(-1)
    i, j, k = cells[inside].long().unbind(-1)
    surface[grid[inside], i, j, k] = True


def _reached_from_outside(surface: Tensor) -> Tensor:
    """Cells without surface that steps through the sides of such cells connect with the grid's border."""
    from scipy import ndimage

    empty = (~surface).cpu().numpy()
    border = empty.copy()
    border[:, 1:-1, 1:-1, 1:-1] = False
    steps = ndimage.generate_binary_structure(3, 1)[None]  # none from one grid to the next
    reached = ndimage.binary_propagation(border, structure=steps, mask=empty)
    return torch.from_numpy(reached).to(surface.device)
