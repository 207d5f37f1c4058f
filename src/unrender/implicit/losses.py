"""What pictures say about a field (Niemeyer et al. 2020, 3.3; ``papers.md`` 1.4)."""

from __future__ import annotations

import dataclasses
from typing import Literal

import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits

from ..errors import InputError
from ..render.rays import Rays, cube_span
from .cast import Hits
from .field import Field
from .surface import outward_normals, surface_depth


@dataclasses.dataclass(frozen=True, eq=False)
class RayTargets:
    """What is known of N rays.

    Attributes:
        colors: of the pixels, shape (N, 3).
        inside: whether the object covers them, bool, shape (N,).
        depth: of the surface along the ray, which is camera z for rays of
            :func:`~unrender.render.rays.pixel_rays`, 0 where unknown, shape (N,); None where none is known.
        solid: depths at which the object is likely to be on rays inside the mask, 0 where unknown, shape
            (N,), as of the visual hull; None draws them at random.
        unsure: rays outside the mask that may graze the object all the same, bool, shape (N,): nothing on
            them is called empty; None where there are none.
        squares: of 2 x 2 pixels, which the first rays are of, four each: upper left, upper right, lower left,
            lower right.
    """

    colors: Tensor
    inside: Tensor
    depth: Tensor | None = None
    solid: Tensor | None = None
    unsure: Tensor | None = None
    squares: int = 0


@dataclasses.dataclass(frozen=True, kw_only=True)
class FieldLossOptions:
    """Weights of the terms, which are sums over rays divided by their number, and their constants.

    Attributes:
        color: L1 of colours where a ray hits inside the mask.
        gradient: lengths of differences between the gradients of each colour channel in squares of 2 x 2
            pixels (``RayTargets.squares``) that all hit inside the mask.
        depth: L1 of depth where a ray hits inside the mask and depth is known; ten times that of colours, as
            in the paper's model of both.
        depth_on: compare camera z, or points of the world, whose distance is that along the ray.
        freespace: cross-entropy that says empty, on rays outside the mask.
        occupancy: cross-entropy that says filled, on rays inside the mask that hit nothing.
        normal: differences of normals at points a little apart.
        half_side: of the cube outside of which nothing is looked for.
        solid_half_side: of the cube that points to be filled are drawn from.
        apart: most that the points of ``normal`` differ in a coordinate.
        normal_step: of the differences that normals are taken by.

    Raises:
        InputError: a number is negative.
    """

    color: float = 1.0
    gradient: float = 0.0
    depth: float = 10.0
    depth_on: Literal["z", "points"] = "z"
    freespace: float = 1.0
    occupancy: float = 1.0
    normal: float = 0.05
    half_side: float = 0.55
    solid_half_side: float = 0.5
    apart: float = 5e-4
    normal_step: float = 1e-3

    def __post_init__(self) -> None:
        if self.depth_on not in ("z", "points"):
            raise InputError(f"depth_on must be z or points, got {self.depth_on!r}")
        for field in dataclasses.fields(self):
            if field.name != "depth_on" and not getattr(self, field.name) >= 0:
                raise InputError(f"{field.name} must not be negative, got {getattr(self, field.name)}")


def field_losses(
    field: Field,
    rays: Rays,
    hits: Hits,
    targets: RayTargets,
    options: FieldLossOptions | None = None,
    *,
    generator: torch.Generator | None = None,
) -> dict[str, Tensor]:
    """The weighted terms of N rays.

    Args:
        field: of the object.
        rays: shape (N,), in the object's frame.
        hits: of these rays.
        targets: of these rays.
        options: weights.
        generator: of random points, on the device of the rays.

    Raises:
        InputError: there is a weight for gradients, and no square or more of them than rays.
    """
    options = FieldLossOptions() if options is None else options
    count = max(1, rays.origins.shape[0])
    depth = surface_depth(field, rays, hits)  # of the rays that hit
    points = rays.select(hits.hit).at(depth)
    inside, hit = targets.inside, hits.hit
    terms: dict[str, Tensor] = {}

    seen = inside[hit]
    _, colors = field(points)
    wrong = (colors - targets.colors[hit]).abs().sum(-1)
    terms["color"] = options.color * (wrong * seen).sum() / count
    if options.gradient:
        terms["gradient"] = options.gradient * _gradient_loss(colors, targets, hit) / count
    if targets.depth is not None and options.depth:
        known = seen & (targets.depth[hit] > 0)
        apart = (depth - targets.depth[hit]).abs()
        if options.depth_on == "points":
            apart = apart * torch.linalg.vector_norm(rays.directions[hit], dim=-1).detach()
        terms["depth"] = options.depth * (apart * known).sum() / count

    outside = ~inside if targets.unsure is None else ~(inside | targets.unsure)
    free = _points_on(rays, options.half_side, generator)
    free[hit] = points.detach()  # this term never moves the depth
    terms["freespace"] = options.freespace * _entropy(field, free[outside], 0.0) / count

    missed = inside & ~hit & ~hits.inside
    solid = _points_on(rays, options.solid_half_side, generator)
    for given in (targets.solid, targets.depth):
        if given is not None:
            solid = torch.where((given > 0)[:, None], rays.at(given), solid)
    terms["occupancy"] = options.occupancy * _entropy(field, solid[missed].detach(), 1.0) / count

    blocked = hits.inside & outside  # rays that begin in the object, where there is nothing to see
    if bool(blocked.any()):
        start, _ = cube_span(rays.detach().select(blocked), options.half_side)
        entries = rays.detach().select(blocked).at(start)
        terms["freespace"] = terms["freespace"] + options.freespace * _entropy(field, entries, 0.0) / count

    if options.normal and points.shape[0]:
        here = points.detach()
        noise = torch.rand(here.shape, generator=generator, device=here.device, dtype=here.dtype)
        there = here + options.apart * (2 * noise - 1)
        first, second = outward_normals(field, torch.stack([here, there]), step=options.normal_step)
        terms["normal"] = options.normal * (first - second).square().sum(-1).add(1e-12).sqrt().sum() / count
    return terms


def _gradient_loss(colors: Tensor, targets: RayTargets, hit: Tensor) -> Tensor:
    """Summed over the squares of pixels that all hit inside the mask; ``colors`` are those of the hits."""
    count = 4 * targets.squares
    if not 0 < count <= len(hit):
        raise InputError(
            f"gradients of pictures need from 1 to {len(hit) // 4} squares of {len(hit)} rays, "
            f"got {targets.squares}"
        )
    whole = (hit & targets.inside)[:count].reshape(-1, 4).all(-1)
    found = targets.colors.new_zeros(targets.colors.shape).index_put(
        (hit.nonzero()[:, 0],), colors.to(targets.colors)
    )
    wrong = (found - targets.colors)[:count].reshape(-1, 4, 3)[whole]
    across, down = wrong[:, 1] - wrong[:, 0], wrong[:, 2] - wrong[:, 0]
    return torch.stack([across, down], -1).square().sum(-1).add(1e-12).sqrt().sum()


def _entropy(field: Field, points: Tensor, wanted: float) -> Tensor:
    """Summed cross-entropy of the logits at points (M, 3)."""
    logits, _ = field(points)
    return binary_cross_entropy_with_logits(logits, torch.full_like(logits, wanted), reduction="sum")


def _points_on(rays: Rays, half_side: float, generator: torch.Generator | None) -> Tensor:
    """A point on each ray, uniformly at random between where it enters and leaves a cube, (N, 3)."""
    rays = rays.detach()
    start, end = cube_span(rays, half_side)
    share = torch.rand(start.shape, generator=generator, device=start.device, dtype=start.dtype)
    return rays.at(start + share * (end - start))
