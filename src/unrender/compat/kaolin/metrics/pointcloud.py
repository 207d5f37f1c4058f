"""Distances between point clouds."""

import torch
from torch import Tensor

from ....geometry.corners import gather_rows
from ....geometry.distances import nearest_points

__all__ = ["chamfer_distance", "f_score", "sided_distance"]


def sided_distance(p1: Tensor, p2: Tensor) -> tuple[Tensor, Tensor]:
    """Squared distance from each point to the nearest point of another cloud.

    Args:
        p1: shape (B, N, 3).
        p2: shape (B, M, 3).

    Returns:
        Squared distances, differentiable in both clouds, and indices into ``p2``, int64; both (B, N).

    Raises:
        InputError: wrong shapes.
    """
    return nearest_points(p1, p2)


def chamfer_distance(
    p1: Tensor, p2: Tensor, w1: float = 1.0, w2: float = 1.0, squared: bool = True
) -> Tensor:
    """The mean distance from each cloud to the other: w1 mean(d(p1, P2)) + w2 mean(d(p2, P1)).

    Args:
        p1: shape (B, N, 3).
        p2: shape (B, M, 3).
        w1: weight of the distances from ``p1``.
        w2: weight of the distances from ``p2``.
        squared: square the distances.

    Returns:
        Shape (B,).

    Raises:
        InputError: wrong shapes.
    """
    return w1 * _distances(p1, p2, squared).mean(-1) + w2 * _distances(p2, p1, squared).mean(-1)


def f_score(gt_points: Tensor, pred_points: Tensor, radius: float = 0.01, eps: float = 1e-8) -> Tensor:
    """Harmonic mean of precision and recall, where a point is matched within ``radius``.

    Kaolin counts recall as TP / (TP + FN) with the matched *predicted* points for TP, so the value is that of
    :func:`unrender.geometry.f_score` only where both clouds have as many points.

    Args:
        gt_points: shape (B, N, 3).
        pred_points: shape (B, M, 3).
        radius: the largest distance of a match.
        eps: added to the denominator.

    Returns:
        Shape (B,).

    Raises:
        InputError: wrong shapes.
    """
    missed = (_distances(gt_points, pred_points, squared=False) > radius).to(gt_points.dtype).sum(-1)
    hits = (_distances(pred_points, gt_points, squared=False) <= radius).to(gt_points.dtype).sum(-1)
    precision = hits / pred_points.shape[1]
    recall = hits / (hits + missed)
    return 2 * precision * recall / (precision + recall + eps)


def _distances(p1: Tensor, p2: Tensor, squared: bool) -> Tensor:
    """Distances (B, N); those that are not squared have gradient zero, not NaN, where points coincide."""
    nearest = nearest_points(p1, p2)
    if squared:
        return nearest.squared_distances
    return torch.linalg.vector_norm(p1 - gather_rows(p2, nearest.indices), dim=-1)
