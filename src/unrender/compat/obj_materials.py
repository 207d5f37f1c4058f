"""Colours of the faces of OBJ files, as SoftRas and the Neural 3D Mesh Renderer bake them."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from ..errors import InputError
from .kaolin.io.obj import MaterialNotFoundError, ObjMesh, import_mesh


def read_obj(path: str | os.PathLike[str], *, with_materials: bool) -> ObjMesh:
    """Read an OBJ file; vertices and triangles stand in the order of the file.

    Args:
        path: the file.
        with_materials: also read UVs and materials.

    Returns:
        The triangles, on the CPU. Materials that the file uses but does not define are left out.

    Raises:
        InputError: the file has no faces, or with ``with_materials`` it names no materials, or some whose
            colours cannot be read.
    """
    read = import_mesh(path, with_materials=with_materials, error_handler=_on_error, triangulate=True)
    assert read is not None  # only a handler for mixed faces of the caller's own could give the mesh up
    if with_materials and not read.materials:
        raise InputError(f"{path} has no materials to read textures from")
    return read


def face_colors(
    read: ObjMesh, weights: Tensor, default: float, sample: Callable[[Tensor, Tensor], Tensor]
) -> Tensor:
    """Colours at N places on every face: the picture ``map_Kd``, else the colour ``Kd``, else ``default``.

    Args:
        read: with materials.
        weights: barycentric weights of the places, shape (N, 3).
        default: grey value of faces without a material.
        sample: gives the colours (F, N, 3) of a picture (h, w, 3), row 0 at the top, at uvs (F, N, 2).

    Returns:
        Shape (F, N, 3), float32.

    Raises:
        InputError: ``read`` is without materials.
    """
    colors = torch.full((len(read.faces), len(weights), 3), default)
    uvs, corners, assignments = read.uvs, read.face_uvs_idx, read.material_assignments
    if uvs is None or corners is None or assignments is None:
        raise InputError("the OBJ file must be read with its materials")
    mapped = (corners >= 0).all(1)
    for number, material in enumerate(read.materials or ()):
        own = assignments == number
        if "Kd" in material:
            colors[own] = material["Kd"]
        if "map_Kd" in material:
            own &= mapped
            colors[own] = sample(material["map_Kd"] / 255, weights @ uvs[corners[own]])
    return colors


def _on_error(error: Exception, *, data: str = "", **details: Any) -> None:
    """Ignore what the colours do not need: materials that are not defined, and other maps."""
    other_line = data and data.split(maxsplit=1)[0] not in ("Kd", "map_Kd")
    if not other_line and not isinstance(error, MaterialNotFoundError):
        raise InputError(str(error)) from error
