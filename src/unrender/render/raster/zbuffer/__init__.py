"""The z-buffer: which triangle each pixel sees, where on it, and how far away."""

from __future__ import annotations

import torch
from torch import Tensor

from ....errors import InputError
from ..backend import Backend, use_warp
from ..grid import Grid
from ..inputs import check_triangles
from . import reference

__all__ = ["rasterize"]


def rasterize(
    triangles: Tensor,
    image_starts: Tensor,
    grid: Grid,
    *,
    perspective: bool = True,
    valid: Tensor | None = None,
    eps: float = 0.0,
    backend: Backend = "auto",
) -> tuple[Tensor, Tensor, Tensor]:
    """Find the nearest triangle of every pixel, its barycentric weights there and its depth.

    A pixel belongs to a triangle if its centre lies inside or on the edge, and in the bounding box without
    its upper bounds. Of several, the one with strictly least depth wins, of equals the first. With
    edge functions e_k at the pixel, b_k = e_k / sum(e); then (DIB-R, Chen et al. 2019, equation 1, Omega)

    - ``perspective=False``: weights w_k = b_k, depth sum(b_k z_k);
    - ``perspective=True``: w_k = (b_k / z_k) / sum(b_m / z_m), depth 1 / sum(b_m / z_m).

    Gradients of weights and depth reach all nine numbers of the triangle. Degenerate and non-finite
    triangles are not drawn.

    Args:
        triangles: screen x, screen y and depth of every corner, shape (T, 3, 3); with ``perspective``
            all depths must be positive.
        image_starts: first triangle of each picture, then T: int64, shape (I + 1,).
        grid: the pixels.
        perspective: perspective-correct weights and depth.
        valid: triangles to draw, bool, shape (T,); all when None.
        eps: added in size to twice the signed area before it divides.
        backend: ``"auto"``, ``"warp"`` or ``"torch"``.

    Returns:
        index: triangle of each pixel or -1, int32, shape (I, H, W).
        weights: shape (I, H, W, 3), 0 where nothing is.
        depth: shape (I, H, W), 0 where nothing is.

    Raises:
        InputError: wrong shapes or backend.
    """
    check_triangles(triangles, image_starts, grid)
    if valid is not None and (valid.dtype != torch.bool or valid.shape != triangles.shape[:1]):
        raise InputError(
            f"valid must be bool of shape ({triangles.shape[0]},), "
            f"got {valid.dtype} of shape {tuple(valid.shape)}"
        )
    if use_warp(backend, triangles):
        from .op import Rasterize

        rest = (grid.height, grid.width, grid.step_x, grid.step_y, perspective, eps)
        result: tuple[Tensor, Tensor, Tensor] = Rasterize.apply(triangles, image_starts, valid, *rest)  # type: ignore[assignment]
        return result
    return reference.rasterize(triangles, image_starts, valid, grid, perspective=perspective, eps=eps)
