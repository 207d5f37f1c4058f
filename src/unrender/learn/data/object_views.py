"""One object as a data set shows it: pictures, cameras, and the truth where it is known."""

from __future__ import annotations

import dataclasses

import torch
from torch import Tensor

from ...errors import InputError
from ...render import Camera
from .light_record import LightRecord


@dataclasses.dataclass(frozen=True, eq=False)
class ObjectViews:
    """V pictures of one object, in the object's own frame.

    Objects stand upright, +Y up, their front towards +Z, in the cube [-1/2, 1/2]^3 that their bounding box
    touches on its longest side. Everything after the pictures may be unknown (None).

    Attributes:
        name: names the object in its data set.
        category: its class; "object" where a data set has none.
        pictures: RGB and alpha, uint8, shape (V, H, W, 4). Colours are not multiplied by alpha; pixels of
            alpha 0 are black.
        cameras: one a picture, batch shape (V,).
        lights: the light in each picture.
        depth: camera z, 0 where nothing is, shape (V, H, W), float32.
        normals: unit world normals, 0 where nothing is, shape (V, H, W, 3), float32.
        voxels: filled cells, bool, shape (S, S, S), as :func:`unrender.geometry.voxelize` gives for the
            object's triangles scaled by (S - 1) / S about the middle of the grid (the N3MR protocol).
        points: surface points, uniform over the area, shape (N, 3), float32.
        point_normals: unit normals of the points, shape (N, 3), float32.

    Raises:
        InputError: pictures, cameras, depth or normals do not fit each other.
    """

    name: str
    category: str
    pictures: Tensor
    cameras: Camera | None = None
    lights: LightRecord | None = None
    depth: Tensor | None = None
    normals: Tensor | None = None
    voxels: Tensor | None = None
    points: Tensor | None = None
    point_normals: Tensor | None = None

    def __post_init__(self) -> None:
        pictures = self.pictures
        if pictures.ndim != 4 or pictures.shape[-1] != 4 or pictures.dtype != torch.uint8:
            raise InputError(
                f"pictures must be uint8 of shape (V, H, W, 4), got {pictures.dtype} {tuple(pictures.shape)}"
            )
        views, height, width, _ = pictures.shape
        cameras = self.cameras
        if cameras is not None and (*cameras.batch_shape, cameras.height, cameras.width) != (
            views,
            height,
            width,
        ):
            raise InputError(
                f"cameras must be {views} of {height} x {width} pixels, got batch "
                f"{tuple(cameras.batch_shape)} of {cameras.height} x {cameras.width}"
            )
        for name, shape in (("depth", (views, height, width)), ("normals", (views, height, width, 3))):
            value = getattr(self, name)
            if value is not None and tuple(value.shape) != shape:
                raise InputError(f"{name} must have shape {shape}, got {tuple(value.shape)}")

    def __len__(self) -> int:
        return self.pictures.shape[0]
