"""How large cells are on each device, and the sum of what a triangle's cells gave."""

from __future__ import annotations

import torch
import warp as wp
from torch import Tensor

from .grid import Cells, Grid
from .launch import as_warp, launch
from .triangle import Screen

# A CPU thread draws a cell at a time, triangle by triangle; on a GPU a thread draws one pixel of it.
FORWARD_CELL = {"cpu": 8, "cuda": 8}
_BLOCK = {"cpu": 8, "cuda": 1}
# Backward passes have a thread a (triangle, cell) pair: small cells where there are many threads to feed.
BACKWARD_CELL = {"cpu": 64, "cuda": 8}

wp.set_module_options({"enable_backward": False})


def screen_of(grid: Grid, cells: Cells, device: torch.device) -> tuple[Screen, int]:
    """The kernels' view of the grid, and the number of blocks in a cell."""
    screen = Screen()
    screen.width, screen.height = grid.width, grid.height
    screen.step_x, screen.step_y = grid.step_x, grid.step_y
    screen.cell, screen.columns, screen.rows = cells.size, cells.columns, cells.rows
    screen.block = min(_BLOCK[device.type], cells.size)
    return screen, (cells.size // screen.block) ** 2


@wp.kernel(enable_backward=False)
def _sum_segments(
    first: int, width: int, starts: wp.array[int], values: wp.array2d[float], sums: wp.array2d[float]
):
    item = first + wp.tid()
    row = item / width
    column = item - row * width
    total = float(0.0)
    for entry in range(starts[row], starts[row + 1]):
        total += values[entry, column]
    sums[row, column] = total


def sum_pairs(values: Tensor, cells: Cells) -> Tensor:
    """Sum the values (P, ...) of each triangle's cells in their fixed order: shape (T, ...)."""
    rows = cells.starts.shape[0] - 1
    flat = values.reshape(values.shape[0], -1)
    sums = values.new_empty(rows, flat.shape[1])
    launch(
        _sum_segments,
        sums.numel(),
        [
            flat.shape[1],
            as_warp(cells.starts, wp.int32),
            as_warp(flat, wp.float32),
            as_warp(sums, wp.float32),
        ],
        values.device,
        grain=4096,
    )
    return sums.view(rows, *values.shape[1:])


def sum_rows(values: Tensor, rows: Tensor, count: int) -> Tensor:
    """Sum the values (T, K) of the triangles that share a row: shape (count, K), the same bits every time."""
    if values.device.type == "cpu":  # one thread, in order
        return values.new_zeros(count, values.shape[1]).index_add_(0, rows, values)
    order = torch.argsort(rows, stable=True)
    lengths = torch.bincount(rows, minlength=count)
    return torch.segment_reduce(values[order], "sum", lengths=lengths, unsafe=True)
