"""DIB-R's soft silhouette as torch operators over the Warp kernels."""

from __future__ import annotations

from typing import Any

import torch
import warp as wp
from torch import Tensor
from torch.autograd.function import once_differentiable

from ..cells import FINE, Cells, cells_with_background, pair_with_cells, sort_by_cell, sum_pairs
from ..grid import Grid
from ..launch import as_warp, launch
from . import kernels

_library = torch.library.Library("unrender", "FRAGMENT")
_library.define(
    "dibr_soft_mask(Tensor triangles, Tensor image_starts, Tensor index, float step_x, float step_y, "
    "float sigma, float reach, int max_faces) -> (Tensor, Tensor)"
)
_library.define(
    "dibr_soft_mask_backward(Tensor grad, Tensor triangles, Tensor image_starts, Tensor index, Tensor alpha, "
    "Tensor last, float step_x, float step_y, float sigma, float reach, int max_faces) -> Tensor"
)


def _pairs(grid: Grid, triangles: Tensor, image_starts: Tensor, index: Tensor, reach: float) -> Cells:
    """Pairs with the cells that have background: the silhouette needs no others."""
    background = cells_with_background(grid, index, FINE)
    return pair_with_cells(grid, triangles, image_starts, size=FINE, reach=reach, open_cells=background)


def _forward(
    triangles: Tensor,
    image_starts: Tensor,
    index: Tensor,
    step_x: float,
    step_y: float,
    sigma: float,
    reach: float,
    max_faces: int,
) -> tuple[Tensor, Tensor]:
    device = triangles.device
    grid = Grid.of(index, step_x, step_y)
    cells = _pairs(grid, triangles, image_starts, index, reach)
    listed, starts = sort_by_cell(cells)
    alpha = triangles.new_zeros(index.shape)
    limited = tuple(index.shape) if max_faces > 0 else (1, 1, 1)
    seen = torch.zeros(limited, dtype=torch.int32, device=device)
    last = torch.full_like(seen, -1)
    launch(
        kernels.soft_mask,
        cells.count * cells.blocks,
        [
            cells.screen,
            sigma,
            reach,
            max_faces,
            as_warp(triangles, wp.mat33),
            as_warp(listed, wp.int32),
            as_warp(starts, wp.int32),
            as_warp(index, wp.int32),
            as_warp(alpha, wp.float32),
            as_warp(seen, wp.int32),
            as_warp(last, wp.int32),
        ],
        device,
        grain=16,
    )
    return alpha.masked_fill_(index >= 0, 1), last


def _backward(
    grad: Tensor,
    triangles: Tensor,
    image_starts: Tensor,
    index: Tensor,
    alpha: Tensor,
    last: Tensor,
    step_x: float,
    step_y: float,
    sigma: float,
    reach: float,
    max_faces: int,
) -> Tensor:
    device = triangles.device
    grid = Grid.of(index, step_x, step_y)
    cells = _pairs(grid, triangles, image_starts, index, reach)
    pair_grad = triangles.new_empty(cells.triangle.shape[0], 3, 3)
    launch(
        kernels.soft_mask_backward,
        pair_grad.shape[0],
        [
            cells.screen,
            sigma,
            reach,
            max_faces,
            as_warp(triangles, wp.mat33),
            as_warp(cells.triangle, wp.int32),
            as_warp(cells.cell, wp.int32),
            as_warp(index, wp.int32),
            as_warp(1 - alpha, wp.float32),
            as_warp(last, wp.int32),
            as_warp(grad.contiguous(), wp.float32),
            as_warp(pair_grad, wp.mat33),
        ],
        device,
        grain=64,
    )
    return sum_pairs(pair_grad, cells)


def _forward_fake(triangles, image_starts, index, step_x, step_y, sigma, reach, max_faces):  # type: ignore[no-untyped-def]
    limited = tuple(index.shape) if max_faces > 0 else (1, 1, 1)
    return triangles.new_empty(index.shape), index.new_empty(limited)


for _key in ("CPU", "CUDA"):
    _library.impl("dibr_soft_mask", _forward, _key)
    _library.impl("dibr_soft_mask_backward", _backward, _key)
torch.library.register_fake("unrender::dibr_soft_mask", _forward_fake, lib=_library)
torch.library.register_fake(
    "unrender::dibr_soft_mask_backward",
    lambda grad, triangles, *rest: torch.empty_like(triangles),
    lib=_library,
)


class SoftMask(torch.autograd.Function):
    """Differentiable soft silhouette: gradients reach the screen positions of the triangles."""

    @staticmethod
    def forward(ctx: Any, triangles: Tensor, image_starts: Tensor, index: Tensor, *rest: Any) -> Tensor:  # noqa: D102
        triangles, index = triangles.contiguous(), index.contiguous()
        alpha, last = torch.ops.unrender.dibr_soft_mask(triangles, image_starts, index, *rest)
        ctx.save_for_backward(triangles, image_starts, index, alpha, last)
        ctx.rest = rest
        return alpha

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:  # noqa: D102
        grad = torch.ops.unrender.dibr_soft_mask_backward(grads[0], *ctx.saved_tensors, *ctx.rest)
        return grad, *(None,) * (2 + len(ctx.rest))
