"""Pictures of fields, with what pictures of meshes have."""

from __future__ import annotations

import torch
from torch import Tensor

from ..errors import InputError
from ..render.camera import Camera
from ..render.picture import Picture, lazy
from ..render.rays import pixel_rays
from .cast import CastOptions, Hits, cast
from .field import Field
from .space import OccupiedSpace
from .surface import outward_normals, surface_depth


class FieldPicture(Picture):
    """What a camera sees of a field: one ray a pixel, through its centre.

    Colours and depth have gradients to the field and the camera; ``alpha`` is 1 or 0 and has none, since a
    field has no soft silhouette.

    Attributes:
        hits: of the rays.
    """

    def __init__(self, field: Field, camera: Camera, hits: Hits, background: float | Tensor | None) -> None:
        super().__init__(camera)
        self.field, self.hits, self.background = field, hits, background

    @lazy
    def depth(self) -> Tensor:  # type: ignore[override]
        """Camera z of the surface [world units], 0 where there is none: shape (..., H, W)."""
        found = surface_depth(self.field, pixel_rays(self.camera), self.hits)
        return torch.zeros_like(self.hits.depth).masked_scatter(self.hits.hit, found)

    @lazy
    def rgb(self) -> Tensor:  # type: ignore[override]
        """Colour over the background, shape (..., H, W, 3)."""
        rays = pixel_rays(self.camera)
        hit = self.hits.hit
        points = rays.at(self.depth)[hit]
        _, colors = self.field(points)
        behind = torch.zeros(3) if self.background is None else torch.as_tensor(self.background)
        picture = behind.to(colors).expand(*hit.shape, 3)
        return picture.masked_scatter(hit[..., None], colors)

    @lazy
    def mask(self) -> Tensor:  # type: ignore[override]
        """Whether the ray through the pixel's centre hits: bool, shape (..., H, W)."""
        return self.hits.hit

    @lazy
    def alpha(self) -> Tensor:  # type: ignore[override]
        """1 where the ray hits, else 0: shape (..., H, W); no gradient."""
        return self.hits.hit.to(self.hits.depth.dtype)

    @lazy
    def world_normals(self) -> Tensor:  # type: ignore[override]
        """Unit normals in the world, 0 where there is no surface: shape (..., H, W, 3); no gradient."""
        hit = self.hits.hit
        points = pixel_rays(self.camera).at(self.hits.depth)[hit]
        normals = torch.zeros(*hit.shape, 3, dtype=points.dtype, device=points.device)
        return normals.masked_scatter(hit[..., None], outward_normals(self.field, points.detach()))


def render_field(
    field: Field,
    camera: Camera,
    *,
    options: CastOptions | None = None,
    space: OccupiedSpace | None = None,
    background: float | Tensor | None = None,
) -> FieldPicture:
    """Picture a field.

    Args:
        field: of the object; its frame is the world.
        camera: batch shape (...).
        options: how rays are cast.
        space: where samples need not be taken.
        background: colour behind the object, a number or shape (3,); black when None.

    Returns:
        A picture of shape (..., H, W); empty where no ray hits, and where rays begin inside, as of a camera
        in the object or a field that fills the cube (``hits.inside`` tells).

    Raises:
        InputError: the field gives a logit that is not finite, or ``background`` has another shape.
    """
    if isinstance(background, Tensor) and background.shape not in ((), (3,)):
        raise InputError(f"background must be a number or have shape (3,), got {tuple(background.shape)}")
    return FieldPicture(field, camera, cast(field, pixel_rays(camera), options, space=space), background)
