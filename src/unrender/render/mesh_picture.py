"""The picture of a mesh: what each pixel sees of it, whichever renderer draws."""

from __future__ import annotations

import dataclasses
import warnings
from collections.abc import Sequence
from typing import Protocol

import torch
from torch import Tensor

from ..errors import InputError
from ..geometry import Mesh, PackedMeshes, face_normals, gather_corners, vertex_normals
from .face_textures import sample_face_cubes, sample_face_textures
from .light import Light, PointLight, normalize
from .picture import Picture, lazy
from .raster.backend import Backend
from .raster.interpolate import interpolate
from .raster.zbuffer import rasterize
from .scene import Scene
from .shade import Phong
from .texture import Filter, Wrap, attribute_derivatives, sample_texture


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Look:
    """How a mesh is to look, whichever renderer draws it; see :func:`unrender.render.render`."""

    lights: Sequence[Light] | None
    material: Phong
    background: Tensor
    flat: bool
    double_sided: bool
    texture_filter: Filter
    texture_wrap: Wrap

    @property
    def places_matter(self) -> bool:
        """Whether light depends on where a surface is, besides how it faces."""
        return self.material.shiny or any(isinstance(light, PointLight) for light in self.lights or ())


class MeshRenderer(Protocol):
    """The settings that all renderers of meshes have."""

    @property
    def cull_backfaces(self) -> bool: ...  # noqa: D102
    @property
    def backend(self) -> Backend: ...  # noqa: D102


class MeshPicture(Picture):
    """The nearest surface under each pixel's centre; each renderer adds its colours and silhouette."""

    def __init__(self, scene: Scene, renderer: MeshRenderer, look: Look) -> None:
        super().__init__(scene.camera)
        self.scene = scene
        self.renderer = renderer
        self.look = look
        self._attributes: dict[str, Tensor] = {}

    # What is where ------------------------------------------------------------------------------------

    @lazy
    def _hits(self) -> tuple[Tensor, Tensor, Tensor]:
        """Triangle (I, H, W) int32, weights (I, H, W, 3) in its face, and depth (I, H, W)."""
        scene = self.scene
        index, weights, depth = rasterize(
            scene.triangles,
            scene.image_starts,
            scene.grid,
            perspective=self._perspective,
            valid=self._drawn,
            backend=self.renderer.backend,
        )
        if scene.coordinates is not None:
            weights = (weights[..., None, :] @ self._per_pixel(scene.coordinates, index)).squeeze(-2)
        return index, weights, depth

    @lazy
    def _front(self) -> Tensor:
        """Which triangles show their outside to the camera: bool, shape (T,)."""
        xy = self.scene.triangles.detach()[..., :2]
        (ax, ay), (bx, by) = (xy[:, 1] - xy[:, 0]).T, (xy[:, 2] - xy[:, 0]).T
        return ax * by - ay * bx <= 0  # counter-clockwise in the world is clockwise with y down

    @property
    def _drawn(self) -> Tensor | None:
        """Which triangles are drawn: bool, shape (T,); all when None."""
        return self._front if self.renderer.cull_backfaces else None

    @property
    def _perspective(self) -> bool:
        return not self.scene.camera.orthographic

    def _per_pixel(self, values: Tensor, index: Tensor) -> Tensor:
        """Values (T, ...) of the triangles that ``index`` (I, H, W) names, 0 for -1: shape (I, H, W, ...)."""
        return torch.cat([values, values.new_zeros(1, *values.shape[1:])])[index.long()]

    @lazy
    def mask(self) -> Tensor:
        """Whether a face covers the pixel's centre: bool, shape (..., H, W); no gradient."""
        return self._batched(self._hits[0] >= 0)

    @lazy
    def depth(self) -> Tensor:
        """Camera z of the surface [world units], 0 where there is none: shape (..., H, W)."""
        return self._batched(self._hits[2])

    @lazy
    def face_index(self) -> Tensor:
        """Row of the mesh's faces under each pixel, -1 where there is none: int64, shape (..., H, W)."""
        scene = self.scene
        index = self._hits[0]
        face = self._per_pixel(scene.face, index)
        if isinstance(scene.mesh, PackedMeshes):
            starts = torch.tensor(scene.mesh.face_starts[:-1], device=face.device)
            face = face - starts.repeat(scene.grid.images // len(scene.mesh))[:, None, None]
        return self._batched(torch.where(index >= 0, face, -1))

    @lazy
    def barycentrics(self) -> Tensor:
        """Weights of the face's three corners, 0 where there is no face: shape (..., H, W, 3)."""
        return self._batched(self._hits[1])

    # What the surface is like -------------------------------------------------------------------------

    @lazy
    def uv(self) -> Tensor:
        """Texture coordinates, 0 where there is no face: shape (..., H, W, 2)."""
        if self.scene.mesh.uvs is None:
            raise InputError("uv needs a mesh with uvs, got one that has no uvs")
        return self._interpolated("uv")

    @lazy
    def points(self) -> Tensor:
        """Surface points in the world, 0 where there is no face: shape (..., H, W, 3)."""
        return self._interpolated("points")

    @lazy
    def world_normals(self) -> Tensor:
        """Unit normals in the world, 0 where there is no face: shape (..., H, W, 3)."""
        normals = normalize(self._interpolated("normals"))
        if self.look.double_sided:
            away = self._per_pixel(~self._front, self._hits[0])
            normals = torch.where(self._batched(away)[..., None], -normals, normals)
        return normals

    @lazy
    def albedo(self) -> Tensor:
        """The surface's own colour before light, 0 where there is no face: shape (..., H, W, C)."""
        mesh = self.scene.mesh
        if self._is_textured:
            return torch.where(self.mask[..., None], self._textured(), 0)
        if mesh.face_textures is not None or mesh.face_cubes is not None:
            index = self._hits[0]
            rows = self._batched(torch.where(index >= 0, self._per_pixel(self.scene.face, index), -1))
            if mesh.face_textures is not None:
                return sample_face_textures(mesh.face_textures, rows, self.barycentrics)
            assert mesh.face_cubes is not None
            return sample_face_cubes(mesh.face_cubes, rows, self.barycentrics)
        if mesh.vertex_colors is not None:
            return self._interpolated("colors")
        return self.mask[..., None].to(mesh.dtype).expand(*self.mask.shape, 3)

    # What is seen -------------------------------------------------------------------------------------

    @lazy
    def visible_vertices(self) -> Tensor:
        """Vertices of faces that show in at least one pixel: bool, shape (..., V).

        For packed meshes V runs over the vertices of all of them: shape (..., sum V) without the last
        batch dimension.
        """
        scene = self.scene
        mesh = scene.mesh
        index = self._hits[0]
        triangle = torch.unique(index[index >= 0].long())
        outer = scene.batch[:-1] if isinstance(mesh, PackedMeshes) else scene.batch
        images = len(mesh) if isinstance(mesh, PackedMeshes) else 1
        count = mesh.vertices.shape[-2]
        seen = torch.zeros(scene.grid.images // images * count, dtype=torch.bool, device=index.device)
        batch = torch.div(scene.image[triangle], images, rounding_mode="floor")
        seen[(batch[:, None] * count + mesh.faces[scene.face[triangle]]).view(-1)] = True
        return seen.view(*outer, count)

    @lazy
    def visible_texels(self) -> Tensor:
        """Texels that bilinear lookup reads for at least one pixel: bool, shape (..., h, w)."""
        mesh = self.scene.mesh
        if isinstance(mesh, PackedMeshes) or mesh.texture is None:
            raise InputError("visible_texels needs a mesh, or a batch that shares its faces, with a texture")
        height, width = mesh.texture.shape[-3:-1]
        texels = mesh.texture.new_zeros(*self.scene.batch, height, width, 1).requires_grad_()
        with torch.enable_grad():
            sampled = sample_texture(texels, self.uv.detach(), wrap=self.look.texture_wrap)
            (weight,) = torch.autograd.grad(sampled[..., 0], texels, self.mask.to(sampled.dtype))
        return weight[..., 0] > 0

    # ---------------------------------------------------------------------------------------------------

    @property
    def _is_textured(self) -> bool:
        mesh = self.scene.mesh
        return bool(mesh.textures) if isinstance(mesh, PackedMeshes) else mesh.texture is not None

    def _batched(self, values: Tensor) -> Tensor:
        return values.view(*self.scene.batch, *values.shape[1:])

    @property
    def _colors_stay(self) -> bool:
        """Whether the surface's colour at a pixel does not change with small moves of its vertices."""
        mesh = self.scene.mesh
        nearest = self._is_textured and self.look.texture_filter == "nearest"
        return nearest or mesh.face_textures is not None or mesh.face_cubes is not None

    def _warn_without_vertex_gradient(self, name: str, reason: str) -> None:
        """Say that an attribute has no gradient to the vertices, if someone may want one."""
        if self._gradients and self.scene.mesh.vertices.requires_grad:
            message = f"{name} has no gradient to the vertices: {reason}"
            warnings.warn(message, UserWarning, stacklevel=4)

    def _over_background(self, color: Tensor) -> Tensor:
        return torch.where(self.mask[..., None], color, self.look.background.to(color.dtype))

    def _interpolated(self, name: str) -> Tensor:
        if name not in self._attributes:
            self._interpolate([name])
        return self._attributes[name]

    def _interpolate(self, names: list[str]) -> None:
        """Interpolate attributes; those with the same batch dimensions go together."""
        groups: dict[tuple[int, ...], list[tuple[str, Tensor]]] = {}
        for name in names:
            corners = None if name in self._attributes else self._corners(name)
            if corners is not None:
                groups.setdefault(tuple(corners.shape[:-3]), []).append((name, corners))
        for members in groups.values():
            table, rows = self.scene.corners_of(torch.cat([corners for _, corners in members], -1))
            values = self._interpolate_table(table, rows)
            parts = values.split([corners.shape[-1] for _, corners in members], -1)
            self._attributes.update(zip([name for name, _ in members], parts, strict=True))

    def _interpolate_table(self, table: Tensor, rows: Tensor) -> Tensor:
        """Values (R, 3, D) at corners, of row ``rows`` (T,) for each triangle: shape (..., H, W, D)."""
        scene = self.scene
        index, weights, _ = self._hits
        values = interpolate(
            table,
            index,
            weights,
            triangles=scene.triangles,
            image_starts=scene.image_starts,
            grid=scene.grid,
            rows=rows,
            backend=self.renderer.backend,
        )
        return self._batched(values)

    def _corners(self, name: str) -> Tensor | None:
        """Values of an attribute at the corners of all faces, shape (..., F, 3, D); None if it has none."""
        mesh = self.scene.mesh
        if name == "uv":
            if mesh.uvs is None or mesh.uv_faces is None:
                return None
            return gather_corners(mesh.uvs, mesh.uv_faces)
        if name == "points":
            return gather_corners(mesh.vertices, mesh.faces)
        if name == "colors":
            assert mesh.vertex_colors is not None
            return gather_corners(mesh.vertex_colors, mesh.faces)
        if self.look.flat:
            return face_normals(mesh.vertices, mesh.faces)[..., None, :].expand(*_corner_shape(mesh), 3)
        normals = mesh.normals if mesh.normals is not None else vertex_normals(mesh.vertices, mesh.faces)
        return gather_corners(normals, mesh.faces)

    def _textured(self) -> Tensor:
        mesh, uv, look = self.scene.mesh, self.uv, self.look
        derivatives = self._uv_derivatives() if look.texture_filter == "trilinear" else None
        if isinstance(mesh, Mesh):
            assert mesh.texture is not None
            return sample_texture(
                mesh.texture,
                uv,
                filter=look.texture_filter,
                wrap=look.texture_wrap,
                uv_derivatives=derivatives,
            )
        parts = [
            sample_texture(
                texture,
                uv[..., m, :, :, :],
                filter=look.texture_filter,
                wrap=look.texture_wrap,
                uv_derivatives=None if derivatives is None else derivatives[..., m, :, :, :, :],
            )
            for m, texture in enumerate(mesh.textures)
        ]
        return torch.stack(parts, -4)

    def _uv_derivatives(self) -> Tensor:
        """d(u, v) / d(x, y) in pixels at every pixel, shape (..., H, W, 2, 2); no gradient."""
        covered = self._hits[0] >= 0
        derivatives = self._uv_derivatives_of(self._hits[0][covered].long(), self._hits[1][covered])
        full = derivatives.new_zeros(*covered.shape, 2, 2)
        full[covered] = derivatives
        return self._batched(full)

    @torch.no_grad()
    def _uv_derivatives_of(self, triangle: Tensor, weights: Tensor) -> Tensor:
        """d(u, v) / d(x, y) where triangles (P,) have these weights (P, 3) of their faces: (P, 2, 2)."""
        scene = self.scene
        corners = self._corners("uv")
        assert corners is not None
        table, rows = scene.corners_of(corners)
        uvs = table[rows[triangle].long()]
        if scene.coordinates is not None:
            uvs = scene.coordinates[triangle] @ uvs
            weights = torch.linalg.solve(scene.coordinates[triangle].mT, weights[..., None]).squeeze(-1)
        screen = scene.triangles[triangle]
        return attribute_derivatives(
            screen[..., :2], screen[..., 2], uvs, weights, perspective=self._perspective
        )


def _corner_shape(mesh: Mesh | PackedMeshes) -> tuple[int, ...]:
    return (*mesh.vertices.shape[:-2], mesh.faces.shape[0], 3)
