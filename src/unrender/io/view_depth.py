"""The depth maps of a view set: files of camera z, or points that views see."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ..errors import InputError
from .exr import read_exr

DEPTH_SUFFIXES = (".exr", ".npy", ".png")


def read_depth(files: Sequence[Path | None], scales: Sequence[float], *, width: int, height: int) -> Tensor:
    """Read a depth map for each view.

    Args:
        files: OpenEXR (its first channel), NumPy, or PNG of 16 bits; None where a view has no depth.
        scales: what each file's numbers are multiplied by.
        width: of the pictures.
        height: of the pictures.

    Returns:
        Camera z, shape (N, H, W), float32; 0 where a file has 0, less, or a number that is not finite.

    Raises:
        InputError: a file is missing, broken, or not of the pictures' size.
        ImportError: OpenEXR files need OpenCV.
    """
    maps = []
    for file, scale in zip(files, scales, strict=True):
        depth = np.zeros((height, width)) if file is None else _read(file) * scale
        if depth.shape != (height, width):
            raise InputError(
                f"depth must have the size of the pictures, {width} x {height}, got {file} of shape "
                f"{depth.shape}"
            )
        maps.append(np.where(np.isfinite(depth) & (depth > 0), depth, 0).astype(np.float32))
    return torch.from_numpy(np.stack(maps))


def splat_points(points: Tensor, width: int, height: int) -> Tensor:
    """The depth map of a few points: each gives its depth to the pixel it falls on, the nearest wins.

    Args:
        points: pixel positions x and y, and camera z, shape (P, 3); those outside the picture are left out.
        width: of the picture.
        height: of the picture.

    Returns:
        Camera z, 0 where no point is, shape (H, W).
    """
    column, row = points[:, 0].floor().long(), points[:, 1].floor().long()
    seen = (column >= 0) & (column < width) & (row >= 0) & (row < height) & (points[:, 2] > 0)
    place, depth = (row * width + column)[seen], points[seen, 2]
    nearest = depth.new_full((height * width,), torch.inf).scatter_reduce(0, place, depth, "amin")
    return torch.where(nearest.isfinite(), nearest, 0).reshape(height, width)


def _read(file: Path) -> np.ndarray:
    if not file.is_file():
        raise InputError(f"{file} does not exist")
    if file.suffix.lower() == ".exr":
        return read_exr(file).astype(np.float64)
    if file.suffix.lower() == ".npy":
        try:
            return np.load(file, allow_pickle=False).astype(np.float64).squeeze()
        except (ValueError, OSError, EOFError) as error:
            raise InputError(f"{file} is not a readable NumPy array: {error}") from error
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(file) as image:
            mode, pixels = image.mode, np.asarray(image)
    except (UnidentifiedImageError, OSError) as error:
        raise InputError(f"{file} is not a readable picture: {error}") from error
    if not mode.startswith("I"):
        raise InputError(f"a PNG of depth must have one channel of 16 bits, got {file} of mode {mode}")
    return pixels.astype(np.float64)
