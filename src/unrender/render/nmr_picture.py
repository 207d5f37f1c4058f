"""The Neural 3D Mesh Renderer's picture: a plain z-buffer with a hand-made gradient."""

from __future__ import annotations

import dataclasses

import torch
from torch import Tensor

from .face_corners import FaceCorners
from .mesh_picture import Look, MeshPicture
from .picture import lazy
from .raster.nmr import NeuralMesh, scan_edges
from .scene import Scene, prepare
from .shade import require_three_channels


class NeuralMeshPicture(MeshPicture):
    """A mesh as :class:`~unrender.render.raster.nmr.NeuralMesh` draws it.

    ``rgb`` and ``alpha`` get the edge-scan gradient, each from its own differences; ``rgba`` scans both as
    one, as the original does. Colours reach the vertices in no other way but through light; ``depth`` has its
    true gradient. With anti-aliasing, ``rgb``, ``alpha`` and ``rgba`` average 2 x 2 samples a pixel;
    everything else is that of the pixel's centre.

    Light falls on the corners of faces before they are drawn (with ``face_textures`` and ``face_cubes``: by
    the face's own normal).
    """

    renderer: NeuralMesh

    def __init__(self, scene: Scene, renderer: NeuralMesh, look: Look) -> None:
        super().__init__(scene, renderer, look)

    @lazy
    def _hits(self) -> tuple[Tensor, Tensor, Tensor]:
        index, weights, depth = super()._hits
        seen = depth <= self.renderer.far
        return torch.where(seen, index, -1), weights.detach() * seen[..., None], depth * seen

    @lazy
    def rgb(self) -> Tensor:
        """Lit colour over the background, shape (..., H, W, C); not clamped."""
        return self._scanned(rgb=True, alpha=False)

    @lazy
    def alpha(self) -> Tensor:
        """1 where a face covers the sample, 0 elsewhere, averaged over the pixel: shape (..., H, W)."""
        return self._scanned(rgb=False, alpha=True)[..., 0]

    @lazy
    def rgba(self) -> Tensor:
        """``rgb`` and ``alpha`` together, shape (..., H, W, C + 1)."""
        return self._scanned(rgb=True, alpha=True)

    # ---------------------------------------------------------------------------------------------------

    def _scanned(self, *, rgb: bool, alpha: bool) -> Tensor:
        if self.renderer.anti_aliasing:
            fine = self._fine._scanned(rgb=rgb, alpha=alpha)
            height, width, channels = fine.shape[-3:]
            return fine.view(*fine.shape[:-3], height // 2, 2, width // 2, 2, channels).mean((-4, -2))
        scene = self.scene
        parts = [self._over_background(self._lit)] if rgb else []
        if alpha:
            parts.append(self.mask[..., None].to(scene.triangles.dtype))
        pictures = torch.cat(parts, -1)
        scanned = scan_edges(
            pictures.reshape(-1, *pictures.shape[-3:]),
            scene.triangles,
            scene.image_starts,
            self._hits[0],
            scene.grid,
            eps=self.renderer.scan_eps(scene.grid),
            backend=self.renderer.backend,
        )
        return self._batched(scanned)

    @lazy
    def _fine(self) -> NeuralMeshPicture:
        """The same at twice the size."""
        camera = self.camera
        scene = prepare(self.scene.mesh, camera.resized(2 * camera.width, 2 * camera.height))
        background = self.look.background
        if background.ndim > 1:
            background = background.repeat_interleave(2, -3).repeat_interleave(2, -2)
        look = dataclasses.replace(self.look, background=background)
        return NeuralMeshPicture(scene, dataclasses.replace(self.renderer, anti_aliasing=False), look)

    @property
    def _lit(self) -> Tensor:
        mesh, look = self.scene.mesh, self.look
        if look.lights is None:
            return self.albedo
        require_three_channels(self.albedo)
        on_faces = mesh.face_textures is not None or mesh.face_cubes is not None
        corners = FaceCorners.of(self.scene, flat=look.flat or on_faces, double_sided=look.double_sided)
        table = torch.cat(corners.light(look.lights, look.material), -1).reshape(-1, 3, 6)
        factor, highlight = self._interpolate_table(table, corners.rows).split(3, -1)
        return self.albedo * factor + highlight
