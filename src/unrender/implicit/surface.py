"""The surface that rays hit, with gradients: to the field, to latent vectors, and to the rays themselves."""

from __future__ import annotations

import torch
from torch import Tensor

from ..render.rays import Rays
from .cast import Hits
from .field import Field

STEEP = 1e-3  # least size of the logit's slope along a ray that gradients are divided by


def surface_depth(field: Field, rays: Rays, hits: Hits) -> Tensor:
    """Depths of the hits with the analytic gradient of Niemeyer et al. 2020, eq. 10.

    At the surface f(o + d w) = 0 whatever the parameters are, so the depth d changes with any parameter p of
    the field, of o or of w as dd/dp = -(df/dp) / (grad f . w), where df/dp is taken at fixed d. It needs the
    field at the surface alone, however many samples found it.

    Args:
        field: of the object.
        rays: shape (...).
        hits: of these rays.

    Returns:
        Depths of the rays that hit, in the order of ``rays`` flattened, shape (N,). Slopes smaller than 1e-3
        count as 1e-3: rays that graze the surface have no bounded gradient.
    """
    hit = hits.hit.reshape(-1)
    on = rays.reshape(-1).select(hit)
    depth = hits.depth.reshape(-1)[hit]
    points = on.at(depth)
    if not torch.is_grad_enabled():
        return depth
    slope = (logit_gradient(field, points.detach()) * on.directions.detach()).sum(-1)
    slope = torch.where(slope.abs() < STEEP, torch.copysign(torch.full_like(slope, STEEP), slope), slope)
    logit, _ = field(points)
    return depth - (logit - logit.detach()) / slope


def logit_gradient(field: Field, points: Tensor) -> Tensor:
    """Gradient of the logit at points (..., 3), itself without a graph, shape (..., 3)."""
    with torch.enable_grad():
        points = points.detach().requires_grad_()
        logit, _ = field(points)
        if not logit.requires_grad:  # a field of constants
            return torch.zeros_like(points)
        (gradient,) = torch.autograd.grad(logit.sum(), points, allow_unused=True)
    return torch.zeros_like(points) if gradient is None else gradient


def outward_normals(field: Field, points: Tensor, *, step: float | None = None) -> Tensor:
    """Unit normals of the level sets at points (..., 3), away from the object, shape (..., 3).

    Args:
        field: of the object.
        points: in its frame.
        step: of central differences, through which gradients reach the field; the analytic gradient, which
            has none, when None.
    """
    if step is None:
        gradient = logit_gradient(field, points)
    else:
        offsets = step * torch.eye(3, dtype=points.dtype, device=points.device)
        logits, _ = field(points[..., None, None, :] + torch.stack([offsets, -offsets], -2))
        gradient = (logits[..., 0] - logits[..., 1]) / (2 * step)
    return -torch.nn.functional.normalize(gradient, dim=-1)
