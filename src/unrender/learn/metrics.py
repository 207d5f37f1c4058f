"""How near predicted pictures and lights are to the true ones; metrics of shapes are in ``geometry``."""

from __future__ import annotations

import dataclasses

import torch
from torch import Tensor

from ..errors import InputError
from ..geometry import icosphere
from ..render.shade import illuminate
from .data.light_record import LightRecord


def mask_iou(predicted: Tensor, target: Tensor) -> Tensor:
    """Intersection over union of the pixels whose alpha exceeds one half.

    Args:
        predicted: in [0, 1], shape (..., H, W).
        target: in [0, 1], shape (..., H, W).

    Returns:
        Shape (...); 1 where both are empty.
    """
    a, b = predicted > 0.5, target > 0.5
    both, either = (a & b).sum((-2, -1)), (a | b).sum((-2, -1))
    return torch.where(either > 0, both / either.clamp(min=1), 1.0)


def masked_psnr(predicted: Tensor, target: Tensor, mask: Tensor) -> Tensor:
    """Peak signal-to-noise ratio of the pixels inside a mask, -10 log10 of the mean squared error.

    Args:
        predicted: colours in [0, 1], shape (..., H, W, C).
        target: colours in [0, 1], shape (..., H, W, C).
        mask: the pixels that count, bool, shape (..., H, W).

    Returns:
        Shape (...) [dB], at most 100; NaN where the mask is empty.
    """
    error = (predicted - target).square().mean(-1)
    count = mask.sum((-2, -1))
    mean = torch.where(mask, error, 0).sum((-2, -1)) / count
    return -10 * torch.log10(mean.clamp(min=1e-10))


def ssim(predicted: Tensor, target: Tensor) -> Tensor:
    """Structural similarity (Wang et al. 2004), in Gaussian windows of 11 x 11 pixels, sigma 1.5.

    The mean over all pixels; the pictures are mirrored beyond their borders, as torchmetrics does.

    Args:
        predicted: colours in [0, 1], shape (..., H, W, C).
        target: colours in [0, 1], shape (..., H, W, C).

    Returns:
        Shape (...).

    Raises:
        InputError: a picture has fewer than 11 rows or columns.
        ImportError: torchmetrics is not installed.
    """
    try:
        from torchmetrics.functional.image import structural_similarity_index_measure
    except ImportError as error:
        raise ImportError("ssim needs torchmetrics: pip install 'unrender[eval]'") from error
    *batch, height, width, channels = predicted.shape
    if min(height, width) < 11:
        raise InputError(f"ssim needs pictures of at least 11 x 11 pixels, got {width} x {height}")
    a, b = (p.reshape(-1, height, width, channels).movedim(-1, 1) for p in (predicted, target))
    values = structural_similarity_index_measure(a, b, data_range=1.0, reduction="none")
    assert isinstance(values, Tensor)
    return values.reshape(batch)


def sphere_irradiance(lights: LightRecord) -> Tensor:
    """What white matt surfaces that face every way send back under V lights, highlights apart.

    The normals are the P = 642 vertices of an icosphere. Their plain mean integrates polynomials up to degree
    5 over the sphere exactly (every orbit of the icosahedral group does), so it integrates products of
    irradiances of spherical harmonics, which have degree 4, without error.

    Args:
        lights: of any kind but ``none``.

    Returns:
        Shape (V, P, 3).

    Raises:
        InputError: the kind is ``none``.
    """
    sources = lights.lights()
    if sources is None:
        raise InputError("light of kind none has no irradiance")
    value = lights.coefficients if lights.coefficients is not None else lights.direction
    assert value is not None
    normals = icosphere(3, dtype=value.dtype, device=value.device).vertices.expand(value.shape[0], -1, -1)
    matt = dataclasses.replace(lights.material(), specular=0.0)
    return illuminate(torch.zeros_like(normals), normals, normals, sources, matt)[0].expand_as(normals)


def main_direction(irradiance: Tensor) -> Tensor:
    """Where most light comes from: the mean over the normals of normal times brightness.

    For a directional light beside an ambient one this is its direction, for spherical harmonics that of the
    first band.

    Args:
        irradiance: from :func:`sphere_irradiance`, shape (..., P, 3).

    Returns:
        Vectors of any length, 0 for purely ambient light, shape (..., 3).
    """
    normals = icosphere(3, dtype=irradiance.dtype, device=irradiance.device).vertices
    return (normals * irradiance.mean(-1, keepdim=True)).mean(-2)


def angle_between(a: Tensor, b: Tensor) -> Tensor:
    """The angle between vectors, exact for small angles too.

    Args:
        a: shape (..., 3).
        b: shape (..., 3).

    Returns:
        Shape (...), from 0 to 180 [degrees]; NaN where a vector is zero.
    """
    a, b = torch.broadcast_tensors(a, b)
    sine = torch.linalg.vector_norm(torch.linalg.cross(a, b), dim=-1)
    angle = torch.rad2deg(torch.atan2(sine, (a * b).sum(-1)))
    return torch.where(a.any(-1) & b.any(-1), angle, torch.nan)


def irradiance_error(predicted: Tensor, target: Tensor, *, fit_brightness: bool = False) -> Tensor:
    """Root mean square difference of irradiances over the sphere of normals, relative to that of the truth.

    Args:
        predicted: from :func:`sphere_irradiance`, shape (..., P, 3).
        target: the same for the true light, shape (..., P, 3).
        fit_brightness: first multiply the prediction by the number that makes the error smallest. A picture
            tells no bright light on a dark surface from a dark light on a bright one.

    Returns:
        Shape (...); 0 is perfect, 1 as bad as darkness.
    """
    if fit_brightness:
        power = predicted.square().sum((-2, -1), keepdim=True)
        shared = (predicted * target).sum((-2, -1), keepdim=True)
        predicted = predicted * (shared / power.clamp(min=torch.finfo(power.dtype).tiny))
    wrong = (predicted - target).square().sum((-2, -1))
    return (wrong / target.square().sum((-2, -1))).sqrt()
