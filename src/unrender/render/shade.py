"""Shading: surface colour, lights and material become the colour that the eye sees."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from torch import Tensor

from ..errors import InputError
from .light import AmbientLight, Light, align_to_points, normalize


@dataclasses.dataclass(frozen=True, eq=False)
class Phong:
    """How strongly a surface answers each kind of light; the default is a matt surface.

    Each field is a number, or a tensor of shape (..., 1) or (..., 3) whose batch dimensions line up with the
    leading dimensions of the pixels, as a light's do. ``shininess`` has no colour: (..., 1).

    Attributes:
        ambient: factor k_a on ambient light.
        diffuse: factor k_d on the matt answer to all other lights.
        specular: factor k_s on highlights.
        shininess: exponent of the highlights; the larger, the smaller they are.
    """

    ambient: float | Tensor = 1.0
    diffuse: float | Tensor = 1.0
    specular: float | Tensor = 0.0
    shininess: float | Tensor = 32.0

    @property
    def shiny(self) -> bool:
        """Whether highlights can appear, so that the view direction matters."""
        return isinstance(self.specular, Tensor) or self.specular != 0


def shade(
    base: Tensor,
    points: Tensor,
    normals: Tensor,
    view: Tensor,
    lights: Light | Sequence[Light] | None,
    material: Phong,
) -> Tensor:
    """Light a surface with Phong's model.

    The colour is base · (k_a Σ ambient + k_d Σ diffuse) + k_s Σ specular, over all lights. It is not clamped,
    so that pixels which are too bright still have gradients. The tensors broadcast against each other, but
    for the first dimensions to mean the same in all, each has the same number of them; pixels (B, H, W, 3),
    faces (B, F, 3) and texels of faces (B, F, R, R, 3) with normals (B, F, 1, 1, 3) all work.

    Args:
        base: the surface's own colour, shape (..., 3).
        points: surface points in the world, shape (..., 3).
        normals: normals in the world of any length, zero where there is no surface, shape (..., 3).
        view: unit vectors from the points to the eye, shape (..., 3); only highlights use them.
        lights: one light or several, whose light adds up; None leaves the colour as it is.
        material: the surface's answer to light.

    Returns:
        The lit colour, shape (..., 3).

    Raises:
        InputError: ``base`` has no three channels, the numbers of dimensions differ, or the batch dimensions
            of a light or of the material do not fit.
    """
    if lights is None:
        return base
    require_three_channels(base)
    if not base.ndim == points.ndim == normals.ndim == view.ndim:
        raise InputError(
            "base, points, normals and view must have equally many dimensions, "
            f"got {base.ndim}, {points.ndim}, {normals.ndim} and {view.ndim}"
        )
    factor, highlight = illuminate(points, normals, view, lights, material)
    return base * factor + highlight


def illuminate(
    points: Tensor, normals: Tensor, view: Tensor, lights: Light | Sequence[Light], material: Phong
) -> tuple[Tensor, Tensor]:
    """The light on a surface apart from its colour, for renderers that light corners before they draw.

    Args:
        points: see :func:`shade`, as all that follow.
        normals: shape (..., 3).
        view: shape (..., 3).
        lights: one light or several.
        material: the surface's answer to light.

    Returns:
        The factor on the surface's colour, and the highlight to add to it, shape (..., 3) or one number.

    Raises:
        InputError: batch dimensions do not fit.
    """
    normals = normalize(normals)
    factor, highlight = normals.new_zeros(()), normals.new_zeros(())
    for light in [lights] if isinstance(lights, Light) else lights:
        strength = material.ambient if isinstance(light, AmbientLight) else material.diffuse
        factor = factor + _align(strength, points) * light.diffuse(points, normals)
        if material.shiny:
            gloss = light.specular(points, normals, view, material.shininess)
            highlight = highlight + _align(material.specular, points) * gloss
    return factor, highlight


def require_three_channels(base: Tensor) -> None:
    """Raise :class:`InputError` unless colours (..., C) that are to be lit have three channels."""
    if base.shape[-1:] != (3,):
        raise InputError(f"lights need colours of shape (..., 3), got {tuple(base.shape)}")


def _align(strength: float | Tensor, points: Tensor) -> float | Tensor:
    return align_to_points(strength, points) if isinstance(strength, Tensor) else strength
