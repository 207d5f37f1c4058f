"""Light on textures, face by face, before they are drawn."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from numpy.typing import NDArray
from torch import Tensor

from ...errors import InputError
from ...geometry import face_normals

__all__ = ["lighting"]

Numbers = Sequence[float] | NDArray | Tensor


def lighting(
    faces: Tensor,
    textures: Tensor,
    intensity_ambient: float = 0.5,
    intensity_directional: float = 0.5,
    color_ambient: Numbers = (1, 1, 1),
    color_directional: Numbers = (1, 1, 1),
    direction: Numbers = (0, 1, 0),
) -> Tensor:
    """Textures under ambient and directional light, times the matt answer of each face.

    The normal of a face is (v0 - v1) x (v2 - v1), which looks at the viewer of the face. ``textures`` is left
    as it is; the light's gradient reaches the corners.

    Args:
        faces: corners in the world, shape (B, F, 3, 3).
        textures: shape (B, F, T, T, T, 3).
        intensity_ambient: factor on ``color_ambient``.
        intensity_directional: factor on ``color_directional``.
        color_ambient: shape (3,) or (B, 3).
        color_directional: shape (3,) or (B, 3).
        direction: towards the light; its length counts as a factor; shape (3,) or (B, 3).

    Returns:
        The lit textures, shape (B, F, T, T, T, 3).

    Raises:
        InputError: wrong shapes.
    """
    if faces.ndim != 4 or faces.shape[-2:] != (3, 3):
        raise InputError(f"faces must have shape (B, F, 3, 3), got {tuple(faces.shape)}")
    if textures.ndim != 6 or textures.shape[:2] != faces.shape[:2] or textures.shape[-1] != 3:
        raise InputError(
            f"textures must have shape ({faces.shape[0]}, {faces.shape[1]}, T, T, T, 3), "
            f"got {tuple(textures.shape)}"
        )

    def row(numbers: Numbers) -> Tensor:
        return torch.as_tensor(numbers, dtype=faces.dtype, device=faces.device).reshape(-1, 1, 3)

    corners = torch.arange(3 * faces.shape[1], device=faces.device).view(-1, 3)
    normals = -face_normals(faces.flatten(1, 2), corners)
    cosine = (normals * row(direction)).sum(-1, keepdim=True).clamp_min(0)
    light = intensity_ambient * row(color_ambient) + intensity_directional * row(color_directional) * cosine
    return textures * light[:, :, None, None, None, :]
