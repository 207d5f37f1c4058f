"""Checks of what goes into a rasterizer."""

from __future__ import annotations

import torch
from torch import Tensor

from ...errors import InputError
from .grid import Grid


def check_triangles(triangles: Tensor, image_starts: Tensor, grid: Grid) -> None:
    """Raise :class:`InputError` unless triangles are float (T, 3, 3) and image starts int64 (I + 1,)."""
    if triangles.ndim != 3 or triangles.shape[1:] != (3, 3):
        raise InputError(f"triangles must have shape (T, 3, 3), got {tuple(triangles.shape)}")
    if triangles.dtype not in (torch.float32, torch.float64):
        raise InputError(f"triangles must be float32 or float64, got {triangles.dtype}")
    if image_starts.dtype != torch.int64:
        raise InputError(f"image_starts must be int64, got {image_starts.dtype}")
    if tuple(image_starts.shape) != (grid.images + 1,):
        raise InputError(
            f"image_starts must have shape ({grid.images + 1},), got {tuple(image_starts.shape)}"
        )


def check_index(index: Tensor, grid: Grid) -> None:
    """Raise :class:`InputError` unless the index picture is int32 of shape (I, H, W)."""
    check_picture("index", index, (grid.images, grid.height, grid.width))
    if index.dtype != torch.int32:
        raise InputError(f"index must be int32, got {index.dtype}")


def check_picture(name: str, picture: Tensor, shape: tuple[int, ...]) -> None:
    """Raise :class:`InputError` unless a per-pixel tensor has this shape."""
    if tuple(picture.shape) != shape:
        raise InputError(f"{name} must have shape {shape}, got {tuple(picture.shape)}")
