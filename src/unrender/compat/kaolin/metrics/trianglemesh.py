"""Distances to triangle meshes, and regularisers."""

import torch
from torch import Tensor

from ....errors import InputError
from ....geometry.corners import gather_corners, scatter_corners
from ....geometry.distances import point_to_mesh_distance as nearest_on_mesh
from ..ops.mesh import adjacency_matrix

__all__ = ["average_edge_length", "point_to_mesh_distance", "uniform_laplacian_smoothing"]

# Kaolin's number for the part of a face that is nearest, by which of the corners have weight there:
# the face 0, corners 1 to 3, edges 4 (corners 0 and 1), 5 (1 and 2) and 6 (2 and 0).
_TYPES = (0, 1, 2, 4, 3, 6, 5, 0)


def point_to_mesh_distance(pointclouds: Tensor, face_vertices: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Squared distance from each point to the nearest face of a mesh.

    Args:
        pointclouds: shape (B, N, 3).
        face_vertices: corners of the faces, shape (B, F, 3, 3).

    Returns:
        Squared distances, differentiable in both arguments; the faces, int64; and the nearest part of each,
        int32: 0 for the inside of the face, 1 to 3 for its corners, 4 to 6 for the edges from corner 0 to 1,
        1 to 2 and 2 to 0. All of shape (B, N).

    Raises:
        InputError: wrong shapes.
    """
    if face_vertices.ndim != 4 or face_vertices.shape[-2:] != (3, 3):
        raise InputError(f"face_vertices must have shape (B, F, 3, 3), got {tuple(face_vertices.shape)}")
    corners = torch.arange(face_vertices.shape[1] * 3, device=face_vertices.device).reshape(-1, 3)
    squared, faces, weights = nearest_on_mesh(pointclouds, face_vertices.flatten(1, 2), corners)
    bits = (weights > 0) * torch.tensor([1, 2, 4], device=weights.device)
    types = torch.tensor(_TYPES, dtype=torch.int32, device=weights.device)
    return squared, faces, types[bits.sum(-1)]


def average_edge_length(vertices: Tensor, faces: Tensor) -> Tensor:
    """Mean length of the three edges of each face.

    Args:
        vertices: shape (B, V, 3).
        faces: shape (F, 3), integer.

    Returns:
        Shape (B, F).
    """
    corners = gather_corners(vertices, faces)
    return torch.linalg.vector_norm(corners - corners.roll(1, dims=-2), dim=-1).mean(-1)


def uniform_laplacian_smoothing(vertices: Tensor, faces: Tensor) -> Tensor:
    """Move each vertex to the mean of its neighbours; one that has none goes to the origin, as in Kaolin.

    Args:
        vertices: shape (B, V, 3).
        faces: shape (F, S), integer.

    Returns:
        Shape (B, V, 3).
    """
    count = vertices.shape[1]
    rows, columns = adjacency_matrix(count, faces).indices().unsqueeze(-1)
    degree = torch.bincount(rows.squeeze(-1), minlength=count).clamp(min=1).unsqueeze(-1)
    return scatter_corners(gather_corners(vertices, columns), rows, count) / degree
