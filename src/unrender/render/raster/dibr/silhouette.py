"""DIB-R's soft silhouette."""

from __future__ import annotations

import math

from torch import Tensor

from ....errors import InputError
from ..backend import Backend, use_warp
from ..grid import Grid
from ..inputs import check_index, check_triangles
from . import reference


def soft_mask(
    triangles: Tensor,
    image_starts: Tensor,
    index: Tensor,
    grid: Grid,
    *,
    sigma: float,
    reach: float | None = None,
    max_faces: int | None = None,
    backend: Backend = "auto",
) -> Tensor:
    """DIB-R's probability that a pixel belongs to the object (Chen et al. 2019, equations 4 and 5).

    A pixel that a triangle covers has 1 and no gradient. Another has ``1 - prod_j (1 - exp(-d_j^2 / sigma))``
    over the triangles j whose bounding box, enlarged by ``reach``, holds its centre; d_j is the distance to
    the triangle's boundary on the screen.

    Args:
        triangles: screen x, y and depth of every corner, shape (T, 3, 3).
        image_starts: first triangle of each picture, then T: int64, shape (I + 1,).
        index: triangle that covers each pixel or -1, int32, shape (I, H, W).
        grid: the pixels.
        sigma: squared width of the blur, squared screen units.
        reach: how far the blur is followed, screen units; to where ``exp(-d^2 / sigma)`` is 1e-4 when None.
        max_faces: count only the first so many triangles of a pixel, as Kaolin's ``knum``; all when None.
        backend: ``"auto"``, ``"warp"`` or ``"torch"``.

    Returns:
        Shape (I, H, W); differentiable in the triangles' screen positions.

    Raises:
        InputError: wrong shapes, backend, or a value that is not positive.
    """
    check_triangles(triangles, image_starts, grid)
    check_index(index, grid)
    if not (sigma > 0 and math.isfinite(sigma)):
        raise InputError(f"sigma must be positive, got {sigma}")
    if max_faces is not None and max_faces < 1:
        raise InputError(f"max_faces must be at least 1, got {max_faces}")
    if reach is not None and not reach >= 0:
        raise InputError(f"reach must not be negative, got {reach}")
    if reach is None:
        reach = math.sqrt(sigma * math.log(1e4))
    if use_warp(backend, triangles):
        from .op import SoftMask

        steps = (grid.step_x, grid.step_y)
        result: Tensor = SoftMask.apply(  # type: ignore[assignment]
            triangles, image_starts, index, *steps, sigma, reach, max_faces or 0
        )
        return result
    return reference.soft_mask(
        triangles, image_starts, index, grid, sigma=sigma, reach=reach, max_faces=max_faces
    )
