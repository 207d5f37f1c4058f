"""Clipping at the near plane, in camera space, before projection."""

from __future__ import annotations

import torch
from torch import Tensor


def clip_near(corners: Tensor, near: float) -> tuple[Tensor, Tensor, Tensor | None]:
    """Cut off what lies nearer than the near plane.

    A triangle wholly nearer is dropped; one that crosses the plane becomes the one or two triangles on its
    far side, in its place in the order. Differentiable: a new corner moves with the edge it lies on.
    A triangle that is not finite is dropped.

    Args:
        corners: camera-space corners, shape (T, 3, 3).
        near: depth of the plane [world units].

    Returns:
        corners: shape (T', 3, 3).
        parents: index of the triangle each came from, int64, shape (T',).
        coordinates: barycentric coordinates in the parent of each new corner, shape (T', 3 corners, 3);
            None when nothing crosses the plane.
    """
    seen = corners.detach()
    beyond = seen[..., 2] > near
    count = beyond.sum(1) * torch.isfinite(seen).all(-1).all(-1)
    everywhere = torch.arange(corners.shape[0], device=corners.device)
    if bool((count == 3).all()):
        return corners, everywhere, None
    crossing = (count == 1) | (count == 2)
    if not bool(crossing.any()):
        parents = everywhere[count == 3]
        return corners[parents], parents, None
    parts = torch.where(count == 2, 2, (count > 0).long())
    parents = torch.repeat_interleave(everywhere, parts)
    second = torch.cat([parents.new_ones(1, dtype=torch.bool), parents[1:] != parents[:-1]]).logical_not()
    coordinates = torch.eye(3, dtype=corners.dtype, device=corners.device).repeat(parents.shape[0], 1, 1)
    cut = crossing[parents].nonzero().squeeze(1)
    coordinates = coordinates.index_put(
        (cut,), _coordinates(corners[parents[cut]], beyond[parents[cut]], second[cut], near)
    )
    # written out: a matrix product rounds by the order of the corners, and would open cracks along cut edges
    return (coordinates[..., None] * corners[parents][:, None]).sum(-2), parents, coordinates


def _coordinates(corners: Tensor, beyond: Tensor, second: Tensor, near: float) -> Tensor:
    """Barycentric coordinates (C, 3, 3) of the corners of clipped triangles (C, 3, 3)."""
    alone = beyond.sum(1) == 1
    # turn each triangle so that its odd corner out (the only one beyond, or the only one not) comes first
    odd = torch.where(alone[:, None], beyond, ~beyond).int().argmax(1)
    order = (odd[:, None] + torch.arange(3, device=odd.device)) % 3
    unit = torch.eye(3, dtype=corners.dtype, device=corners.device)[order]
    z = corners[..., 2].gather(1, order)
    # always from the nearer corner to the farther, so that neighbours cut their common edge alike
    nearer = torch.where(alone[:, None], z[:, 1:], z[:, :1])
    farther = torch.where(alone[:, None], z[:, :1], z[:, 1:])
    along = ((near - nearer) / (farther - nearer)).clamp(0, 1)[..., None]
    share = torch.where(alone[:, None, None], along, 1 - along)  # of the odd corner out
    rest = torch.where(alone[:, None, None], 1 - along, along)
    a, b, c = unit.unbind(1)
    ab, ac = share[:, 0] * a + rest[:, 0] * b, share[:, 1] * a + rest[:, 1] * c
    tip = torch.stack([a, ab, ac], 1)
    quad = torch.where(second[:, None, None], torch.stack([ab, c, ac], 1), torch.stack([ab, b, c], 1))
    return torch.where(alone[:, None, None], tip, quad)
