"""Which triangles have a weight in which pixels."""

from __future__ import annotations

import torch
import warp as wp
from torch import Tensor

from ...cells import COARSE, pair_with_cells
from ...grid import Grid
from ...launch import as_warp, launch
from ...pairs import PixelPairs
from .. import op  # noqa: F401 (registers softras_aggregate)
from ..renderer import Aggregation
from ..rules import flatten, rules_of
from . import kernels


def contributing_pairs(
    triangles: Tensor, image_starts: Tensor, valid: Tensor | None, grid: Grid, how: Aggregation
) -> tuple[PixelPairs, Tensor]:
    """The pairs whose weight is not 0, and the least depth of each pixel, of shape (I H W,); no gradient."""
    device = triangles.device
    seen = triangles.detach().contiguous()
    choices, numbers = flatten(how, channels=1)
    table = seen.new_zeros(1, 3)
    rows = torch.zeros(seen.shape[0], dtype=torch.int32, device=device)
    place = (grid.height, grid.width, grid.step_x, grid.step_y)
    _, _, nearest, total = torch.ops.unrender.softras_aggregate(
        table, rows, seen, image_starts, valid, *place, choices, numbers
    )
    size = COARSE[device.type]
    cells = pair_with_cells(grid, seen, image_starts, size=size, reach=how.reach, valid=valid)
    shared = [
        cells.screen,
        rules_of(choices, numbers),
        as_warp(seen, wp.mat33),
        as_warp(cells.triangle, wp.int32),
        as_warp(cells.cell, wp.int32),
        as_warp(nearest, wp.float32),
        as_warp(total, wp.float32),
    ]
    counts = torch.empty(cells.triangle.shape[0], dtype=torch.int64, device=device)
    pixel = triangle = counts[:0]
    for only_count in (1, 0):
        launch(
            kernels.list_contributions,
            counts.shape[0],
            [*shared, only_count, *(as_warp(t, wp.int64) for t in (counts, pixel, triangle))],
            device,
            grain=64,
        )
        if only_count:
            ends = counts.cumsum(0)
            counts = ends - counts
            pixel = counts.new_empty(int(ends[-1]) if len(ends) else 0)
            triangle = torch.empty_like(pixel)
    return PixelPairs.of(grid, pixel, triangle, triangles.dtype), nearest.view(-1)
