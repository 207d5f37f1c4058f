"""Light that falls on surfaces."""

from __future__ import annotations

import torch
from torch import Tensor

from ...left_handed import Numbers

__all__ = ["ambient_lighting", "directional_lighting"]


def ambient_lighting(
    light: Tensor, light_intensity: float | Tensor = 0.5, light_color: Numbers = (1, 1, 1)
) -> Tensor:
    """Add light that comes from everywhere.

    Args:
        light: what has fallen on each surface so far, shape (B, N, 3); left as it is.
        light_intensity: factor on ``light_color``.
        light_color: shape (3,) or (B, 3).

    Returns:
        The sum, shape (B, N, 3).
    """
    return light + light_intensity * _rows(light_color, light)


def directional_lighting(
    light: Tensor,
    normals: Tensor,
    light_intensity: float | Tensor = 0.5,
    light_color: Numbers = (1, 1, 1),
    light_direction: Numbers = (0, 1, 0),
) -> Tensor:
    """Add light from one direction, times the cosine at which it falls on a surface.

    Args:
        light: what has fallen on each surface so far, shape (B, N, 3); left as it is.
        normals: unit normals, shape (B, N, 3).
        light_intensity: factor on ``light_color``.
        light_color: shape (3,) or (B, 3).
        light_direction: towards the light; its length counts as a factor; shape (3,) or (B, 3).

    Returns:
        The sum, shape (B, N, 3).
    """
    cosine = (normals * _rows(light_direction, light)).sum(dim=-1, keepdim=True).clamp_min(0)
    return light + light_intensity * _rows(light_color, light) * cosine


def _rows(numbers: Numbers, like: Tensor) -> Tensor:
    """Three numbers for each item of the batch, shape (1 or B, 1, 3)."""
    return torch.as_tensor(numbers, dtype=like.dtype, device=like.device).reshape(-1, 1, 3)
