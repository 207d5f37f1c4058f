"""A batch of meshes and their textures."""

from __future__ import annotations

import os

import torch
from numpy.typing import NDArray
from torch import Tensor

from ...errors import InputError
from ...geometry import face_normals
from . import functional as srf

__all__ = ["Mesh"]


class Mesh:
    """Vertices, faces and textures of a batch of meshes; all three can be replaced.

    Attributes:
        vertices: shape (B, V, 3).
        faces: vertex indices, shape (B, F, 3).
        textures: colours, of faces (B, F, R², 3) or of vertices (B, V, 3).
        texture_type: ``"surface"`` or ``"vertex"``.
        texture_res: R; 1 with vertex colours.
        batch_size: B.
        num_vertices: V.
        num_faces: F.
        device: where the vertices are.

    Args:
        vertices: shape (B, V, 3) or (V, 3).
        faces: shape (B, F, 3) or (F, 3).
        textures: shape as above, or without B; white if None.
        texture_res: R of the white ones.
        texture_type: ``"surface"`` or ``"vertex"``.

    Raises:
        InputError: a shape or ``texture_type`` is wrong.
    """

    def __init__(
        self,
        vertices: Tensor | NDArray,
        faces: Tensor | NDArray,
        textures: Tensor | NDArray | None = None,
        texture_res: int = 1,
        texture_type: str = "surface",
    ) -> None:
        if texture_type not in ("surface", "vertex"):
            raise InputError(f"texture_type must be 'surface' or 'vertex', got {texture_type!r}")
        self.texture_type = texture_type
        vertices = _tensor(vertices, torch.float32, 2)
        batch = vertices.shape[0]
        faces = _tensor(faces, torch.int32, 2)
        faces = faces.expand(batch, -1, -1) if faces.shape[0] == 1 else faces
        if vertices.ndim != 3 or vertices.shape[2] != 3:
            raise InputError(f"vertices must have shape (B, V, 3), got {tuple(vertices.shape)}")
        if faces.ndim != 3 or faces.shape[0] != batch or faces.shape[2] != 3:
            raise InputError(f"faces must have shape ({batch}, F, 3), got {tuple(faces.shape)}")
        self.vertices, self.faces = vertices, faces
        tail = (self.num_faces, texture_res**2, 3) if texture_type == "surface" else (self.num_vertices, 3)
        if textures is None:
            textures = vertices.new_ones(batch, *tail)
        textures = _tensor(textures, torch.float32, len(tail))
        textures = textures.expand(batch, *textures.shape[1:]) if textures.shape[0] == 1 else textures
        if textures.shape[:2] != (batch, tail[0]) or textures.ndim != len(tail) + 1:
            shape = f"({batch}, {tail[0]}, {'R * R, 3' if texture_type == 'surface' else '3'})"
            raise InputError(f"textures must have shape {shape}, got {tuple(textures.shape)}")
        self.textures = textures
        self.texture_res = round(textures.shape[2] ** 0.5) if texture_type == "surface" else 1
        self._fill_back = False
        self._origin = vertices, faces, textures

    @property
    def device(self) -> torch.device:
        """Where the vertices are."""
        return self.vertices.device

    @property
    def batch_size(self) -> int:
        """B."""
        return self.vertices.shape[0]

    @property
    def num_vertices(self) -> int:
        """V."""
        return self.vertices.shape[1]

    @property
    def num_faces(self) -> int:
        """F."""
        return self.faces.shape[1]

    @property
    def face_vertices(self) -> Tensor:
        """Corners of the faces, shape (B, F, 3, 3)."""
        return srf.face_vertices(self.vertices, self.faces)

    @property
    def surface_normals(self) -> Tensor:
        """Unit normals (v2 - v1) x (v0 - v1) of the faces, shape (B, F, 3)."""
        corners = torch.arange(3 * self.num_faces, device=self.device).view(-1, 3)
        return face_normals(self.face_vertices.flatten(1, 2), corners)

    @property
    def vertex_normals(self) -> Tensor:
        """Unit normals of the vertices, shape (B, V, 3)."""
        return srf.vertex_normals(self.vertices, self.faces)

    @property
    def face_textures(self) -> Tensor:
        """Textures as the rasterizer takes them: (B, F, R², 3), or of the corners (B, F, 3, 3)."""
        if self.texture_type == "surface":
            return self.textures
        return srf.face_vertices(self.textures, self.faces)

    def fill_back_(self) -> None:
        """Add each face once more, turned over, unless that was done before."""
        if self._fill_back:
            return
        self.faces = torch.cat((self.faces, self.faces[:, :, [2, 1, 0]]), dim=1)
        if self.texture_type == "surface":
            self.textures = torch.cat((self.textures, self.textures), dim=1)
        self._fill_back = True

    def reset_(self) -> None:
        """Go back to the vertices, faces and textures of the start."""
        self.vertices, self.faces, self.textures = self._origin
        self._fill_back = False

    @classmethod
    def from_obj(
        cls,
        filename_obj: str | os.PathLike[str],
        normalization: bool = False,
        load_texture: bool = False,
        texture_res: int = 1,
        texture_type: str = "surface",
    ) -> Mesh:
        """Read an OBJ file; see :func:`~unrender.compat.soft_renderer.functional.load_obj`.

        Args:
            filename_obj: the file.
            normalization: fit the mesh in the cube [-1, 1]^3.
            load_texture: read its colours, too.
            texture_res: R.
            texture_type: ``"surface"`` or ``"vertex"``.

        Returns:
            A batch of one.

        Raises:
            InputError: as ``load_obj``.
        """
        loaded = srf.load_obj(filename_obj, normalization, load_texture, texture_res, texture_type)
        textures = loaded[2] if load_texture else None
        return cls(loaded[0], loaded[1], textures, texture_res, texture_type)

    def save_obj(
        self, filename_obj: str | os.PathLike[str], save_texture: bool = False, texture_res_out: int = 16
    ) -> None:
        """Write an OBJ file; see :func:`~unrender.compat.soft_renderer.functional.save_obj`.

        Args:
            filename_obj: .obj.
            save_texture: write the textures, too.
            texture_res_out: texels along the edges of a face in the picture.

        Raises:
            InputError: this is a batch of more than one mesh, or as ``save_obj``.
        """
        if self.batch_size != 1:
            raise InputError(f"save one mesh at a time, got a batch of {self.batch_size}")
        textures = self.textures[0] if save_texture else None
        srf.save_obj(
            filename_obj, self.vertices[0], self.faces[0], textures, texture_res_out, self.texture_type
        )

    def voxelize(self, voxel_size: int = 32) -> Tensor:
        """The cells that the meshes fill, the grid being the cube around the origin with edges a bit below 1.

        Args:
            voxel_size: S; coordinates from -0.5 to 0.5 - 1 / S span the grid's cells.

        Returns:
            1 in filled cells and 0 elsewhere, int32, shape (B, S, S, S).
        """
        return srf.voxelization(self.face_vertices * voxel_size / (voxel_size - 1) + 0.5, voxel_size)


def _tensor(values: Tensor | NDArray, dtype: torch.dtype, own_dims: int) -> Tensor:
    """A tensor with a batch dimension; arrays are cast and brought to torch's default device."""
    if not isinstance(values, Tensor):
        values = torch.as_tensor(values, dtype=dtype, device=torch.get_default_device())
    return values[None] if values.ndim == own_dims else values
