"""Where rays are likely to be inside, for rays that should meet the object and do not."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from ..render.rays import Rays, cube_span


def solid_depths(
    rays: Rays,
    inside: Callable[[Tensor], Tensor],
    *,
    half_side: float,
    samples: int,
    generator: torch.Generator | None = None,
) -> Tensor:
    """A depth at random at which each ray is inside a solid such as the visual hull.

    Args:
        rays: shape (...).
        inside: from points (..., S, 3) to numbers (..., S), above 1/2 inside.
        half_side: of the cube about the origin that is looked at.
        samples: S, along each ray.
        generator: on the CPU.

    Returns:
        Depth along the ray, 0 where it is never inside, shape (...).
    """
    start, end = cube_span(rays, half_side)
    share = (torch.arange(samples, device=start.device) + 0.5) / samples
    depths = start[..., None] + (end - start)[..., None] * share
    values = inside(rays.origins[..., None, :] + depths[..., None] * rays.directions[..., None, :])
    noise = torch.rand(values.shape, generator=generator).to(values.device)
    best = torch.where(values > 0.5, noise, -1.0).max(-1)
    return torch.where(best.values >= 0, depths.gather(-1, best.indices[..., None])[..., 0], 0)
