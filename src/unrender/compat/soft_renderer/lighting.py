"""Light on meshes: it multiplies their textures before they are drawn."""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn

from ...errors import InputError
from ..left_handed import Numbers
from . import functional as srf
from .mesh import Mesh

__all__ = ["AmbientLighting", "DirectionalLighting", "Lighting"]


class AmbientLighting(nn.Module):
    """Light that comes from everywhere.

    Args:
        light_intensity: factor on ``light_color``.
        light_color: shape (3,) or (B, 3).
    """

    def __init__(self, light_intensity: float | Tensor = 0.5, light_color: Numbers = (1, 1, 1)) -> None:
        super().__init__()
        self.light_intensity = light_intensity
        self.light_color = light_color

    def forward(self, light: Tensor) -> Tensor:
        """Add it to the light (B, N, 3) that has fallen on each surface so far."""
        return srf.ambient_lighting(light, self.light_intensity, self.light_color)


class DirectionalLighting(nn.Module):
    """Light from one direction, as the sun's.

    Args:
        light_intensity: factor on ``light_color``.
        light_color: shape (3,) or (B, 3).
        light_direction: towards the light, shape (3,) or (B, 3).
    """

    def __init__(
        self,
        light_intensity: float | Tensor = 0.5,
        light_color: Numbers = (1, 1, 1),
        light_direction: Numbers = (0, 1, 0),
    ) -> None:
        super().__init__()
        self.light_intensity = light_intensity
        self.light_color = light_color
        self.light_direction = light_direction

    def forward(self, light: Tensor, normals: Tensor) -> Tensor:
        """Add it to the light (B, N, 3) that has fallen on surfaces with normals (B, N, 3) so far."""
        return srf.directional_lighting(
            light, normals, self.light_intensity, self.light_color, self.light_direction
        )


class Lighting(nn.Module):
    """Ambient light and a list of directional lights.

    Attributes:
        light_mode: ``"surface"`` or ``"vertex"``.
        ambient: the :class:`AmbientLighting`.
        directionals: the :class:`DirectionalLighting` modules, one at first.

    Args:
        light_mode: light falls on faces, ``"surface"``, or on vertices, ``"vertex"``.
        intensity_ambient: factor on ``color_ambient``.
        color_ambient: shape (3,) or (B, 3).
        intensity_directionals: factor on ``color_directionals``.
        color_directionals: shape (3,) or (B, 3).
        directions: towards the directional light, shape (3,) or (B, 3).

    Raises:
        InputError: ``light_mode`` is neither.
    """

    def __init__(
        self,
        light_mode: str = "surface",
        intensity_ambient: float | Tensor = 0.5,
        color_ambient: Numbers = (1, 1, 1),
        intensity_directionals: float | Tensor = 0.5,
        color_directionals: Numbers = (1, 1, 1),
        directions: Numbers = (0, 1, 0),
    ) -> None:
        super().__init__()
        if light_mode not in ("surface", "vertex"):
            raise InputError(f"light_mode must be 'surface' or 'vertex', got {light_mode!r}")
        self.light_mode = light_mode
        self.ambient = AmbientLighting(intensity_ambient, color_ambient)
        self.directionals = nn.ModuleList(
            [DirectionalLighting(intensity_directionals, color_directionals, directions)]
        )

    def forward(self, mesh: Mesh) -> Mesh:
        """The mesh with lit textures; ``mesh`` itself stays as it is.

        Raises:
            InputError: the mesh's ``texture_type`` is not ``light_mode``.
        """
        if mesh.texture_type != self.light_mode:
            raise InputError(
                f"light_mode must be the mesh's texture_type {mesh.texture_type!r}, got {self.light_mode!r}"
            )
        normals = mesh.surface_normals if self.light_mode == "surface" else mesh.vertex_normals
        light = self.ambient(torch.zeros_like(normals))
        for directional in self.directionals:
            light = directional(light, normals)
        lit = copy.copy(mesh)
        lit.textures = mesh.textures * (light[:, :, None] if self.light_mode == "surface" else light)
        return lit
