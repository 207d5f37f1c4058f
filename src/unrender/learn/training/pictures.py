"""A sheet of pictures that shows where a training stands."""

from __future__ import annotations

import dataclasses

import torch
from torch import Tensor

from ...io.pictures import contact_sheet
from ...render import Camera, composite, render
from ...render.turntable import full_turn
from ..data.capture import N3MR_DISTANCE, N3MR_ELEVATION, N3MR_FOV
from ..data.packed_views import PackedViews
from ..prediction import Prediction
from ..predictor import Predictor
from .validation import draw_solid

TURN = 6  # pictures of the turntable


@torch.no_grad()
def progress_sheet(
    predictor: Predictor, source: PackedViews, *, device: torch.device, objects: int = 4
) -> Tensor:
    """A row an object: the picture predicted from, another view, the render there, and a turntable.

    The turntable shows the surface's own colours, without the predicted light.

    Args:
        predictor: as it is now.
        source: the first objects of it are shown.
        device: where the predictor is.
        objects: rows.

    Returns:
        Colours on white in [0, 1], shape (H, W, 3), on the CPU.
    """
    was_training = predictor.training
    predictor.eval()
    rows = torch.arange(min(objects, len(source)))
    views = torch.tensor([0, source.views // 3]).expand(len(rows), 2)
    batch = source.batch(rows, views).to(device)
    prediction = predictor(batch.pictures[:, 0])
    height, width = batch.pictures.shape[2:4]
    turn = Camera.orbit(
        N3MR_DISTANCE, N3MR_ELEVATION, full_turn(TURN), fov_y=N3MR_FOV, width=width, height=height
    ).to(device)
    unlit = dataclasses.replace(prediction, light=None)
    cells = torch.cat(
        [
            batch.pictures[..., :3] + 1 - batch.pictures[..., 3:],
            draw_prediction(prediction, batch.cameras[:, 1:]),
            draw_prediction(unlit, _for_each(turn, len(rows))),
        ],
        dim=1,
    ).cpu()
    predictor.train(was_training)
    return contact_sheet(list(cells.flatten(0, 1).clamp(0, 1)), columns=cells.shape[1])


def draw_prediction(prediction: Prediction, cameras: Camera) -> Tensor:
    """Predictions (B,) on white in cameras (B, K), shape (B, K, H, W, 3); solids as grey silhouettes."""
    if prediction.mesh is None:
        assert prediction.occupancy is not None
        shade = draw_solid(prediction.occupancy, cameras)
        return (1 - 0.7 * shade)[..., None].expand(*shade.shape, 3)
    light = prediction.light
    light = None if light is None else light.reshape(len(prediction.mesh.vertices), 1)
    picture = render(
        prediction.mesh[:, None],
        cameras,
        None if light is None else light.lights(),
        material=None if light is None else light.material(),
    )
    return composite(torch.cat([picture.rgb, picture.mask[..., None].to(picture.rgb.dtype)], -1), 1.0)


def _for_each(cameras: Camera, count: int) -> Camera:
    """Cameras (K,) as (count, K)."""
    return cameras.replace(world_to_camera=cameras.world_to_camera.expand(count, -1, 4, 4))
