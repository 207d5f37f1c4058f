"""Attribute interpolation as torch operators over the Warp kernels."""

from __future__ import annotations

from typing import Any

import torch
import warp as wp
from torch import Tensor
from torch.autograd.function import once_differentiable

from ..cells import COARSE, pair_with_cells, sum_pairs, sum_rows, visible_triangles
from ..grid import Grid
from ..launch import as_warp, launch
from . import kernels

_library = torch.library.Library("unrender", "FRAGMENT")
_library.define("interpolate(Tensor corners, Tensor rows, Tensor index, Tensor weights) -> Tensor")
_library.define(
    "interpolate_backward(Tensor grad, Tensor corners, Tensor rows, Tensor index, Tensor weights, "
    "Tensor triangles, Tensor image_starts, float step_x, float step_y) -> (Tensor, Tensor)"
)


def _forward(corners: Tensor, rows: Tensor, index: Tensor, weights: Tensor) -> Tensor:
    channels = corners.shape[-1]
    values = corners.new_zeros(*index.shape, channels)
    launch(
        kernels.interpolate,
        index.numel(),
        [
            channels,
            as_warp(corners.view(corners.shape[0], 3 * channels), wp.float32),
            as_warp(rows, wp.int32),
            as_warp(index.view(-1), wp.int32),
            as_warp(weights.view(-1, 3), wp.vec3),
            as_warp(values.view(index.numel(), channels), wp.float32),
        ],
        corners.device,
        grain=4096,
    )
    return values


def _backward(
    grad: Tensor,
    corners: Tensor,
    rows: Tensor,
    index: Tensor,
    weights: Tensor,
    triangles: Tensor,
    image_starts: Tensor,
    step_x: float,
    step_y: float,
) -> tuple[Tensor, Tensor]:
    device, channels = corners.device, corners.shape[-1]
    grad = grad.contiguous()
    grad_weights = torch.zeros_like(weights)
    launch(
        kernels.interpolate_backward_weights,
        index.numel(),
        [
            channels,
            as_warp(corners.view(corners.shape[0], 3 * channels), wp.float32),
            as_warp(rows, wp.int32),
            as_warp(index.view(-1), wp.int32),
            as_warp(grad.view(index.numel(), channels), wp.float32),
            as_warp(grad_weights.view(-1, 3), wp.vec3),
        ],
        device,
        grain=4096,
    )
    grid = Grid.of(index, step_x, step_y)
    visible = visible_triangles(index, triangles.shape[0])
    cells = pair_with_cells(grid, triangles, image_starts, size=COARSE[device.type], valid=visible)
    pair_grad = corners.new_zeros(cells.triangle.shape[0], 3 * channels)
    launch(
        kernels.interpolate_backward_corners,
        pair_grad.shape[0],
        [
            cells.screen,
            channels,
            as_warp(triangles, wp.mat33),
            as_warp(cells.triangle, wp.int32),
            as_warp(cells.cell, wp.int32),
            as_warp(index, wp.int32),
            as_warp(weights, wp.vec3),
            as_warp(grad, wp.float32),
            as_warp(pair_grad, wp.float32),
        ],
        device,
        grain=256,
    )
    grad_corners = sum_rows(sum_pairs(pair_grad, cells), rows, corners.shape[0])
    return grad_corners.view_as(corners), grad_weights


for _key in ("CPU", "CUDA"):
    _library.impl("interpolate", _forward, _key)
    _library.impl("interpolate_backward", _backward, _key)
torch.library.register_fake(
    "unrender::interpolate",
    lambda corners, rows, index, weights: corners.new_empty((*index.shape, corners.shape[-1])),
    lib=_library,
)
torch.library.register_fake(
    "unrender::interpolate_backward",
    lambda grad, corners, rows, index, weights, *rest: (torch.empty_like(corners), torch.empty_like(weights)),
    lib=_library,
)


class Interpolate(torch.autograd.Function):
    """Differentiable interpolation: gradients reach the corners and the weights."""

    @staticmethod
    def forward(  # noqa: D102
        ctx: Any,
        corners: Tensor,
        rows: Tensor,
        index: Tensor,
        weights: Tensor,
        triangles: Tensor,
        image_starts: Tensor,
        step_x: float,
        step_y: float,
    ) -> Tensor:
        corners, index, weights = corners.contiguous(), index.contiguous(), weights.contiguous()
        rows = rows.contiguous()
        ctx.save_for_backward(corners, rows, index, weights, triangles.contiguous(), image_starts)
        ctx.steps = (step_x, step_y)
        return torch.ops.unrender.interpolate(corners, rows, index, weights)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:  # noqa: D102
        corners, weights = torch.ops.unrender.interpolate_backward(grads[0], *ctx.saved_tensors, *ctx.steps)
        return corners, None, None, weights, None, None, None, None
