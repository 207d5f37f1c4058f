"""Solids on a grid of cells."""

from __future__ import annotations

import torch
from torch import Tensor

from ....geometry import voxelize

__all__ = ["voxelization"]


def voxelization(faces: Tensor, size: int, normalize: bool = False) -> Tensor:
    """The cells that solids fill; see :func:`unrender.geometry.voxelize`.

    Args:
        faces: corners of the faces, shape (B, F, 3, 3).
        size: S.
        normalize: corners are given in cells, from 0 to S, else in parts of the grid, from 0 to 1.

    Returns:
        1 in filled cells and 0 elsewhere, int32, shape (B, S, S, S).

    Raises:
        InputError: a shape is wrong.
    """
    return voxelize(faces / size if normalize else faces, size).to(torch.int32)
