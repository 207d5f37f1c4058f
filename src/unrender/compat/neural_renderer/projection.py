"""OpenCV's camera: a pose, intrinsics and lens distortion."""

from __future__ import annotations

import torch
from torch import Tensor

from ...errors import InputError
from ..left_handed import distort

__all__ = ["projection"]


def projection(
    vertices: Tensor,
    K: Tensor,
    R: Tensor,
    t: Tensor,
    dist_coeffs: Tensor,
    orig_size: float,
    eps: float = 1e-9,
) -> Tensor:
    """Project points R X + t with OpenCV's pinhole model: K times the distorted (x / z, y / z, 1).

    Args:
        vertices: in the world, shape (B, V, 3).
        K: intrinsics, shape (B or 1, 3, 3).
        R: world to camera, shape (B or 1, 3, 3).
        t: world to camera, shape (B or 1, 1, 3).
        dist_coeffs: k1, k2, p1, p2 and k3, shape (B or 1, 5).
        orig_size: width and height of the picture that K is for [pixels].
        eps: added to depth before it divides.

    Returns:
        x to the right and y upward, both in [-1, 1] inside the picture, and depth, shape (B, V, 3).

    Raises:
        InputError: a shape is wrong.
    """
    if vertices.ndim != 3 or vertices.shape[2] != 3:
        raise InputError(f"vertices must have shape (B, V, 3), got {tuple(vertices.shape)}")
    for name, matrix in (("K", K), ("R", R)):
        if matrix.ndim != 3 or matrix.shape[1:] != (3, 3):
            raise InputError(f"{name} must have shape (B, 3, 3), got {tuple(matrix.shape)}")
    x, y, z = (vertices @ R.mT + t.reshape(-1, 1, 3)).unbind(-1)
    x, y = distort(x / (z + eps), y / (z + eps), dist_coeffs)
    u, v, _ = (torch.stack([x, y, torch.ones_like(z)], -1) @ K.mT).unbind(-1)
    return torch.stack([2 * u / orig_size - 1, 1 - 2 * v / orig_size, z], -1)
