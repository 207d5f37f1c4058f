"""The camera of a projection matrix."""

from __future__ import annotations

import torch
from torch import Tensor

from ....errors import InputError
from ...left_handed import distort

__all__ = ["projection"]

# Keeps points in the plane of the camera from dividing by 0.
_EPS = 1e-5


def projection(vertices: Tensor, P: Tensor, dist_coeffs: Tensor, orig_size: float) -> Tensor:
    """Project points with a matrix, distort them, and scale the picture to [-1, 1].

    The distortion acts on (x / z, y / z) of P (X, 1): on pixels if P holds the intrinsics. Its y axis points
    upward in the pictures that are drawn.

    Args:
        vertices: in the world, shape (B, V, 3).
        P: shape (B, 3, 4) or (1, 3, 4).
        dist_coeffs: k1, k2, p1, p2 and k3, shape (B, 5) or (1, 5).
        orig_size: width and height of the picture that P is for.

    Returns:
        Points on the picture and their depth, shape (B, V, 3).

    Raises:
        InputError: a shape is wrong.
    """
    if P.ndim != 3 or P.shape[1:] != (3, 4):
        raise InputError(f"P must have shape (B, 3, 4), got {tuple(P.shape)}")
    if vertices.ndim != 3 or vertices.shape[2] != 3:
        raise InputError(f"vertices must have shape (B, V, 3), got {tuple(vertices.shape)}")
    x, y, z = (vertices @ P[..., :3].mT + P[..., None, :, 3]).unbind(dim=-1)
    x, y = distort(x / (z + _EPS), y / (z + _EPS), dist_coeffs)
    return torch.stack((2 * x / orig_size - 1, 2 * y / orig_size - 1, z), dim=-1)
