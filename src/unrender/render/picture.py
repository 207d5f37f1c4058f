"""The picture that a render gives: every quantity computed when it is first asked for."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from typing import Any, Generic, TypeVar, overload

import torch
from torch import Tensor

from ..errors import InputError
from ..geometry import Mesh, PackedMeshes, face_normals, gather_corners, vertex_normals
from .light import Light, PointLight, normalize
from .raster.dibr import DIBR, soft_mask
from .raster.interpolate import interpolate
from .raster.zbuffer import rasterize
from .scene import Scene
from .shade import Phong, shade
from .texture import Filter, Wrap, attribute_derivatives, sample_face_textures, sample_texture

T = TypeVar("T")


class _lazy(Generic[T]):
    """A property computed once, with gradients on or off as they were when the picture was made."""

    def __init__(self, function: Callable[[Any], T]) -> None:
        self.function = function
        self.__doc__ = function.__doc__

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    @overload
    def __get__(self, picture: None, owner: type) -> _lazy[T]: ...
    @overload
    def __get__(self, picture: object, owner: type) -> T: ...
    def __get__(self, picture: Any, owner: type) -> Any:
        if picture is None:
            return self
        with torch.set_grad_enabled(picture._gradients):
            value = self.function(picture)
        picture.__dict__[self.name] = value
        return value


class Picture:
    """What a camera sees. Batch dimensions ``...`` are those of mesh and camera, broadcast together.

    Each attribute is computed when it is first read, and kept. Made by :func:`unrender.render.render`.
    """

    def __init__(
        self,
        scene: Scene,
        renderer: DIBR,
        *,
        light: Light | Sequence[Light] | None,
        material: Phong,
        background: Tensor,
        flat: bool,
        double_sided: bool,
        texture_filter: Filter,
        texture_wrap: Wrap,
    ) -> None:
        self.scene = scene
        self.renderer = renderer
        self.light = light
        self.material = material
        self.background = background
        self.flat = flat
        self.double_sided = double_sided
        self.texture_filter: Filter = texture_filter
        self.texture_wrap: Wrap = texture_wrap
        self._gradients = torch.is_grad_enabled()
        self._attributes: dict[str, Tensor] = {}

    # What is where ------------------------------------------------------------------------------------

    @_lazy
    def _hits(self) -> tuple[Tensor, Tensor, Tensor]:
        """Triangle (I, H, W) int32, weights (I, H, W, 3) in its face, and depth (I, H, W)."""
        scene = self.scene
        valid = self._front if self.renderer.cull_backfaces else None
        index, weights, depth = rasterize(
            scene.triangles,
            scene.image_starts,
            scene.grid,
            perspective=self._perspective,
            valid=valid,
            backend=self.renderer.backend,
        )
        if scene.coordinates is not None:
            weights = (weights[..., None, :] @ self._per_pixel(scene.coordinates, index)).squeeze(-2)
        return index, weights, depth

    @_lazy
    def _front(self) -> Tensor:
        """Which triangles show their outside to the camera: bool, shape (T,)."""
        xy = self.scene.triangles.detach()[..., :2]
        (ax, ay), (bx, by) = (xy[:, 1] - xy[:, 0]).T, (xy[:, 2] - xy[:, 0]).T
        return ax * by - ay * bx <= 0  # counter-clockwise in the world is clockwise with y down

    @property
    def _perspective(self) -> bool:
        return self.renderer.perspective_correct and not self.scene.camera.orthographic

    def _per_pixel(self, values: Tensor, index: Tensor) -> Tensor:
        """Values (T, ...) of the triangles that ``index`` (I, H, W) names, 0 for -1: shape (I, H, W, ...)."""
        return torch.cat([values, values.new_zeros(1, *values.shape[1:])])[index.long()]

    @_lazy
    def mask(self) -> Tensor:
        """Whether a face covers the pixel's centre: bool, shape (..., H, W); no gradient."""
        return self._batched(self._hits[0] >= 0)

    @_lazy
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

    @_lazy
    def depth(self) -> Tensor:
        """Camera z of the surface [world units], 0 where there is none: shape (..., H, W)."""
        return self._batched(self._hits[2])

    @_lazy
    def face_index(self) -> Tensor:
        """Row of the mesh's faces under each pixel, -1 where there is none: int64, shape (..., H, W)."""
        scene = self.scene
        index = self._hits[0]
        face = self._per_pixel(scene.face, index)
        if isinstance(scene.mesh, PackedMeshes):
            starts = torch.tensor(scene.mesh.face_starts[:-1], device=face.device)
            face = face - starts.repeat(scene.grid.images // len(scene.mesh))[:, None, None]
        return self._batched(torch.where(index >= 0, face, -1))

    @_lazy
    def barycentrics(self) -> Tensor:
        """Weights of the face's three corners, 0 where there is no face: shape (..., H, W, 3)."""
        return self._batched(self._hits[1])

    # What the surface is like -------------------------------------------------------------------------

    @_lazy
    def uv(self) -> Tensor:
        """Texture coordinates, 0 where there is no face: shape (..., H, W, 2)."""
        if self.scene.mesh.uvs is None:
            raise InputError("uv needs a mesh with uvs, got one that has no uvs")
        return self._interpolated("uv")

    @_lazy
    def points(self) -> Tensor:
        """Surface points in the world, 0 where there is no face: shape (..., H, W, 3)."""
        return self._interpolated("points")

    @_lazy
    def world_normals(self) -> Tensor:
        """Unit normals in the world, 0 where there is no face: shape (..., H, W, 3)."""
        normals = normalize(self._interpolated("normals"))
        if self.double_sided:
            away = self._per_pixel(~self._front, self._hits[0])
            normals = torch.where(self._batched(away)[..., None], -normals, normals)
        return normals

    @_lazy
    def camera_normals(self) -> Tensor:
        """Unit normals in camera space (x right, y down, z forward), shape (..., H, W, 3)."""
        rotation = self.scene.camera.world_to_camera[..., None, None, :3, :3]
        return (rotation * self.world_normals[..., None, :]).sum(-1)

    @_lazy
    def albedo(self) -> Tensor:
        """The surface's own colour before light, 0 where there is no face: shape (..., H, W, C)."""
        mesh = self.scene.mesh
        if self._is_textured:
            return torch.where(self.mask[..., None], self._textured(), 0)
        if mesh.face_textures is not None:
            return self._face_textured(mesh.face_textures)
        if mesh.vertex_colors is not None:
            return self._interpolated("colors")
        return self.mask[..., None].to(mesh.dtype).expand(*self.mask.shape, 3)

    @_lazy
    def rgb(self) -> Tensor:
        """Shaded colour over the background, shape (..., H, W, C); not clamped."""
        self._warn_without_vertex_gradient()
        if self.light is None:
            color = self.albedo
        else:
            lights = [self.light] if isinstance(self.light, Light) else list(self.light)
            shiny = self.material.shiny
            placed = shiny or any(isinstance(light, PointLight) for light in lights)
            self._interpolate(["uv", "normals", *(["points"] if placed else [])])
            normals = self.world_normals
            points = self.points if placed else normals.new_zeros(()).expand(normals.shape)
            view = self._view(points) if shiny else points
            color = shade(self.albedo, points, normals, view, lights, self.material)
        return torch.where(self.mask[..., None], color, self.background.to(color.dtype))

    @_lazy
    def rgba(self) -> Tensor:
        """``rgb`` and ``alpha`` together, shape (..., H, W, C + 1)."""
        return torch.cat([self.rgb, self.alpha[..., None]], -1)

    # What is seen -------------------------------------------------------------------------------------

    @_lazy
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

    @_lazy
    def visible_texels(self) -> Tensor:
        """Texels that bilinear lookup reads for at least one pixel: bool, shape (..., h, w)."""
        mesh = self.scene.mesh
        if isinstance(mesh, PackedMeshes) or mesh.texture is None:
            raise InputError("visible_texels needs a mesh, or a batch that shares its faces, with a texture")
        height, width = mesh.texture.shape[-3:-1]
        texels = mesh.texture.new_zeros(*self.scene.batch, height, width, 1).requires_grad_()
        with torch.enable_grad():
            sampled = sample_texture(texels, self.uv.detach(), wrap=self.texture_wrap)
            (weight,) = torch.autograd.grad(sampled[..., 0], texels, self.mask.to(sampled.dtype))
        return weight[..., 0] > 0

    # ---------------------------------------------------------------------------------------------------

    @property
    def _is_textured(self) -> bool:
        mesh = self.scene.mesh
        return bool(mesh.textures) if isinstance(mesh, PackedMeshes) else mesh.texture is not None

    def _batched(self, values: Tensor) -> Tensor:
        return values.view(*self.scene.batch, *values.shape[1:])

    def _interpolated(self, name: str) -> Tensor:
        if name not in self._attributes:
            self._interpolate([name])
        return self._attributes[name]

    def _interpolate(self, names: list[str]) -> None:
        """Interpolate attributes; those with the same batch dimensions go together."""
        scene = self.scene
        index, weights, _ = self._hits
        groups: dict[tuple[int, ...], list[tuple[str, Tensor]]] = {}
        for name in names:
            corners = None if name in self._attributes else self._corners(name)
            if corners is not None:
                groups.setdefault(tuple(corners.shape[:-3]), []).append((name, corners))
        for members in groups.values():
            table, rows = scene.corners_of(torch.cat([corners for _, corners in members], -1))
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
            parts = self._batched(values).split([corners.shape[-1] for _, corners in members], -1)
            self._attributes.update(zip([name for name, _ in members], parts, strict=True))

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
        if self.flat:
            return face_normals(mesh.vertices, mesh.faces)[..., None, :].expand(*_corner_shape(mesh), 3)
        normals = mesh.normals if mesh.normals is not None else vertex_normals(mesh.vertices, mesh.faces)
        return gather_corners(normals, mesh.faces)

    def _textured(self) -> Tensor:
        mesh, uv = self.scene.mesh, self.uv
        derivatives = self._uv_derivatives() if self.texture_filter == "trilinear" else None
        if isinstance(mesh, Mesh):
            assert mesh.texture is not None
            return sample_texture(
                mesh.texture,
                uv,
                filter=self.texture_filter,
                wrap=self.texture_wrap,
                uv_derivatives=derivatives,
            )
        parts = [
            sample_texture(
                texture,
                uv[..., m, :, :, :],
                filter=self.texture_filter,
                wrap=self.texture_wrap,
                uv_derivatives=None if derivatives is None else derivatives[..., m, :, :, :, :],
            )
            for m, texture in enumerate(mesh.textures)
        ]
        return torch.stack(parts, -4)

    def _face_textured(self, face_textures: Tensor) -> Tensor:
        index = self._hits[0]
        rows = torch.where(index >= 0, self._per_pixel(self.scene.face, index), -1)
        return sample_face_textures(face_textures, self._batched(rows), self.barycentrics)

    def _uv_derivatives(self) -> Tensor:
        """d(u, v) / d(x, y) in pixels at every pixel, shape (..., H, W, 2, 2); no gradient."""
        scene = self.scene
        with torch.no_grad():
            corners = self._corners("uv")
            assert corners is not None
            table, rows = scene.corners_of(corners)
            covered = self._hits[0] >= 0
            triangle = self._hits[0][covered].long()
            uvs = table[rows[triangle].long()]
            weights = self._hits[1][covered]
            if scene.coordinates is not None:
                uvs = scene.coordinates[triangle] @ uvs
                weights = torch.linalg.solve(scene.coordinates[triangle].mT, weights[..., None]).squeeze(-1)
            screen = scene.triangles[triangle]
            derivatives = attribute_derivatives(
                screen[..., :2], screen[..., 2], uvs, weights, perspective=self._perspective
            )
            full = derivatives.new_zeros(*covered.shape, 2, 2)
            full[covered] = derivatives
            return self._batched(full)

    def _view(self, points: Tensor) -> Tensor:
        """Unit vectors from surface points to the eye."""
        camera = self.scene.camera
        if camera.orthographic:
            return -camera.world_to_camera[..., None, None, 2, :3].expand(points.shape)
        return normalize(camera.center[..., None, None, :] - points)

    def _warn_without_vertex_gradient(self) -> None:
        mesh = self.scene.mesh
        nearest = mesh.face_textures is not None or (self._is_textured and self.texture_filter == "nearest")
        if self._gradients and mesh.vertices.requires_grad and nearest and self.light is None:
            warnings.warn(
                "rgb has no gradient to the vertices: nearest lookup does not change with the position, "
                'and there is no light; use texture_filter="bilinear" or vertex colours',
                UserWarning,
                stacklevel=4,
            )


def _corner_shape(mesh: Mesh | PackedMeshes) -> tuple[int, ...]:
    return (*mesh.vertices.shape[:-2], mesh.faces.shape[0], 3)
