"""SoftRas's picture: every pixel a probabilistic mixture of all faces."""

from __future__ import annotations

import dataclasses
import math

import torch
from torch import Tensor

from ..geometry import PackedMeshes, gather_corners, scatter_corners
from .face_corners import FaceCorners
from .face_textures import sample_face_cubes, sample_face_textures
from .light import normalize
from .mesh_picture import Look, MeshPicture
from .picture import lazy
from .raster.softras import (
    Aggregation,
    SoftRas,
    aggregate,
    aggregate_textures,
    contributions,
    silhouette,
)
from .scene import Scene
from .shade import require_three_channels
from .texture import sample_texture


class SoftRasPicture(MeshPicture):
    """A mesh as :class:`~unrender.render.raster.softras.SoftRas` draws it.

    ``rgb``, ``alpha``, ``depth`` and the normals mix all faces. ``mask``, ``face_index``, ``barycentrics``,
    ``uv``, ``points`` and ``albedo`` are those of the nearest face under the pixel's centre.

    Light falls on the corners of faces before they are drawn (with ``face_textures`` and ``face_cubes``: once
    a face, by its own normal), as in the papers.
    """

    renderer: SoftRas

    def __init__(self, scene: Scene, renderer: SoftRas, look: Look) -> None:
        super().__init__(scene, renderer, look)

    @property
    def _perspective(self) -> bool:
        return self.renderer.perspective_correct and super()._perspective

    @lazy
    def _how(self) -> Aggregation:
        how = self.renderer.aggregation(self.scene.grid, self.camera.near)
        return dataclasses.replace(how, perspective=self._perspective)

    @lazy
    def alpha(self) -> Tensor:
        """Soft silhouette in [0, 1], shape (..., H, W)."""
        for option in ("distance", "alpha"):
            if getattr(self.renderer, option) == "hard":
                self._warn_without_vertex_gradient("alpha", f'{option}="hard"')
        scene = self.scene
        alpha = silhouette(
            scene.triangles,
            scene.image_starts,
            scene.grid,
            self._how,
            valid=self._drawn,
            backend=self.renderer.backend,
        )
        return self._batched(alpha)

    @lazy
    def rgb(self) -> Tensor:
        """Colours of all faces mixed with the background, shape (..., H, W, C); not clamped."""
        mesh, renderer = self.scene.mesh, self.renderer
        still = not renderer.interpolation_gradient or self._colors_stay
        if renderer.color == "hard" and still and self.look.lights is None:
            self._warn_without_vertex_gradient("rgb", 'color="hard", and colours stay')
        if self._is_textured or mesh.face_cubes is not None:
            color, background = self._mixed_samples()
        elif mesh.face_textures is not None:
            # the corners of a triangle that the near plane cut are not those of its face's texture
            whole = self.scene.coordinates is None
            color, background = self._mixed_grids(mesh.face_textures) if whole else self._mixed_samples()
        else:
            color, background = self._mixed_corners()
        behind = self.look.background.to(color.dtype)
        return self._batched(color) + self._batched(background)[..., None] * behind

    @lazy
    def depth(self) -> Tensor:
        """Camera z of all faces mixed without the background [world units], 0 where no face reaches."""
        return self._mixed(self.scene.triangles[..., 2:], None)[..., 0]

    @lazy
    def world_normals(self) -> Tensor:
        """Unit normals of all faces mixed, in the world, 0 where no face reaches: shape (..., H, W, 3)."""
        corners = FaceCorners.of(self.scene, flat=self.look.flat, double_sided=self.look.double_sided)
        return normalize(self._mixed(corners.normals.reshape(-1, 3, 3), corners.rows))

    # ---------------------------------------------------------------------------------------------------

    def _mixed(self, table: Tensor, rows: Tensor | None) -> Tensor:
        """Corner values (R, 3, D) mixed by the weights of the faces alone: shape (..., H, W, D)."""
        values, background = self._aggregate(table, rows)
        cover = (1 - background)[..., None]
        reached = cover > 0
        return self._batched(torch.where(reached, values / torch.where(reached, cover, 1), 0))

    def _aggregate(self, table: Tensor, rows: Tensor | None) -> tuple[Tensor, Tensor]:
        scene = self.scene
        if scene.coordinates is not None and rows is not None:
            table, rows = scene.coordinates @ table[rows.long()], None
        return aggregate(
            scene.triangles,
            scene.image_starts,
            table,
            scene.grid,
            self._how,
            rows=rows,
            valid=self._drawn,
            backend=self.renderer.backend,
        )

    def _lit_corners(self, *, flat: bool) -> tuple[FaceCorners, Tensor, Tensor]:
        """Corners, the factor on their colours, and what is added to them."""
        look = self.look
        assert look.lights is not None
        corners = FaceCorners.of(self.scene, flat=flat or look.flat, double_sided=look.double_sided)
        return corners, *corners.light(look.lights, look.material)

    def _mixed_corners(self) -> tuple[Tensor, Tensor]:
        """Vertex colours, or white."""
        mesh = self.scene.mesh
        if mesh.vertex_colors is not None:
            colors = gather_corners(mesh.vertex_colors, mesh.faces)
        else:
            colors = mesh.vertices.new_ones(mesh.faces.shape[0], 3, 3)
        if self.look.lights is None:
            return self._aggregate(*self.scene.corners_of(colors))
        require_three_channels(colors)
        corners, factor, highlight = self._lit_corners(flat=False)
        lit = corners.of_faces(colors) * factor + highlight
        return self._aggregate(lit.reshape(-1, 3, 3), corners.rows)

    def _mixed_grids(self, textures: Tensor) -> tuple[Tensor, Tensor]:
        """R x R colours a face."""
        scene = self.scene
        size, channels = textures.shape[-2:]
        grids = textures.flatten(-3, -2)
        if self.look.lights is None:
            table, rows = scene.corners_of(grids)
        else:
            require_three_channels(textures)
            corners, factor, highlight = self._lit_corners(flat=True)
            lit = corners.of_faces(grids) * factor.mean(-2, True) + highlight.mean(-2, True)
            table, rows = lit.reshape(-1, size * size, 3), corners.rows
        return aggregate_textures(
            scene.triangles,
            scene.image_starts,
            table.reshape(-1, size, size, channels),
            scene.grid,
            self._how,
            rows=rows,
            valid=self._drawn,
            backend=self.renderer.backend,
        )

    def _mixed_samples(self) -> tuple[Tensor, Tensor]:
        """Colours that are looked up at each pair of pixel and face whose weight is not 0."""
        scene = self.scene
        pairs = contributions(
            scene.triangles,
            scene.image_starts,
            scene.grid,
            self._how,
            valid=self._drawn,
            backend=self.renderer.backend,
        )
        weights = pairs.barycentrics
        if scene.coordinates is not None:
            weights = (weights[:, None] @ scene.coordinates[pairs.triangle]).squeeze(1)
        colors = self._sampled(pairs.triangle, weights)
        if self.look.lights is not None:
            require_three_channels(colors)
            corners, factor, highlight = self._lit_corners(flat=not self._is_textured)
            table = torch.cat([factor, highlight], -1).reshape(-1, 3, 6)
            factor, highlight = _blended(table, corners.rows[pairs.triangle], weights).split(3, -1)
            colors = colors * factor + highlight
        pixels = math.prod(pairs.background.shape)
        mixed = scatter_corners((pairs.weights[:, None] * colors)[:, None], pairs.pixel[:, None], pixels)
        return mixed.view(*pairs.background.shape, colors.shape[-1]), pairs.background

    def _sampled(self, triangle: Tensor, weights: Tensor) -> Tensor:
        """The surface's own colour where triangles (E,) have these weights (E, 3) of their faces: (E, C)."""
        scene, mesh = self.scene, self.scene.mesh
        if self._is_textured:
            return self._sampled_textures(triangle, weights)
        if mesh.face_textures is not None:
            grids = mesh.face_textures
            table, rows = scene.corners_of(grids.flatten(-3, -2))
            table = table.view(-1, *grids.shape[-3:])
            return sample_face_textures(table, rows[None, triangle], weights[None])[0]
        cubes = mesh.face_cubes
        assert cubes is not None
        table, rows = scene.corners_of(cubes.flatten(-4, -2))
        return sample_face_cubes(table.view(-1, *cubes.shape[-4:]), rows[None, triangle], weights[None])[0]

    def _sampled_textures(self, triangle: Tensor, weights: Tensor) -> Tensor:
        scene, mesh, look = self.scene, self.scene.mesh, self.look
        assert mesh.uvs is not None
        assert mesh.uv_faces is not None
        table, rows = scene.corners_of(gather_corners(mesh.uvs, mesh.uv_faces))
        uv = _blended(table, rows[triangle], weights)
        trilinear = look.texture_filter == "trilinear"
        derivatives = self._uv_derivatives_of(triangle, weights) if trilinear else None
        if isinstance(mesh, PackedMeshes):
            textures = list(mesh.textures)
            of_image = torch.arange(scene.grid.images, device=triangle.device) % len(mesh)
        else:
            assert mesh.texture is not None
            own = mesh.texture.shape[:-3]
            textures = list(mesh.texture.reshape(-1, *mesh.texture.shape[-3:]))
            of_image = torch.arange(len(textures), device=triangle.device).view(own).expand(scene.batch)
        of_pair = of_image.reshape(-1)[scene.image[triangle]]
        # sorted, so that each texture serves the pairs that lie together
        order = torch.argsort(of_pair, stable=True)
        counts = torch.bincount(of_pair, minlength=len(textures)).tolist()
        parts = [
            sample_texture(
                texture,
                uv[None, chosen],
                filter=look.texture_filter,
                wrap=look.texture_wrap,
                uv_derivatives=None if derivatives is None else derivatives[None, chosen],
            )[0]
            for texture, chosen in zip(textures, order.split(counts), strict=True)
        ]
        return torch.cat(parts)[torch.argsort(order)]


def _blended(table: Tensor, rows: Tensor, weights: Tensor) -> Tensor:
    """Corner values (R, 3, D) of rows (E,) under weights (E, 3): shape (E, D)."""
    corners = gather_corners(table.flatten(1), rows[:, None]).view(-1, *table.shape[1:])
    return (weights[:, None] @ corners).squeeze(1)
