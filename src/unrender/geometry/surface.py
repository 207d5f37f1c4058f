"""A triangle surface in NumPy: the tables and measures that remeshing works with."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]


class Surface(NamedTuple):
    """Vertices (V, 3), faces (F, 3) and target edge lengths at the vertices (V,)."""

    vertices: Floats
    faces: Ints
    size: Floats


def require_oriented_manifold(surface: Surface) -> None:
    """Raise InputError unless every edge has at most one face on each side."""
    faces, count = surface.faces, len(surface.vertices)
    if not len(faces):
        raise InputError("remesh needs at least one face, got none")
    if faces.min() < 0 or faces.max() >= count:
        raise InputError(
            f"faces must index {count} vertices, got indices from {faces.min()} to {faces.max()}"
        )
    if (faces == np.roll(faces, 1, 1)).any():
        raise InputError("remesh needs faces of three different vertices, got one that names a vertex twice")
    directed = np.sort((faces * count + np.roll(faces, -1, 1)).reshape(-1))
    twice = int((directed[1:] == directed[:-1]).sum())
    if twice:
        raise InputError(
            "remesh needs an oriented manifold, at most one face on each side of an edge; "
            f"got {twice} edges with more, or with a neighbour turned over"
        )


class Edges(NamedTuple):
    """Edges in ascending order of their key; the edge a -> b runs with its first face (a, b, c)."""

    keys: Ints  # from edge_keys
    a: Ints
    b: Ints
    c: Ints  # opposite in the first face
    d: Ints  # opposite in the second face, -1 on the boundary
    first: Ints
    second: Ints  # -1 on the boundary
    of_face: Ints  # (F, 3): the edge from corner k to corner k + 1


def find_edges(surface: Surface) -> Edges:
    """The edges of an oriented manifold."""
    faces = surface.faces
    a, b, c = (np.roll(faces, -k, 1).reshape(-1) for k in range(3))
    keys = edge_keys(a, b)
    order = np.argsort(keys, kind="stable")
    ordered = keys[order]
    starts = np.flatnonzero(np.concatenate([[True], ordered[1:] != ordered[:-1]]))
    of_corner = np.empty(len(order), np.int64)
    of_corner[order] = np.repeat(np.arange(len(starts)), np.diff(starts, append=len(order)))
    one = order[starts]
    paired = np.diff(starts, append=len(order)) == 2
    two = np.where(paired, order[np.minimum(starts + 1, len(order) - 1)], -1)
    return Edges(
        ordered[starts], a[one], b[one], c[one], np.where(paired, c[two], -1),
        one // 3, np.where(paired, two // 3, -1), of_corner.reshape(-1, 3),
    )  # fmt: skip


class Groups(NamedTuple):
    """Rows of items by owner, for the faces or the neighbours of vertices."""

    items: Ints
    starts: Ints
    counts: Ints

    def of(self, owners: Ints) -> tuple[Ints, Ints]:
        """For each of ``owners`` all its items: (place in ``owners``, item) pairs."""
        counts = self.counts[owners]
        place = np.repeat(np.arange(len(owners)), counts)
        within = np.arange(len(place)) - np.repeat(np.cumsum(counts) - counts, counts)
        return place, self.items[self.starts[owners][place] + within]


def group(owners: Ints, items: Ints, count: int) -> Groups:
    """Group items by their owners, which are below ``count``."""
    counts = np.bincount(owners, minlength=count)
    return Groups(items[np.argsort(owners, kind="stable")], np.cumsum(counts) - counts, counts)


def compact(surface: Surface) -> Surface:
    """Drop the vertices that no face names."""
    used = np.zeros(len(surface.vertices), bool)
    used[surface.faces] = True
    return Surface(surface.vertices[used], (np.cumsum(used) - 1)[surface.faces], surface.size[used])


def quadrics(surface: Surface) -> Floats:
    """The sum of area * n n^T over the faces at each vertex, shape (V, 3, 3), up to a factor."""
    vertices, faces, _ = surface
    across = normals(vertices[faces])
    lengths = np.maximum(norm(across), np.finfo(np.float64).tiny)
    planes = (across[:, :, None] * across[:, None, :] / lengths[:, None, None]).reshape(-1, 9)
    owners, count = faces.reshape(-1), len(vertices)
    result = np.empty((count, 9))
    for k in range(9):
        result[:, k] = np.bincount(owners, np.repeat(planes[:, k], 3), count)
    return result.reshape(-1, 3, 3)


def are_edges(edges: Edges, a: Ints, b: Ints) -> Bools:
    """Whether an edge joins a and b, one pair after another."""
    keys = edge_keys(a, b)
    place = np.minimum(np.searchsorted(edges.keys, keys), len(edges.keys) - 1)
    return edges.keys[place] == keys


def edge_keys(a: Ints, b: Ints) -> Ints:
    """One number for the edge between two vertices, in either direction."""
    return (np.minimum(a, b) << 32) + np.maximum(a, b)


def width(triangles: Floats) -> Floats:
    """Shape of triangles (N, 3, 3): 1 if equilateral, 0 if degenerate."""
    squares = ((triangles - np.roll(triangles, 1, 1)) ** 2).sum((1, 2))
    return 2 * np.sqrt(3) * norm(normals(triangles)) / np.maximum(squares, np.finfo(np.float64).tiny)


def cotangent(apex: Floats, a: Floats, b: Floats) -> Floats:
    """Cotangents of the angles at ``apex`` in the triangles (apex, a, b)."""
    first, second = a - apex, b - apex
    sine = norm(np.cross(first, second))
    return (first * second).sum(-1) / np.maximum(sine, np.finfo(np.float64).tiny)


def normals(triangles: Floats) -> Floats:
    """Normals of triangles (..., 3, 3), as long as twice the area."""
    return np.cross(triangles[..., 1, :] - triangles[..., 0, :], triangles[..., 2, :] - triangles[..., 0, :])


def norm(vectors: Floats) -> Floats:
    """Lengths of vectors (..., 3)."""
    return np.sqrt((vectors**2).sum(-1))
