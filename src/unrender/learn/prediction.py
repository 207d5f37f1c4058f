"""What a network says about the object in a picture."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

from torch import Tensor

from ..geometry import Mesh
from ..render import Camera
from .data.light_record import LightRecord


@dataclasses.dataclass(frozen=True, eq=False)
class Prediction:
    """Objects seen in B pictures, in the frame of :class:`~unrender.learn.data.ObjectViews`.

    Attributes:
        mesh: shapes with texture or colours, batch shape (B,); None for methods that predict solids or
            fields.
        light: the light of each picture, B of them; None where a method has none. ``light.lights()`` and
            ``light.material()`` are what ``render`` takes.
        camera: where each picture was taken from, batch shape (B,), for the picture that was predicted from;
            None where a method does not tell.
        occupancy: how surely each cell of the grid of :attr:`~unrender.learn.data.ObjectViews.voxels` is
            filled, in [0, 1], shape (B, S, S, S); None for meshes.
        surfaces: for methods that predict fields, gives the coloured surface of the object with an index, a
            mesh without batch dimensions, or None where there is nothing.
    """

    mesh: Mesh | None = None
    light: LightRecord | None = None
    camera: Camera | None = None
    occupancy: Tensor | None = None
    surfaces: Callable[[int], Mesh | None] | None = None
