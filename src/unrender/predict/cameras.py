"""Where a picture may have been taken from."""

from __future__ import annotations

import dataclasses

import torch
from torch import Tensor

from ..geometry import Mesh
from ..learn.crop import place_camera
from ..learn.data.capture import N3MR_DISTANCE, N3MR_FOV
from ..learn.methods.camera_predictor import CameraPredictor
from ..learn.prediction import Prediction
from ..learn.predictor import Predictor
from ..render import Camera, render

AZIMUTHS = 12
ELEVATIONS = (10.0, 35.0)  # degrees


def likely_cameras(predictor: Predictor, crops: Tensor, prediction: Prediction, *, count: int) -> Camera:
    """The likeliest cameras of crops, in which the predicted shapes fill the objects' boxes.

    A predictor with a camera head says which they are. For one without, cameras all around, at two heights,
    are compared: the best are those whose silhouettes have the largest IoU with the masks.

    Args:
        predictor: what predicted.
        crops: colours multiplied by alpha, and alpha, shape (B, S, S, 4).
        prediction: from the crops, with meshes.
        count: n.

    Returns:
        Batch shape (B, n), likeliest first.
    """
    if prediction.camera is not None and count == 1:
        return prediction.camera[:, None]
    if isinstance(predictor, CameraPredictor) and predictor.camera_head is not None:
        return predictor.cameras(crops, prediction, count=count)[0]
    assert prediction.mesh is not None
    return _all_around(prediction.mesh, crops[..., 3], count)


def _all_around(mesh: Mesh, alpha: Tensor, count: int) -> Camera:
    """The best n of 24 cameras by IoU with masks (B, S, S): batch shape (B, n)."""
    size = alpha.shape[-1]
    elevation, azimuth = torch.meshgrid(
        torch.tensor(ELEVATIONS), torch.arange(AZIMUTHS) * (360 / AZIMUTHS), indexing="ij"
    )
    ring = Camera.orbit(
        N3MR_DISTANCE, elevation.flatten(), azimuth.flatten(), fov_y=N3MR_FOV, width=size, height=size
    ).to(alpha.device)
    places = ring.batch_shape[0]
    vertices = mesh.vertices[:, None]
    cameras = place_camera(
        vertices, ring.world_to_camera, alpha[:, None].expand(len(alpha), places, size, size)
    )
    drawn = render(Mesh(vertices, mesh.faces), cameras).mask
    inside = (alpha > 0.5)[:, None]
    iou = (drawn & inside).sum((-2, -1)) / (drawn | inside).sum((-2, -1))
    best = iou.topk(count, dim=-1).indices
    rows = torch.arange(len(alpha), device=alpha.device)[:, None]
    return dataclasses.replace(
        cameras,
        world_to_camera=cameras.world_to_camera[rows, best],
        intrinsics=cameras.intrinsics[rows, best],
    )
