"""Kaolin's camera: x right, y up, looking down -z."""

import math

import torch
from torch import Tensor
from torch.nn.functional import normalize

__all__ = [
    "generate_perspective_projection",
    "generate_rotate_translate_matrices",
    "generate_transformation_matrix",
    "perspective_camera",
    "rotate_translate_points",
]


def generate_perspective_projection(
    fovyangle: float, ratio: float = 1.0, dtype: torch.dtype = torch.float
) -> Tensor:
    """The projection vector (1 / (ratio tan(fovy / 2)), 1 / tan(fovy / 2), -1).

    Args:
        fovyangle: full vertical angle of view [radians].
        ratio: width divided by height.
        dtype: type of the result.

    Returns:
        The vector that :func:`perspective_camera` takes, shape (3, 1), on the CPU.
    """
    focal = 1.0 / math.tan(fovyangle / 2.0)
    return torch.tensor([[focal / ratio], [focal], [-1.0]], dtype=dtype)


def generate_rotate_translate_matrices(
    camera_position: Tensor, look_at: Tensor, camera_up_direction: Tensor
) -> tuple[Tensor, Tensor]:
    """Rotation R and translation t of a camera, with camera point = R (world point - t).

    Args:
        camera_position: where the cameras are, shape (B, 3).
        look_at: points at the centre of their pictures, shape (B, 3).
        camera_up_direction: directions that appear upward, shape (B, 3) or (1, 3).

    Returns:
        R of shape (B, 3, 3), whose rows are the camera's right, up and backward directions, and t of shape
        (B, 3), which is ``camera_position``.
    """
    return torch.stack(_axes(camera_position, look_at, camera_up_direction), dim=-2), camera_position


def generate_transformation_matrix(
    camera_position: Tensor, look_at: Tensor, camera_up_direction: Tensor
) -> Tensor:
    """The matrix M of a camera, with camera point = (world point, 1) M.

    Args:
        camera_position: where the cameras are, shape (B, 3).
        look_at: points at the centre of their pictures, shape (B, 3).
        camera_up_direction: directions that appear upward, shape (B, 3) or (1, 3).

    Returns:
        M, shape (B, 4, 3).
    """
    rotation = torch.stack(_axes(camera_position, look_at, camera_up_direction), dim=-1)
    translation = -camera_position.unsqueeze(-2) @ rotation
    return torch.cat([rotation.expand(*translation.shape[:-2], 3, 3), translation], dim=-2)


def rotate_translate_points(points: Tensor, camera_rot: Tensor, camera_trans: Tensor) -> Tensor:
    """Move world points into camera space: R (point - t).

    Args:
        points: shape (B, N, 3).
        camera_rot: R, shape (B, 3, 3).
        camera_trans: t, shape (B, 3) or (B, 3, 1).

    Returns:
        The points seen from the camera, shape (B, N, 3).
    """
    return (points - camera_trans.reshape(-1, 1, 3)) @ camera_rot.mT


def perspective_camera(points: Tensor, camera_proj: Tensor) -> Tensor:
    """Project camera-space points onto the image plane.

    Args:
        points: shape (B, N, 3).
        camera_proj: the vector of :func:`generate_perspective_projection`, shape (3, 1).

    Returns:
        x to the right and y upward, both in [-1, 1] inside the picture, shape (B, N, 2).
    """
    scaled = points * camera_proj.reshape(-1, 1, 3)
    return scaled[..., :2] / scaled[..., 2:]


def _axes(position: Tensor, look_at: Tensor, up: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Right, up and backward directions of cameras, each (B, 3)."""
    backward = normalize(position - look_at, dim=-1)
    right = normalize(torch.linalg.cross(up, backward), dim=-1)
    upward = torch.linalg.cross(backward, right)
    return right, upward, backward.expand_as(right)
