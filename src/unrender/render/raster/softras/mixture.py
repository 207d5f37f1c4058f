"""The Soft Rasterizer's silhouettes and mixtures of colours."""

from __future__ import annotations

import torch
from torch import Tensor

from ....errors import InputError
from ....geometry import gather_corners
from ..backend import Backend, use_warp
from ..grid import Grid
from ..inputs import check_triangles
from ..interpolate import interpolate
from ..zbuffer import rasterize
from . import reference
from .reference import Contributions
from .renderer import Aggregation
from .texels import face_texel


def silhouette(
    triangles: Tensor,
    image_starts: Tensor,
    grid: Grid,
    how: Aggregation,
    *,
    valid: Tensor | None = None,
    backend: Backend = "auto",
) -> Tensor:
    """The probability that some face covers a pixel (Liu et al. 2019, equations 1 and 5).

    Face j covers a pixel's centre with probability D_j = sigmoid(x), where x = d^2 / sigma inside of the face
    and -d^2 / sigma outside, d being the distance to its boundary on the screen. The silhouette is
    1 - prod_j (1 - D_j), or what ``how.alpha`` says. All faces count, however far away; one without area
    covers half of its line, and has no colour.

    Args:
        triangles: screen x, y and depth of every corner, shape (T, 3, 3).
        image_starts: first triangle of each picture, then T: int64, shape (I + 1,).
        grid: the pixels.
        how: the settings, in screen units.
        valid: triangles that take part, bool, shape (T,); all when None.
        backend: ``"auto"``, ``"warp"`` or ``"torch"``.

    Returns:
        Shape (I, H, W); differentiable in the triangles' screen positions unless ``how.distance`` or
        ``how.alpha`` is hard.

    Raises:
        InputError: wrong shapes or backend.
    """
    _check(triangles, image_starts, grid, valid)
    if "hard" in (how.distance, how.alpha):
        triangles = triangles.detach()
    if use_warp(backend, triangles):
        from .op import silhouette as on_warp

        return on_warp(triangles, image_starts, valid, grid, how)
    return reference.silhouette(triangles, image_starts, grid, how, valid=valid)


def aggregate(
    triangles: Tensor,
    image_starts: Tensor,
    corners: Tensor,
    grid: Grid,
    how: Aggregation,
    *,
    rows: Tensor | None = None,
    valid: Tensor | None = None,
    backend: Backend = "auto",
) -> tuple[Tensor, Tensor]:
    """Mix values that vary over faces, by a softmax over depth (Liu et al. 2019, equations 2 and 3).

    Face j has the weight w_j = D_j exp(z_j / gamma) / (sum_k D_k exp(z_k / gamma) + exp(eps / gamma)), with
    normalised depth z = (far - depth) / (far - near), and the value sum_k u_k c_k with its barycentric
    weights, clipped to the face. The mixture is sum_j w_j c_j; what is missing to 1 is the background's.

    With ``how.color`` hard, the nearest face under the pixel has weight 1; one that reaches from before
    ``near`` to behind it hides what is behind.

    Args:
        triangles: screen x, y and depth of every corner, shape (T, 3, 3).
        image_starts: first triangle of each picture, then T: int64, shape (I + 1,).
        corners: values at the three corners of every row, shape (R, 3, D).
        grid: the pixels.
        how: the settings, in screen units.
        rows: row of ``corners`` of each triangle, int32, shape (T,); the triangle's own index when None.
        valid: triangles that take part, bool, shape (T,); all when None.
        backend: ``"auto"``, ``"warp"`` or ``"torch"``.

    Returns:
        values: the mixture without the background, shape (I, H, W, D).
        background: weight of the background, shape (I, H, W).

    Raises:
        InputError: wrong shapes or backend.
    """
    _check(triangles, image_starts, grid, valid)
    if corners.ndim != 3 or corners.shape[1] != 3 or corners.shape[2] == 0:
        raise InputError(f"corners must have shape (R, 3, D), got {tuple(corners.shape)}")
    rows = _rows(rows, corners, triangles)
    if how.color == "hard":
        index, weights = _nearest(triangles, image_starts, grid, how, valid, backend)
        values = interpolate(
            corners,
            index,
            weights,
            triangles=triangles,
            image_starts=image_starts,
            grid=grid,
            rows=rows,
            backend=backend,
        )
        return values, (index < 0).to(values.dtype)
    if use_warp(backend, triangles):
        from .op import aggregate as on_warp

        table = corners.flatten(1)
        return on_warp(triangles, image_starts, table, rows, valid, grid, how, channels=corners.shape[2])
    listed = reference.contributions(triangles, image_starts, grid, how, valid=valid)
    own = gather_corners(corners.flatten(1), rows[listed.triangle][:, None]).view(-1, *corners.shape[1:])
    return reference.aggregate(listed, (listed.barycentrics[..., None] * own).sum(1)), listed.background


def aggregate_textures(
    triangles: Tensor,
    image_starts: Tensor,
    textures: Tensor,
    grid: Grid,
    how: Aggregation,
    *,
    rows: Tensor | None = None,
    valid: Tensor | None = None,
    backend: Backend = "auto",
) -> tuple[Tensor, Tensor]:
    """:func:`aggregate` for faces cut into S x S triangles of one colour each, SoftRas's surface textures.

    Colours do not change with the place on such a triangle, so gradients reach the geometry only through the
    weights of the faces.

    Args:
        triangles: screen x, y and depth of every corner, shape (T, 3, 3).
        image_starts: first triangle of each picture, then T: int64, shape (I + 1,).
        textures: colours, shape (R, S, S, D), laid out as
            :func:`~unrender.render.raster.softras.texels.face_texel` says.
        grid: the pixels.
        how: the settings, in screen units.
        rows: row of ``textures`` of each triangle, int32, shape (T,); the triangle's own index when None.
        valid: triangles that take part, bool, shape (T,); all when None.
        backend: ``"auto"``, ``"warp"`` or ``"torch"``.

    Returns:
        As :func:`aggregate`.

    Raises:
        InputError: wrong shapes or backend.
    """
    _check(triangles, image_starts, grid, valid)
    if textures.ndim != 4 or textures.shape[1] != textures.shape[2] or 0 in textures.shape[2:]:
        raise InputError(f"textures must have shape (R, S, S, D), got {tuple(textures.shape)}")
    rows = _rows(rows, textures, triangles)
    size, channels = textures.shape[2:]
    if how.color == "softmax" and use_warp(backend, triangles):
        from .op import aggregate as on_warp

        table = textures.flatten(1)
        return on_warp(triangles, image_starts, table, rows, valid, grid, how, channels=channels, side=size)
    texels = textures.reshape(-1, channels)
    if how.color == "hard":
        index, weights = _nearest(triangles, image_starts, grid, how, valid, backend)
        covered = index >= 0
        at = rows[index[covered].long()].long() * size**2 + face_texel(weights[covered], size)
        values = gather_corners(texels, at[:, None])[:, 0]
        full = values.new_zeros(*index.shape, channels).index_put((covered,), values)
        return full, (~covered).to(values.dtype)
    listed = reference.contributions(triangles, image_starts, grid, how, valid=valid)
    at = rows[listed.triangle].long() * size**2 + face_texel(listed.barycentrics, size)
    return reference.aggregate(listed, gather_corners(texels, at[:, None])[:, 0]), listed.background


def contributions(
    triangles: Tensor,
    image_starts: Tensor,
    grid: Grid,
    how: Aggregation,
    *,
    valid: Tensor | None = None,
    backend: Backend = "auto",
) -> Contributions:
    """The pairs of pixel and face whose weight in :func:`aggregate` is not 0, for colours of other kinds.

    Memory grows with the number of pairs. Weights that the floating-point type cannot tell from 0 are left
    out, which at the usual gamma are those of nearly all hidden faces.

    Args:
        triangles: screen x, y and depth of every corner, shape (T, 3, 3).
        image_starts: first triangle of each picture, then T: int64, shape (I + 1,).
        grid: the pixels.
        how: the settings, in screen units.
        valid: triangles that take part, bool, shape (T,); all when None.
        backend: ``"auto"``, ``"warp"`` or ``"torch"``.

    Returns:
        The pairs, whose weights are differentiable in ``triangles``.

    Raises:
        InputError: wrong shapes or backend.
    """
    _check(triangles, image_starts, grid, valid)
    if how.color == "hard":
        index, weights = _nearest(triangles, image_starts, grid, how, valid, backend)
        pixel = (index.view(-1) >= 0).nonzero().squeeze(1)
        ones = triangles.new_ones(pixel.shape[0])
        return Contributions(
            pixel,
            index.view(-1)[pixel].long(),
            ones,
            weights.reshape(-1, 3)[pixel],
            (index < 0).to(triangles.dtype),
        )
    if use_warp(backend, triangles):
        from .mixing.listing import contributing_pairs

        pairs, nearest = contributing_pairs(triangles, image_starts, valid, grid, how)
        return reference.mixed(triangles, pairs, nearest, grid, how)
    return reference.contributions(triangles, image_starts, grid, how, valid=valid)


def _nearest(
    triangles: Tensor,
    image_starts: Tensor,
    grid: Grid,
    how: Aggregation,
    valid: Tensor | None,
    backend: Backend,
) -> tuple[Tensor, Tensor]:
    """The nearest triangle under each pixel (I, H, W), and its weights for colours (I, H, W, 3)."""
    beyond = triangles.detach()[..., 2].amax(1) >= how.near
    valid = beyond if valid is None else valid & beyond
    index, weights, depth = rasterize(triangles, image_starts, grid, valid=valid, backend=backend)
    seen = (index >= 0) & (depth >= how.near) & (depth <= how.far)
    index = torch.where(seen, index, -1)
    if not how.interpolation_gradient:
        weights = weights.detach()
    if not how.perspective:
        z = torch.cat([triangles[..., 2], triangles.new_ones(1, 3)])
        z = z if how.interpolation_gradient else z.detach()
        shown = torch.where(seen, index, len(triangles))
        z = gather_corners(z, shown.view(-1, 1)).view(*index.shape, 3)
        weights = weights * z
        weights = weights / weights.sum(-1, keepdim=True).clamp(min=torch.finfo(weights.dtype).tiny)
    return index, torch.where(seen[..., None], weights, 0)


def _check(triangles: Tensor, image_starts: Tensor, grid: Grid, valid: Tensor | None) -> None:
    check_triangles(triangles, image_starts, grid)
    if valid is not None and (valid.dtype != torch.bool or valid.shape != triangles.shape[:1]):
        raise InputError(
            f"valid must be bool of shape ({triangles.shape[0]},), "
            f"got {valid.dtype} of shape {tuple(valid.shape)}"
        )


def _rows(rows: Tensor | None, table: Tensor, triangles: Tensor) -> Tensor:
    count = triangles.shape[0]
    if rows is None:
        if table.shape[0] != count:
            raise InputError(f"there must be a row for each of {count} triangles, got {table.shape[0]}")
        return torch.arange(count, dtype=torch.int32, device=triangles.device)
    if rows.dtype != torch.int32 or rows.shape != triangles.shape[:1]:
        raise InputError(f"rows must be int32 of shape ({count},), got {rows.dtype} of {tuple(rows.shape)}")
    return rows
