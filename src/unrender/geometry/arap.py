"""As-rigid-as-possible energy: how far a deformation is from turning every neighbourhood rigidly."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from ..errors import InputError
from .corners import gather_corners, scatter_corners
from .edges import EdgeTopology, as_topology
from .laplacian import cotangent_weights


def arap_energy(
    vertices: Tensor,
    rest: Tensor,
    faces: Tensor | EdgeTopology,
    *,
    weights: Literal["cotangent", "uniform"] = "cotangent",
) -> Tensor:
    """Energy of Sorkine and Alexa, "As-Rigid-As-Possible Surface Modeling" (2007), eq. 3, as mean strain::

        sum_i sum_j w_ij |(v_i - v_j) - R_i (r_i - r_j)|^2  /  sum_i sum_j w_ij |r_i - r_j|^2

    over the vertices i and their neighbours j, with R_i the rotation that makes the sum at i least. The
    division takes size and resolution out: cotangent weights make the denominator four times the area, so
    that the quotient is a mean over the surface of squared relative stretch and shear, whatever the unit of
    length and, for one smooth deformation, nearly whatever the number of faces. A uniform scale by 1 + s
    gives s^2.

    R_i comes from a singular value decomposition without gradient. The gradient is complete all the same: at
    the best rotation the energy does not change with the rotation. ``rest`` is a constant to the gradient.

    Args:
        vertices: deformed positions, shape (..., V, 3).
        rest: positions at rest, shape (..., V, 3), broadcast against ``vertices``.
        faces: vertex indices, shape (F, 3), or their topology.
        weights: ``"cotangent"`` of the mesh at rest, negative ones (from obtuse angles) counting as zero, or
            ``"uniform"``.

    Returns:
        Shape (...), without unit; 0 for a rigid motion.

    Raises:
        InputError: shapes do not fit, or ``weights`` is none of those above.
    """
    for name, points in (("vertices", vertices), ("rest", rest)):
        if points.ndim < 2 or points.shape[-1] != 3 or points.shape[-2] != rest.shape[-2]:
            raise InputError(f"{name} must have shape (..., {rest.shape[-2]}, 3), got {tuple(points.shape)}")
    topology = as_topology(faces, rest.shape[-2])
    rest = rest.detach()
    if weights == "cotangent":
        edge_weights = cotangent_weights(rest, topology).clamp(min=0)[..., None, None]
    elif weights == "uniform":
        edge_weights = rest.new_ones(topology.num_edges, 1, 1)
    else:
        raise InputError(f"weights must be 'cotangent' or 'uniform', got {weights!r}")

    before, after = _spokes(rest, topology), _spokes(vertices, topology)
    rotations = _best_rotations(before, after.detach(), edge_weights, topology)
    turned = (rotations @ before[..., None]).squeeze(-1)
    stretch = (edge_weights * (after - turned).square()).sum((-3, -2, -1))
    size = (edge_weights * before.square()).sum((-3, -2, -1))
    return stretch / size.clamp(min=torch.finfo(rest.dtype).tiny)


def _spokes(points: Tensor, topology: EdgeTopology) -> Tensor:
    """p_i - p_j at both ends i of every edge, shape (..., E, 2, 3)."""
    ends = gather_corners(points, topology.edges)
    return ends - ends.flip(-2)


@torch.no_grad()
def _best_rotations(before: Tensor, after: Tensor, edge_weights: Tensor, topology: EdgeTopology) -> Tensor:
    """The rotation of the neighbourhood at both ends of every edge (Kabsch), shape (..., E, 2, 3, 3)."""
    products = (edge_weights * after)[..., None] * before[..., None, :]
    sums = scatter_corners(products.flatten(-2), topology.edges, topology.num_vertices)
    left, _, right = torch.linalg.svd(sums.unflatten(-1, (3, 3)))
    mirrored = torch.linalg.det(left @ right) < 0  # then the axis of least extent is turned round
    axis = torch.where(mirrored[..., None], -left[..., 2], left[..., 2])
    rotations = torch.cat([left[..., :2], axis[..., None]], -1) @ right
    return gather_corners(rotations.flatten(-2), topology.edges).unflatten(-1, (3, 3))
