"""A mesh whose textures are to be found."""

from __future__ import annotations

import os

import torch
from torch import Tensor, nn

from .load_obj import load_obj

__all__ = ["Mesh"]


class Mesh:
    """Vertices, faces and textures, ready to be optimised.

    Attributes:
        vertices: shape (V, 3).
        faces: shape (F, 3).
        textures: shape (F, T, T, T, 3); a parameter near zero where none are given.
        texture_size: T.
        num_vertices: V.
        num_faces: F.

    Args:
        vertices: shape (V, 3).
        faces: shape (F, 3).
        textures: shape (F, T, T, T, 3), or None.
        texture_size: T of new textures.
    """

    def __init__(
        self, vertices: Tensor, faces: Tensor, textures: Tensor | None = None, texture_size: int = 4
    ) -> None:
        self.vertices = vertices
        self.faces = faces
        self.num_vertices = vertices.shape[0]
        self.num_faces = faces.shape[0]
        if textures is None:
            shape = (self.num_faces, texture_size, texture_size, texture_size, 3)
            textures = nn.Parameter(0.05 * torch.randn(shape, dtype=vertices.dtype, device=vertices.device))
        self.textures = textures
        self.texture_size = textures.shape[1]

    @classmethod
    def fromobj(
        cls,
        filename_obj: str | os.PathLike[str],
        normalization: bool = True,
        load_texture: bool = False,
        texture_size: int = 4,
    ) -> Mesh:
        """Read an OBJ file; see :func:`load_obj`.

        Args:
            filename_obj: the file.
            normalization: fit the mesh in the cube [-1, 1]^3.
            load_texture: read its colours, too.
            texture_size: T.

        Returns:
            The mesh.
        """
        loaded = load_obj(filename_obj, normalization, texture_size, load_texture)
        return cls(*loaded, texture_size=texture_size)
