"""Where rays are inside a solid, or enter it, such as the visual hull of pictures."""

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
    depths, values = _sampled(rays, inside, half_side, samples)
    noise = torch.rand(values.shape, generator=generator).to(values.device)
    best = torch.where(values > 0.5, noise, -1.0).max(-1)
    return torch.where(best.values >= 0, depths.gather(-1, best.indices[..., None])[..., 0], 0)


def entry_depths(rays: Rays, inside: Callable[[Tensor], Tensor], *, half_side: float, samples: int) -> Tensor:
    """The depth at which each ray enters a solid first, interpolated between its samples.

    Args:
        rays: shape (...).
        inside: see :func:`solid_depths`, as all that follow.
        half_side: of the cube.
        samples: S.

    Returns:
        Depth along the ray, 0 where it is never inside, shape (...).
    """
    depths, values = _sampled(rays, inside, half_side, samples)
    within = values > 0.5
    first = within.to(torch.uint8).argmax(-1, keepdim=True)
    before = (first - 1).clamp(min=0)
    near, far = values.gather(-1, before), values.gather(-1, first)
    share = ((0.5 - near) / (far - near).clamp(min=1e-6)).clamp(0, 1)
    found = torch.lerp(depths.gather(-1, before), depths.gather(-1, first), share)
    return torch.where(within.any(-1), found[..., 0], 0)


def _sampled(
    rays: Rays, inside: Callable[[Tensor], Tensor], half_side: float, samples: int
) -> tuple[Tensor, Tensor]:
    """Depths along rays in the cube, and what ``inside`` says there: shapes (..., S)."""
    start, end = cube_span(rays, half_side)
    share = (torch.arange(samples, device=start.device) + 0.5) / samples
    depths = start[..., None] + (end - start)[..., None] * share
    return depths, inside(rays.origins[..., None, :] + depths[..., None] * rays.directions[..., None, :])
