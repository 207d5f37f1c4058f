"""Writing Wavefront OBJ files."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ....errors import InputError
from ....geometry import Mesh
from ....io import save_mesh
from ....io.atlas import cell_layout
from ....io.files import write_file
from ....render.raster.softras.texels import face_texel

__all__ = ["create_texture_image", "save_obj", "save_voxel"]


def create_texture_image(textures: Tensor, texture_res: int = 16) -> tuple[NDArray, NDArray]:
    """Lay surface textures out in one picture, a square cell for each face.

    Args:
        textures: shape (F, R², 3).
        texture_res: texels along the two edges of a face that meet in its first corner, at least 2.

    Returns:
        The picture (h, w, 3), row 0 at the top, and the coordinates of the corners of the faces in it, v up,
        (F, 3, 2).

    Raises:
        InputError: a shape or ``texture_res`` is wrong.
    """
    size = round(textures.shape[1] ** 0.5) if textures.ndim == 3 else 0
    if size < 1 or textures.shape[1:] != (size * size, 3):
        raise InputError(f"textures must have shape (F, R * R, 3), got {tuple(textures.shape)}")
    if texture_res < 2:
        raise InputError(f"texture_res must be at least 2, got {texture_res}")
    cells = cell_layout(len(textures), texture_res)
    weights = np.maximum(cells.weights, 0)
    weights /= weights.sum(1, keepdims=True)
    texel = face_texel(torch.from_numpy(weights), size).numpy()
    colors = textures.detach().cpu().numpy()[cells.face, texel]
    return cells.picture(colors), cells.uvs


def save_obj(
    filename: str | os.PathLike[str],
    vertices: Tensor,
    faces: Tensor,
    textures: Tensor | None = None,
    texture_res: int = 16,
    texture_type: str = "surface",
) -> None:
    """Write a mesh; with surface textures also an MTL and a PNG file of the same name beside it.

    Args:
        filename: .obj.
        vertices: shape (V, 3).
        faces: shape (F, 3).
        textures: surface textures, shape (F, R², 3), or vertex colours, shape (V, 3), in [0, 1].
        texture_res: texels along the edges of a face's cell in the picture, at least 2.
        texture_type: ``"surface"`` or ``"vertex"``.

    Raises:
        InputError: wrong shapes or options, no face, or a value that is not finite.
    """
    if texture_type not in ("surface", "vertex"):
        raise InputError(f"texture_type must be 'surface' or 'vertex', got {texture_type!r}")
    mesh = Mesh(vertices.detach().cpu(), faces.cpu())
    if textures is not None and texture_type == "vertex":
        mesh = mesh.replace(vertex_colors=textures.detach().cpu())
    elif textures is not None:
        picture, uvs = create_texture_image(textures, texture_res)
        mesh = mesh.replace(
            texture=torch.from_numpy(picture).to(mesh.dtype),
            uvs=torch.from_numpy(uvs).reshape(-1, 2).to(mesh.dtype),
            uv_faces=torch.arange(3 * len(uvs)).reshape(-1, 3),
        )
    save_mesh(mesh, filename)


def save_voxel(filename: str | os.PathLike[str], voxel: Tensor | NDArray) -> None:
    """Write the filled cells of a grid as vertices of an OBJ file without faces.

    Args:
        filename: .obj.
        voxel: 1 in filled cells, shape (S, S, S); a vertex lies in the lowest corner of its cell, with the
            whole grid being the cube [0, 1]^3.

    Raises:
        InputError: ``voxel`` has the wrong shape.
    """
    cells = torch.as_tensor(voxel).cpu()
    if cells.ndim != 3:
        raise InputError(f"voxel must have shape (S, S, S), got {tuple(cells.shape)}")
    points = torch.nonzero(cells == 1) / torch.tensor(cells.shape)
    text = "".join(f"v {x:.8f} {y:.8f} {z:.8f}\n" for x, y, z in points.tolist())
    write_file(Path(filename), text.encode())
