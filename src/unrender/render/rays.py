"""The rays of a camera's pixels."""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor

from .camera import Camera


class Rays(NamedTuple):
    """Points ``origins + t directions``, where t is camera z: directions have camera z 1, not length 1.

    ``origins`` and ``directions`` have shape (..., 3), in the world.
    """

    origins: Tensor
    directions: Tensor

    def at(self, depth: Tensor) -> Tensor:
        """Points at depths (...), shape (..., 3)."""
        return self.origins + depth[..., None] * self.directions

    def detach(self) -> Rays:
        """A copy cut off from the autograd graph."""
        return Rays(self.origins.detach(), self.directions.detach())

    def reshape(self, *batch: int) -> Rays:
        """The same rays in other batch dimensions."""
        return Rays(self.origins.reshape(*batch, 3), self.directions.reshape(*batch, 3))

    def select(self, chosen: Any) -> Rays:
        """Some of the rays."""
        return Rays(self.origins[chosen], self.directions[chosen])


def pixel_rays(camera: Camera, pixels: Tensor | None = None) -> Rays:
    """Rays through positions of a picture. Gradients flow to pose and intrinsics.

    Args:
        camera: batch shape (...).
        pixels: positions x and y, shape (..., P, 2); the centres of all pixels when None.

    Returns:
        Rays of shape (..., P), or (..., H, W) for all pixels. Those of a pinhole camera begin at its centre,
        those of an orthographic one at camera z 0.
    """
    k = camera.intrinsics[..., None, :, :]
    if pixels is None:
        k = k[..., None, :, :]
        x = torch.arange(camera.width, device=k.device, dtype=k.dtype) + 0.5
        y = torch.arange(camera.height, device=k.device, dtype=k.dtype)[:, None] + 0.5
    else:
        x, y = pixels.unbind(-1)
    y = (y - k[..., 1, 2]) / k[..., 1, 1]
    x = (x - k[..., 0, 2] - k[..., 0, 1] * y) / k[..., 0, 0]
    x, y = torch.broadcast_tensors(x, y)
    zero, one = torch.zeros_like(x), torch.ones_like(x)
    starts, directions = torch.stack([zero, zero, zero], -1), torch.stack([x, y, one], -1)
    if camera.orthographic:
        starts, directions = torch.stack([x, y, zero], -1), torch.stack([zero, zero, one], -1)
    pose = camera.world_to_camera[..., None, :, :]
    if pixels is None:
        pose = pose[..., None, :, :]
    rotation, shift = pose[..., :3, :3], pose[..., :3, 3]
    # sums, because a matrix product may run in TF32 or bfloat16
    origins = (rotation * (starts - shift)[..., None]).sum(-2)
    return Rays(origins, (rotation * directions[..., None]).sum(-2))


def cube_span(rays: Rays, half_side: float) -> tuple[Tensor, Tensor]:
    """Where rays enter and leave the cube [-half_side, half_side]^3, (...) each.

    Entries are not before 0; the end is the start for rays that miss the cube.
    """
    slope = torch.where(rays.directions.abs() > 1e-9, rays.directions, 1e-9)
    first, second = (-half_side - rays.origins) / slope, (half_side - rays.origins) / slope
    start = torch.minimum(first, second).amax(-1).clamp(min=0)
    return start, torch.maximum(torch.maximum(first, second).amin(-1), start)
