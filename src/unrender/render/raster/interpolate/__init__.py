"""Interpolation: from values at triangle corners to values at pixels."""

from __future__ import annotations

import torch
from torch import Tensor

from ....errors import InputError
from ..backend import Backend, use_warp
from ..grid import Grid
from ..inputs import check_index, check_picture, check_triangles
from . import reference

__all__ = ["interpolate"]


def interpolate(
    corners: Tensor,
    index: Tensor,
    weights: Tensor,
    *,
    triangles: Tensor,
    image_starts: Tensor,
    grid: Grid,
    rows: Tensor | None = None,
    backend: Backend = "auto",
) -> Tensor:
    """Interpolate attributes: ``sum_k weights_k corners_k`` (DIB-R, Chen et al. 2019, equation 1).

    Args:
        corners: values at the three corners of every row, shape (R, 3, D).
        index: triangle of each pixel or -1, int32, shape (I, H, W).
        weights: barycentric weights of each pixel, shape (I, H, W, 3).
        triangles: the triangles that ``index`` came from, shape (T, 3, 3); they only say where to look
            for pixels in the backward pass and get no gradient.
        image_starts: first triangle of each picture, then T: int64, shape (I + 1,).
        grid: the pixels.
        rows: row of ``corners`` that belongs to each triangle, int32, shape (T,), so that pictures can
            share attributes; the triangle's own index when None.
        backend: ``"auto"``, ``"warp"`` or ``"torch"``.

    Returns:
        Values of shape (I, H, W, D), 0 where nothing is; differentiable in ``corners`` and ``weights``.

    Raises:
        InputError: wrong shapes or backend.
    """
    check_triangles(triangles, image_starts, grid)
    check_index(index, grid)
    check_picture("weights", weights, (*index.shape, 3))
    if corners.ndim != 3 or corners.shape[1] != 3 or corners.shape[2] == 0:
        raise InputError(f"corners must have shape (R, 3, D), got {tuple(corners.shape)}")
    if rows is None:
        if corners.shape[0] != triangles.shape[0]:
            raise InputError(
                f"corners must have a row for each of {triangles.shape[0]} triangles, got {corners.shape[0]}"
            )
        rows = torch.arange(triangles.shape[0], dtype=torch.int32, device=triangles.device)
    elif rows.dtype != torch.int32 or rows.shape != triangles.shape[:1]:
        raise InputError(
            f"rows must be int32 of shape ({triangles.shape[0]},), "
            f"got {rows.dtype} of shape {tuple(rows.shape)}"
        )
    if use_warp(backend, corners):
        from .op import Interpolate

        steps = (grid.step_x, grid.step_y)
        result: Tensor = Interpolate.apply(  # type: ignore[assignment]
            corners, rows, index, weights, triangles.detach(), image_starts, *steps
        )
        return result
    return reference.interpolate(corners, rows, index, weights)
