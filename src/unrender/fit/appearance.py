"""The first guess of texture and light, and the loss that refines them."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from ..geometry import Mesh
from ..io.atlas import pad_texture
from ..io.views import Views
from ..render import render, sample_texture

WHITE_LIGHT = 2 * math.sqrt(math.pi)  # first coefficient of an environment of radiance 1


def white_light(like: Tensor) -> Tensor:
    """Spherical-harmonic coefficients (9, 3) under which surfaces show their own colour."""
    coefficients = like.new_zeros(9, 3)
    coefficients[0] = WHITE_LIGHT
    return coefficients


def project_pictures(mesh: Mesh, views: Views, size: int) -> Tensor:
    """Paint the pictures onto a mesh: each texel gets the mean of the pixels that see it.

    The mean is weighted by how squarely the pixel's view meets the surface. Texels that no view sees take
    the colour of the nearest that one does.

    Args:
        mesh: with ``uvs``.
        views: the pictures.
        size: side of the texture.

    Returns:
        Texture of shape (size, size, 3).
    """
    texels = mesh.vertices.new_zeros(size, size, 1).requires_grad_()
    total = mesh.vertices.new_zeros(size, size, 3)
    weight = mesh.vertices.new_zeros(size, size, 1)
    for i in range(len(views)):
        with torch.no_grad():
            picture = render(mesh, views.cameras[i])
            facing = -picture.camera_normals[..., 2].clamp(-1, 0)
            trust = facing.square() * picture.mask * (views.masks[i] > 0.5)
            colour = views.pictures[i] * trust[..., None]
        sampled = sample_texture(texels, picture.uv)[..., 0]
        for channel, values in enumerate((*colour.unbind(-1), trust)):
            (back,) = torch.autograd.grad(sampled, texels, values, retain_graph=True)
            if channel < 3:
                total[..., channel] += back[..., 0]
            else:
                weight += back
    seen = weight[..., 0] > 1e-3
    texture = torch.where(seen[..., None], total / weight.clamp(min=1e-3), 0.5)
    return pad_texture(texture, seen, pixels=size // 4) if bool(seen.any()) else texture


def colour_loss(rgb: Tensor, covered: Tensor, pictures: Tensor, masks: Tensor) -> Tensor:
    """Mean absolute difference in colour of pixels that lie inside both the mesh and the mask.

    Args:
        rgb: rendered, shape (N, H, W, 3).
        covered: pixels that the mesh covers, shape (N, H, W).
        pictures: target, shape (N, H, W, 3).
        masks: target, shape (N, H, W).
    """
    inside = (covered & (masks > 0.5))[..., None]
    return ((rgb - pictures).abs() * inside).sum() / (3 * inside.sum()).clamp(min=1)


def texture_roughness(texture: Tensor) -> Tensor:
    """Mean absolute difference of neighbouring texels."""
    return texture.diff(dim=0).abs().mean() + texture.diff(dim=1).abs().mean()


def light_unevenness(light: Tensor) -> Tensor:
    """How much light (9, 3) depends on the direction, or is not white: mean square."""
    return (light - white_light(light)).square().mean()
