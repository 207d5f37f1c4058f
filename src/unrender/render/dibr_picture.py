"""DIB-R's picture: light on every pixel, and a silhouette that fades outwards."""

from __future__ import annotations

from torch import Tensor

from .eye import eye_directions
from .mesh_picture import Look, MeshPicture
from .picture import lazy
from .raster.dibr import DIBR, soft_mask
from .scene import Scene
from .shade import shade


class DIBRPicture(MeshPicture):
    """A mesh as :class:`~unrender.render.raster.dibr.DIBR` draws it."""

    renderer: DIBR

    def __init__(self, scene: Scene, renderer: DIBR, look: Look) -> None:
        super().__init__(scene, renderer, look)

    @property
    def _perspective(self) -> bool:
        return self.renderer.perspective_correct and super()._perspective

    @lazy
    def alpha(self) -> Tensor:
        """Soft silhouette in [0, 1], shape (..., H, W); see :func:`unrender.render.raster.dibr.soft_mask`."""
        scene = self.scene
        alpha = soft_mask(
            scene.triangles,
            scene.image_starts,
            self._hits[0],
            scene.grid,
            sigma=self.renderer.sigma(scene.grid),
            max_faces=self.renderer.max_faces,
            backend=self.renderer.backend,
        )
        return self._batched(alpha)

    @lazy
    def rgb(self) -> Tensor:
        """Shaded colour over the background, shape (..., H, W, C); not clamped."""
        look = self.look
        if look.lights is None and self._colors_stay:
            self._warn_without_vertex_gradient(
                "rgb",
                "nearest lookup and colours on faces stay, and there is no light; use "
                'texture_filter="bilinear" or vertex colours',
            )
        if look.lights is None:
            return self._over_background(self.albedo)
        self._interpolate(["uv", "normals", *(["points"] if look.places_matter else [])])
        normals = self.world_normals
        points = self.points if look.places_matter else normals.new_zeros(()).expand(normals.shape)
        view = eye_directions(self.camera, points) if look.material.shiny else points
        return self._over_background(shade(self.albedo, points, normals, view, look.lights, look.material))
