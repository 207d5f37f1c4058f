"""Real spherical harmonics up to degree 2: nine numbers that hold what a matt surface sees of its world.

Every function orders the nine functions by (l, m) as (0, 0), (1, -1), (1, 0), (1, 1), (2, -2), (2, -1),
(2, 0), (2, 1), (2, 2), which are the polynomials 1, y, z, x, xy, yz, 3z²-1, xz, x²-y², scaled so that
they are orthonormal over the sphere.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from ..errors import InputError

_DEGREE_0 = math.sqrt(1 / (4 * math.pi))
_DEGREE_1 = math.sqrt(3 / (4 * math.pi))
_DEGREE_2 = math.sqrt(15 / (4 * math.pi))
_DEGREE_2_ZONAL = math.sqrt(5 / (16 * math.pi))

# The clamped cosine's harmonics A_l = π, 2π/3, π/4 (Ramamoorthi and Hanrahan 2001), divided by π.
_COSINE_LOBE = (1.0,) + (2 / 3,) * 3 + (1 / 4,) * 5


def sh_basis(directions: Tensor) -> Tensor:
    """The nine harmonics at unit directions.

    Args:
        directions: unit vectors, shape (..., 3).

    Returns:
        Values in the order of this module, shape (..., 9).

    Raises:
        InputError: ``directions`` does not end in 3.
    """
    if directions.ndim < 1 or directions.shape[-1] != 3:
        raise InputError(f"directions must have shape (..., 3), got {tuple(directions.shape)}")
    x, y, z = directions.unbind(-1)
    return torch.stack(
        [
            torch.full_like(x, _DEGREE_0),
            _DEGREE_1 * y,
            _DEGREE_1 * z,
            _DEGREE_1 * x,
            _DEGREE_2 * x * y,
            _DEGREE_2 * y * z,
            _DEGREE_2_ZONAL * (3 * z * z - 1),
            _DEGREE_2 * x * z,
            _DEGREE_2 / 2 * (x * x - y * y),
        ],
        dim=-1,
    )


def irradiance(coefficients: Tensor, normals: Tensor) -> Tensor:
    """The shading of a white matt surface inside an environment.

    This is 1/π ∫ L(d) max(n·d, 0) dd = Σ_lm (A_l / π) L_lm Y_lm(n), with A = (π, 2π/3, π/4): an environment
    that is 1 everywhere gives 1. Degrees above 2 would add at most a percent or so for natural light
    (Ramamoorthi and Hanrahan, "An efficient representation for irradiance environment maps", 2001).

    Args:
        coefficients: harmonics L_lm of the incoming light, shape (..., 9, C).
        normals: unit normals, shape (..., P, 3).

    Returns:
        Shading, shape (..., P, C); it can be negative where nine coefficients describe no real light.

    Raises:
        InputError: a shape is wrong.
    """
    _require_nine(coefficients)
    if normals.ndim < 2:
        raise InputError(f"normals must have shape (..., P, 3), got {tuple(normals.shape)}")
    lobe = coefficients.new_tensor(_COSINE_LOBE)
    return sh_basis(normals) @ (lobe[:, None] * coefficients)


def rotate_sh(coefficients: Tensor, rotation: Tensor) -> Tensor:
    """The harmonics of an environment after the environment itself was rotated.

    The result f' satisfies f'(R d) = f(d). The twelve corners of an icosahedron integrate polynomials up to
    degree 5 exactly, and a product of two harmonics has degree 4, so projecting the rotated functions on
    those twelve directions gives the rotation matrix of the coefficients without error.

    Args:
        coefficients: shape (..., 9, C).
        rotation: rotation matrices R, shape (..., 3, 3).

    Returns:
        Rotated coefficients, shape (..., 9, C).

    Raises:
        InputError: a shape is wrong.
    """
    _require_nine(coefficients)
    if rotation.ndim < 2 or rotation.shape[-2:] != (3, 3):
        raise InputError(f"rotation must have shape (..., 3, 3), got {tuple(rotation.shape)}")
    golden = (1 + math.sqrt(5)) / 2
    corners = [(0.0, a, b * golden) for a in (-1, 1) for b in (-1, 1)]
    corners = [corner[k:] + corner[:k] for corner in corners for k in range(3)]
    directions = rotation.new_tensor(corners) / math.sqrt(1 + golden**2)
    weight = 4 * math.pi / len(corners)
    return weight * sh_basis(directions).mT @ sh_basis(directions @ rotation) @ coefficients


def environment_directions(
    height: int, width: int, *, device: torch.device | str | None = None, dtype: torch.dtype | None = None
) -> Tensor:
    """The direction from the scene to each pixel centre of an equirectangular picture.

    Row 0 is the top, next to +Y. The picture's centre is -Z, what a camera at azimuth 0 looks towards, and
    its right half holds +X; so the picture is not mirrored, seen from inside.

    Args:
        height: rows.
        width: columns.
        device: where the result lives.
        dtype: its floating-point type.

    Returns:
        Unit vectors, shape (height, width, 3).
    """
    polar = (torch.arange(height, device=device, dtype=dtype) + 0.5) * (math.pi / height)
    azimuth = (torch.arange(width, device=device, dtype=dtype) + 0.5) * (2 * math.pi / width) - math.pi
    polar, azimuth = torch.meshgrid(polar, azimuth, indexing="ij")
    return torch.stack([polar.sin() * azimuth.sin(), polar.cos(), -polar.sin() * azimuth.cos()], dim=-1)


def environment_to_sh(picture: Tensor) -> Tensor:
    """The harmonics of an equirectangular environment picture.

    The nine coefficients are the least-squares fit to the pixels, each weighted by its solid angle. For fine
    pictures this is the projection ∫ L Y; for coarse ones it has no quadrature error, so the function
    inverts :func:`sh_to_environment` exactly.

    Args:
        picture: radiance, laid out as :func:`environment_directions` says, shape (..., H, W, C).

    Returns:
        Coefficients, shape (..., 9, C).

    Raises:
        InputError: the picture has fewer than 3 rows or 5 columns, too few to tell nine harmonics apart.
    """
    if picture.ndim < 3 or picture.shape[-3] < 3 or picture.shape[-2] < 5:
        raise InputError(f"picture must have shape (..., H >= 3, W >= 5, C), got {tuple(picture.shape)}")
    height, width = picture.shape[-3:-1]
    basis = sh_basis(environment_directions(height, width, device=picture.device, dtype=picture.dtype))
    edges = torch.arange(height + 1, device=picture.device, dtype=picture.dtype) * (math.pi / height)
    solid_angle = (edges[:-1].cos() - edges[1:].cos()) * (2 * math.pi / width)
    weighted = (basis * solid_angle[:, None, None]).reshape(-1, 9)
    gram = weighted.mT @ basis.reshape(-1, 9)
    return torch.linalg.solve(gram, weighted.mT @ picture.flatten(-3, -2))


def sh_to_environment(coefficients: Tensor, height: int, width: int) -> Tensor:
    """Draw harmonics as an equirectangular environment picture.

    Args:
        coefficients: shape (..., 9, C).
        height: rows of the picture.
        width: columns of the picture.

    Returns:
        Radiance, laid out as :func:`environment_directions` says, shape (..., height, width, C).

    Raises:
        InputError: ``coefficients`` has the wrong shape.
    """
    _require_nine(coefficients)
    directions = environment_directions(height, width, device=coefficients.device, dtype=coefficients.dtype)
    return (sh_basis(directions.reshape(-1, 3)) @ coefficients).unflatten(-2, (height, width))


def _require_nine(coefficients: Tensor) -> None:
    if coefficients.ndim < 2 or coefficients.shape[-2] != 9:
        raise InputError(f"coefficients must have shape (..., 9, C), got {tuple(coefficients.shape)}")
