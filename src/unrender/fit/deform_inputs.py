"""What can be deformed to which views."""

from __future__ import annotations

import torch

from ..errors import InputError
from ..geometry import Mesh
from ..io import Views
from ..render import render
from .checks import check_pictures, named


def check_inputs(mesh: Mesh, views: Views, *, color: bool) -> None:
    """Refuse, before any work is done, what cannot be deformed.

    Args:
        mesh: to be deformed.
        views: to be matched.
        color: whether colours are to be matched too.

    Raises:
        InputError: the mesh is a batch, empty, not finite, or of colours that are not refined; a view holds
            numbers that are not finite, an empty or full mask, or one that the mesh does not touch.
    """
    if mesh.all_batch_shape:
        raise InputError(f"deform takes one mesh, got a batch of shape {tuple(mesh.all_batch_shape)}")
    if mesh.num_faces == 0:
        raise InputError("deform needs a mesh with faces, got none")
    if not bool(torch.isfinite(mesh.vertices).all()):
        raise InputError("vertices must be finite, got NaN or infinity")
    if color:
        for name in ("face_textures", "face_cubes"):
            if getattr(mesh, name) is not None:
                raise InputError(f"colours are refined as texture or vertex_colors, got {name}")
        own = mesh.vertex_colors if mesh.texture is None else mesh.texture
        if own is not None and own.shape[-1] != 3:
            raise InputError(f"colours must have 3 channels, got {own.shape[-1]}")
    check_pictures(views)
    inside = views.masks > 0.5
    touched = torch.zeros_like(inside[:, 0, 0])
    for i in range(len(views)):
        with torch.no_grad():
            touched[i] = (render(mesh, views.cameras[i]).mask & inside[i]).any()
    if not bool(touched.all()):
        raise InputError(
            "the mesh must cover some of the mask where it starts, got no overlap in "
            f"{named(views, ~touched)}; check the camera, or find it first (unrender pose)"
        )
