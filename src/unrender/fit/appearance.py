"""The first guess of texture and light, and the loss that refines them."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from ..geometry import Mesh, vertex_normals
from ..io.atlas import pad_texture
from ..io.views import Views
from ..render import Camera, render, sample_texture
from ..render.harmonics import irradiance
from ..render.light import normalize

WHITE_LIGHT = 2 * math.sqrt(math.pi)  # first coefficient of an environment of radiance 1


def white_light(like: Tensor) -> Tensor:
    """Spherical-harmonic coefficients (9, 3) under which surfaces show their own colour."""
    coefficients = like.new_zeros(9, 3)
    coefficients[0] = WHITE_LIGHT
    return coefficients


def estimate_light(mesh: Mesh, views: Views) -> Tensor:
    """Grey light that explains how brightness depends on the direction of the surface.

    Texture and light cannot be told apart from pictures under one light without a belief about one of them;
    this one takes the surface's own brightness not to depend on where it faces. Brightness is fitted by
    spherical harmonics of the normal with least absolute differences (reweighted least squares), so that
    patterns count little, and drawn towards white light.

    Args:
        mesh: the shape.
        views: the pictures.

    Returns:
        Coefficients of shape (9, 3), whose mean shading over the pictures is 1.
    """
    normals, values = [], []
    for i in range(len(views)):
        with torch.no_grad():
            picture = render(mesh, views.cameras[i])
        inside = picture.mask & (views.masks[i] > 0.5)
        normals.append(picture.world_normals[inside])
        values.append(views.pictures[i][inside].mean(-1))
    normal, value = torch.cat(normals), torch.cat(values)
    value = value / value.mean().clamp(min=1e-3)
    unit = torch.eye(9, dtype=value.dtype, device=value.device)
    basis = torch.cat([irradiance(unit[:, k : k + 1], normal) for k in range(9)], -1)
    prior = white_light(value)[:, 0]
    light, weight = prior, torch.ones_like(value)
    for _ in range(8):
        weighted = basis * weight[:, None]
        left = weighted.T @ basis + 0.002 * weight.sum() * unit
        light = torch.linalg.solve(left, weighted.T @ value + 0.002 * weight.sum() * prior)
        weight = 1 / (basis @ light - value).abs().clamp(min=0.05)
    return (light / (basis @ light).mean().clamp(min=0.1))[:, None].repeat(1, 3)


def remove_light(texture: Tensor, mesh: Mesh, light: Tensor) -> tuple[Tensor, Tensor]:
    """Divide a painted texture by the shading that light gives it.

    Args:
        texture: colours as in the pictures, shape (h, w, 3).
        mesh: with ``uvs``.
        light: coefficients, shape (9, 3).

    Returns:
        The surface's own colours in [0, 1], and the light scaled so that they fit in.
    """
    assert mesh.uvs is not None
    assert mesh.uv_faces is not None
    flat = torch.cat([mesh.uvs * 2 - 1, torch.ones_like(mesh.uvs[:, :1])], -1)
    size = texture.shape[0]
    camera = Camera(
        torch.eye(4).to(texture),
        torch.tensor([[size / 2, 0, size / 2], [0, -size / 2, size / 2], [0, 0, 1]]).to(texture),
        size,
        size,
        orthographic=True,
    )
    normals = vertex_normals(mesh.vertices, mesh.faces)
    corners = torch.zeros_like(flat).index_copy(0, mesh.uv_faces.reshape(-1), normals[mesh.faces.reshape(-1)])
    spread = render(Mesh(flat, mesh.uv_faces, vertex_colors=corners), camera)
    shading = irradiance(light, normalize(spread.rgb)).clamp(min=0.2)
    albedo = pad_texture(texture / shading, spread.mask, pixels=size // 4)
    scale = torch.quantile(albedo[spread.mask][:: max(1, albedo.numel() // 10**6)], 0.99).clamp(min=1)
    return (albedo / scale).clamp(0, 1), light * scale


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


def light_colour(light: Tensor) -> Tensor:
    """How far light (9, 3) is from grey: mean square."""
    return (light - light.mean(-1, keepdim=True)).square().mean()
