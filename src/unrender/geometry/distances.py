"""Exact distances between point sets and meshes, in chunks of bounded memory on any device."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..errors import InputError
from .corners import gather_corners, gather_rows

if TYPE_CHECKING:
    from scipy.spatial import KDTree

# Pairs held at once: small enough for a CPU cache, large enough to fill a GPU.
_PAIRS = {"cpu": 1 << 18, "cuda": 1 << 26}

# On a CPU a tree is faster than comparing all points with each other from about this many pairs on.
_TREE_PAIRS = 1 << 22
_LEAF = 64
_PARTS = 4  # of the queries, for each core


class NearestPoints(NamedTuple):
    """For each query its nearest point.

    ``squared_distances`` (..., N) are differentiable; ``indices`` (..., N) name the points.
    """

    squared_distances: Tensor
    indices: Tensor


class NearestOnMesh(NamedTuple):
    """For each query its nearest point on a mesh.

    ``squared_distances`` (..., N) are differentiable; ``face_indices`` (..., N) and ``barycentrics``
    (..., N, 3) say where the point lies.
    """

    squared_distances: Tensor
    face_indices: Tensor
    barycentrics: Tensor


def nearest_points(queries: Tensor, points: Tensor) -> NearestPoints:
    """The nearest of ``points`` to each of ``queries``, by exact search.

    Large sets on a CPU are searched by SciPy's k-d tree, on all cores.

    Args:
        queries: shape (..., N, 3).
        points: shape (..., M, 3), with the batch dimensions of ``queries``.

    Raises:
        InputError: a shape is wrong, there are queries and no points, or a coordinate of a large set on a CPU
            is not finite.
        ImportError: SciPy is not installed, and the sets are large and on a CPU.
    """
    _require_points(queries, points, "points")
    found = [_nearest_indices(q, p) for q, p in zip(_flat(queries, 2), _flat(points, 2), strict=True)]
    indices = torch.stack(found).reshape(queries.shape[:-1])
    squared = (queries - gather_rows(points, indices)).square().sum(-1)
    return NearestPoints(squared, indices)


def chamfer_l1(first: Tensor, second: Tensor) -> Tensor:
    """Chamfer-L1: half the sum of the mean distances from each set to the other.

    The measure of Occupancy Networks and DVR [world units].

    Args:
        first: points, shape (..., N, 3).
        second: points, shape (..., M, 3).

    Returns:
        Shape (...).
    """
    forth, back = _distances(first, second), _distances(second, first)
    return (forth.mean(-1) + back.mean(-1)) / 2


def chamfer_squared(first: Tensor, second: Tensor) -> Tensor:
    """The sum of the mean squared distances from each set to the other, as in Kaolin and PyTorch3D.

    Args:
        first: points, shape (..., N, 3).
        second: points, shape (..., M, 3).

    Returns:
        Shape (...) [world units squared].
    """
    forth, back = nearest_points(first, second), nearest_points(second, first)
    return forth.squared_distances.mean(-1) + back.squared_distances.mean(-1)


def f_score(predicted: Tensor, target: Tensor, *, threshold: float = 0.01) -> Tensor:
    """Harmonic mean of precision and recall at a distance (Tatarchenko et al. 2019).

    Args:
        predicted: points, shape (..., N, 3).
        target: points, shape (..., M, 3).
        threshold: the largest distance that counts as a hit [world units].

    Returns:
        Shape (...), in [0, 1]; no gradient.
    """
    with torch.no_grad():
        precision = (_distances(predicted, target) <= threshold).to(predicted.dtype).mean(-1)
        recall = (_distances(target, predicted) <= threshold).to(predicted.dtype).mean(-1)
        total = precision + recall
        return torch.where(
            total > 0, 2 * precision * recall / total.clamp(min=1e-12), torch.zeros_like(total)
        )


def point_to_mesh_distance(points: Tensor, vertices: Tensor, faces: Tensor) -> NearestOnMesh:
    """The nearest point of a mesh to each of ``points``, by exact search over the faces.

    The distance is differentiable in ``points`` and ``vertices``. Since the barycentrics minimise it, they
    are constants to its first derivative.

    Args:
        points: shape (..., N, 3).
        vertices: positions, shape (..., V, 3), with the batch dimensions of ``points``.
        faces: vertex indices, shape (F, 3).

    Raises:
        InputError: a shape is wrong, or there are points and no faces.
    """
    _require_points(points, vertices, "vertices")
    corners = gather_corners(vertices, faces)
    if faces.shape[0] == 0 and points.numel():
        raise InputError("the mesh must have at least one face, got none")
    found = [_nearest_faces(p, c) for p, c in zip(_flat(points, 2), _flat(corners, 3), strict=True)]
    face_indices = torch.stack(found).reshape(points.shape[:-1])
    triangles = gather_rows(corners.flatten(-2), face_indices).unflatten(-1, (3, 3))
    barycentrics = nearest_on_triangle(points.detach(), triangles.detach())
    nearest = (triangles * barycentrics[..., None]).sum(-2)
    return NearestOnMesh((points - nearest).square().sum(-1), face_indices, barycentrics)


def nearest_on_triangle(points: Tensor, triangles: Tensor) -> Tensor:
    """Barycentrics of the point of a triangle nearest to a point, on degenerate triangles too.

    Args:
        points: shape (..., 3).
        triangles: corners, shape (..., 3, 3).

    Returns:
        Weights of the corners, not negative, of sum one, shape (..., 3).
    """
    relative = triangles - points[..., None, :]
    edges = relative.roll(-1, -2) - relative
    tiny = torch.finfo(points.dtype).tiny
    # The nearest point of each edge k -> k + 1, as the share of corner k + 1.
    shares = -(relative * edges).sum(-1) / edges.square().sum(-1).clamp(min=tiny)
    shares = shares.clamp(0, 1)
    squared = (relative + shares[..., None] * edges).square().sum(-1)
    best = squared.argmin(-1, keepdim=True)
    share = shares.gather(-1, best)
    rim = torch.zeros_like(shares).scatter(-1, best, 1 - share).scatter(-1, (best + 1) % 3, share)
    # The foot of the perpendicular, from the areas of the three triangles it makes with the edges.
    normal = torch.linalg.cross(edges[..., 0, :], edges[..., 1, :])
    areas = (torch.linalg.cross(relative.roll(-1, -2), relative.roll(-2, -2)) * normal[..., None, :]).sum(-1)
    inside = (areas > 0).all(-1, keepdim=True)
    return torch.where(inside, areas / areas.sum(-1, keepdim=True).clamp(min=tiny), rim)


def _flat(tensor: Tensor, dims: int) -> Tensor:
    """Without gradient, all batch dimensions in one; the last ``dims`` stay."""
    batch = math.prod(tensor.shape[:-dims])
    return tensor.detach().reshape(batch, *tensor.shape[-dims:])


def _distances(queries: Tensor, points: Tensor) -> Tensor:
    """Distances to the nearest points, with gradient zero where they coincide."""
    indices = nearest_points(queries.detach(), points.detach()).indices
    return torch.linalg.vector_norm(queries - gather_rows(points, indices), dim=-1)


def _nearest_indices(queries: Tensor, points: Tensor) -> Tensor:
    if queries.device.type == "cpu" and queries.shape[0] * points.shape[0] >= _TREE_PAIRS:
        return _nearest_by_tree(queries, points)
    chunks = [_squared(chunk, points).argmin(-1) for chunk in _chunks(queries, points.shape[0])]
    return torch.cat(chunks) if chunks else queries.new_zeros(0, dtype=torch.long)


def _nearest_by_tree(queries: Tensor, points: Tensor) -> Tensor:
    """By k-d tree, with neighbours in space made neighbours in memory: twice as fast as in random order."""
    if not bool(torch.isfinite(queries).all() & torch.isfinite(points).all()):
        raise InputError("points must be finite, got a coordinate that is NaN or infinite")
    sets = [values.double().numpy() for values in (queries, points)]
    first, second = (_tree(values).indices for values in sets)
    # neighbours in space take alike long, so equal parts for each core would not end together
    workers = _PARTS * (os.cpu_count() or 1)
    _, found = _tree(sets[1][second]).query(sets[0][first], workers=workers)
    indices = torch.empty(len(first), dtype=torch.long)
    indices[torch.from_numpy(first)] = torch.from_numpy(second[found])
    return indices


def _tree(points: NDArray[np.float64]) -> KDTree:
    """A k-d tree that is quick to build."""
    try:
        from scipy.spatial import KDTree
    except ImportError as error:
        raise ImportError(
            f"a search among {len(points)} points on a CPU needs SciPy: pip install 'unrender[eval]'"
        ) from error
    return KDTree(points, leafsize=_LEAF, compact_nodes=False, balanced_tree=False)


def _nearest_faces(points: Tensor, corners: Tensor) -> Tensor:
    """Test exactly only the faces whose bounding sphere comes as near as the nearest sphere centre."""
    centers = corners.mean(-2)
    radii = torch.linalg.vector_norm(corners - centers[:, None], dim=-1).amax(-1)
    found = []
    for chunk in _chunks(points, corners.shape[0]):
        distances = _squared(chunk, centers).sqrt_()
        near = distances - radii <= distances.amin(-1, keepdim=True) * (1 + 1e-6)
        rows, columns = near.nonzero(as_tuple=True)
        barycentrics = nearest_on_triangle(chunk[rows], corners[columns])
        nearest = (corners[columns] * barycentrics[..., None]).sum(-2)
        squared = distances.fill_(torch.inf)
        squared[rows, columns] = (chunk[rows] - nearest).square().sum(-1)
        found.append(squared.argmin(-1))
    return torch.cat(found) if found else points.new_zeros(0, dtype=torch.long)


def _squared(queries: Tensor, points: Tensor) -> Tensor:
    """All squared distances, shape (N, M), from differences: the expanded square cancels in float32."""
    total = (queries[:, None, 0] - points[None, :, 0]).square_()
    for axis in (1, 2):
        difference = queries[:, None, axis] - points[None, :, axis]
        total.addcmul_(difference, difference)
    return total


def _chunks(queries: Tensor, count: int) -> Iterator[Tensor]:
    pairs = _PAIRS.get(queries.device.type, 1 << 22)
    return iter(queries.split(max(1, pairs // max(count, 1)))) if queries.shape[0] else iter(())


def _require_points(queries: Tensor, points: Tensor, name: str) -> None:
    if queries.shape[-1:] != (3,) or queries.ndim < 2:
        raise InputError(f"the first points must have shape (..., N, 3), got {tuple(queries.shape)}")
    if points.shape[-1:] != (3,) or points.shape[:-2] != queries.shape[:-2] or points.ndim < 2:
        batch = "".join(f"{n}, " for n in queries.shape[:-2])
        raise InputError(f"{name} must have shape ({batch}M, 3), got {tuple(points.shape)}")
    if points.shape[-2] == 0 and queries.shape[-2]:
        raise InputError(f"{name} must have at least one row, got none")
