"""(triangle, cell of pixels) pairs: the tile binning that all rasterizers share.

Memory grows with the number of overlaps; there is no bin to overflow and no size to tune.
"""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import torch
import warp as wp
from torch import Tensor

from ...errors import InputError
from . import binning as kernels
from .grid import Grid
from .launch import as_warp, launch
from .triangle import Screen

# A CPU thread draws a cell at a time, triangle by triangle; on a GPU a thread draws one pixel of it.
FINE = 8
_BLOCK = {"cpu": 8, "cuda": 1}
# Backward passes of what a triangle covers have a thread a (triangle, cell) pair: large cells on the CPU,
# where few pairs are less work, small ones where there are many threads to feed.
COARSE = {"cpu": 64, "cuda": 8}


@dataclasses.dataclass(frozen=True)
class Cells:
    """Pairs ordered by triangle and then by cell.

    Attributes:
        screen: the pixels and cells as the kernels see them, a ``triangle.Screen``.
        count: number of cells in all pictures.
        triangle: int32, shape (P,).
        cell: picture-major, row-major cell index, int32, shape (P,).
        starts: pairs of triangle t are ``starts[t] : starts[t + 1]``, int32, shape (T + 1,).
    """

    screen: Any
    count: int
    triangle: Tensor
    cell: Tensor
    starts: Tensor

    @property
    def blocks(self) -> int:
        """Blocks of pixels in a cell, each a thread's work in a forward pass."""
        return (self.screen.cell // self.screen.block) ** 2


def pair_with_cells(
    grid: Grid,
    triangles: Tensor,
    image_starts: Tensor,
    *,
    size: int,
    reach: float = 0.0,
    valid: Tensor | None = None,
    open_cells: Tensor | None = None,
) -> Cells:
    """Pair every triangle with the cells that its bounding box, enlarged by ``reach``, overlaps.

    Args:
        grid: the pixels.
        triangles: screen triangles, shape (T, 3, 3).
        image_starts: first triangle of each picture, then T: int64, shape (I + 1,).
        size: side of a cell in pixels.
        reach: margin around the bounding box, screen units.
        valid: triangles to keep, bool, shape (T,).
        open_cells: cells to keep, bool, shape (cells,); of the same ``size``.
    """
    device, count = triangles.device, triangles.shape[0]
    screen = screen_of(grid, size, device)
    cells = grid.images * screen.columns * screen.rows
    if cells >= 2**31:
        raise InputError(
            f"{grid.images} pictures of {grid.width} x {grid.height} have too many pixels: split them"
        )
    nothing = torch.empty(0, dtype=torch.bool, device=device)
    shared = [
        screen,
        reach,
        as_warp(triangles, wp.mat33),
        as_warp(image_starts, wp.int64),
        grid.images,
        int(open_cells is not None),
        as_warp(nothing if open_cells is None else open_cells, wp.bool),
    ]
    counts = torch.empty(count, dtype=torch.int32, device=device)
    keep = nothing if valid is None else valid
    launch(
        kernels.count_cells,
        count,
        [*shared, int(valid is not None), as_warp(keep, wp.bool), as_warp(counts, wp.int32)],
        device,
        grain=1024,
    )
    ends = counts.cumsum(0)
    total = int(ends[-1]) if count else 0
    if total >= 2**31:
        raise InputError(
            f"the pictures have {total} triangle-cell overlaps, more than 2**31: render them in parts"
        )
    starts = torch.cat([ends.new_zeros(1), ends]).int()
    triangle = torch.empty(total, dtype=torch.int32, device=device)
    cell = torch.empty_like(triangle)
    launch(
        kernels.list_cells,
        count,
        [*shared, *(as_warp(t, wp.int32) for t in (starts, triangle, cell))],
        device,
        grain=1024,
    )
    return Cells(screen, cells, triangle, cell, starts)


def screen_of(grid: Grid, size: int, device: torch.device) -> Any:
    """The kernels' view of the grid, cut into cells of ``size`` pixels."""
    screen = Screen()
    screen.width, screen.height = grid.width, grid.height
    screen.step_x, screen.step_y = grid.step_x, grid.step_y
    screen.cell, screen.columns, screen.rows = size, -(-grid.width // size), -(-grid.height // size)
    screen.block = min(_BLOCK[device.type], size)
    return screen


def sort_by_cell(cells: Cells) -> tuple[Tensor, Tensor]:
    """Triangles listed cell by cell, in their own order within a cell.

    Returns:
        Triangle indices, int32, shape (P,), and the first entry of every cell, int32, shape (cells + 1,).
    """
    order = torch.sort(cells.cell, stable=True).indices
    counts = torch.bincount(cells.cell, minlength=cells.count)
    starts = torch.cat([counts.new_zeros(1), counts.cumsum(0)])
    return cells.triangle[order], starts.int()


def visible_triangles(index: Tensor, count: int) -> Tensor:
    """Which of ``count`` triangles own a pixel of ``index`` (I, H, W) int32: bool, shape (count,)."""
    visible = torch.zeros(count, dtype=torch.bool, device=index.device)
    launch(
        kernels.mark_visible,
        index.numel(),
        [as_warp(index.view(-1), wp.int32), as_warp(visible, wp.bool)],
        index.device,
        grain=2**15,
    )
    return visible


def cells_with_background(grid: Grid, index: Tensor, size: int) -> Tensor:
    """Which cells have a pixel that no triangle covers: bool, shape (cells,)."""
    screen = screen_of(grid, size, index.device)
    open_cells = torch.empty(
        grid.images * screen.columns * screen.rows, dtype=torch.bool, device=index.device
    )
    launch(
        kernels.find_background,
        open_cells.shape[0],
        [screen, as_warp(index, wp.int32), as_warp(open_cells, wp.bool)],
        index.device,
        grain=1024,
    )
    return open_cells


def sum_pairs(values: Tensor, cells: Cells) -> Tensor:
    """Sum the values (P, ...) of each triangle's cells in their fixed order: shape (T, ...)."""
    rows = cells.starts.shape[0] - 1
    flat = values.reshape(values.shape[0], math.prod(values.shape[1:]))
    sums = values.new_empty(rows, flat.shape[1])
    launch(
        kernels.sum_segments,
        sums.numel(),
        [
            flat.shape[1],
            as_warp(cells.starts, wp.int32),
            as_warp(flat, wp.float32),
            as_warp(sums, wp.float32),
        ],
        values.device,
        grain=2**14,
    )
    return sums.view(rows, *values.shape[1:])


def sum_rows(values: Tensor, rows: Tensor, count: int) -> Tensor:
    """Sum the values (T, K) of the triangles that share a row: shape (count, K), the same bits every time."""
    if values.device.type == "cpu":  # one thread, in order
        return values.new_zeros(count, values.shape[1]).index_add_(0, rows, values)
    order = torch.argsort(rows, stable=True)
    lengths = torch.bincount(rows, minlength=count)
    return torch.segment_reduce(values[order], "sum", lengths=lengths, unsafe=True)
