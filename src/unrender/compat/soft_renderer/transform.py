"""Cameras: from the world to normalised device coordinates."""

from __future__ import annotations

import copy
import math

import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ...errors import InputError
from ..left_handed import Numbers
from . import functional as srf
from .mesh import Mesh

__all__ = ["Look", "LookAt", "Projection", "Transform"]


class Projection(nn.Module):
    """The camera of a projection matrix; see :func:`~unrender.compat.soft_renderer.functional.projection`.

    Args:
        P: shape (B, 3, 4).
        dist_coeffs: k1, k2, p1, p2 and k3, shape (B, 5); no distortion if None.
        orig_size: width and height of the picture that P is for.

    Raises:
        InputError: ``P`` is None or has the wrong shape.
    """

    def __init__(
        self,
        P: Tensor | NDArray | None,
        dist_coeffs: Tensor | NDArray | None = None,
        orig_size: float = 512,
    ) -> None:
        super().__init__()
        if P is None:
            raise InputError(
                "a projection needs its matrix P of shape (B, 3, 4), got None; "
                "give P, or camera_mode 'look_at' or 'look'"
            )
        self.P = torch.as_tensor(P)
        if self.P.ndim != 3 or self.P.shape[1:] != (3, 4):
            raise InputError(f"P must have shape (B, 3, 4), got {tuple(self.P.shape)}")
        self.dist_coeffs = self.P.new_zeros(1, 5) if dist_coeffs is None else torch.as_tensor(dist_coeffs)
        self.orig_size = orig_size

    def forward(self, vertices: Tensor) -> Tensor:
        """Points (B, V, 3) of the world on the picture."""
        return srf.projection(vertices, self.P.to(vertices), self.dist_coeffs.to(vertices), self.orig_size)


class _Eye(nn.Module):
    """A camera at a point, perspective or orthogonal."""

    def __init__(
        self, perspective: bool, viewing_angle: float, viewing_scale: float, eye: Numbers | None
    ) -> None:
        super().__init__()
        self.perspective = perspective
        self.viewing_angle = viewing_angle
        self.viewing_scale = viewing_scale
        distance = 1 / math.tan(math.radians(viewing_angle)) + 1
        self._eye: Numbers = (0, 0, -distance) if eye is None else eye

    def _project(self, vertices: Tensor) -> Tensor:
        if self.perspective:
            return srf.perspective(vertices, angle=self.viewing_angle)
        return srf.orthogonal(vertices, scale=self.viewing_scale)


class LookAt(_Eye):
    """A camera that looks at the origin.

    Args:
        perspective: else orthogonal.
        viewing_angle: HALF of the angle of view [degrees], if perspective.
        viewing_scale: factor on x and y, if orthogonal.
        eye: where the camera is, shape (3,) or (B, 3); (0, 0, -(1 / tan(viewing_angle) + 1)) if None.
    """

    def __init__(
        self,
        perspective: bool = True,
        viewing_angle: float = 30,
        viewing_scale: float = 1.0,
        eye: Numbers | None = None,
    ) -> None:
        super().__init__(perspective, viewing_angle, viewing_scale, eye)

    def forward(self, vertices: Tensor) -> Tensor:
        """Points (B, V, 3) of the world on the picture."""
        return self._project(srf.look_at(vertices, self._eye))


class Look(_Eye):
    """A camera that looks in a direction.

    Args:
        camera_direction: shape (3,) or (B, 3).
        perspective: else orthogonal.
        viewing_angle: HALF of the angle of view [degrees], if perspective.
        viewing_scale: factor on x and y, if orthogonal.
        eye: where the camera is, shape (3,) or (B, 3); (0, 0, -(1 / tan(viewing_angle) + 1)) if None.
    """

    def __init__(
        self,
        camera_direction: Numbers = (0, 0, 1),
        perspective: bool = True,
        viewing_angle: float = 30,
        viewing_scale: float = 1.0,
        eye: Numbers | None = None,
    ) -> None:
        super().__init__(perspective, viewing_angle, viewing_scale, eye)
        self.camera_direction = camera_direction

    def forward(self, vertices: Tensor) -> Tensor:
        """Points (B, V, 3) of the world on the picture."""
        return self._project(srf.look(vertices, self._eye, self.camera_direction))


class Transform(nn.Module):
    """One of the three cameras.

    Attributes:
        camera_mode: ``"projection"``, ``"look"`` or ``"look_at"``.
        transformer: the :class:`Projection`, :class:`Look` or :class:`LookAt`.

    Args:
        camera_mode: which camera; the arguments of the others do not count.
        P: as in :class:`Projection`.
        dist_coeffs: as in :class:`Projection`.
        orig_size: as in :class:`Projection`.
        perspective: as in :class:`LookAt`.
        viewing_angle: as in :class:`LookAt`.
        viewing_scale: as in :class:`LookAt`.
        eye: as in :class:`LookAt`.
        camera_direction: as in :class:`Look`.

    Raises:
        InputError: ``camera_mode`` is none of the three, or ``"projection"`` and there is no ``P``.
    """

    def __init__(
        self,
        camera_mode: str = "projection",
        P: Tensor | NDArray | None = None,
        dist_coeffs: Tensor | NDArray | None = None,
        orig_size: float = 512,
        perspective: bool = True,
        viewing_angle: float = 30,
        viewing_scale: float = 1.0,
        eye: Numbers | None = None,
        camera_direction: Numbers = (0, 0, 1),
    ) -> None:
        super().__init__()
        self.camera_mode = camera_mode
        if camera_mode == "projection":
            self.transformer = Projection(P, dist_coeffs, orig_size)
        elif camera_mode == "look":
            self.transformer = Look(camera_direction, perspective, viewing_angle, viewing_scale, eye)
        elif camera_mode == "look_at":
            self.transformer = LookAt(perspective, viewing_angle, viewing_scale, eye)
        else:
            raise InputError(f"camera_mode must be 'projection', 'look' or 'look_at', got {camera_mode!r}")

    def forward(self, mesh: Mesh) -> Mesh:
        """The mesh in normalised device coordinates; ``mesh`` itself stays as it is."""
        seen = copy.copy(mesh)
        seen.vertices = self.transformer(mesh.vertices)
        return seen

    def set_eyes_from_angles(
        self, distances: float | Tensor, elevations: float | Tensor, azimuths: float | Tensor
    ) -> None:
        """Put the camera somewhere around the origin.

        Args:
            distances: to the origin, a number or shape (B,).
            elevations: [degrees], a number or shape (B,).
            azimuths: [degrees], a number or shape (B,).

        Raises:
            InputError: the camera is a projection.
        """
        self.set_eyes(srf.get_points_from_angles(distances, elevations, azimuths))

    def set_eyes(self, eyes: Numbers) -> None:
        """Put the camera somewhere.

        Args:
            eyes: shape (3,) or (B, 3).

        Raises:
            InputError: the camera is a projection.
        """
        self._with_eye()._eye = eyes

    @property
    def eyes(self) -> Numbers:
        """Where the camera is, as it was given.

        Raises:
            InputError: the camera is a projection.
        """
        return self._with_eye()._eye

    def _with_eye(self) -> _Eye:
        if not isinstance(self.transformer, _Eye):
            raise InputError("a projection has no eye; set its P")
        return self.transformer
