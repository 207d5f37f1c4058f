"""Where the eye is, seen from points of a surface."""

from __future__ import annotations

from torch import Tensor

from .camera import Camera
from .light import normalize


def eye_directions(camera: Camera, points: Tensor) -> Tensor:
    """Unit vectors from points to the eye; against the viewing direction if the camera is orthographic.

    Args:
        camera: with the points' leading dimensions as batch dimensions.
        points: in the world, shape (..., P, 3) with any number of point dimensions P.

    Returns:
        Shape (..., P, 3).
    """
    batch = camera.batch_shape
    shape = (*batch, *(1,) * (points.ndim - 1 - len(batch)), 3)
    if camera.orthographic:
        return -camera.world_to_camera[..., 2, :3].reshape(shape).expand(points.shape)
    return normalize(camera.center.reshape(shape) - points)
