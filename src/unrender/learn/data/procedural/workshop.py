"""Where an object is put together: one source of chance, the solids so far, and what they are made of."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TypeVar

import numpy as np
import torch
from numpy.random import Generator

from ....geometry import Mesh
from .materials import Paint
from .parts import Solid

TEXTURE_SIDE = 128  # texels; every material of an object has one square of it

_T = TypeVar("_T")


class Workshop:
    """Collects textured solids and makes one mesh of them.

    Attributes:
        rng: the source of all that is random.
    """

    def __init__(self, rng: Generator) -> None:
        self.rng = rng
        self._paints: list[Paint] = []
        self._solids: list[tuple[Solid, int, tuple[float, float]]] = []

    def uniform(self, low: float, high: float) -> float:
        """A number between ``low`` and ``high``."""
        return float(self.rng.uniform(low, high))

    def count(self, low: int, high: int) -> int:
        """A whole number from ``low`` to ``high``, both included."""
        return int(self.rng.integers(low, high + 1))

    def chance(self, probability: float) -> bool:
        """True with this probability."""
        return bool(self.rng.random() < probability)

    def pick(self, options: Sequence[_T], odds: Sequence[float] | None = None) -> _T:
        """One of some options, with the given odds or even ones."""
        if odds is None:
            return options[int(self.rng.integers(len(options)))]
        share = np.asarray(odds, np.float64)
        return options[int(self.rng.choice(len(options), p=share / share.sum()))]

    def material(self, paint: Paint) -> int:
        """A new material of the object; at most 16 have room to show more than a few texels."""
        self._paints.append(paint)
        return len(self._paints) - 1

    def add(self, solid: Solid, material: int, *, mirror: str = "", whole: bool = False) -> None:
        """Put a solid in its place.

        Args:
            solid: where it shall be.
            material: its number.
            mirror: axes, as in ``"x"`` or ``"xz"``: across the planes through the origin and square to these,
                copies are added too.
            whole: the texture lies as it is, as on a door or a screen; else a random part of it shows.
        """
        room = 1 - solid.uvs.max((0, 1))
        shift = (0.0, 0.0) if whole else tuple(self.rng.random(2) * room)
        copies = [solid]
        for axis in mirror:
            factors = [-1.0 if a == axis else 1.0 for a in "xyz"]
            copies += [copy.scaled(*factors) for copy in copies]
        self._solids += [(copy, material, (shift[0], shift[1])) for copy in copies]

    def lay_down(self) -> None:
        """Turn all that is there onto its back, the head to -Z."""
        self._solids = [(solid.turned("x", -90), material, shift) for solid, material, shift in self._solids]

    def mesh(self) -> Mesh:
        """The object in the cube [-1/2, 1/2]^3, as large as fits: float32, texture of at most 128 texels."""
        side = math.ceil(math.sqrt(len(self._paints)))
        cell = TEXTURE_SIDE // max(side, 2)
        texture = np.zeros((side * cell, side * cell, 3), np.float32)
        for i, paint in enumerate(self._paints):
            row, column = i // side * cell, i % side * cell
            texture[row : row + cell, column : column + cell] = paint(cell)
        vertices, faces, uvs, count = [], [], [], 0
        for solid, material, shift in self._solids:
            vertices.append(solid.vertices)
            faces.append(solid.faces + count)
            # Half a texel stays free, so that no neighbour shows through.
            plane = 0.5 + (solid.uvs + shift) * (cell - 1)
            corner = (material % side * cell, (side - 1 - material // side) * cell)
            uvs.append((plane + corner) / (side * cell))
            count += len(solid.vertices)
        points = np.concatenate(vertices)
        low, high = points.min(0), points.max(0)
        points = (points - (low + high) / 2) / (high - low).max()
        corners = np.concatenate(uvs).reshape(-1, 2)
        return Mesh(
            torch.from_numpy(points.astype(np.float32)),
            torch.from_numpy(np.concatenate(faces)),
            uvs=torch.from_numpy(corners.astype(np.float32)),
            uv_faces=torch.arange(len(corners)).reshape(-1, 3),
            texture=torch.from_numpy(texture),
        )
