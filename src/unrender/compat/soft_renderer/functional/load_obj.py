"""Reading Wavefront OBJ files, with a grid of colours for each face or a colour for each vertex."""

from __future__ import annotations

import os
from pathlib import Path

import torch
from torch import Tensor

from ....errors import InputError
from ....render.texture import sample_texture
from ...obj_materials import face_colors, read_obj

__all__ = ["load_obj"]


def load_obj(
    filename_obj: str | os.PathLike[str],
    normalization: bool = False,
    load_texture: bool = False,
    texture_res: int = 4,
    texture_type: str = "surface",
) -> tuple[Tensor, ...]:
    """Read an OBJ file; vertices and triangles stand in the order of the file.

    Surface textures show the picture ``map_Kd``, else the colour ``Kd``, else white, in the middle of each of
    the R² triangles that a face is cut into. Pictures repeat outside [0, 1].

    Args:
        filename_obj: the file.
        normalization: scale and move the mesh so that the box around it has its centre in the origin and its
            longest edge is 2.
        load_texture: read colours, too.
        texture_res: R, of surface textures.
        texture_type: ``"surface"``, or ``"vertex"`` for colours after the positions of the vertices.

    Returns:
        Vertices, float32, shape (V, 3), and faces, int32, shape (F, 3), on torch's default device; and with
        ``load_texture`` surface textures, shape (F, R², 3), or vertex colours, shape (V, 3), float32.

    Raises:
        InputError: the file has no faces, or no colours of this type though ``load_texture`` is set, or names
            some that cannot be read; or an option is wrong.
    """
    if texture_type not in ("surface", "vertex"):
        raise InputError(f"texture_type must be 'surface' or 'vertex', got {texture_type!r}")
    if texture_res < 1:
        raise InputError(f"texture_res must be at least 1, got {texture_res}")
    surface = load_texture and texture_type == "surface"
    read = read_obj(filename_obj, with_materials=surface)
    vertices = read.vertices
    if normalization:
        low, high = vertices.amin(0), vertices.amax(0)
        vertices = (vertices - (low + high) / 2) * (2 / (high - low).amax())
    device = torch.get_default_device()
    loaded = vertices.to(device), read.faces.int().to(device)
    if not load_texture:
        return loaded
    if surface:
        colors = face_colors(read, _texel_centres(texture_res), 1.0, _sample)
    else:
        colors = _vertex_colors(Path(filename_obj))
    return *loaded, colors.to(device)


def _texel_centres(size: int) -> Tensor:
    """Weights (R², 3) of the corners at the centroids of the triangles, in the order of the grid."""
    row, column = (a.reshape(-1) for a in torch.meshgrid(*[torch.arange(size)] * 2, indexing="ij"))
    near = row + column < size
    first = torch.where(near, column + 1 / 3, size - 1 - column + 2 / 3) / size
    second = torch.where(near, row + 1 / 3, size - 1 - row + 2 / 3) / size
    return torch.stack((first, second, 1 - first - second), dim=-1)


def _sample(picture: Tensor, uvs: Tensor) -> Tensor:
    """Colours (F, N, 3) of a picture (h, w, 3) whose outermost texel centres lie at 0 and 1."""
    size = torch.tensor([picture.shape[1], picture.shape[0]])
    within = torch.where((uvs < 0) | (uvs > 1), uvs - uvs.floor(), uvs)
    return sample_texture(picture, (within * (size - 1) + 0.5) / size, wrap="clamp")


def _vertex_colors(path: Path) -> Tensor:
    """Colours (V, 3) after the positions of the vertices."""
    rows = [line.split() for line in path.read_text(encoding="utf-8").splitlines()]
    colors = [row[4:7] for row in rows if row[:1] == ["v"]]
    if any(len(color) != 3 for color in colors):
        raise InputError(f"{path} must give three colours after the position of each vertex")
    return torch.tensor([[float(value) for value in color] for color in colors])
