"""The gradient of a hard picture with respect to the edges of its triangles."""

from __future__ import annotations

import math
from typing import Any

from torch import Tensor
from torch.autograd.function import Function, once_differentiable

from ....errors import InputError
from ..backend import Backend, use_warp
from ..grid import Grid
from ..inputs import check_index, check_triangles
from . import reference


def scan_edges(
    pictures: Tensor,
    triangles: Tensor,
    image_starts: Tensor,
    index: Tensor,
    grid: Grid,
    *,
    eps: float,
    backend: Backend = "auto",
) -> Tensor:
    """Give pictures the gradient of the Neural 3D Mesh Renderer (Kato et al. 2018, section 3.2).

    The pictures come back as they are. In the backward pass their gradient goes on unchanged, and triangles
    get an approximation of what a picture changes when their edges move across pixels.

    Each edge is followed along every row and every column of pixels that it crosses. Let I_in be the pixel
    next to the crossing on the triangle's side and I_out its neighbour on the other side. A pixel P with
    colour I and gradient L' at distance d from the crossing, on this line, counts with

    - g = (I - I_in) L' if P lies outside, from I_out to the border of the picture, and the triangle owns
      I_in: the edge may sweep over P and paint it;
    - g = (I - I_out) L' if P lies inside and the triangle owns it: the edge may retreat and uncover it.

    Only g > 0, which lowers the loss, counts. An end of the edge that has the weight t at the crossing gets
    the gradient -g / (d / t ± eps), in which d is signed: the edge has to move by d and its end by d / t.
    Rows give gradients to x, columns to y; depths get none. A triangle that owns no pixel gets none.

    Args:
        pictures: what was drawn, background included, shape (I, H, W, C). Differences of all channels
            are added up in g, so alpha may be one of them.
        triangles: screen x, y and depth of every corner, shape (T, 3, 3), of either orientation.
        image_starts: first triangle of each picture, then T: int64, shape (I + 1,).
        index: triangle that each pixel shows or -1, int32, shape (I, H, W), from
            :func:`~unrender.render.raster.zbuffer.rasterize`.
        grid: the pixels.
        eps: added to distances in size, screen units.
        backend: ``"auto"``, ``"warp"`` or ``"torch"``.

    Returns:
        The pictures.

    Raises:
        InputError: wrong shapes, dtypes or backend, or ``eps`` is not positive.
    """
    check_triangles(triangles, image_starts, grid)
    check_index(index, grid)
    if pictures.ndim != 4 or pictures.shape[:3] != index.shape:
        expected = ", ".join(str(n) for n in index.shape)
        raise InputError(f"pictures must have shape ({expected}, C), got {tuple(pictures.shape)}")
    if pictures.dtype != triangles.dtype:
        raise InputError(f"pictures must be {triangles.dtype} as triangles are, got {pictures.dtype}")
    if not (eps > 0 and math.isfinite(eps)):
        raise InputError(f"eps must be positive, got {eps}")
    steps = (grid.step_x, grid.step_y)
    warp = use_warp(backend, triangles)
    result: Tensor = _ScanEdges.apply(pictures, triangles, image_starts, index, *steps, eps, warp)  # type: ignore[assignment]
    return result


class _ScanEdges(Function):
    @staticmethod
    def forward(
        ctx: Any, pictures: Tensor, triangles: Tensor, image_starts: Tensor, index: Tensor, *rest: Any
    ) -> Tensor:
        ctx.save_for_backward(pictures, triangles, image_starts, index)
        ctx.rest = rest
        return pictures.clone()

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        *rest, warp = ctx.rest
        grad = None
        if ctx.needs_input_grad[1]:
            if warp:
                from .op import edge_gradient
            else:
                edge_gradient = reference.edge_gradient
            grad = edge_gradient(grads[0], *ctx.saved_tensors, *rest)
        return grads[0], grad, *(None,) * (2 + len(ctx.rest))
