"""Lights: ambient, directional, point and spherical harmonics.

A light's tensors may have batch dimensions and may be optimised. The batch dimensions line up with the
*leading* dimensions of the points that are lit, whatever comes after them: a colour of shape (B, 3) lights
pixels of shape (B, H, W, 3) as well as faces of shape (B, F, 3).
"""

from __future__ import annotations

import abc
import dataclasses
import math
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from ..errors import InputError
from .harmonics import irradiance

if TYPE_CHECKING:
    from typing_extensions import Self


def align_to_points(value: Tensor, points: Tensor) -> Tensor:
    """Insert the point dimensions that a batched value lacks, before its last dimension.

    Args:
        value: shape (..., K), or () for a number.
        points: shape (..., P, 3) with any number of point dimensions P.

    Returns:
        ``value`` with shape (..., 1, K), as many dimensions as ``points``.

    Raises:
        InputError: the batch dimensions do not broadcast against the leading dimensions of ``points``.
    """
    if value.ndim == 0:
        return value
    batch, lead = value.shape[:-1], points.shape[: value.ndim - 1]
    if value.ndim > points.ndim or any(a != b and 1 not in (a, b) for a, b in zip(batch, lead, strict=False)):
        raise InputError(
            f"batch dimensions of a light or material must match the leading dimensions of the points "
            f"{tuple(points.shape)}, got {tuple(batch)}"
        )
    return value.reshape(batch + (1,) * (points.ndim - value.ndim) + value.shape[-1:])


def normalize(vectors: Tensor) -> Tensor:
    """Vectors of length 1; a zero vector stays zero and gets a zero gradient.

    Args:
        vectors: shape (..., 3).

    Returns:
        Unit vectors, shape (..., 3).
    """
    squared = (vectors * vectors).sum(-1, keepdim=True)
    positive = squared > torch.finfo(squared.dtype).tiny
    return vectors * torch.where(positive, torch.where(positive, squared, 1).rsqrt(), 0)


@dataclasses.dataclass(frozen=True, eq=False)
class Light(abc.ABC):
    """What every light can do."""

    @abc.abstractmethod
    def diffuse(self, points: Tensor, normals: Tensor) -> Tensor:
        """The light that a white matt surface sends back.

        Args:
            points: surface points in the world, shape (..., P, 3) with any number of point dimensions P.
            normals: unit normals in the world, zero where there is no surface, as many dimensions as points.

        Returns:
            The factor on the surface's colour, shape (..., P, 3).
        """

    def specular(self, points: Tensor, normals: Tensor, view: Tensor, shininess: float | Tensor) -> Tensor:
        """The light that a mirror-like surface sends to the eye; none, unless a kind of light says otherwise.

        Args:
            points: surface points in the world, shape (..., P, 3) with any number of point dimensions P.
            normals: unit normals in the world, zero where there is no surface, as many dimensions as points.
            view: unit vectors from the points to the eye, as many dimensions as ``points``.
            shininess: Phong's exponent, a number or shape (..., 1).

        Returns:
            The colour to add to the surface's, shape (..., P, 3).
        """
        return torch.zeros_like(normals)

    def to(self, target: torch.device | torch.dtype | str) -> Self:
        """A copy on another device or with another floating-point type."""
        return self._map(lambda t: t.to(target))

    def detach(self) -> Self:
        """A copy cut off from the autograd graph."""
        return self._map(lambda t: t.detach())

    def _map(self, function: Any) -> Self:
        return type(self)(**{f.name: function(getattr(self, f.name)) for f in dataclasses.fields(self)})


@dataclasses.dataclass(frozen=True, eq=False)
class AmbientLight(Light):
    """The same light on every surface, whichever way it faces.

    Attributes:
        color: shape (..., 3).

    Raises:
        InputError: ``color`` has the wrong shape or kind.
    """

    color: Tensor

    def __post_init__(self) -> None:
        _require_vector(self.color, "color")

    def diffuse(self, points: Tensor, normals: Tensor) -> Tensor:
        """``color`` at every point. See :meth:`Light.diffuse`."""
        color = align_to_points(self.color, points)
        return color.expand(torch.broadcast_shapes(color.shape, points.shape))


class _Beam(Light):
    """A light that reaches each point from one direction."""

    color: Tensor

    @abc.abstractmethod
    def towards(self, points: Tensor) -> Tensor:
        """Unit vectors from the points to the light, broadcastable with (..., P, 3)."""

    def diffuse(self, points: Tensor, normals: Tensor) -> Tensor:
        """Lambert's law, ``color`` · max(N·L, 0). See :meth:`Light.diffuse`."""
        cosine = (normals * self.towards(points)).sum(-1, keepdim=True)
        return align_to_points(self.color, points) * cosine.relu()

    def specular(self, points: Tensor, normals: Tensor, view: Tensor, shininess: float | Tensor) -> Tensor:
        """Phong's highlight, ``color`` · max(R·V, 0)^shininess with R = 2(N·L)N - L, where N·L > 0.

        See :meth:`Light.specular`.
        """
        towards = self.towards(points)
        cosine = (normals * towards).sum(-1, keepdim=True)
        mirrored = ((2 * cosine * normals - towards) * view).sum(-1, keepdim=True)
        if isinstance(shininess, Tensor):
            shininess = align_to_points(shininess, points)
        # A power has no finite slope at 0 for exponents below 1, so the unlit side never enters it.
        lit = (cosine > 0) & (mirrored > 0)
        highlight = torch.where(lit, torch.where(lit, mirrored, 1) ** shininess, 0)
        return align_to_points(self.color, points) * highlight


@dataclasses.dataclass(frozen=True, eq=False)
class DirectionalLight(_Beam):
    """Parallel light, as from the sun.

    Attributes:
        direction: from the surface *towards* the light, any length but zero, shape (..., 3).
        color: shape (..., 3).

    Raises:
        InputError: a field has the wrong shape or kind.
    """

    direction: Tensor
    color: Tensor

    def __post_init__(self) -> None:
        _require_vector(self.direction, "direction")
        _require_vector(self.color, "color")

    def towards(self, points: Tensor) -> Tensor:
        """Unit vector to the light, shape (..., 1, 3)."""
        return align_to_points(normalize(self.direction), points)


@dataclasses.dataclass(frozen=True, eq=False)
class PointLight(_Beam):
    """Light from one point, equally strong at every distance, as in the papers.

    Attributes:
        position: in the world, shape (..., 3).
        color: shape (..., 3).

    Raises:
        InputError: a field has the wrong shape or kind.
    """

    position: Tensor
    color: Tensor

    def __post_init__(self) -> None:
        _require_vector(self.position, "position")
        _require_vector(self.color, "color")

    def towards(self, points: Tensor) -> Tensor:
        """Unit vectors to the light, shape (..., P, 3)."""
        return normalize(align_to_points(self.position, points) - points)


@dataclasses.dataclass(frozen=True, eq=False)
class SphericalHarmonicsLight(Light):
    """Light from all around, given by nine coefficients of the environment's radiance.

    An environment that is 1 everywhere, coefficients (2√π, 0, ..., 0), leaves colours as they are. Order and
    constants are those of :mod:`unrender.render.harmonics`, which also converts environment pictures and
    rotates coefficients.

    Attributes:
        coefficients: one set a colour channel, shape (..., 9, 3), or one white set, shape (..., 9).

    Raises:
        InputError: ``coefficients`` has the wrong shape or kind.
    """

    coefficients: Tensor

    def __post_init__(self) -> None:
        _require_float(self.coefficients, "coefficients")
        if self.coefficients.shape[-1:] != (9,) and self.coefficients.shape[-2:] != (9, 3):
            raise InputError(
                f"coefficients must have shape (..., 9, 3) or (..., 9), got {tuple(self.coefficients.shape)}"
            )

    def diffuse(self, points: Tensor, normals: Tensor) -> Tensor:
        """:func:`~unrender.render.harmonics.irradiance` at the normals. See :meth:`Light.diffuse`."""
        coefficients = self.coefficients
        if coefficients.shape[-1] == 9:
            coefficients = coefficients.unsqueeze(-1).expand(*coefficients.shape, 3)
        # Aligned for its check alone: the product below runs faster over points in one flat dimension.
        align_to_points(coefficients[..., 0], points)
        batch = coefficients.ndim - 2
        count = math.prod(normals.shape[batch:-1])
        shading = irradiance(coefficients, normals.reshape(*normals.shape[:batch], count, 3))
        return shading.reshape(*shading.shape[:batch], *normals.shape[batch:])


def _require_float(tensor: Tensor, name: str) -> None:
    if not isinstance(tensor, Tensor) or not tensor.is_floating_point():
        kind = tensor.dtype if isinstance(tensor, Tensor) else type(tensor).__name__
        raise InputError(f"{name} must be a floating-point tensor, got {kind}")


def _require_vector(tensor: Tensor, name: str) -> None:
    _require_float(tensor, name)
    if tensor.shape[-1:] != (3,):
        raise InputError(f"{name} must have shape (..., 3), got {tuple(tensor.shape)}")
