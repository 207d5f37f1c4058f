"""The triangle mesh: vertices, faces and one appearance."""

from __future__ import annotations

import dataclasses
from typing import Any

import torch
from torch import Tensor

from ..errors import InputError

# how many dimensions each field has beyond the batch dimensions
TAILS = {
    "vertices": 2,
    "uvs": 2,
    "normals": 2,
    "vertex_colors": 2,
    "face_textures": 4,
    "face_cubes": 5,
    "texture": 3,
}
_APPEARANCES = ("vertex_colors", "face_textures", "face_cubes", "texture")


@dataclasses.dataclass(frozen=True, eq=False)
class Mesh:
    """A triangle mesh, or a batch of meshes that share their faces.

    Every floating-point field may carry gradients. Leading dimensions ``...`` are batch dimensions;
    fields broadcast against each other, so one texture can serve a batch of shapes. For a batch of meshes
    with different faces see :class:`~unrender.geometry.PackedMeshes`.

    A mesh has at most one of the four appearances ``vertex_colors``, ``face_textures``, ``face_cubes`` and
    ``texture``.

    Attributes:
        vertices: positions [world units], shape (..., V, 3).
        faces: vertex indices, counter-clockwise seen from outside, shape (F, 3), integer.
        uvs: texture coordinates, shape (..., U, 2); (0, 0) is the lower left corner of the picture, v up.
        uv_faces: indices into ``uvs``, shape (F, 3); ``faces`` itself when None and ``uvs`` is given.
        normals: unit vertex normals that replace the computed ones in smooth shading, shape (..., V, 3).
        vertex_colors: colours in [0, 1], shape (..., V, C).
        face_textures: one R x R grid of colours a face in SoftRas's layout, shape (..., F, R, R, C).
        face_cubes: one cube of colours a face in the Neural 3D Mesh Renderer's layout, in which texel (i, j,
            k) lies at the weights (i, j, k) / (T - 1) of the face's corners, shape (..., F, T, T, T, C), T
            at least 2.
        texture: picture in [0, 1], row 0 at the top, shape (..., h, w, C).

    Raises:
        InputError: a field has the wrong shape or kind, or a face names a vertex that is not there.
    """

    vertices: Tensor
    faces: Tensor
    uvs: Tensor | None = None
    uv_faces: Tensor | None = None
    normals: Tensor | None = None
    vertex_colors: Tensor | None = None
    face_textures: Tensor | None = None
    face_cubes: Tensor | None = None
    texture: Tensor | None = None

    def __post_init__(self) -> None:
        _require_last(self.vertices, 2, (3,), "vertices must have shape (..., V, 3)")
        if not self.vertices.is_floating_point():
            raise InputError(f"vertices must be floating point, got {self.vertices.dtype}")
        _require_faces(self.faces, self.vertices.shape[-2], "faces", "vertices")
        appearances = [n for n in _APPEARANCES if getattr(self, n) is not None]
        if len(appearances) > 1:
            raise InputError(f"a mesh has at most one appearance, got {' and '.join(appearances)}")
        if self.uvs is not None:
            _require_last(self.uvs, 2, (2,), "uvs must have shape (..., U, 2)")
            if self.uv_faces is None:
                object.__setattr__(self, "uv_faces", self.faces)
            assert self.uv_faces is not None
            _require_faces(self.uv_faces, self.uvs.shape[-2], "uv_faces", "uvs")
            if self.uv_faces.shape != self.faces.shape:
                raise InputError(
                    f"uv_faces must have the shape of faces {tuple(self.faces.shape)}, "
                    f"got {tuple(self.uv_faces.shape)}"
                )
        elif self.uv_faces is not None:
            raise InputError("uv_faces needs uvs")
        if self.texture is not None:
            if self.uvs is None:
                raise InputError("a texture needs uvs")
            if self.texture.ndim < 3:
                raise InputError(f"texture must have shape (..., h, w, C), got {tuple(self.texture.shape)}")
        if self.normals is not None:
            _require_last(
                self.normals,
                2,
                (self.num_vertices, 3),
                "normals must have shape (..., V, 3) with V of vertices",
            )
        if self.vertex_colors is not None and (
            self.vertex_colors.ndim < 2 or self.vertex_colors.shape[-2] != self.num_vertices
        ):
            raise InputError(
                f"vertex_colors must have shape (..., {self.num_vertices}, C), "
                f"got {tuple(self.vertex_colors.shape)}"
            )
        if self.face_textures is not None and (
            self.face_textures.ndim < 4
            or self.face_textures.shape[-4] != self.num_faces
            or self.face_textures.shape[-3] != self.face_textures.shape[-2]
        ):
            raise InputError(
                f"face_textures must have shape (..., {self.num_faces}, R, R, C), "
                f"got {tuple(self.face_textures.shape)}"
            )
        if self.face_cubes is not None:
            cubes = self.face_cubes.shape[-5:-1]
            size = cubes[-1] if len(cubes) == 4 else 0
            if size < 2 or tuple(cubes) != (self.num_faces, size, size, size):
                raise InputError(
                    f"face_cubes must have shape (..., {self.num_faces}, T, T, T, C) with T at least 2, "
                    f"got {tuple(self.face_cubes.shape)}"
                )

    @property
    def num_vertices(self) -> int:
        """V."""
        return self.vertices.shape[-2]

    @property
    def num_faces(self) -> int:
        """F."""
        return self.faces.shape[0]

    @property
    def batch_shape(self) -> torch.Size:
        """The leading dimensions of ``vertices``."""
        return self.vertices.shape[:-2]

    @property
    def all_batch_shape(self) -> torch.Size:
        """The leading dimensions of all fields, broadcast together."""
        tails = ((n, getattr(self, n), tail) for n, tail in TAILS.items())
        return torch.broadcast_shapes(*(v.shape[: v.ndim - tail] for _, v, tail in tails if v is not None))

    @property
    def device(self) -> torch.device:
        """Where the vertices are."""
        return self.vertices.device

    @property
    def dtype(self) -> torch.dtype:
        """Floating-point type of the vertices."""
        return self.vertices.dtype

    def replace(self, **fields: Any) -> Mesh:
        """A copy with some fields replaced."""
        return dataclasses.replace(self, **fields)

    def to(self, target: torch.device | torch.dtype | str) -> Mesh:
        """A copy on another device, or with another floating-point type (indices keep theirs)."""
        return self._map(
            lambda t: t.to(target) if t.is_floating_point() or not isinstance(target, torch.dtype) else t
        )

    def detach(self) -> Mesh:
        """A copy cut off from the autograd graph."""
        return self._map(lambda t: t.detach())

    def __getitem__(self, index: Any) -> Mesh:
        """Index the batch dimensions; fields without batch dimensions are shared."""
        if not self.batch_shape:
            raise InputError("cannot index a mesh that has no batch dimensions")
        fields = {}
        for name, tail in TAILS.items():
            value = getattr(self, name)
            if value is not None and value.ndim > tail:
                fields[name] = value.expand(self.batch_shape + value.shape[-tail:])[index]
        return self.replace(**fields)

    def _map(self, function: Any) -> Mesh:
        values = {f.name: getattr(self, f.name) for f in dataclasses.fields(self)}
        return self.replace(**{name: function(v) for name, v in values.items() if v is not None})


def _require_last(tensor: Tensor, ndim: int, last: tuple[int, ...], rule: str) -> None:
    if tensor.ndim < ndim or tuple(tensor.shape[-len(last) :]) != last:
        raise InputError(f"{rule}, got {tuple(tensor.shape)}")


def _require_faces(faces: Tensor, count: int, name: str, target: str) -> None:
    if faces.ndim != 2 or faces.shape[-1] != 3:
        raise InputError(f"{name} must have shape (F, 3), got {tuple(faces.shape)}")
    if faces.is_floating_point() or faces.dtype == torch.bool:
        raise InputError(f"{name} must be integers, got {faces.dtype}")
    if faces.numel() and faces.device.type == "cpu":
        low, high = int(faces.min()), int(faces.max())
        if low < 0 or high >= count:
            raise InputError(f"{name} must index {count} {target}, got indices from {low} to {high}")
