"""Subdivision: every face into four."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from ..errors import InputError
from .corners import gather_corners, scatter_corners
from .edges import unique_edges
from .mesh import Mesh
from .normals import unit_vectors


def subdivide(mesh: Mesh, times: int = 1) -> Mesh:
    """Split every face at the midpoints of its edges; the shape stays as it is.

    UVs are split along their own faces, so a seam stays a seam. Vertex colours and normals are averaged (the
    normals to length one), the texture is kept. New vertices follow the old ones, the four children of a
    face follow each other. Differentiable in every field.

    Args:
        mesh: one mesh or a batch.
        times: how often; the number of faces grows by 4 each time.

    Raises:
        InputError: the mesh has face textures or cubes, which do not split, or ``times`` is negative.
    """
    return _repeat(mesh, times, lambda vertices, faces, edges, face_edges: _with_midpoints(vertices, edges))


def loop_subdivide(mesh: Mesh, times: int = 1) -> Mesh:
    """Split every face into four and smooth the positions by Loop's rules (Loop 1987).

    Boundary edges follow the cubic B-spline rule, so open meshes keep smooth rims; so do edges of three or
    more faces. A vertex where other than two such edges meet stays. UVs and vertex colours are carried as by
    :func:`subdivide`; normals are dropped, because the shape changes.

    Args:
        mesh: one mesh or a batch.
        times: how often; the number of faces grows by 4 each time.

    Raises:
        InputError: the mesh has face textures or cubes, which do not split, or ``times`` is negative.
    """
    return _repeat(mesh.replace(normals=None), times, _loop_positions)


def _repeat(mesh: Mesh, times: int, place: Callable[[Tensor, Tensor, Tensor, Tensor], Tensor]) -> Mesh:
    for name in ("face_textures", "face_cubes"):
        if getattr(mesh, name) is not None:
            raise InputError(f"a mesh with {name} cannot be subdivided; use vertex_colors or a texture")
    if times < 0:
        raise InputError(f"times must not be negative, got {times}")
    for _ in range(times):
        edges, face_edges = unique_edges(mesh.faces)
        fields = {
            "vertices": place(mesh.vertices, mesh.faces, edges, face_edges),
            "faces": _children(mesh.faces, face_edges, mesh.num_vertices),
        }
        if mesh.uvs is not None and mesh.uv_faces is not None:
            uv_edges, uv_face_edges = unique_edges(mesh.uv_faces)
            fields["uvs"] = _with_midpoints(mesh.uvs, uv_edges)
            fields["uv_faces"] = _children(mesh.uv_faces, uv_face_edges, mesh.uvs.shape[-2])
        if mesh.vertex_colors is not None:
            fields["vertex_colors"] = _with_midpoints(mesh.vertex_colors, edges)
        if mesh.normals is not None:
            fields["normals"] = unit_vectors(_with_midpoints(mesh.normals, edges), 1e-6)
        mesh = mesh.replace(**fields)
    return mesh


def _with_midpoints(values: Tensor, edges: Tensor) -> Tensor:
    return torch.cat([values, gather_corners(values, edges).mean(-2)], -2)


def _children(faces: Tensor, face_edges: Tensor, num_vertices: int) -> Tensor:
    """Three faces at the corners and one in the middle; the midpoint of edge e is vertex V + e."""
    a, b, c = faces.long().unbind(-1)
    bc, ca, ab = (face_edges + num_vertices).unbind(-1)
    children = [(a, ab, ca), (b, bc, ab), (c, ca, bc), (bc, ca, ab)]
    return torch.stack([torch.stack(child, -1) for child in children], 1).reshape(-1, 3)


def _loop_positions(vertices: Tensor, faces: Tensor, edges: Tensor, face_edges: Tensor) -> Tensor:
    num_vertices, num_edges = vertices.shape[-2], edges.shape[0]
    crease = torch.bincount(face_edges.reshape(-1), minlength=num_edges) != 2

    ends = gather_corners(vertices, edges)
    opposite = scatter_corners(gather_corners(vertices, faces), face_edges, num_edges)
    smooth_edge = ends.sum(-2) * 3 / 8 + opposite / 8
    edge_points = torch.where(crease[:, None], ends.mean(-2), smooth_edge)

    degree = (
        torch.bincount(edges.reshape(-1), minlength=num_vertices).clamp(min=1).to(vertices.dtype)[:, None]
    )
    weight = (5 / 8 - (3 / 8 + torch.cos(2 * torch.pi / degree) / 4).square()) / degree
    neighbours = scatter_corners(ends.flip(-2), edges, num_vertices)
    smooth = (1 - degree * weight) * vertices + weight * neighbours
    rim = edges[crease]
    rim_neighbours = scatter_corners(gather_corners(vertices, rim).flip(-2), rim, num_vertices)
    on_rim = torch.bincount(rim.reshape(-1), minlength=num_vertices)[:, None]
    placed = torch.where(on_rim == 2, vertices * 6 / 8 + rim_neighbours / 8, vertices)
    alone = torch.bincount(edges.reshape(-1), minlength=num_vertices)[:, None] == 0
    vertex_points = torch.where((on_rim == 0) & ~alone, smooth, placed)
    return torch.cat([vertex_points, edge_points], -2)
