"""Reading Wavefront OBJ files, with a cube of colours for each face."""

from __future__ import annotations

import itertools
import os

import torch
from torch import Tensor

from ...errors import InputError
from ...render.texture import sample_texture
from ..obj_materials import face_colors, read_obj

__all__ = ["load_obj"]

_WRAPPINGS = ("REPEAT", "MIRRORED_REPEAT", "CLAMP_TO_EDGE", "CLAMP_TO_BORDER")


def load_obj(
    filename_obj: str | os.PathLike[str],
    normalization: bool = True,
    texture_size: int = 4,
    load_texture: bool = False,
    texture_wrapping: str = "REPEAT",
    use_bilinear: bool = True,
) -> tuple[Tensor, ...]:
    """Read an OBJ file; vertices and triangles stand in the order of the file.

    Texel (i, j, k) of a face shows its material at the weights (i, j, k) / (i + j + k) of the corners: the
    picture ``map_Kd``, else the colour ``Kd``, else grey 0.5. As in the original, the outermost texel centres
    of a picture lie at 0 and 1.

    Args:
        filename_obj: the file.
        normalization: scale and move the mesh so that the box around it has its centre in the origin and its
            longest edge is 2.
        texture_size: T, at least 2.
        load_texture: read colours, too.
        texture_wrapping: what lies outside a picture: ``"REPEAT"``, ``"MIRRORED_REPEAT"``,
            ``"CLAMP_TO_EDGE"``, or black, ``"CLAMP_TO_BORDER"``.
        use_bilinear: blend the four nearest texels of a picture, else take the nearest.

    Returns:
        Vertices, float32, shape (V, 3), and faces, int32, shape (F, 3), on torch's default device; and with
        ``load_texture`` textures, float32, shape (F, T, T, T, 3).

    Raises:
        InputError: the file has no faces, names no materials though ``load_texture`` is set, or names some
            that cannot be read; or an option is wrong.
    """
    if texture_size < 2:
        raise InputError(f"texture_size must be at least 2, got {texture_size}")
    if texture_wrapping not in _WRAPPINGS:
        raise InputError(f"texture_wrapping must be one of {', '.join(_WRAPPINGS)}, got {texture_wrapping!r}")
    read = read_obj(filename_obj, with_materials=load_texture)
    vertices = read.vertices
    if normalization:
        low, high = vertices.amin(0), vertices.amax(0)
        vertices = (vertices - (low + high) / 2) * (2 / (high - low).amax())
    device = torch.get_default_device()
    loaded = vertices.to(device), read.faces.int().to(device)
    if not load_texture:
        return loaded

    def sample(picture: Tensor, uvs: Tensor) -> Tensor:
        return _sample(picture, uvs, texture_wrapping, use_bilinear)

    colors = face_colors(read, _texel_weights(texture_size), 0.5, sample)
    return *loaded, colors.unflatten(1, (texture_size,) * 3).to(device)


def _texel_weights(size: int) -> Tensor:
    """Weights (T^3, 3) of the corners at the texels of a cube, on the face.

    The original leaves texels whose coordinates sum to less than 1 outside the face, towards the origin of
    the picture; but faces show them, blended with their neighbours.
    """
    lattice = torch.tensor(list(itertools.product(range(size), repeat=3)), dtype=torch.float32)
    lattice[0] = 1
    return lattice / lattice.sum(1, keepdim=True)


def _sample(picture: Tensor, uvs: Tensor, wrapping: str, bilinear: bool) -> Tensor:
    """Colours (F, N, 3) of a picture (h, w, 3) whose outermost texel centres lie at 0 and 1."""
    outside = (uvs < 0) | (uvs > 1)
    if wrapping == "REPEAT":
        within = torch.where(outside, uvs - uvs.floor(), uvs)
    elif wrapping == "MIRRORED_REPEAT":
        within = 1 - (uvs % 2 - 1).abs()
    else:
        within = uvs.clamp(0, 1)
    size = torch.tensor([picture.shape[1], picture.shape[0]])
    place = (within * (size - 1) + 0.5) / size
    colors = sample_texture(picture, place, filter="bilinear" if bilinear else "nearest", wrap="clamp")
    if wrapping == "CLAMP_TO_BORDER":
        colors = torch.where(outside.any(-1, keepdim=True), 0, colors)
    return colors
