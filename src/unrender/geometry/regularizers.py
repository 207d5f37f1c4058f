"""Losses that keep a fitted mesh regular. All hold on open and non-manifold meshes, with finite gradients.

Each takes the faces as a tensor or, quicker in a loop, as the :class:`EdgeTopology` computed from them once.
Each returns one value a batch element, shape (...); call ``.mean()`` on that of a batch.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from ..errors import InputError
from .corners import gather_corners, scatter_corners
from .edges import EdgeTopology, as_topology
from .laplacian import cotangent_weights
from .normals import face_normals


def edge_length_loss(
    vertices: Tensor, faces: Tensor | EdgeTopology, *, target: float | None = None
) -> Tensor:
    """Mean squared deviation of the edge lengths from their own mean, or from a target.

    Args:
        vertices: positions, shape (..., V, 3).
        faces: vertex indices, shape (F, 3), or their topology.
        target: length to aim at [world units]; 0 pulls all edges together.

    Returns:
        Shape (...) [world units squared].
    """
    topology = as_topology(faces, vertices.shape[-2])
    ends = gather_corners(vertices, topology.edges)
    lengths = torch.linalg.vector_norm(ends[..., 1, :] - ends[..., 0, :], dim=-1)
    goal = lengths.mean(-1, keepdim=True) if target is None else target
    return (lengths - goal).square().mean(-1)


def laplacian_loss(
    vertices: Tensor,
    faces: Tensor | EdgeTopology,
    *,
    weights: Literal["uniform", "cotangent"] = "uniform",
    reduction: Literal["mean", "sum"] = "mean",
) -> Tensor:
    """Squared length of L v, summed or averaged over the vertices.

    L v is each vertex less the weighted mean of its neighbours. ``uniform`` with ``sum`` is the loss of Soft
    Rasterizer (Liu et al. 2019, eq. 11). The cotangent weights are constants to the gradient, and negative
    ones (from obtuse angles) count as zero, so that the loss always pulls into the neighbourhood.

    Args:
        vertices: positions, or offsets from a template (then with uniform weights), shape (..., V, 3).
        faces: vertex indices, shape (F, 3), or their topology.
        weights: of the neighbours of a vertex.
        reduction: over the vertices.

    Returns:
        Shape (...) [world units squared].

    Raises:
        InputError: ``weights`` or ``reduction`` is none of those above.
    """
    topology = as_topology(faces, vertices.shape[-2])
    if weights == "uniform":
        edge_weights = vertices.new_ones(topology.num_edges)
    elif weights == "cotangent":
        edge_weights = cotangent_weights(vertices.detach(), topology).clamp(min=0)
    else:
        raise InputError(f"weights must be 'uniform' or 'cotangent', got {weights!r}")
    if reduction not in ("mean", "sum"):
        raise InputError(f"reduction must be 'mean' or 'sum', got {reduction!r}")
    ends = gather_corners(vertices, topology.edges)
    differences = ends - ends.flip(-2)
    corner_weights = edge_weights[..., None, None].expand(*edge_weights.shape, 2, 1)
    sums = scatter_corners(corner_weights * differences, topology.edges, topology.num_vertices)
    totals = scatter_corners(corner_weights, topology.edges, topology.num_vertices)
    squared = (sums / totals.clamp(min=torch.finfo(vertices.dtype).tiny)).square().sum(-1)
    return squared.mean(-1) if reduction == "mean" else squared.sum(-1)


def flatten_loss(vertices: Tensor, faces: Tensor | EdgeTopology) -> Tensor:
    """Mean of (cos t + 1)^2 over all pairs of faces that share an edge; zero on a flat mesh.

    t is the dihedral angle, 180 degrees where the pair is flat (Neural 3D Mesh Renderer, Kato et al. 2018,
    eq. 9; the papers sum where this averages).

    Args:
        vertices: positions, shape (..., V, 3).
        faces: vertex indices, shape (F, 3), or their topology.

    Returns:
        Shape (...).
    """
    return _mean((1 - adjacent_normal_cosines(vertices, faces)).square())


def normal_consistency_loss(vertices: Tensor, faces: Tensor | EdgeTopology) -> Tensor:
    """Mean of 1 - cos a over all pairs of faces that share an edge, where a is the angle of their normals.

    Args:
        vertices: positions, shape (..., V, 3).
        faces: vertex indices, shape (F, 3), or their topology.

    Returns:
        Shape (...).
    """
    return _mean(1 - adjacent_normal_cosines(vertices, faces))


def adjacent_normal_cosines(vertices: Tensor, faces: Tensor | EdgeTopology) -> Tensor:
    """Cosine of the angle between the normals of every two faces that share an edge.

    It is minus the cosine of the dihedral angle, and does not depend on how the faces are oriented. A pair
    with a degenerate face counts as flat: cosine 1, gradient zero.

    Args:
        vertices: positions, shape (..., V, 3).
        faces: vertex indices, shape (F, 3), or their topology.

    Returns:
        Shape (..., P), in the order of ``EdgeTopology.face_pairs``.
    """
    topology = as_topology(faces, vertices.shape[-2])
    normals = gather_corners(face_normals(vertices, topology.faces), topology.face_pairs)
    cosines = (normals[..., 0, :] * normals[..., 1, :]).sum(-1) * topology.pair_signs
    degenerate = (normals == 0).all(-1).any(-1)
    return torch.where(degenerate, torch.ones_like(cosines), cosines)


def _mean(terms: Tensor) -> Tensor:
    """The mean over the pairs of faces, and zero where a mesh has none."""
    return terms.sum(-1) / max(terms.shape[-1], 1)
