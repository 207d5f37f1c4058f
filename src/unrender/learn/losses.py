"""Losses on pictures and shapes that the papers share; those on meshes alone are in ``unrender.geometry``."""

from __future__ import annotations

import torch
from torch import Tensor

from ..errors import InputError
from .data.light_record import LightRecord
from .metrics import sphere_irradiance


def silhouette_loss(alpha: Tensor, target: Tensor) -> Tensor:
    """1 - soft intersection over union, ``1 - |A T| / |A + T - A T|`` (N3MR eq. 7, SoftRas eq. 9).

    Args:
        alpha: silhouettes in [0, 1], shape (..., H, W).
        target: masks in [0, 1], of the same shape.

    Returns:
        Shape (...); 0 where both are empty.
    """
    both = (alpha * target).sum((-2, -1))
    either = (alpha + target - alpha * target).sum((-2, -1))
    return torch.where(either > 0, 1 - both / either.clamp(min=1e-6), 0.0)


def color_loss(colors: Tensor, target: Tensor) -> Tensor:
    """Mean over the pixels of the sum over the channels of ``|C - T|``, as in DIB-R's released code.

    Args:
        colors: shape (..., H, W, C), 0 where there is nothing.
        target: colours multiplied by alpha, of the same shape.

    Returns:
        Shape (...).
    """
    return (colors - target).abs().sum(-1).mean((-2, -1))


def light_loss(found: LightRecord, target: LightRecord) -> Tensor:
    """Mean squared difference of what white matt surfaces facing every way send back.

    Args:
        found: V lights of any kind but ``none``.
        target: V lights, of any such kind.

    Returns:
        Shape (V,).
    """
    return (sphere_irradiance(found) - sphere_irradiance(target)).square().mean((-2, -1))


def symmetry_loss(vertices: Tensor, mirror: Tensor) -> Tensor:
    """Mean squared distance of each vertex to the mirror image, across x = 0, of its partner.

    Args:
        vertices: shape (..., V, 3).
        mirror: the partner of each vertex, shape (V,) (:func:`mirror_partners`).

    Returns:
        Shape (...).
    """
    mirrored = vertices[..., mirror, :] * vertices.new_tensor([-1.0, 1.0, 1.0])
    return (vertices - mirrored).square().sum(-1).mean(-1)


def mirror_partners(vertices: Tensor) -> Tensor:
    """The vertex at the mirror image of each vertex across the plane x = 0.

    Args:
        vertices: of a template that is its own mirror image, shape (V, 3).

    Returns:
        Indices, shape (V,).

    Raises:
        InputError: a vertex has no partner within a thousandth of the template's size.
    """
    distances = torch.cdist(vertices * vertices.new_tensor([-1.0, 1.0, 1.0]), vertices)
    nearest, partners = distances.min(-1)
    if bool((nearest > 1e-3 * vertices.abs().max()).any()):
        raise InputError("the template must be its own mirror image across x = 0")
    return partners
