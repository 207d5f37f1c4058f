"""The fit's own coordinates: the ball that all cameras look at becomes the unit ball."""

from __future__ import annotations

import dataclasses

import torch
from torch import Tensor

from ..io import Views
from ..render import Camera


def to_unit_ball(views: Views, centre: Tensor, radius: float) -> Views:
    """The same pictures of a world that is moved by ``-centre`` and divided by ``radius``."""
    cameras = views.cameras
    pose = cameras.world_to_camera
    rotation, translation = pose[..., :3, :3], pose[..., :3, 3:]
    moved = (rotation @ centre[:, None] + translation) / radius
    top = torch.cat([rotation, moved], -1)
    intrinsics = cameras.intrinsics
    if cameras.orthographic:  # pixels per world unit
        intrinsics = torch.cat([intrinsics[..., :2] * radius, intrinsics[..., 2:]], -1)
    unit = cameras.replace(
        world_to_camera=torch.cat([top, pose[..., 3:, :]], -2),
        intrinsics=intrinsics,
        near=cameras.near / radius,
    )
    depth = None if views.depth is None else views.depth / radius
    return dataclasses.replace(views, cameras=unit, depth=depth)


def pixel_footprint(cameras: Camera) -> float:
    """Mean size at the origin of one pixel [world units]."""
    focal = (cameras.intrinsics[..., 0, 0] + cameras.intrinsics[..., 1, 1]) / 2
    distance = torch.ones_like(focal) if cameras.orthographic else cameras.world_to_camera[..., 2, 3]
    return float((distance / focal).mean())
