"""What to do with meshes whose faces differ in their number of corners."""

from typing import Any

import torch
from torch import Tensor

__all__ = ["NonHomogeneousMeshError", "heterogeneous_mesh_handler_skip", "mesh_handler_naive_triangulate"]


class NonHomogeneousMeshError(Exception):
    """The faces of a mesh differ in their number of corners, and no handler was given."""


def heterogeneous_mesh_handler_skip(*args: Any, **kwargs: Any) -> None:
    """Give such a mesh up: the import returns None."""


def mesh_handler_naive_triangulate(
    vertices: Tensor,
    face_vertex_counts: Tensor,
    *features: list[int] | Tensor | None,
    face_assignments: dict[str, Tensor] | None = None,
) -> tuple[Any, ...]:
    """Cut every face into a fan of triangles around its first corner.

    Args:
        vertices: shape (V, 3).
        face_vertex_counts: number of corners of each face, shape (F,).
        features: values for every corner of every face in turn, each of length sum(face_vertex_counts), or
            None.
        face_assignments: for each key, face indices: of shape (K,), or of shape (K, 2) as ranges
            [first, last + 1).

    Returns:
        ``vertices``; corner counts of the F' triangles, all 3; each of ``features`` with shape (F', 3), or
        None; and if ``face_assignments`` was given the same with the indices of the triangles.
    """
    counts = torch.as_tensor(face_vertex_counts, dtype=torch.long)
    pieces = (counts - 2).clamp(min=0)
    first_piece = torch.cat([pieces.new_zeros(1), pieces.cumsum(0)])
    face = torch.repeat_interleave(torch.arange(len(counts)), pieces)
    step = torch.arange(len(face)) - first_piece[face]
    origin = (counts.cumsum(0) - counts)[face]
    corners = torch.stack([origin, origin + step + 1, origin + step + 2], dim=-1)
    results = [None if values is None else torch.as_tensor(values)[corners] for values in features]
    triangulated = (vertices, torch.full((len(face),), 3), *results)
    if face_assignments is None:
        return triangulated

    def renumber(index: Tensor) -> Tensor:
        if index.ndim == 2:
            return first_piece[index]
        return torch.cat([(face == i).nonzero().squeeze(1) for i in index.tolist()])

    return (*triangulated, {key: renumber(index) for key, index in face_assignments.items()})
