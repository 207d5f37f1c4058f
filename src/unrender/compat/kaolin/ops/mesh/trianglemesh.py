"""Operations on triangle meshes."""

import math

import torch
from torch import Tensor

from .....errors import InputError
from .....geometry.corners import gather_corners, scatter_corners
from .....geometry.edges import unique_edges
from .mesh import index_vertices_by_faces

__all__ = ["face_areas", "face_normals", "sample_points", "subdivide_trianglemesh"]


def face_normals(face_vertices: Tensor, unit: bool = False) -> Tensor:
    """Normals (v1 - v0) x (v2 - v0) of triangles.

    Args:
        face_vertices: corners, shape (B, F, 3, 3).
        unit: scale the normals to length 1; a face without area gets zero.

    Returns:
        Normals, shape (B, F, 3); of length twice the area unless ``unit``.

    Raises:
        InputError: the faces are not triangles.
    """
    if face_vertices.shape[-2:] != (3, 3):
        raise InputError(f"face_vertices must have shape (B, F, 3, 3), got {tuple(face_vertices.shape)}")
    a, b, c = face_vertices.unbind(-2)
    normals = torch.linalg.cross(b - a, c - a)
    # Kaolin's small number, rather than a clamp, so that tiny faces get the same normals as there.
    return normals / (torch.linalg.vector_norm(normals, dim=-1, keepdim=True) + 1e-10) if unit else normals


def face_areas(vertices: Tensor, faces: Tensor) -> Tensor:
    """Areas of triangles.

    Args:
        vertices: shape (B, V, 3).
        faces: shape (F, 3), integer.

    Returns:
        Areas, shape (B, F).

    Raises:
        InputError: wrong shapes.
    """
    return 0.5 * torch.linalg.vector_norm(face_normals(index_vertices_by_faces(vertices, faces)), dim=-1)


def sample_points(
    vertices: Tensor,
    faces: Tensor,
    num_samples: int,
    areas: Tensor | None = None,
    face_features: Tensor | None = None,
) -> tuple[Tensor, ...]:
    """Draw points uniformly from the surface; they are differentiable in the vertices.

    Args:
        vertices: shape (B, V, 3).
        faces: shape (F, 3), integer.
        num_samples: N, for each mesh.
        areas: weights of the faces, shape (B, F); their areas if None.
        face_features: values at the corners to interpolate at the points, shape (B, F, 3, D).

    Returns:
        Points (B, N, 3) and the faces they lie on (B, N), and where ``face_features`` is given the
        interpolated features (B, N, D).

    Raises:
        InputError: wrong shapes.
    """
    corners = index_vertices_by_faces(vertices, faces)
    weights = face_areas(vertices, faces) if areas is None else areas
    chosen = torch.multinomial(weights.detach(), num_samples, replacement=True)
    root = torch.rand(*chosen.shape, 1, dtype=vertices.dtype, device=vertices.device).sqrt()
    along = torch.rand_like(root)
    # The square root makes the density uniform over the triangle (Osada et al. 2002, equation 1).
    bary = torch.cat([1 - root, root * (1 - along), root * along], dim=-1)

    def interpolate(values: Tensor) -> Tensor:
        picked = values.gather(1, chosen[..., None, None].expand(-1, -1, *values.shape[2:]))
        return (bary.unsqueeze(-1) * picked).sum(dim=-2)

    points = interpolate(corners)
    return (points, chosen) if face_features is None else (points, chosen, interpolate(face_features))


def subdivide_trianglemesh(
    vertices: Tensor, faces: Tensor, iterations: int, alpha: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """Loop subdivision (Loop 1987), with an optional smoothing factor for each vertex (Shen et al. 2021).

    A vertex v with n neighbours of mean m becomes (1 - alpha) v + alpha m, with Loop's
    alpha = 5/8 - (3/8 + cos(2 pi / n) / 4)^2 unless alpha is given. As in Kaolin, vertices on a boundary
    follow the same rule; new vertices on boundary edges are the midpoints.

    Args:
        vertices: shape (B, V, 3).
        faces: shape (F, 3), integer.
        iterations: how often every face is split into four.
        alpha: smoothing factors in [0, 1], 0 to leave a vertex in place, shape (B, V). New vertices inherit
            it by the rule that makes their positions.

    Returns:
        Vertices, the old ones first, shape (B, V', 3), and faces, shape (F 4^iterations, 3).

    Raises:
        InputError: the faces are not triangles.
    """
    carried = None if alpha is None else alpha.unsqueeze(-1)
    for _ in range(iterations):
        count = vertices.shape[1]
        edges, face_edges = unique_edges(faces)
        degree = torch.bincount(edges.reshape(-1), minlength=count).to(vertices).unsqueeze(-1)
        weight = carried
        if weight is None:
            weight = 0.625 - (0.375 + 0.25 * torch.cos(2 * math.pi / degree.clamp(min=1))) ** 2
        ring = scatter_corners(gather_corners(vertices, edges.flip(-1)), edges, count)
        moved = torch.where(
            degree > 0, (1 - weight) * vertices + weight * ring / degree.clamp(min=1), vertices
        )
        if carried is not None:
            carried = torch.cat([carried, _new_vertices(carried, faces, edges, face_edges)], dim=1)
        vertices = torch.cat([moved, _new_vertices(vertices, faces, edges, face_edges)], dim=1)
        a, b, c = faces.unbind(-1)
        bc, ca, ab = (count + face_edges).unbind(-1)
        quarters = [b, bc, ab, a, ab, ca, c, ca, bc, ca, ab, bc]
        faces = torch.stack(quarters, dim=-1).reshape(-1, 3)
    return vertices, faces


def _new_vertices(values: Tensor, faces: Tensor, edges: Tensor, face_edges: Tensor) -> Tensor:
    """3/8 of each end and 1/8 of each opposite corner, or the midpoint unless just two faces meet."""
    ends = gather_corners(values, edges).sum(dim=2)
    face_sums = gather_corners(values, faces).sum(dim=2, keepdim=True).expand(-1, -1, 3, -1)
    around = scatter_corners(face_sums, face_edges, len(edges))
    inner = torch.bincount(face_edges.reshape(-1), minlength=len(edges)) == 2
    return torch.where(inner.unsqueeze(-1), (around + ends) / 8, ends / 2)
