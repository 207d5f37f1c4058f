"""Normals of vertices."""

from __future__ import annotations

import torch
from torch import Tensor

from ....errors import InputError
from ....geometry import vertex_normals as normals_of_mesh

__all__ = ["vertex_normals"]


def vertex_normals(vertices: Tensor, faces: Tensor) -> Tensor:
    """Unit normals of the vertices: the mean of those of the faces round them, weighted by area.

    Args:
        vertices: shape (B, V, 3).
        faces: vertex indices, shape (B, F, 3).

    Returns:
        Shape (B, V, 3); zero where there are no faces, or they cancel.

    Raises:
        InputError: a shape is wrong.
    """
    if vertices.ndim != 3 or vertices.shape[2] != 3:
        raise InputError(f"vertices must have shape (B, V, 3), got {tuple(vertices.shape)}")
    if faces.ndim != 3 or faces.shape[0] != vertices.shape[0] or faces.shape[2] != 3:
        raise InputError(f"faces must have shape ({vertices.shape[0]}, F, 3), got {tuple(faces.shape)}")
    batch, count = vertices.shape[:2]
    first = torch.arange(batch, device=faces.device)[:, None, None] * count
    return normals_of_mesh(vertices.flatten(0, 1), (faces + first).flatten(0, 1)).view_as(vertices)
