"""How well a predictor does on objects that it does not learn from."""

from __future__ import annotations

import dataclasses

import torch
from torch import Tensor

from ...geometry import voxel_iou
from ...render import Camera, render
from ..data.capture import object_voxels
from ..data.packed_views import PackedViews
from ..methods.voxel import project_field
from ..prediction import Prediction
from ..predictor import Predictor
from .sampler import generator_of

VIEWS = 4  # pictures of an object that are compared
AT_ONCE = 16  # objects
RAY_SAMPLES = 64  # along a ray through a solid


@dataclasses.dataclass(frozen=True)
class Scores:
    """Mean intersections over union, one picture of each object being predicted from.

    Attributes:
        mask_iou: of the predictions' silhouettes, pixels whose centre they cover, and the pixels of alpha
            above one half in views that the predictor does not see.
        voxel_iou: of the solids, by the N3MR protocol; None where the data has none.
    """

    mask_iou: float
    voxel_iou: float | None

    @property
    def best_by(self) -> float:
        """The number by which the best predictor is chosen: of the silhouettes, as pictures alone tell."""
        return self.mask_iou


def validation_choice(objects: int, views: int) -> Tensor:
    """For each object the view that is predicted from, and up to ``VIEWS`` others: shape (N, 1 + K)."""
    scores = torch.rand(objects, views, generator=generator_of("validation views", objects, views))
    return scores.argsort(1)[:, : 1 + VIEWS]


@torch.no_grad()
def validation_sums(
    predictor: Predictor, source: PackedViews, *, device: torch.device, rank: int = 0, processes: int = 1
) -> Tensor:
    """Sums over the objects that fall to one of several processes.

    With a single view of each object, that view is compared too.

    Returns:
        Sum of the mask IoU, sum of the voxel IoU and number of objects, float64, shape (3,). The sum of
        all processes gives :func:`scores_of`.
    """
    was_training = predictor.training
    predictor.eval()
    views = validation_choice(len(source), source.views)
    sums = torch.zeros(3, dtype=torch.float64, device=device)
    for objects in torch.arange(rank, len(source), processes).split(AT_ONCE):
        batch = source.batch(objects, views[objects]).to(device)
        prediction = predictor(batch.pictures[:, 0])
        unseen = slice(1, None) if views.shape[1] > 1 else slice(None)
        drawn = silhouettes(prediction, batch.cameras[:, unseen])
        target = batch.pictures[:, unseen, ..., 3] > 0.5
        both, either = (drawn & target).sum((-2, -1)), (drawn | target).sum((-2, -1))
        sums[0] += torch.where(either > 0, both / either.clamp(min=1), 1.0).mean(-1).sum()
        if source.voxels is not None:
            truth = source.voxels[objects].to(device)
            sums[1] += voxel_iou(solid(prediction, truth.shape[-1]), truth).sum()
        sums[2] += len(objects)
    predictor.train(was_training)
    return sums


def scores_of(sums: Tensor, source: PackedViews) -> Scores:
    """The means, from the sums over all processes."""
    mask, voxels, count = sums.tolist()
    return Scores(mask / count, None if source.voxels is None else voxels / count)


def silhouettes(prediction: Prediction, cameras: Camera) -> Tensor:
    """The pixels whose centre the predictions (B,) cover in cameras (B, K): bool, shape (B, K, H, W)."""
    if prediction.mesh is not None:
        return render(prediction.mesh[:, None], cameras).mask
    assert prediction.occupancy is not None
    return draw_solid(prediction.occupancy, cameras) > 0.5


def draw_solid(occupancy: Tensor, cameras: Camera) -> Tensor:
    """Silhouettes (B, K, H, W) of solids (B, S, S, S) by the N3MR protocol in cameras (B, K)."""
    size = occupancy.shape[-1]
    return project_field(occupancy.float(), cameras, samples=RAY_SAMPLES, side=size / (size - 1))


def solid(prediction: Prediction, size: int) -> Tensor:
    """The filled cells of predictions (B,), bool, shape (B, S, S, S)."""
    if prediction.mesh is not None:
        return object_voxels(prediction.mesh, size)
    assert prediction.occupancy is not None
    return prediction.occupancy > 0.5
