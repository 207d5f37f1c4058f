"""Checks of what goes into a rasterizer."""

from __future__ import annotations

from torch import Tensor

from ...errors import InputError
from .grid import Grid


def check_triangles(triangles: Tensor, image_starts: Tensor, grid: Grid) -> None:
    """Raise :class:`InputError` unless triangles are (T, 3, 3) and image starts (I + 1,)."""
    if triangles.ndim != 3 or triangles.shape[1:] != (3, 3):
        raise InputError(f"triangles must have shape (T, 3, 3), got {tuple(triangles.shape)}")
    if tuple(image_starts.shape) != (grid.images + 1,):
        raise InputError(
            f"image_starts must have shape ({grid.images + 1},), got {tuple(image_starts.shape)}"
        )
