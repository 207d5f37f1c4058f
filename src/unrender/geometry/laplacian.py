"""Discrete Laplacians as sparse matrices, signed as I - D^-1 A: L x points away from the neighbours."""

from __future__ import annotations

import torch
from torch import Tensor

from ..errors import InputError
from .corners import gather_corners, scatter_corners
from .edges import EdgeTopology, as_topology


def uniform_laplacian(faces: Tensor | EdgeTopology, num_vertices: int) -> Tensor:
    """The uniform (umbrella) Laplacian L = I - D^-1 A, where A is the adjacency and D the degree matrix.

    Row i of L x is x_i less the mean of its neighbours. A vertex without neighbours has a row of zeros.

    Args:
        faces: vertex indices, shape (F, 3), or their topology.
        num_vertices: V.

    Returns:
        Sparse COO matrix, coalesced, float32, shape (V, V).
    """
    topology = as_topology(faces, num_vertices)
    weights = torch.ones(topology.num_edges, device=topology.edges.device)
    degrees = topology.degrees
    rows = topology.edges.T.reshape(-1)
    off_diagonal = -weights.repeat(2) / degrees[rows]
    return _assemble(topology, off_diagonal, (degrees > 0).to(off_diagonal.dtype))


def cotangent_laplacian(vertices: Tensor, faces: Tensor | EdgeTopology) -> Tensor:
    """The cotangent Laplacian, (L x)_i = sum_j w_ij (x_i - x_j) with w_ij = (cot a_ij + cot b_ij) / 2.

    a_ij and b_ij are the angles opposite edge ij (Pinkall and Polthier 1993). L is symmetric, is not divided
    by vertex areas, and gives zero on a linear function inside a flat mesh. Differentiable in ``vertices``.

    Args:
        vertices: positions, shape (V, 3).
        faces: vertex indices, shape (F, 3), or their topology.

    Returns:
        Sparse COO matrix, coalesced, of the type of ``vertices``, shape (V, V).

    Raises:
        InputError: ``vertices`` is batched.
    """
    if vertices.ndim != 2:
        raise InputError(f"vertices must have shape (V, 3), got {tuple(vertices.shape)}")
    topology = as_topology(faces, vertices.shape[0])
    weights = cotangent_weights(vertices, topology)
    both = weights[:, None, None].expand(-1, 2, 1)
    return _assemble(
        topology, -weights.repeat(2), scatter_corners(both, topology.edges, vertices.shape[0])[:, 0]
    )


def cotangent_weights(vertices: Tensor, topology: EdgeTopology) -> Tensor:
    """The weight (cot a + cot b) / 2 of every edge, where a and b are the angles opposite it.

    The sine in each cotangent is clamped from below (at an angle of about 0.01 degrees), so slivers and
    degenerate faces give large but finite weights and gradients. Edges with one face have one term, edges
    with more than two faces one for each.

    Args:
        vertices: positions, shape (..., V, 3).
        topology: edges of the mesh.

    Returns:
        Shape (..., E).
    """
    corners = gather_corners(vertices, topology.faces)
    first = corners.roll(-1, -2) - corners
    second = corners.roll(-2, -2) - corners
    sines = torch.linalg.vector_norm(torch.linalg.cross(first, second), dim=-1)
    scale = (first.square().sum(-1) + second.square().sum(-1)).detach()
    least = (1e-4 * scale).clamp(min=torch.finfo(vertices.dtype).tiny)
    cotangents = (first * second).sum(-1) / torch.maximum(sines, least)
    return scatter_corners(cotangents[..., None] / 2, topology.face_edges, topology.num_edges)[..., 0]


def apply_laplacian(laplacian: Tensor, values: Tensor) -> Tensor:
    """The product L x for batched values, differentiable in both, the same bits on every run.

    Args:
        laplacian: sparse COO matrix, coalesced, shape (V, V).
        values: shape (..., V, C).

    Returns:
        Shape (..., V, C).

    Raises:
        InputError: the matrix is not sparse COO, or its size is not that of ``values``.
    """
    if laplacian.layout != torch.sparse_coo or laplacian.shape[-1] != values.shape[-2]:
        raise InputError(
            f"laplacian must be a sparse COO matrix of shape ({values.shape[-2]}, {values.shape[-2]}), "
            f"got {laplacian.layout} of shape {tuple(laplacian.shape)}"
        )
    rows, columns = laplacian.indices()[:, :, None]
    weights = laplacian.values().to(values.dtype)[:, None, None]
    return scatter_corners(weights * gather_corners(values, columns), rows, laplacian.shape[0])


def _assemble(topology: EdgeTopology, off_diagonal: Tensor, diagonal: Tensor) -> Tensor:
    """The sparse matrix of both directions of every edge (upper half first) and a diagonal."""
    lower, upper = topology.edges.T
    everyone = torch.arange(topology.num_vertices, device=lower.device)
    indices = torch.stack([torch.cat([lower, upper, everyone]), torch.cat([upper, lower, everyone])])
    size = (topology.num_vertices, topology.num_vertices)
    values = torch.cat([off_diagonal, diagonal])
    return torch.sparse_coo_tensor(indices, values, size, check_invariants=False).coalesce()
