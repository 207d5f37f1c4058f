"""Normals and areas, with finite gradients on degenerate faces."""

from __future__ import annotations

import torch
from torch import Tensor

from .corners import gather_corners, scatter_corners


def face_normals(vertices: Tensor, faces: Tensor, *, unit: bool = True) -> Tensor:
    """Normals of the faces, pointing to the side from which they are counter-clockwise.

    Args:
        vertices: positions, shape (..., V, 3).
        faces: vertex indices, shape (F, 3).
        unit: whether to scale them to length one; otherwise the length is twice the area.

    Returns:
        Shape (..., F, 3). A unit normal of a face whose corners lie on a line (to rounding) is zero, and so
        is its gradient.
    """
    normals, least = _crossed(vertices, faces)
    return unit_vectors(normals, least) if unit else normals


def vertex_normals(vertices: Tensor, faces: Tensor) -> Tensor:
    """Unit normals of the vertices: the mean of the normals of the faces round them, weighted by area.

    Args:
        vertices: positions, shape (..., V, 3).
        faces: vertex indices, shape (F, 3).

    Returns:
        Shape (..., V, 3); zero, with zero gradient, where there are no faces, or they cancel or are all
        degenerate.
    """
    normals, least = _crossed(vertices, faces)
    rows = torch.cat([normals, least[..., None]], -1)[..., None, :].expand(*least.shape, 3, 4)
    sums = scatter_corners(rows, faces, vertices.shape[-2])
    return unit_vectors(sums[..., :3], sums[..., 3])


def face_areas(vertices: Tensor, faces: Tensor) -> Tensor:
    """Areas of the faces, shape (..., F); the gradient of a degenerate face is zero.

    Args:
        vertices: positions, shape (..., V, 3).
        faces: vertex indices, shape (F, 3).
    """
    return torch.linalg.vector_norm(face_normals(vertices, faces, unit=False), dim=-1) / 2


def unit_vectors(vectors: Tensor, least: Tensor | float) -> Tensor:
    """Vectors scaled to length one; zero, with zero gradient, where they are no longer than ``least``.

    Args:
        vectors: shape (..., 3).
        least: lengths, shape (...).
    """
    clear = (torch.linalg.vector_norm(vectors.detach(), dim=-1) > least)[..., None]
    safe = torch.where(clear, vectors, torch.ones_like(vectors))
    return torch.where(
        clear, safe / torch.linalg.vector_norm(safe, dim=-1, keepdim=True), torch.zeros_like(vectors)
    )


def _crossed(vertices: Tensor, faces: Tensor) -> tuple[Tensor, Tensor]:
    """Normals as long as twice the area, and the length below which one is but rounding error."""
    corners = gather_corners(vertices, faces)
    first = corners[..., 1, :] - corners[..., 0, :]
    second = corners[..., 2, :] - corners[..., 0, :]
    squares = (first.square().sum(-1) + second.square().sum(-1)).detach()
    return torch.linalg.cross(first, second), 4 * torch.finfo(squares.dtype).eps * squares
