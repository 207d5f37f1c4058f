"""Meshes with fewer faces, for small pictures."""

from __future__ import annotations

import torch
from torch import Tensor

from ..geometry import Mesh

FINEST = 512  # cells across the unit ball


def simplified(mesh: Mesh, faces: int) -> Mesh:
    """A mesh of at most about ``faces`` faces that looks the same from afar.

    Vertices in one cell of a grid move together to their mean (Rossignac and Borrel, "Multi-resolution 3D
    approximations for rendering complex scenes", 1993), whatever their connection, so that soups of shells
    are no obstacle; faces that fall together are left out. Vertices keep their own colours and texture
    coordinates.

    Args:
        mesh: in the unit ball, without batch dimensions.
        faces: as many faces as there may be; if the mesh has no more, it stays as it is.
    """
    if mesh.num_faces <= faces:
        return mesh
    low, high = 4, FINEST  # cells across
    while high - low > 1:
        middle = (low + high) // 2
        if len(_clustered(mesh, middle)[1]) <= faces:
            low = middle
        else:
            high = middle
    vertices, kept = _clustered(mesh, low)
    rows = {
        name: value[kept]
        for name in ("faces", "uv_faces", "face_textures", "face_cubes")
        if (value := getattr(mesh, name)) is not None
    }
    return mesh.replace(vertices=vertices, normals=None, **rows)


def _clustered(mesh: Mesh, cells: int) -> tuple[Tensor, Tensor]:
    """Vertices moved together (V, 3), and the faces that are left, (F',)."""
    place = ((mesh.vertices + 1) * (cells / 2)).floor().long().clamp(0, cells - 1)
    _, cluster = torch.unique((place[:, 0] * cells + place[:, 1]) * cells + place[:, 2], return_inverse=True)
    count = torch.bincount(cluster).to(mesh.dtype)
    total = torch.zeros(len(count), 3, dtype=mesh.dtype, device=mesh.device)
    mean = total.index_add(0, cluster, mesh.vertices) / count[:, None]
    corners = cluster[mesh.faces].sort(-1).values
    whole = ((corners[:, 0] != corners[:, 1]) & (corners[:, 1] != corners[:, 2])).nonzero().flatten()
    _, group = torch.unique(corners[whole], dim=0, return_inverse=True)
    first = torch.full((int(group.max()) + 1 if len(group) else 0,), mesh.num_faces, device=mesh.device)
    return mean[cluster], first.scatter_reduce(0, group, whole, "amin")
