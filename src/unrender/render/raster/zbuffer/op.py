"""The z-buffer as torch operators over the Warp kernels."""

from __future__ import annotations

from typing import Any

import torch
import warp as wp
from torch import Tensor
from torch.autograd.function import once_differentiable

from ..cells import COARSE, FINE, pair_with_cells, sort_by_cell, sum_pairs, visible_triangles
from ..grid import Grid
from ..launch import as_warp, launch
from . import kernels

_library = torch.library.Library("unrender", "FRAGMENT")
_library.define(
    "zbuffer(Tensor triangles, Tensor image_starts, Tensor? valid, int height, int width, float step_x, "
    "float step_y, bool perspective, float eps) -> (Tensor, Tensor, Tensor)"
)
_library.define(
    "zbuffer_backward(Tensor grad_weights, Tensor grad_depth, Tensor triangles, Tensor image_starts, "
    "Tensor index, float step_x, float step_y, bool perspective, float eps) -> Tensor"
)


def _forward(
    triangles: Tensor,
    image_starts: Tensor,
    valid: Tensor | None,
    height: int,
    width: int,
    step_x: float,
    step_y: float,
    perspective: bool,
    eps: float,
) -> tuple[Tensor, Tensor, Tensor]:
    device = triangles.device
    grid = Grid(image_starts.shape[0] - 1, height, width, step_x, step_y)
    shape = (grid.images, height, width)
    index = torch.full(shape, -1, dtype=torch.int32, device=device)
    weights = triangles.new_zeros(*shape, 3)
    depth = triangles.new_full(shape, torch.inf)
    cells = pair_with_cells(grid, triangles, image_starts, size=FINE, valid=valid)
    listed, starts = sort_by_cell(cells)
    launch(
        kernels.rasterize,
        cells.count * cells.blocks,
        [
            cells.screen,
            int(perspective),
            eps,
            as_warp(triangles, wp.mat33),
            as_warp(listed, wp.int32),
            as_warp(starts, wp.int32),
            as_warp(index, wp.int32),
            as_warp(weights, wp.vec3),
            as_warp(depth, wp.float32),
        ],
        device,
        grain=16,
    )
    return index, weights, depth.masked_fill_(index < 0, 0)


def _backward(
    grad_weights: Tensor,
    grad_depth: Tensor,
    triangles: Tensor,
    image_starts: Tensor,
    index: Tensor,
    step_x: float,
    step_y: float,
    perspective: bool,
    eps: float,
) -> Tensor:
    device = triangles.device
    grid = Grid.of(index, step_x, step_y)
    visible = visible_triangles(index, triangles.shape[0])
    cells = pair_with_cells(grid, triangles, image_starts, size=COARSE[device.type], valid=visible)
    grad = triangles.new_empty(cells.triangle.shape[0], 3, 3)
    launch(
        kernels.rasterize_backward,
        grad.shape[0],
        [
            cells.screen,
            int(perspective),
            eps,
            as_warp(triangles, wp.mat33),
            as_warp(cells.triangle, wp.int32),
            as_warp(cells.cell, wp.int32),
            as_warp(index, wp.int32),
            as_warp(grad_weights.contiguous(), wp.vec3),
            as_warp(grad_depth.contiguous(), wp.float32),
            as_warp(grad, wp.mat33),
        ],
        device,
        grain=256,
    )
    return sum_pairs(grad, cells)


def _forward_fake(triangles, image_starts, valid, height, width, step_x, step_y, perspective, eps):  # type: ignore[no-untyped-def]
    shape = (image_starts.shape[0] - 1, height, width)
    return (
        triangles.new_empty(shape, dtype=torch.int32),
        triangles.new_empty((*shape, 3)),
        triangles.new_empty(shape),
    )


for _key in ("CPU", "CUDA"):
    _library.impl("zbuffer", _forward, _key)
    _library.impl("zbuffer_backward", _backward, _key)
torch.library.register_fake("unrender::zbuffer", _forward_fake, lib=_library)
torch.library.register_fake(
    "unrender::zbuffer_backward",
    lambda gw, gd, triangles, *rest: torch.empty_like(triangles),
    lib=_library,
)


class Rasterize(torch.autograd.Function):
    """Differentiable z-buffer: gradients of weights and depth reach the triangles."""

    @staticmethod
    def forward(  # noqa: D102
        ctx: Any,
        triangles: Tensor,
        image_starts: Tensor,
        valid: Tensor | None,
        height: int,
        width: int,
        *rest: Any,
    ) -> tuple[Tensor, Tensor, Tensor]:
        triangles = triangles.contiguous()
        index, weights, depth = torch.ops.unrender.zbuffer(
            triangles, image_starts, valid, height, width, *rest
        )
        ctx.save_for_backward(triangles, image_starts, index)
        ctx.rest = rest
        ctx.mark_non_differentiable(index)
        return index, weights, depth

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:  # noqa: D102
        triangles, image_starts, index = ctx.saved_tensors
        grad = torch.ops.unrender.zbuffer_backward(
            grads[1], grads[2], triangles, image_starts, index, *ctx.rest
        )
        return grad, *(None,) * (4 + len(ctx.rest))
