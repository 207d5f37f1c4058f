"""The Soft Rasterizer as torch operators over the Warp kernels."""

from __future__ import annotations

from typing import Any

import torch
import warp as wp
from torch import Tensor
from torch.autograd.function import once_differentiable

from ..cells import COARSE, FINE, Cells, pair_with_cells, sort_by_cell, sum_pairs, sum_rows
from ..grid import Grid
from ..launch import as_warp, launch
from . import kernels
from .mixing import kernels as mixing
from .renderer import Aggregation
from .rules import flatten, rules_of

_library = torch.library.Library("unrender", "FRAGMENT")
_RULES = "int[] choices, float[] numbers"
_PLACE = (
    "Tensor triangles, Tensor image_starts, Tensor? valid, int height, int width, float step_x, float step_y"
)
_library.define(f"softras_silhouette({_PLACE}, {_RULES}) -> Tensor")
_library.define(f"softras_silhouette_backward(Tensor grad, Tensor state, {_PLACE}, {_RULES}) -> Tensor")
_library.define(
    f"softras_aggregate(Tensor table, Tensor rows, {_PLACE}, {_RULES}) -> (Tensor, Tensor, Tensor, Tensor)"
)
_library.define(
    "softras_aggregate_backward(Tensor grad_values, Tensor grad_background, Tensor values, "
    f"Tensor background, Tensor nearest, Tensor total, Tensor table, Tensor rows, "
    f"{_PLACE}, {_RULES}) -> (Tensor, Tensor)"
)
_library.define(
    "softras_textures_backward(Tensor grad_values, Tensor nearest, Tensor total, Tensor table, Tensor rows, "
    f"{_PLACE}, {_RULES}) -> Tensor"
)


def _cells(
    triangles: Tensor, image_starts: Tensor, valid: Tensor | None, grid: Grid, reach: float, size: int
) -> Cells:
    return pair_with_cells(grid, triangles, image_starts, size=size, reach=reach, valid=valid)


def _faces_of_pictures(image_starts: Tensor, like: Tensor) -> Tensor:
    return (image_starts[1:] - image_starts[:-1]).clamp(min=1).to(like.dtype)[:, None, None]


def _silhouette(
    triangles: Tensor,
    image_starts: Tensor,
    valid: Tensor | None,
    height: int,
    width: int,
    step_x: float,
    step_y: float,
    choices: list[int],
    numbers: list[float],
) -> Tensor:
    """prod(1 - D), or the sum of D, or whether one exceeds a half."""
    rules = rules_of(choices, numbers)
    grid = Grid(image_starts.shape[0] - 1, height, width, step_x, step_y)
    cells = _cells(triangles, image_starts, valid, grid, rules.reach, FINE)
    listed, starts = sort_by_cell(cells)
    state = triangles.new_full((grid.images, height, width), 1.0 if rules.alpha == 0 else 0.0)
    launch(
        kernels.silhouette,
        cells.count * cells.blocks,
        [
            cells.screen,
            rules,
            as_warp(triangles, wp.mat33),
            as_warp(listed, wp.int32),
            as_warp(starts, wp.int32),
            as_warp(state, wp.float32),
        ],
        triangles.device,
        grain=16,
    )
    return state


def _silhouette_backward(
    grad: Tensor,
    state: Tensor,
    triangles: Tensor,
    image_starts: Tensor,
    valid: Tensor | None,
    height: int,
    width: int,
    step_x: float,
    step_y: float,
    choices: list[int],
    numbers: list[float],
) -> Tensor:
    rules = rules_of(choices, numbers)
    grid = Grid(image_starts.shape[0] - 1, height, width, step_x, step_y)
    device = triangles.device
    cells = _cells(triangles, image_starts, valid, grid, rules.reach, COARSE[device.type])
    slope = grad * state if rules.alpha == 0 else grad / _faces_of_pictures(image_starts, grad)
    pair_grad = triangles.new_empty(cells.triangle.shape[0], 3, 3)
    launch(
        kernels.silhouette_backward,
        pair_grad.shape[0],
        [
            cells.screen,
            rules,
            as_warp(triangles, wp.mat33),
            as_warp(cells.triangle, wp.int32),
            as_warp(cells.cell, wp.int32),
            as_warp(slope.contiguous(), wp.float32),
            as_warp(pair_grad, wp.mat33),
        ],
        device,
        grain=64,
    )
    return sum_pairs(pair_grad, cells)


def _aggregate(
    table: Tensor,
    rows: Tensor,
    triangles: Tensor,
    image_starts: Tensor,
    valid: Tensor | None,
    height: int,
    width: int,
    step_x: float,
    step_y: float,
    choices: list[int],
    numbers: list[float],
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    rules = rules_of(choices, numbers)
    grid = Grid(image_starts.shape[0] - 1, height, width, step_x, step_y)
    cells = _cells(triangles, image_starts, valid, grid, rules.reach, FINE)
    listed, starts = sort_by_cell(cells)
    shape = (grid.images, height, width)
    nearest = triangles.new_full(shape, rules.behind)
    total = triangles.new_ones(shape)
    values = triangles.new_zeros(*shape, rules.channels)
    launch(
        mixing.aggregate,
        cells.count * cells.blocks,
        [
            cells.screen,
            rules,
            as_warp(triangles, wp.mat33),
            as_warp(listed, wp.int32),
            as_warp(starts, wp.int32),
            as_warp(rows, wp.int32),
            as_warp(table, wp.float32),
            as_warp(nearest, wp.float32),
            as_warp(total, wp.float32),
            as_warp(values, wp.float32),
        ],
        triangles.device,
        grain=16,
    )
    background = torch.exp((nearest - rules.behind) * rules.rate) / total
    return values / total[..., None], background, nearest, total


def _aggregate_backward(
    grad_values: Tensor,
    grad_background: Tensor,
    values: Tensor,
    background: Tensor,
    nearest: Tensor,
    total: Tensor,
    table: Tensor,
    rows: Tensor,
    triangles: Tensor,
    image_starts: Tensor,
    valid: Tensor | None,
    height: int,
    width: int,
    step_x: float,
    step_y: float,
    choices: list[int],
    numbers: list[float],
) -> tuple[Tensor, Tensor]:
    rules = rules_of(choices, numbers)
    grid = Grid(image_starts.shape[0] - 1, height, width, step_x, step_y)
    device = triangles.device
    cells = _cells(triangles, image_starts, valid, grid, rules.reach, COARSE[device.type])
    rates = grad_values.contiguous()
    mean = (rates * values).sum(-1) + grad_background * background
    pairs = cells.triangle.shape[0]
    pair_grad = triangles.new_empty(pairs, 3, 3)
    corners = triangles.new_zeros((pairs, table.shape[1]) if rules.side == 0 else (0, 0))
    launch(
        mixing.aggregate_backward,
        pairs,
        [
            cells.screen,
            rules,
            as_warp(triangles, wp.mat33),
            as_warp(cells.triangle, wp.int32),
            as_warp(cells.cell, wp.int32),
            as_warp(rows, wp.int32),
            as_warp(table, wp.float32),
            as_warp(nearest, wp.float32),
            as_warp(total, wp.float32),
            as_warp(rates, wp.float32),
            as_warp(mean, wp.float32),
            as_warp(pair_grad, wp.mat33),
            as_warp(corners, wp.float32),
        ],
        device,
        grain=64,
    )
    grad = sum_pairs(pair_grad, cells)
    if rules.side > 0:
        return grad, table.new_empty(0)
    return grad, sum_rows(sum_pairs(corners, cells), rows.long(), table.shape[0])


def _textures_backward(
    grad_values: Tensor,
    nearest: Tensor,
    total: Tensor,
    table: Tensor,
    rows: Tensor,
    triangles: Tensor,
    image_starts: Tensor,
    valid: Tensor | None,
    height: int,
    width: int,
    step_x: float,
    step_y: float,
    choices: list[int],
    numbers: list[float],
) -> Tensor:
    rules = rules_of(choices, numbers)
    grid = Grid(image_starts.shape[0] - 1, height, width, step_x, step_y)
    device = triangles.device
    cells = _cells(triangles, image_starts, valid, grid, rules.reach, COARSE[device.type])
    order = torch.argsort(rows, stable=True)
    counts = torch.bincount(rows, minlength=table.shape[0])
    row_starts = torch.cat([counts.new_zeros(1), counts.cumsum(0)])
    grad = torch.zeros_like(table)
    launch(
        mixing.textures_backward,
        table.shape[0],
        [
            cells.screen,
            rules,
            as_warp(triangles, wp.mat33),
            as_warp(order.int(), wp.int32),
            as_warp(row_starts.int(), wp.int32),
            as_warp(cells.starts, wp.int32),
            as_warp(cells.cell, wp.int32),
            as_warp(nearest, wp.float32),
            as_warp(total, wp.float32),
            as_warp(grad_values.contiguous(), wp.float32),
            as_warp(grad, wp.float32),
        ],
        device,
        grain=16,
    )
    return grad


def _silhouette_fake(triangles, image_starts, valid, height, width, *rest):  # type: ignore[no-untyped-def]
    return triangles.new_empty(image_starts.shape[0] - 1, height, width)


def _aggregate_fake(  # type: ignore[no-untyped-def]
    table, rows, triangles, image_starts, valid, height, width, step_x, step_y, choices, numbers
):
    shape = (image_starts.shape[0] - 1, height, width)
    return triangles.new_empty(*shape, choices[4]), *(triangles.new_empty(shape) for _ in range(3))


for _key in ("CPU", "CUDA"):
    _library.impl("softras_silhouette", _silhouette, _key)
    _library.impl("softras_silhouette_backward", _silhouette_backward, _key)
    _library.impl("softras_aggregate", _aggregate, _key)
    _library.impl("softras_aggregate_backward", _aggregate_backward, _key)
    _library.impl("softras_textures_backward", _textures_backward, _key)
torch.library.register_fake("unrender::softras_silhouette", _silhouette_fake, lib=_library)
torch.library.register_fake(
    "unrender::softras_silhouette_backward",
    lambda grad, state, triangles, *rest: torch.empty_like(triangles),
    lib=_library,
)
torch.library.register_fake("unrender::softras_aggregate", _aggregate_fake, lib=_library)
torch.library.register_fake(
    "unrender::softras_aggregate_backward",
    lambda gv, gb, v, b, n, t, table, rows, triangles, *rest: (
        torch.empty_like(triangles),
        torch.empty_like(table) if rest[-2][5] == 0 else table.new_empty(0),
    ),
    lib=_library,
)
torch.library.register_fake(
    "unrender::softras_textures_backward",
    lambda grad, nearest, total, table, *rest: torch.empty_like(table),
    lib=_library,
)


class _Silhouette(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, triangles: Tensor, image_starts: Tensor, valid: Tensor | None, *rest: Any
    ) -> Tensor:
        triangles = triangles.contiguous()
        state = torch.ops.unrender.softras_silhouette(triangles, image_starts, valid, *rest)
        ctx.save_for_backward(state, triangles, image_starts, valid)
        ctx.rest = rest
        alpha = rest[-2][1]
        if alpha == 0:
            return 1 - state
        return state / _faces_of_pictures(image_starts, state) if alpha == 1 else state.clone()

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        grad = torch.ops.unrender.softras_silhouette_backward(grads[0], *ctx.saved_tensors, *ctx.rest)
        return grad, *(None,) * (2 + len(ctx.rest))


class _Aggregate(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        table: Tensor,
        rows: Tensor,
        triangles: Tensor,
        image_starts: Tensor,
        valid: Tensor | None,
        *rest: Any,
    ) -> tuple[Tensor, Tensor]:
        table, rows, triangles = table.contiguous(), rows.contiguous(), triangles.contiguous()
        values, background, nearest, total = torch.ops.unrender.softras_aggregate(
            table, rows, triangles, image_starts, valid, *rest
        )
        ctx.save_for_backward(values, background, nearest, total, table, rows, triangles, image_starts, valid)
        ctx.rest = rest
        return values, background

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        _, _, nearest, total, *place = ctx.saved_tensors
        grad = grad_table = None
        is_textured = ctx.rest[-2][5] > 0
        if ctx.needs_input_grad[2] or not is_textured:
            grad, grad_table = torch.ops.unrender.softras_aggregate_backward(
                *grads, *ctx.saved_tensors, *ctx.rest
            )
        if is_textured:
            grad_table = None
            if ctx.needs_input_grad[0]:
                grad_table = torch.ops.unrender.softras_textures_backward(
                    grads[0], nearest, total, *place, *ctx.rest
                )
        return grad_table, None, grad, *(None,) * (2 + len(ctx.rest))


def silhouette(
    triangles: Tensor, image_starts: Tensor, valid: Tensor | None, grid: Grid, how: Aggregation
) -> Tensor:
    """See :func:`unrender.render.raster.softras.silhouette`."""
    place = (grid.height, grid.width, grid.step_x, grid.step_y)
    result: Tensor = _Silhouette.apply(triangles, image_starts, valid, *place, *flatten(how))  # type: ignore[assignment]
    return result


def aggregate(
    triangles: Tensor,
    image_starts: Tensor,
    table: Tensor,
    rows: Tensor,
    valid: Tensor | None,
    grid: Grid,
    how: Aggregation,
    *,
    channels: int,
    side: int = 0,
) -> tuple[Tensor, Tensor]:
    """See :func:`unrender.render.raster.softras.aggregate`; ``side`` is that of grids of colours, or 0."""
    place = (grid.height, grid.width, grid.step_x, grid.step_y)
    rules = flatten(how, channels, side)
    result: tuple[Tensor, Tensor] = _Aggregate.apply(  # type: ignore[assignment]
        table, rows, triangles, image_starts, valid, *place, *rules
    )
    return result
