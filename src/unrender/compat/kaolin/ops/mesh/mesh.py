"""Operations that hold for faces of any number of corners."""

import torch
from torch import Tensor

from .....errors import InputError
from .....geometry.corners import gather_corners, scatter_corners

__all__ = ["adjacency_matrix", "compute_vertex_normals", "index_vertices_by_faces", "uniform_laplacian"]


def index_vertices_by_faces(vertices_features: Tensor, faces: Tensor) -> Tensor:
    """Gather vertex features at the corners of the faces.

    Args:
        vertices_features: shape (B, V, D).
        faces: shape (F, S), integer.

    Returns:
        Features by corner, shape (B, F, S, D).

    Raises:
        InputError: a shape is wrong.
    """
    if vertices_features.ndim != 3:
        raise InputError(f"vertices_features must have shape (B, V, D), got {tuple(vertices_features.shape)}")
    return gather_corners(vertices_features, faces)


def adjacency_matrix(num_vertices: int, faces: Tensor, sparse: bool = True) -> Tensor:
    """1 where an edge joins two vertices, 0 elsewhere.

    Args:
        num_vertices: V.
        faces: shape (F, S), integer.
        sparse: return a coalesced sparse COO tensor rather than a dense one.

    Returns:
        The symmetric matrix, shape (V, V), float32.
    """
    one_way = torch.stack([faces, faces.roll(1, dims=-1)]).reshape(2, -1)
    index = torch.cat([one_way, one_way.flip(0)], dim=1).unique(dim=1)
    ones = torch.ones(index.shape[1], device=faces.device)
    matrix = torch.sparse_coo_tensor(
        index, ones, (num_vertices, num_vertices), is_coalesced=True, check_invariants=False
    )
    return matrix if sparse else matrix.to_dense()


def uniform_laplacian(num_vertices: int, faces: Tensor) -> Tensor:
    """The uniform Laplacian: 1 / (number of neighbours) at each neighbour, -1 on the diagonal.

    The result is dense, as in Kaolin; for large meshes use :func:`unrender.geometry.uniform_laplacian`.

    Args:
        num_vertices: V.
        faces: shape (F, S), integer.

    Returns:
        The matrix, shape (V, V), float32.
    """
    adjacency = adjacency_matrix(num_vertices, faces, sparse=False)
    degree = adjacency.sum(dim=1, keepdim=True).clamp(min=1.0)
    return adjacency / degree - torch.eye(num_vertices, device=faces.device)


def compute_vertex_normals(faces: Tensor, face_normals: Tensor, num_vertices: int | None = None) -> Tensor:
    """Average the normals of the corners that meet at each vertex; the mean is not normalised.

    Args:
        faces: shape (F, S), integer.
        face_normals: normals by corner, shape (B, F, S, 3).
        num_vertices: V; the largest index in ``faces`` plus one if None.

    Returns:
        Mean normals, zero at vertices without faces, shape (B, V, 3).

    Raises:
        InputError: ``face_normals`` does not have a normal for each corner.
    """
    if face_normals.ndim != 4 or face_normals.shape[1:3] != faces.shape:
        rule = f"face_normals must have shape (B, {faces.shape[0]}, {faces.shape[1]}, 3)"
        raise InputError(f"{rule}, got {tuple(face_normals.shape)}")
    count = int(faces.max()) + 1 if num_vertices is None else num_vertices
    uses = torch.bincount(faces.reshape(-1), minlength=count).clamp(min=1)
    return scatter_corners(face_normals, faces, count) / uses.unsqueeze(-1)
