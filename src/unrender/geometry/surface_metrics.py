"""How far two surfaces are apart, from points drawn on both."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import torch
from torch import Tensor

from ..errors import InputError
from .corners import gather_rows
from .distances import nearest_points

THRESHOLDS = (0.01, 0.02, 0.05)


@dataclasses.dataclass(frozen=True, eq=False)
class SurfaceMetrics:
    """What :func:`surface_metrics` measures; no gradients.

    Attributes:
        accuracy: mean distance from the prediction to the truth [world units], shape (...).
        completeness: mean distance from the truth to the prediction [world units], shape (...).
        chamfer_l1: half the sum of the two, as in Occupancy Networks and DVR [world units], shape (...). With
            the object's longest side 1, the papers' tables hold ten times this.
        chamfer_l2: the sum of the mean squared distances both ways [world units squared], shape (...).
        thresholds: T distances [world units].
        precision: share of predicted points no further than each threshold from the truth, shape (..., T).
        recall: the same for the true points, shape (..., T).
        f_score: 2 precision recall / (precision + recall), 0 where both are, shape (..., T).
        normal_consistency: mean absolute cosine between the normals of a point and of the nearest point,
            averaged over both ways (Mescheder et al. 2019), shape (...); None without normals.
    """

    accuracy: Tensor
    completeness: Tensor
    chamfer_l1: Tensor
    chamfer_l2: Tensor
    thresholds: tuple[float, ...]
    precision: Tensor
    recall: Tensor
    f_score: Tensor
    normal_consistency: Tensor | None


@torch.no_grad()
def surface_metrics(
    predicted: Tensor,
    target: Tensor,
    *,
    predicted_normals: Tensor | None = None,
    target_normals: Tensor | None = None,
    thresholds: Sequence[float] = THRESHOLDS,
) -> SurfaceMetrics:
    """All measures between two point sets from one search for nearest points each way.

    Args:
        predicted: points on the predicted surface, uniform over its area, shape (..., N, 3).
        target: points on the true surface, shape (..., M, 3).
        predicted_normals: unit normals, shape (..., N, 3).
        target_normals: unit normals, shape (..., M, 3).
        thresholds: distances for the F-score [world units].

    Raises:
        InputError: a shape is wrong, a set is empty, or only one of the sets has normals.
        ImportError: SciPy is not installed, and the sets are large and on a CPU.
    """
    if not predicted.numel() or not target.numel():
        raise InputError(
            f"both surfaces need points, got shapes {tuple(predicted.shape)} and {tuple(target.shape)}"
        )
    _require_normals(predicted, predicted_normals, "predicted_normals", target_normals is not None)
    _require_normals(target, target_normals, "target_normals", predicted_normals is not None)
    forth, back = nearest_points(predicted, target), nearest_points(target, predicted)
    to_target, to_predicted = forth.squared_distances.sqrt(), back.squared_distances.sqrt()
    accuracy, completeness = to_target.mean(-1), to_predicted.mean(-1)
    limits = to_target.new_tensor(thresholds)[:, None]
    precision = (to_target[..., None, :] <= limits).to(to_target.dtype).mean(-1)
    recall = (to_predicted[..., None, :] <= limits).to(to_target.dtype).mean(-1)
    total = precision + recall
    consistency = None
    if predicted_normals is not None and target_normals is not None:
        there = (predicted_normals * gather_rows(target_normals, forth.indices)).sum(-1).abs()
        here = (target_normals * gather_rows(predicted_normals, back.indices)).sum(-1).abs()
        consistency = (there.mean(-1) + here.mean(-1)) / 2
    return SurfaceMetrics(
        accuracy=accuracy,
        completeness=completeness,
        chamfer_l1=(accuracy + completeness) / 2,
        chamfer_l2=forth.squared_distances.mean(-1) + back.squared_distances.mean(-1),
        thresholds=tuple(thresholds),
        precision=precision,
        recall=recall,
        f_score=torch.where(total > 0, 2 * precision * recall / torch.where(total > 0, total, 1), 0),
        normal_consistency=consistency,
    )


def _require_normals(points: Tensor, normals: Tensor | None, name: str, needed: bool) -> None:
    if normals is None and needed:
        raise InputError(f"{name} must be given when the other surface has normals")
    if normals is not None and normals.shape != points.shape:
        shape = tuple(points.shape)
        raise InputError(f"{name} must have the shape of the points {shape}, got {tuple(normals.shape)}")
