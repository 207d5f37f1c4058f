"""Reading colours from textures: pictures addressed by uv."""

from __future__ import annotations

import math
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional

from ..errors import InputError
from ..geometry import gather_corners

Filter = Literal["nearest", "bilinear", "trilinear"]
Wrap = Literal["wrap", "clamp", "mirror"]


def sample_texture(
    texture: Tensor,
    uv: Tensor,
    *,
    filter: Filter = "bilinear",
    wrap: Wrap = "wrap",
    uv_derivatives: Tensor | None = None,
) -> Tensor:
    """Look up a texture at every pixel.

    (0, 0) is the texture's lower left corner and v points up: texel (row i, column j) of an (h, w) texture
    has its centre at u = (j + 1/2) / w, v = 1 - (i + 1/2) / h. Differentiable in ``texture``, ``uv`` and
    ``uv_derivatives``, except that ``"nearest"`` has no gradient to ``uv``.

    Args:
        texture: shape (..., h, w, C). Its batch dimensions broadcast against those of ``uv``; a texture that
            serves several pictures is not copied.
        uv: texture coordinates, shape (..., H, W, 2).
        filter: ``"nearest"`` takes the texel whose cell holds uv, ``"bilinear"`` blends the four around it,
            ``"trilinear"`` also blends two levels of :func:`mipmaps`, so that far-away textures do not
            flicker.
        wrap: what lies outside [0, 1]: the texture again (``"wrap"``), its edge (``"clamp"``), or its mirror
            image (``"mirror"``).
        uv_derivatives: d(u, v) / d(x, y) per pixel step, from :func:`attribute_derivatives`, shape
            (..., H, W, 2, 2); needed by ``"trilinear"`` and used by it alone.

    Returns:
        Colours, shape (..., H, W, C).

    Raises:
        InputError: a shape or an option is wrong, or ``"trilinear"`` misses its derivatives.
    """
    if texture.ndim < 3:
        raise InputError(f"texture must have shape (..., h, w, C), got {tuple(texture.shape)}")
    if uv.ndim < 3 or uv.shape[-1] != 2:
        raise InputError(f"uv must have shape (..., H, W, 2), got {tuple(uv.shape)}")
    if wrap not in ("wrap", "clamp", "mirror"):
        raise InputError(f"wrap must be 'wrap', 'clamp' or 'mirror', got {wrap!r}")
    try:
        batch = torch.broadcast_shapes(texture.shape[:-3], uv.shape[:-3])
    except RuntimeError as error:
        raise InputError(
            f"batch dimensions of texture {tuple(texture.shape)} and uv {tuple(uv.shape)} do not broadcast"
        ) from error

    # Pictures that share a texture become rows of one tall picture, so the texture need not be repeated.
    own = (1,) * (len(batch) + 3 - texture.ndim) + tuple(texture.shape[:-3])
    while own and own[-1] == 1:
        own = own[:-1]
    textures = texture.reshape(own + texture.shape[-3:]).expand(*batch[: len(own)], *texture.shape[-3:])
    textures = textures.reshape(-1, *texture.shape[-3:])
    shape = (*batch, *uv.shape[-3:-1])
    pixels = uv.expand(*shape, 2).reshape(len(textures), -1, 2)

    if filter == "nearest":
        colors = _nearest(textures, pixels, wrap)
    elif filter == "bilinear":
        colors = _bilinear(textures, pixels, wrap)
    elif filter == "trilinear":
        if uv_derivatives is None or uv_derivatives.shape != (*uv.shape, 2):
            got = None if uv_derivatives is None else tuple(uv_derivatives.shape)
            raise InputError(f"trilinear needs uv_derivatives of shape {(*uv.shape, 2)}, got {got}")
        levels = _mipmap_level(uv_derivatives, *texture.shape[-3:-1])
        levels = levels.expand(shape).reshape(len(textures), -1)
        colors = _trilinear(textures, pixels, levels, wrap)
    else:
        raise InputError(f"filter must be 'nearest', 'bilinear' or 'trilinear', got {filter!r}")
    return colors.reshape(*shape, texture.shape[-1])


def mipmaps(texture: Tensor) -> list[Tensor]:
    """A texture and its halvings down to one texel.

    Each level has half the size of the one before, rounded down, and averages its 2 x 2 texels (3 where an
    odd size is halved, so that all texels count and none moves).

    Args:
        texture: shape (..., h, w, C).

    Returns:
        Levels of shape (..., max(h / 2^k, 1), max(w / 2^k, 1), C), the texture itself first.
    """
    levels = [texture]
    while max(levels[-1].shape[-3:-1]) > 1:
        height, width = levels[-1].shape[-3:-1]
        planes = levels[-1].flatten(0, -4) if texture.ndim > 3 else levels[-1].unsqueeze(0)
        halved = functional.adaptive_avg_pool2d(
            planes.permute(0, 3, 1, 2), (max(height // 2, 1), max(width // 2, 1))
        ).permute(0, 2, 3, 1)
        levels.append(halved.reshape(texture.shape[:-3] + halved.shape[1:]))
    return levels


def attribute_derivatives(
    corners_xy: Tensor,
    corners_z: Tensor,
    corners_attributes: Tensor,
    barycentrics: Tensor,
    *,
    perspective: bool,
) -> Tensor:
    """How fast interpolated attributes change from pixel to pixel, in closed form.

    On the screen the weights b_k of a triangle's corners are linear in (x, y). The perspective-correct ones
    are w_k = b_k / (z_k S) with S = Σ b_m / z_m, and so

        ∇w_k = (∇b_k / z_k - w_k Σ_m ∇b_m / z_m) / S,   1 / S = Σ_k w_k z_k.

    Args:
        corners_xy: corners of the triangle under each pixel [pixels], shape (..., 3, 2).
        corners_z: their camera depths, shape (..., 3).
        corners_attributes: attributes of the corners, such as uv, shape (..., 3, D).
        barycentrics: weights w_k at the pixel, shape (..., 3); unused without perspective.
        perspective: whether attributes are interpolated with perspective-correct weights.

    Returns:
        d attribute / d(x, y), shape (..., D, 2); zero where the triangle has no area.
    """
    x, y = corners_xy.unbind(-1)
    next_x, last_x = x.roll(-1, -1), x.roll(1, -1)
    next_y, last_y = y.roll(-1, -1), y.roll(1, -1)
    across = torch.stack([next_y - last_y, last_x - next_x], dim=-1)  # of b_k: the edge facing k, turned
    area = across[..., 1, 0] * across[..., 2, 1] - across[..., 1, 1] * across[..., 2, 0]
    info = torch.finfo(area.dtype)
    wide = area.abs() > (info.eps * (across * across).sum((-2, -1))).clamp_min(info.tiny)
    gradient = across * torch.where(wide, 1 / torch.where(wide, area, 1), 0)[..., None, None]
    if perspective:
        over_z = gradient / torch.where(corners_z != 0, corners_z, 1)[..., None]
        depth = (barycentrics * corners_z).sum(-1)[..., None, None]
        gradient = (over_z - barycentrics[..., None] * over_z.sum(-2, keepdim=True)) * depth
    return corners_attributes.mT @ gradient


def _bilinear(textures: Tensor, uv: Tensor, wrap: Wrap) -> Tensor:
    """Sample (N, h, w, C) at (N, P, 2); returns (N, P, C)."""
    planes = textures.permute(0, 3, 1, 2)
    u, v = uv.unbind(-1)
    x, y = u, 1 - v  # as parts of the picture's size, from its upper left corner
    if wrap == "wrap":
        height, width = textures.shape[1:3]
        planes = functional.pad(planes, (1, 1, 1, 1), mode="circular")
        x = ((x - x.detach().floor()) * width + 1) / (width + 2)
        y = ((y - y.detach().floor()) * height + 1) / (height + 2)
    grid = torch.stack([x, y], dim=-1) * 2 - 1
    padding = "reflection" if wrap == "mirror" else "border"
    sampled = functional.grid_sample(
        planes, grid.unsqueeze(1), mode="bilinear", padding_mode=padding, align_corners=False
    )
    return sampled.squeeze(2).mT


def _nearest(textures: Tensor, uv: Tensor, wrap: Wrap) -> Tensor:
    """Sample (N, h, w, C) at (N, P, 2) without blending; returns (N, P, C)."""
    # Not grid_sample, which rounds half to even and so moves the cells' borders back and forth.
    count, height, width, channels = textures.shape
    column = _texel(uv[..., 0], width, wrap)
    row = height - 1 - _texel(uv[..., 1], height, wrap)
    first_row = torch.arange(count, device=uv.device)[:, None] * height
    texel = (first_row + row) * width + column
    # gathered so that the gradient is the same bits on every run, unlike that of indexing
    flat = textures.reshape(-1, channels)
    return gather_corners(flat, texel.reshape(-1, 1)).reshape(*texel.shape, channels)


def _texel(coordinate: Tensor, size: int, wrap: Wrap) -> Tensor:
    """The cell of ``[0, 1)`` cut in ``size`` that holds a coordinate, after wrapping it."""
    cell = (coordinate.detach() * size).floor().long()
    if wrap == "wrap":
        return cell % size
    if wrap == "mirror":
        cell = cell % (2 * size)
        cell = torch.minimum(cell, 2 * size - 1 - cell)
    return cell.clamp(0, size - 1)


def _mipmap_level(uv_derivatives: Tensor, height: int, width: int) -> Tensor:
    """The level whose texels are as large as a pixel: log2 of the longer pixel step, in texels."""
    texels = uv_derivatives * uv_derivatives.new_tensor([[width], [height]])
    longest = (texels * texels).sum(-2).amax(-1)
    top = math.floor(math.log2(max(height, width)))
    return (0.5 * longest.clamp_min(1).log2()).clamp_max(top)


def _trilinear(textures: Tensor, uv: Tensor, levels: Tensor, wrap: Wrap) -> Tensor:
    """Sample (N, h, w, C) at (N, P, 2), levels (N, P); returns (N, P, C)."""
    pyramid = mipmaps(textures)
    colors = []
    for n, (pixels, level) in enumerate(zip(uv, levels, strict=True)):
        color = textures.new_zeros(len(pixels), textures.shape[-1])
        for k, maps in enumerate(pyramid):
            weight = 1 - (level - k).abs()
            (needed,) = (weight > 0).nonzero(as_tuple=True)  # a pixel touches two levels out of many
            if len(needed):
                sampled = _bilinear(maps[n : n + 1], pixels[None, needed], wrap)[0]
                color = color.index_add(0, needed, weight[needed, None] * sampled)
        colors.append(color)
    return torch.stack(colors)
