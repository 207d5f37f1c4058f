"""Points drawn on the surface of a mesh."""

from __future__ import annotations

import dataclasses

import torch
from torch import Tensor

from ..errors import InputError
from .corners import gather_corners, gather_rows
from .mesh import Mesh
from .normals import face_areas, face_normals


@dataclasses.dataclass(frozen=True, eq=False)
class SurfaceSamples:
    """Points on a surface and where on it they lie.

    Attributes:
        points: positions, differentiable in the vertices, shape (..., N, 3).
        face_indices: the face of each point, shape (..., N).
        barycentrics: weights of the corners of that face, constants, shape (..., N, 3).
        normals: unit normals of the faces, shape (..., N, 3), when asked for.
    """

    points: Tensor
    face_indices: Tensor
    barycentrics: Tensor
    normals: Tensor | None = None

    def interpolate(self, values: Tensor, faces: Tensor) -> Tensor:
        """Carry an attribute to the points; see :func:`interpolate_on_faces`."""
        return interpolate_on_faces(values, faces, self.face_indices, self.barycentrics)


def sample_surface(
    mesh: Mesh, count: int, *, with_normals: bool = False, generator: torch.Generator | None = None
) -> SurfaceSamples:
    """Draw points uniformly over the area of a mesh (Osada et al. 2002, eq. 1).

    Each mesh of a batch gets points of its own.

    Args:
        mesh: one mesh or a batch.
        count: points a mesh, N.
        with_normals: whether to return the face normals at the points.
        generator: source of randomness, on the device of the mesh.

    Raises:
        InputError: a mesh has no area to draw from, or ``count`` is negative.
    """
    if count < 0:
        raise InputError(f"count must not be negative, got {count}")
    shape = (*mesh.batch_shape, count)
    options = {"device": mesh.device, "dtype": torch.float64, "generator": generator}
    cumulative = face_areas(mesh.vertices.detach(), mesh.faces).double().cumsum(-1)
    total = cumulative[..., -1:]
    if mesh.num_faces == 0 or not bool((total > 0).all()):
        raise InputError("cannot sample a mesh whose faces have no area or a coordinate that is not finite")
    drawn = torch.rand(shape, **options) * total
    # right=True passes over faces of no area; the clamp catches a draw that rounds up to the total.
    face_indices = torch.searchsorted(cumulative, drawn, right=True).clamp(max=mesh.num_faces - 1)
    root = torch.rand(shape, **options).sqrt()
    across = torch.rand(shape, **options)
    barycentrics = torch.stack([1 - root, root * (1 - across), root * across], -1).to(mesh.dtype)
    normals = None
    if with_normals:
        normals = gather_rows(face_normals(mesh.vertices, mesh.faces), face_indices)
    points = interpolate_on_faces(mesh.vertices, mesh.faces, face_indices, barycentrics)
    return SurfaceSamples(points, face_indices, barycentrics, normals)


def interpolate_on_faces(values: Tensor, faces: Tensor, face_indices: Tensor, barycentrics: Tensor) -> Tensor:
    """Interpolate a vertex attribute (or a UV, with ``uv_faces``) at points given by barycentrics.

    Args:
        values: one row a vertex, shape (..., V, C); broadcast over the batch of ``face_indices``.
        faces: vertex indices, shape (F, 3).
        face_indices: the face of each point, shape (..., N).
        barycentrics: weights of its corners, shape (..., N, 3).

    Returns:
        Shape (..., N, C).
    """
    values = values.expand(*face_indices.shape[:-1], *values.shape[-2:])
    corners = gather_corners(values, faces).flatten(-2)
    rows = gather_rows(corners, face_indices)
    return (rows.unflatten(-1, (3, values.shape[-1])) * barycentrics[..., None]).sum(-2)
