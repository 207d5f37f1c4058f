"""Colours given face by face: SoftRas's grids of small triangles and the Neural 3D Mesh Renderer's cubes."""

from __future__ import annotations

import itertools
import math

import torch
from torch import Tensor

from ..errors import InputError
from ..geometry import gather_corners
from .raster.softras.texels import face_texel

# Cubes are read up to so little before their last texel, as the original's rasterizer_eps.
_CUBE_EPS = 1e-3


def sample_face_textures(face_textures: Tensor, rows: Tensor, barycentrics: Tensor) -> Tensor:
    """Look up SoftRas's surface textures: every face is cut into R² equal triangles of one colour each.

    :func:`~unrender.render.raster.softras.texels.face_texel` says which lies where. Differentiable in
    ``face_textures`` alone.

    Args:
        face_textures: shape (..., F, R, R, C); batch dimensions broadcast against those of ``rows``.
        rows: face under each pixel, -1 for none, shape (..., H, W), integer.
        barycentrics: weights of the face's corners, shape (..., H, W, 3).

    Returns:
        Colours, 0 where there is no face, shape (..., H, W, C).

    Raises:
        InputError: a shape is wrong.
    """
    if face_textures.ndim < 4 or face_textures.shape[-3] != face_textures.shape[-2]:
        raise InputError(f"face_textures must have shape (..., F, R, R, C), got {tuple(face_textures.shape)}")
    _require_barycentrics(barycentrics, rows)
    *batch, faces, size, _, channels = face_textures.shape
    texel = _tables(batch, faces, rows) * size**2 + face_texel(barycentrics, size)
    flat = face_textures.reshape(-1, channels)
    colors = gather_corners(flat, texel.reshape(-1, 1)).reshape(*texel.shape, channels)
    return torch.where((rows >= 0).unsqueeze(-1), colors, 0)


def sample_face_cubes(face_cubes: Tensor, rows: Tensor, barycentrics: Tensor) -> Tensor:
    """Look up the Neural 3D Mesh Renderer's textures: a cube of colours a face, blended between 8 texels.

    Texel (i, j, k) has the colour at the weights (i, j, k) / (T - 1) of the corners. Coordinates w (T - 1)
    are clamped to [0, T - 1 - 0.001] (Kato et al., "Neural 3D Mesh Renderer", 2018, section 3.4 and released
    code). Differentiable in ``face_cubes`` alone: the Neural 3D Mesh Renderer takes the gradient of the
    geometry from :func:`~unrender.render.raster.nmr.scan_edges`, not from the weights.

    Args:
        face_cubes: shape (..., F, T, T, T, C), T at least 2; batch dimensions broadcast against those of
            ``rows``.
        rows: face under each pixel, -1 for none, shape (..., H, W), integer.
        barycentrics: perspective-correct weights of the face's corners, shape (..., H, W, 3).

    Returns:
        Colours, 0 where there is no face, shape (..., H, W, C).

    Raises:
        InputError: a shape is wrong.
    """
    sizes = set(face_cubes.shape[-4:-1])
    if face_cubes.ndim < 5 or len(sizes) > 1 or min(sizes) < 2:
        raise InputError(
            "face_cubes must have shape (..., F, T, T, T, C) with T at least 2, "
            f"got {tuple(face_cubes.shape)}"
        )
    _require_barycentrics(barycentrics, rows)
    *batch, faces, size, _, _, channels = face_cubes.shape
    place = (barycentrics.detach() * (size - 1)).clamp(0, size - 1 - _CUBE_EPS)
    cell = place.floor().clamp_max(size - 2)  # where eps is lost in rounding
    beyond = place - cell
    corners = torch.tensor(list(itertools.product((0, 1), repeat=3)), device=rows.device)
    weights = torch.where(corners == 1, beyond[..., None, :], 1 - beyond[..., None, :]).prod(-1)
    offsets = (corners * torch.tensor([size * size, size, 1], device=rows.device)).sum(-1)

    i, j, k = cell.long().unbind(-1)
    texel = ((_tables(batch, faces, rows) * size + i) * size + j) * size + k
    flat = face_cubes.reshape(-1, channels)
    colors = gather_corners(flat, (texel[..., None] + offsets).reshape(-1, 8))
    colors = (weights.reshape(-1, 8, 1) * colors).sum(1).reshape(*texel.shape, channels)
    return torch.where((rows >= 0).unsqueeze(-1), colors, 0)


def _require_barycentrics(barycentrics: Tensor, rows: Tensor) -> None:
    if barycentrics.shape != (*rows.shape, 3):
        raise InputError(
            f"barycentrics must have shape {(*rows.shape, 3)}, rows and 3, got {tuple(barycentrics.shape)}"
        )


def _tables(batch: list[int], faces: int, rows: Tensor) -> Tensor:
    """Number of each pixel's table among all ``batch`` x ``faces`` ones; the first face's where none is."""
    first_face = torch.arange(math.prod(batch), device=rows.device).reshape(*batch, 1, 1) * faces
    return first_face + rows.clamp_min(0)
