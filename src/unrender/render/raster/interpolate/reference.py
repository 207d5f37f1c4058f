"""Attribute interpolation in plain PyTorch."""

from __future__ import annotations

from torch import Tensor


def interpolate(corners: Tensor, rows: Tensor, index: Tensor, weights: Tensor) -> Tensor:
    """See :func:`unrender.render.raster.interpolate.interpolate`."""
    flat = index.reshape(-1)
    covered = (flat >= 0).nonzero().squeeze(1)
    mine = corners[rows[flat[covered].long()].long()]
    values = (weights.reshape(-1, 3)[covered][..., None] * mine).sum(1)
    pixels = corners.new_zeros(flat.shape[0], corners.shape[-1]).index_put((covered,), values)
    return pixels.view(*index.shape, corners.shape[-1])
