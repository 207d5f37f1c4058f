"""Kaolin's z-buffer: which face each pixel sees, and features interpolated there."""

from collections.abc import Sequence
from typing import TypeVar

import torch
from torch import Tensor

from .....errors import InputError
from .....render.raster.grid import Grid
from .....render.raster.interpolate import interpolate
from .....render.raster.zbuffer import rasterize as rasterize_triangles

__all__ = ["rasterize"]

_BACKENDS = ("cuda", "nvdiffrast", "nvdiffrast_fwd")

Features = TypeVar("Features", Tensor, Sequence[Tensor])


def rasterize(
    height: int,
    width: int,
    face_vertices_z: Tensor,
    face_vertices_image: Tensor,
    face_features: Features,
    valid_faces: Tensor | None = None,
    multiplier: float | None = None,
    eps: float | None = None,
    backend: str = "cuda",
) -> tuple[Features, Tensor]:
    """Draw triangles and interpolate their features linearly on the image plane.

    The camera looks down -z: the largest z is nearest, and among equals the first face wins. The centre of
    pixel (row r, column c) is ((2c + 1 - W) / W, (H - 2r - 1) / H). As in Kaolin, interpolation is not
    perspective-correct and z receives no gradient.

    Args:
        height: H.
        width: W.
        face_vertices_z: depth of the corners in camera space, shape (B, F, 3).
        face_vertices_image: corners on the image plane, in [-1, 1] inside the picture, y up, shape
            (B, F, 3, 2).
        face_features: values at the corners, shape (B, F, 3, D), or a list of such tensors.
        valid_faces: which faces to draw, shape (B, F), bool; all of them if None.
        multiplier: factor on the image plane, within which ``eps`` counts; 1000 if None.
        eps: added to twice the area of a face before the division by it; 1e-8 if None.
        backend: ``"cuda"``, ``"nvdiffrast"`` or ``"nvdiffrast_fwd"``; all mean this rasteriser, on any
            device.

    Returns:
        Features of shape (B, H, W, D), zero where there is no face, as a tuple if ``face_features`` is a
        list; and the index of the face within its batch item, shape (B, H, W), int64, -1 where there is none.

    Raises:
        InputError: wrong shapes, or an unknown backend.
    """
    if backend not in _BACKENDS:
        raise InputError(f"backend must be one of {', '.join(_BACKENDS)}, got {backend!r}")
    features = face_features if isinstance(face_features, Tensor) else torch.cat(list(face_features), dim=-1)
    _require_shapes(face_vertices_z, face_vertices_image, features, valid_faces)
    batch, faces, _ = face_vertices_z.shape
    scale = 1000.0 if multiplier is None else float(multiplier)
    starts = torch.arange(batch + 1, device=face_vertices_z.device) * faces

    grid = Grid(batch, height, width, scale / width, -scale / height)
    triangles = torch.cat([face_vertices_image * scale, -face_vertices_z.detach().unsqueeze(-1)], dim=-1)
    triangles = triangles.reshape(-1, 3, 3)
    index, weights, _ = rasterize_triangles(
        triangles,
        starts,
        grid,
        perspective=False,
        valid=None if valid_faces is None else valid_faces.reshape(-1),
        eps=1e-8 if eps is None else eps,
    )
    corners = features.reshape(batch * faces, 3, -1)
    picture = interpolate(corners, index, weights, triangles=triangles, image_starts=starts, grid=grid)
    face_idx = torch.where(index >= 0, index.long() - starts[:-1].reshape(-1, 1, 1), -1)
    if isinstance(face_features, Tensor):
        return picture, face_idx
    return picture.split([f.shape[-1] for f in face_features], dim=-1), face_idx


def _require_shapes(z: Tensor, image: Tensor, features: Tensor, valid: Tensor | None) -> None:
    if z.ndim != 3 or z.shape[-1] != 3:
        raise InputError(f"face_vertices_z must have shape (B, F, 3), got {tuple(z.shape)}")
    if image.shape != (*z.shape, 2):
        raise InputError(f"face_vertices_image must have shape {(*z.shape, 2)}, got {tuple(image.shape)}")
    if features.shape[:-1] != z.shape:
        raise InputError(f"face_features must have shape {(*z.shape,)} + (D,), got {tuple(features.shape)}")
    if valid is not None and (valid.shape != z.shape[:2] or valid.dtype != torch.bool):
        rule = f"valid_faces must be bool of shape {tuple(z.shape[:2])}"
        raise InputError(f"{rule}, got {valid.dtype} of {tuple(valid.shape)}")
