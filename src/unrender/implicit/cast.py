"""Casting rays on a field: where they first enter the object (Niemeyer et al. 2020; ``papers.md`` 1.4)."""

from __future__ import annotations

import dataclasses
from typing import Literal

import torch
from torch import Tensor

from ..errors import InputError
from ..render.rays import Rays, cube_span
from .field import Field
from .space import OccupiedSpace

HALF_SIDE = 0.55
AT_ONCE = 2**18  # points that a field is asked for at once
STRETCH = 8  # samples of a ray that are taken before it is asked whether the ray goes on


@dataclasses.dataclass(frozen=True, kw_only=True)
class CastOptions:
    """How rays are cast.

    Attributes:
        samples: along a ray between the cube's entry and exit, both included.
        half_side: of the cube about the origin outside of which nothing is looked for.
        refinement: of the depth between the last sample outside and the first inside.
        steps: of the refinement.

    Raises:
        InputError: a number is out of range.
    """

    samples: int = 64
    half_side: float = HALF_SIDE
    refinement: Literal["secant", "bisection"] = "secant"
    steps: int = 8

    def __post_init__(self) -> None:
        if self.samples < 2:
            raise InputError(f"samples must be at least 2, got {self.samples}")
        if not self.half_side > 0:
            raise InputError(f"half_side must be positive, got {self.half_side}")
        if self.steps < 0:
            raise InputError(f"steps must not be negative, got {self.steps}")
        if self.refinement not in ("secant", "bisection"):
            raise InputError(f"refinement must be secant or bisection, got {self.refinement!r}")


@dataclasses.dataclass(frozen=True, eq=False)
class Hits:
    """What rays of shape (...) meet.

    Attributes:
        hit: rays that come from outside and enter the object, bool.
        inside: rays whose first sample lies in the object, bool; they have no depth.
        depth: along the ray where it enters, in units of its direction; 0 for other rays. No gradient.
        evaluations: points that the field was asked for.
    """

    hit: Tensor
    inside: Tensor
    depth: Tensor
    evaluations: int


@torch.no_grad()
def cast(
    field: Field, rays: Rays, options: CastOptions | None = None, *, space: OccupiedSpace | None = None
) -> Hits:
    """Find where rays first change from outside to inside.

    Samples are uniform between where a ray enters and leaves the cube, and are taken front to back until the
    ray has entered the object; so memory does not grow with their number.

    Args:
        field: of the object, in whose frame the rays are.
        rays: of any shape (...).
        options: how.
        space: where samples need not be taken.

    Raises:
        InputError: the field gives a logit that is not finite.
    """
    options = CastOptions() if options is None else options
    shape = rays.origins.shape[:-1]
    flat = rays.detach().reshape(-1)
    start, end = cube_span(flat, options.half_side)
    count = flat.origins.shape[0]
    evaluations = 0
    low, high = torch.zeros_like(start), torch.zeros_like(start)  # depths on both sides of the surface
    below, above = torch.full_like(start, -1), torch.zeros_like(start)  # and the logits there
    hit, inside = (torch.zeros(count, dtype=torch.bool, device=start.device) for _ in range(2))
    last_depth, last_logit = start.clone(), torch.full_like(start, -1)
    shares = torch.linspace(0, 1, options.samples, device=start.device, dtype=start.dtype)
    going = (end > start).nonzero().flatten()
    for first in range(0, options.samples, STRETCH):
        part = shares[first : first + STRETCH]
        if going.numel() == 0:
            break
        depths = start[going, None] + (end - start)[going, None] * part
        logits, asked = _logits(field, flat.select(going), depths, space)
        evaluations += asked
        entered = logits > 0
        if first == 0:
            inside[going] = entered[:, 0]
        found = entered.any(-1) & ~inside[going]
        place = entered.int().argmax(-1)  # of the first sample inside
        before_depth = torch.cat([last_depth[going, None], depths[:, :-1]], -1)
        before_logit = torch.cat([last_logit[going, None], logits[:, :-1]], -1)
        rows, chosen, at = found.nonzero().flatten(), going[found], place[found]
        hit[chosen] = True
        low[chosen], high[chosen] = before_depth[rows, at], depths[rows, at]
        below[chosen], above[chosen] = before_logit[rows, at], logits[rows, at]
        last_depth[going], last_logit[going] = depths[:, -1], logits[:, -1]
        going = going[~found & ~inside[going]]
    chosen = hit.nonzero().flatten()
    depth = torch.zeros_like(start)
    if chosen.numel():
        surely = space is None  # without samples between, the logit before the surface may be a stand-in
        bracket = [values[chosen] for values in (low, high, below, above)]
        depth[chosen], asked = _refined(field, flat.select(chosen), bracket, options, known=surely)
        evaluations += asked
    return Hits(hit.reshape(shape), inside.reshape(shape), depth.reshape(shape), evaluations)


def logits_at(field: Field, points: Tensor) -> Tensor:
    """Logits (N,) of points (N, 3), a part of them at a time.

    Raises:
        InputError: one is not finite.
    """
    logits = torch.cat([field(part)[0] for part in points.split(AT_ONCE)]).to(points.dtype)
    if not bool(torch.isfinite(logits).all()):
        raise InputError("the field must give finite logits, got NaN or infinity: the training diverged")
    return logits


def colors_at(field: Field, points: Tensor) -> Tensor:
    """Colours (N, 3) of points (N, 3), a part of them at a time.

    Raises:
        InputError: one is not finite.
    """
    colors = torch.cat([field(part)[1] for part in points.split(AT_ONCE)])
    if not bool(torch.isfinite(colors).all()):
        raise InputError("the field must give finite colors, got NaN or infinity: the training diverged")
    return colors


def _logits(field: Field, rays: Rays, depths: Tensor, space: OccupiedSpace | None) -> tuple[Tensor, int]:
    """Logits at depths (R, S) of R rays, -1 where space is known to be empty; and points asked for."""
    points = (rays.origins[:, None] + depths[..., None] * rays.directions[:, None]).reshape(-1, 3)
    if space is None:
        return logits_at(field, points).reshape(depths.shape), len(points)
    needed = space.may_be_occupied(points).nonzero().flatten()
    logits = torch.full((len(points),), -1.0, device=points.device, dtype=points.dtype)
    logits[needed] = logits_at(field, points[needed])
    return logits.reshape(depths.shape), len(needed)


def _refined(
    field: Field, rays: Rays, bracket: list[Tensor], options: CastOptions, *, known: bool
) -> tuple[Tensor, int]:
    """Depths of the surface between a depth outside and one inside, by regula falsi or halving."""
    low, high, below, above = bracket
    asked = 0
    if not known:
        below = logits_at(field, rays.at(low))
        asked += len(low)
    depth = _between(low, high, below, above, options.refinement)
    for _ in range(options.steps):
        logit = logits_at(field, rays.at(depth))
        asked += len(depth)
        inside = logit > 0
        low, high = torch.where(inside, low, depth), torch.where(inside, depth, high)
        below, above = torch.where(inside, below, logit), torch.where(inside, logit, above)
        depth = _between(low, high, below, above, options.refinement)
    return depth, asked


def _between(low: Tensor, high: Tensor, below: Tensor, above: Tensor, how: str) -> Tensor:
    if how == "bisection":
        return (low + high) / 2
    rise = above - below
    share = torch.where(rise > 0, -below / torch.where(rise > 0, rise, 1), 0.5)
    return low + share.clamp(0, 1) * (high - low)
