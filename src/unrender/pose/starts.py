"""Where the search starts: rotations on an even grid, each placed and scaled as the mask is."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn.functional import normalize

from ..geometry import Mesh
from ..render.quaternion import rotation_from_quaternion
from .compare import sharp
from .placement import Frame, Placements
from .target import Target

AT_ONCE = 2**17  # pixels of the pictures that are drawn together


def even_rotations(count: int, *, seed: int = 0) -> Tensor:
    """Rotations spread evenly over SO(3), shape (count, 3, 3).

    Super-Fibonacci spirals (Alexa, "Super-Fibonacci Spirals: Fast, Low-Discrepancy Sampling of SO(3)", CVPR
    2022), turned as a whole by a random rotation.

    Args:
        count: how many.
        seed: of the random rotation.
    """
    i = torch.arange(count, dtype=torch.float64) + 0.5
    inner, outer = (i / count).sqrt(), (1 - i / count).sqrt()
    first, second = 2 * math.pi * i / math.sqrt(2), 2 * math.pi * i / 1.533751168755204288118041
    quaternions = torch.stack(
        [inner * first.sin(), inner * first.cos(), outer * second.sin(), outer * second.cos()], -1
    )
    generator = torch.Generator().manual_seed(seed)
    turn = normalize(torch.randn(4, dtype=torch.float64, generator=generator), dim=-1)
    return (rotation_from_quaternion(quaternions) @ rotation_from_quaternion(turn)).float()


def placed(mesh: Mesh, rotation: Tensor, frame: Frame, target: Target) -> Placements:
    """Poses with given rotations whose silhouettes have the mask's centroid and area.

    Args:
        mesh: in the unit ball.
        rotation: shape (N, 3, 3).
        frame: the target's window.
        target: the target.
    """
    count = len(rotation)
    grid = (torch.arange(target.size, device=rotation.device) + 0.5) / target.size

    def moments(mask: Tensor) -> tuple[Tensor, Tensor]:
        """Area [squared sides], shape (...), and centroid, shape (..., 2)."""
        weight = mask.sum((-2, -1)).clamp(min=1)
        x, y = (mask.sum(-2) * grid).sum(-1) / weight, (mask.sum(-1) * grid).sum(-1) / weight
        return weight / target.size**2, torch.stack([x, y], -1)

    area, centroid = moments(target.mask)
    poses = Placements(
        rotation,
        centroid.expand(count, 2),
        (area / math.pi).sqrt().expand(count),
        frame.focal.expand(count),
    )
    for _ in range(2):  # perspective and the picture's resolution leave a rest
        own, middle = moments(_silhouettes(mesh, poses, frame, target.size))
        scale = (area / own).sqrt()
        centre = centroid + (poses.centre - middle) * scale[:, None]
        poses = Placements(rotation, centre, poses.size * scale, poses.focal)
    return poses


def _silhouettes(mesh: Mesh, poses: Placements, frame: Frame, size: int) -> Tensor:
    """Coverage of pixels, shape (N, size, size)."""
    batch = max(1, AT_ONCE // size**2)
    parts = [
        sharp(mesh, poses[i : i + batch].camera(frame, size), color=False)[0]
        for i in range(0, len(poses), batch)
    ]
    return torch.cat(parts)
