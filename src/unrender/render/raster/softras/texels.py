"""SoftRas's surface textures: where on a face which colour lies."""

from __future__ import annotations

import torch
from torch import Tensor


def face_texel(barycentrics: Tensor, size: int) -> Tensor:
    """Which of the S² equal triangles that a face is cut into holds a point.

    With x = ⌊w_0 S⌋ and y = ⌊w_1 S⌋, the triangle next to the cell's corner is texel (row y, column x), the
    one across its diagonal is texel (S - 1 - y, S - 1 - x) (Liu et al. 2019, released code).

    Args:
        barycentrics: weights of the face's corners, shape (..., 3).
        size: S.

    Returns:
        Index row S + column into the grid of colours, int64, shape (...).
    """
    scaled = barycentrics.detach()[..., :2] * size
    x = scaled[..., 0].floor().clamp(0, size - 1).long()
    # on the edge where the third weight is 0, rounding must not leave the grid of triangles
    y = torch.minimum(scaled[..., 1].floor().clamp_min(0).long(), size - 1 - x)
    lower = (scaled[..., 0] + scaled[..., 1] - x - y <= 1) | (x + y == size - 1)
    column, row = torch.where(lower, x, size - 1 - x), torch.where(lower, y, size - 1 - y)
    return row * size + column
