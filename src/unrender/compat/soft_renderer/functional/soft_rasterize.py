"""The soft rasterizer on faces in normalised device coordinates."""

from __future__ import annotations

import torch
from torch import Tensor

from ....errors import InputError
from ....render.raster.grid import Grid
from ....render.raster.softras import SoftRas, aggregate, aggregate_textures, silhouette
from ....render.raster.softras.renderer import AlphaRule, ColorRule, Distance
from ...left_handed import Numbers

__all__ = ["soft_rasterize"]

CHOICES = {
    "dist_func": ("hard", "barycentric", "euclidean"),
    "aggr_func_rgb": ("hard", "softmax"),
    "aggr_func_alpha": ("hard", "sum", "prod"),
    "texture_type": ("surface", "vertex"),
}
"""What the options that are names can be."""


def soft_rasterize(
    face_vertices: Tensor,
    textures: Tensor,
    image_size: int = 256,
    background_color: Numbers = (0, 0, 0),
    near: float = 1,
    far: float = 100,
    fill_back: bool = True,
    eps: float = 1e-3,
    sigma_val: float = 1e-5,
    dist_func: Distance = "euclidean",
    dist_eps: float = 1e-4,
    gamma_val: float = 1e-4,
    aggr_func_rgb: ColorRule = "softmax",
    aggr_func_alpha: AlphaRule = "prod",
    texture_type: str = "surface",
) -> Tensor:
    """Draw every pixel as a probabilistic mixture of all faces (Liu et al., "Soft Rasterizer", ICCV 2019).

    Face j covers a pixel with probability D_j = sigmoid(±d² / sigma), d being its distance to the face's
    boundary. Alpha is 1 - prod_j (1 - D_j). The colour is the mean of those of the faces and the background
    with the weights D_j exp((far - z_j) / (far - near) / gamma) and exp(eps / gamma). As in the original,
    colours are interpolated without perspective, alpha counts all faces, those seen from behind and those
    before ``near`` or beyond ``far``, too, and no gradient passes through the interpolation of colours.

    Args:
        face_vertices: x to the right and y upward, [-1, 1] being the picture, and depth, shape (B, F, 3, 3)
            or (B, F, 9).
        textures: grids of colours, shape (B, F, R², 3), or with ``texture_type="vertex"`` colours of the
            corners, shape (B, F, 3, 3).
        image_size: S.
        background_color: red, green and blue.
        near: faces nearer than this give no colour.
        far: nor do faces farther than this.
        fill_back: colour faces that run counter-clockwise in the picture, too, the back in a world with x
            right, y up and z into the picture.
        eps: weight of the background, as a normalised depth.
        sigma_val: sigma, the softness of the faces' rims.
        dist_func: ``"euclidean"``, ``"barycentric"`` (the least weight, squared, for d²) or ``"hard"``.
        dist_eps: faces whose D_j would be less than this are left out.
        gamma_val: gamma, the softness in depth.
        aggr_func_rgb: ``"softmax"``, or ``"hard"`` for the nearest face.
        aggr_func_alpha: ``"prod"``; ``"sum"``, the mean of D_j over the faces; or ``"hard"``, whether some
            D_j exceeds one half.
        texture_type: ``"surface"`` or ``"vertex"``.

    Returns:
        Red, green, blue and alpha, shape (B, 4, S, S), row 0 at the top.

    Raises:
        InputError: a shape or an option is wrong.
    """
    names = (dist_func, aggr_func_rgb, aggr_func_alpha, texture_type)
    for (option, known), name in zip(CHOICES.items(), names, strict=True):
        if name not in known:
            raise InputError(f"{option} must be one of {', '.join(known)}, got {name!r}")
    for option, value in (("sigma_val", sigma_val), ("gamma_val", gamma_val)):
        if not value > 0:
            raise InputError(f"{option} must be positive, got {value}")
    if face_vertices.ndim < 3 or face_vertices.shape[2:] not in ((3, 3), (9,)):
        raise InputError(f"face_vertices must have shape (B, F, 3, 3), got {tuple(face_vertices.shape)}")
    batch, count = face_vertices.shape[:2]
    triangles = face_vertices.reshape(batch * count, 3, 3)
    starts = torch.arange(batch + 1, device=triangles.device) * count
    grid = Grid(batch, image_size, image_size, 1 / image_size, -1 / image_size)
    how = SoftRas(
        sigma_ndc=sigma_val,
        gamma=gamma_val,
        eps=eps,
        far=far,
        distance=dist_func,
        alpha=aggr_func_alpha,
        color=aggr_func_rgb,
        dist_eps=dist_eps,
        perspective_correct=False,
        interpolation_gradient=False,
    ).aggregation(grid, near)

    colored = None if fill_back else _clockwise(triangles)
    alpha = silhouette(triangles, starts, grid, how)
    if texture_type == "vertex":
        table = _colors(textures, batch, count, 3)
        color, background = aggregate(triangles, starts, table, grid, how, valid=colored)
    else:
        side = round(textures.shape[2] ** 0.5) if textures.ndim == 4 else 0
        table = _colors(textures, batch, count, side * side).unflatten(1, (side, side))
        color, background = aggregate_textures(triangles, starts, table, grid, how, valid=colored)
    behind = torch.as_tensor(background_color, dtype=color.dtype, device=color.device)
    color = color + background[..., None] * behind
    return torch.cat((color, alpha[..., None]), dim=-1).permute(0, 3, 1, 2)


def _clockwise(triangles: Tensor) -> Tensor:
    """Which triangles run clockwise with y up, bool, shape (T,)."""
    first, second, third = triangles.detach()[..., :2].unbind(1)
    a, b = second - first, third - first
    return b[:, 1] * a[:, 0] < a[:, 1] * b[:, 0]


def _colors(textures: Tensor, batch: int, count: int, places: int) -> Tensor:
    """Textures as (B F, N, 3)."""
    if textures.shape != (batch, count, places, 3) or places == 0:
        shape = f"({batch}, {count}, {3 if places == 3 else 'R * R'}, 3)"
        raise InputError(f"textures must have shape {shape}, got {tuple(textures.shape)}")
    return textures.flatten(0, 1)
