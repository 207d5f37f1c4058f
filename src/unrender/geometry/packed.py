"""Several meshes of different topology in one flat batch."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Sequence

import torch
from torch import Tensor

from ..errors import InputError
from .mesh import TAILS, Mesh

_FLAT_FIELDS = ("vertices", "uvs", "normals", "vertex_colors", "face_textures", "face_cubes")


@dataclasses.dataclass(frozen=True, eq=False)
class PackedMeshes:
    """Meshes laid end to end; gradients flow through every field to the meshes that were packed.

    Make one with :meth:`pack`.

    Attributes:
        vertices: positions of all meshes [world units], shape (sum V, 3).
        faces: indices into ``vertices``, shape (sum F, 3), int64.
        vertex_counts: V of each mesh.
        face_counts: F of each mesh.
        uvs: shape (sum U, 2).
        uv_faces: indices into ``uvs``, shape (sum F, 3), int64.
        uv_counts: U of each mesh; empty without UVs.
        normals: shape (sum V, 3).
        vertex_colors: shape (sum V, C).
        face_textures: shape (sum F, R, R, C).
        face_cubes: shape (sum F, T, T, T, C).
        textures: one picture (h, w, C) a mesh, of any sizes; empty without textures.
    """

    vertices: Tensor
    faces: Tensor
    vertex_counts: tuple[int, ...]
    face_counts: tuple[int, ...]
    uvs: Tensor | None = None
    uv_faces: Tensor | None = None
    uv_counts: tuple[int, ...] = ()
    normals: Tensor | None = None
    vertex_colors: Tensor | None = None
    face_textures: Tensor | None = None
    face_cubes: Tensor | None = None
    textures: tuple[Tensor, ...] = ()

    @classmethod
    def pack(cls, meshes: Sequence[Mesh]) -> PackedMeshes:
        """Lay meshes end to end.

        Args:
            meshes: at least one; none of them batched, all with the same optional fields.

        Raises:
            InputError: there are no meshes, one is batched, or they differ in their optional fields.
        """
        if not meshes:
            raise InputError("pack needs at least one mesh, got none")
        for mesh in meshes:
            require_unbatched(mesh)
        require_same_fields(meshes, (*_FLAT_FIELDS, "texture"))
        flat = {n: torch.cat([getattr(m, n) for m in meshes]) for n in _FLAT_FIELDS if _has(meshes[0], n)}
        uv_counts: tuple[int, ...] = ()
        if meshes[0].uvs is not None:
            uv_counts = tuple(m.uvs.shape[0] for m in meshes if m.uvs is not None)
            flat["uv_faces"] = offset_faces([m.uv_faces for m in meshes if m.uv_faces is not None], uv_counts)
        vertex_counts = tuple(m.num_vertices for m in meshes)
        return cls(
            faces=offset_faces([m.faces for m in meshes], vertex_counts),
            vertex_counts=vertex_counts,
            face_counts=tuple(m.num_faces for m in meshes),
            uv_counts=uv_counts,
            textures=tuple(m.texture for m in meshes if m.texture is not None),
            **flat,
        )

    def unpack(self) -> list[Mesh]:
        """The meshes, each with indices of its own again."""
        per_mesh = {
            "vertices": self.vertices.split(self.vertex_counts),
            "faces": [
                f - s for f, s in zip(self.faces.split(self.face_counts), self.vertex_starts, strict=False)
            ],
            "texture": self.textures,
        }
        if self.uvs is not None and self.uv_faces is not None:
            uv_starts = _starts(self.uv_counts)
            per_mesh["uvs"] = self.uvs.split(self.uv_counts)
            per_mesh["uv_faces"] = [
                f - s for f, s in zip(self.uv_faces.split(self.face_counts), uv_starts, strict=False)
            ]
        if self.normals is not None:
            per_mesh["normals"] = self.normals.split(self.vertex_counts)
        if self.vertex_colors is not None:
            per_mesh["vertex_colors"] = self.vertex_colors.split(self.vertex_counts)
        if self.face_textures is not None:
            per_mesh["face_textures"] = self.face_textures.split(self.face_counts)
        if self.face_cubes is not None:
            per_mesh["face_cubes"] = self.face_cubes.split(self.face_counts)
        return [Mesh(**{n: values[i] for n, values in per_mesh.items() if values}) for i in range(len(self))]

    def to(self, target: torch.device | torch.dtype | str) -> PackedMeshes:
        """A copy on another device, or with another floating-point type (indices keep theirs)."""
        return self.pack([mesh.to(target) for mesh in self.unpack()])

    @property
    def vertex_starts(self) -> tuple[int, ...]:
        """Where each mesh begins in ``vertices``, and at last the length, M + 1 numbers."""
        return _starts(self.vertex_counts)

    @property
    def face_starts(self) -> tuple[int, ...]:
        """Where each mesh begins in ``faces``, and at last the length, M + 1 numbers."""
        return _starts(self.face_counts)

    @property
    def device(self) -> torch.device:
        """Where the vertices are."""
        return self.vertices.device

    @property
    def dtype(self) -> torch.dtype:
        """Floating-point type of the vertices."""
        return self.vertices.dtype

    def __len__(self) -> int:
        """Number of meshes."""
        return len(self.vertex_counts)


def offset_faces(faces: Sequence[Tensor], counts: Sequence[int]) -> Tensor:
    """Join index tables whose targets, ``counts`` of them each, are laid end to end."""
    return torch.cat([f.long() + start for f, start in zip(faces, _starts(counts), strict=False)])


def require_unbatched(mesh: Mesh) -> None:
    """Raise InputError for a mesh with batch dimensions in any field."""
    for name, tail in TAILS.items():
        value = getattr(mesh, name)
        if value is not None and value.ndim != tail:
            raise InputError(
                f"meshes to be joined must have no batch dimensions, got {name} {tuple(value.shape)}"
            )


def require_same_fields(meshes: Sequence[Mesh], names: Sequence[str]) -> None:
    """Raise InputError unless each of the optional fields is there in all meshes or in none."""
    for name in names:
        having = sum(_has(m, name) for m in meshes)
        if having not in (0, len(meshes)):
            raise InputError(f"either all meshes have {name} or none, got {having} of {len(meshes)}")
        shapes = (
            {tuple(getattr(m, name).shape[1:]) for m in meshes} if having and name != "texture" else set()
        )
        if len(shapes) > 1:
            raise InputError(
                f"{name} of all meshes must agree but for the first dimension, got {sorted(shapes)}"
            )


def _has(mesh: Mesh, name: str) -> bool:
    return getattr(mesh, name) is not None


def _starts(counts: Sequence[int]) -> tuple[int, ...]:
    return tuple(itertools.accumulate(counts, initial=0))
