"""Writing Wavefront OBJ files."""

from __future__ import annotations

import os

from torch import Tensor

from ...geometry import Mesh
from ...io import save_mesh

__all__ = ["save_obj"]


def save_obj(
    filename: str | os.PathLike[str], vertices: Tensor, faces: Tensor, textures: Tensor | None = None
) -> None:
    """Write a mesh, and with textures an MTL and a PNG file of the same name beside it.

    Args:
        filename: .obj.
        vertices: shape (V, 3).
        faces: shape (F, 3).
        textures: colours in [0, 1], shape (F, T, T, T, 3); each face gets a cell of the picture.

    Raises:
        InputError: wrong shapes, no face, or a value that is not finite.
    """
    save_mesh(Mesh(vertices, faces, face_cubes=textures), filename)
