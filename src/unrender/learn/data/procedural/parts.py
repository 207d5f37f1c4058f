"""Closed solids that objects are put together from, boxes first; see :mod:`.lofts` for the others.

Every solid is watertight: faces that meet have corners in exactly the same places. Vertices are shared across
smooth edges only, so that vertex normals computed from the faces leave sharp edges sharp.
"""

from __future__ import annotations

import dataclasses
import functools
import math

import numpy as np
from numpy.typing import ArrayLike, NDArray


@dataclasses.dataclass(frozen=True, eq=False)
class Solid:
    """A closed surface with texture coordinates.

    Attributes:
        vertices: positions, shape (V, 3); several may coincide along sharp edges.
        faces: counter-clockwise from outside, shape (F, 3).
        uvs: texture coordinates in [0, 1] of the corners of faces, v along the solid, shape (F, 3, 2).
    """

    vertices: NDArray[np.float64]
    faces: NDArray[np.int64]
    uvs: NDArray[np.float64]

    def moved(self, x: float = 0, y: float = 0, z: float = 0) -> Solid:
        """A copy moved by (x, y, z)."""
        return dataclasses.replace(self, vertices=self.vertices + np.array([x, y, z]))

    def scaled(self, x: float, y: float, z: float) -> Solid:
        """A copy scaled about the origin; negative factors mirror it."""
        faces = self.faces[:, ::-1] if x * y * z < 0 else self.faces
        uvs = self.uvs[:, ::-1] if x * y * z < 0 else self.uvs
        return Solid(self.vertices * np.array([x, y, z]), faces, uvs)

    def turned(self, axis: str, degrees: float) -> Solid:
        """A copy turned about an axis through the origin, ``x``, ``y`` or ``z``, by the right-hand rule."""
        i = "xyz".index(axis)
        j, k = (i + 1) % 3, (i + 2) % 3
        cos, sin = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
        vertices = self.vertices.copy()
        vertices[:, j] = cos * self.vertices[:, j] - sin * self.vertices[:, k]
        vertices[:, k] = sin * self.vertices[:, j] + cos * self.vertices[:, k]
        return dataclasses.replace(self, vertices=vertices)


def box(width: float, height: float, depth: float, *, fit: bool = False) -> Solid:
    """A box about the origin, along x, y and z.

    With ``fit`` the texture fills every side (v up, or front to back), else one scale holds for all sides and
    v follows the longer edge of each.
    """
    corners, faces, across, along = _box_template()
    sides = np.array([width, height, depth])
    vertices = corners * sides
    plane = np.stack([corners[np.arange(24), across], corners[np.arange(24), along]], -1) + 0.5
    if not fit:
        lengths = np.stack([sides[across], sides[along]], -1)
        plane = plane * lengths / sides.max()
        turn = lengths[:, 0] > lengths[:, 1]
        plane[turn] = plane[turn, ::-1]
    return Solid(vertices, faces, plane[faces])


@functools.cache
def _box_template() -> tuple[NDArray, NDArray, NDArray, NDArray]:
    """Corners (24, 3) of the cube [-1/2, 1/2]^3, faces (12, 3), and the axes of u and v at each corner."""
    corners, faces, across, along = [], [], [], []
    for normal, u, v in ((0, 2, 1), (1, 0, 2), (2, 0, 1)):
        for side in (-0.5, 0.5):
            quad = np.zeros((4, 3))
            quad[:, normal] = side
            quad[:, u], quad[:, v] = (-0.5, 0.5, 0.5, -0.5), (-0.5, -0.5, 0.5, 0.5)
            outward = np.cross(quad[1] - quad[0], quad[2] - quad[0])[normal] * side > 0
            first = len(corners) * 4
            order = ((0, 1, 2), (0, 2, 3)) if outward else ((0, 2, 1), (0, 3, 2))
            faces += [[first + i for i in face] for face in order]
            corners.append(quad)
            across += [u] * 4
            along += [v] * 4
    return np.concatenate(corners), np.array(faces), np.array(across), np.array(along)


def rounded_box(
    width: float, height: float, depth: float, radius: float, *, segments: int = 1, fit: bool = False
) -> Solid:
    """A box about the origin with round edges.

    Args:
        width: along x, everything included.
        height: along y.
        depth: along z.
        radius: of the edges; at most half of the shortest side is taken.
        segments: facets of a quarter of a round edge are twice as many.
        fit: as in :func:`box`.
    """
    directions, corner, faces, normal = _rounded_template(segments)
    half = np.array([width, height, depth]) / 2
    radius = min(radius, float(half.min()) * 0.98)
    vertices = corner * (half - radius) + directions * radius
    across = np.array([2, 0, 0])[normal]
    along = np.array([1, 2, 1])[normal]
    place = vertices[faces]
    rows = np.arange(len(faces))
    u, v = place[rows, :, across] + half[across, None], place[rows, :, along] + half[along, None]
    if fit:
        uvs = np.stack([u / (2 * half[across, None]), v / (2 * half[along, None])], -1)
    else:
        uvs = np.stack([u, v], -1) / (2 * half.max())
        turn = half[across] > half[along]
        uvs[turn] = uvs[turn, :, ::-1]
    return Solid(vertices, faces, uvs)


@functools.cache
def _rounded_template(segments: int) -> tuple[NDArray, NDArray, NDArray, NDArray]:
    """Directions of vertices (V, 3), the box corners that they belong to (V, 3), faces, axes of faces."""
    half = np.tan(np.linspace(0, np.pi / 4, segments + 1))
    line = [(-t, -1) for t in half[::-1]] + [(t, 1) for t in half]
    index: dict[tuple, int] = {}
    directions, corners, faces, axes = [], [], [], []

    def vertex(axis: int, side: int, first: tuple, second: tuple) -> int:
        direction, corner = np.zeros(3), np.zeros(3)
        for where, (value, sign) in zip(
            (axis, (axis + 1) % 3, (axis + 2) % 3), ((side, side), first, second), strict=True
        ):
            direction[where], corner[where] = value, sign
        key = (*direction.round(9) + 0.0, *corner)
        if key not in index:
            index[key] = len(directions)
            directions.append(direction / np.linalg.norm(direction))
            corners.append(corner)
        return index[key]

    for axis in range(3):
        for side in (-1, 1):
            for i in range(len(line) - 1):
                for j in range(len(line) - 1):
                    a, b = vertex(axis, side, line[i], line[j]), vertex(axis, side, line[i + 1], line[j])
                    c = vertex(axis, side, line[i + 1], line[j + 1])
                    d = vertex(axis, side, line[i], line[j + 1])
                    faces += [[a, b, c], [a, c, d]] if side > 0 else [[a, c, b], [a, d, c]]
                    axes += [axis, axis]
    return np.array(directions), np.array(corners), np.array(faces), np.array(axes)


def scattered(solid: Solid, places: ArrayLike, turns: ArrayLike, sizes: ArrayLike) -> Solid:
    """Copies of a solid as one.

    Args:
        solid: what is copied.
        places: where the origin goes, shape (K, 3).
        turns: rotations, shape (K, 3, 3).
        sizes: factors, shape (K,).
    """
    places = np.asarray(places, np.float64)
    grown = np.asarray(turns, np.float64) * np.asarray(sizes, np.float64)[:, None, None]
    vertices = np.einsum("kij,vj->kvi", grown, solid.vertices) + places[:, None]
    count = len(places)
    faces = solid.faces + len(solid.vertices) * np.arange(count)[:, None, None]
    return Solid(vertices.reshape(-1, 3), faces.reshape(-1, 3), np.tile(solid.uvs, (count, 1, 1)))


def swollen(solid: Solid, waves: ArrayLike, phases: ArrayLike, amount: float) -> Solid:
    """A copy with bumps: points move from the origin by up to ``amount`` times their distance.

    Args:
        solid: with the origin inside.
        waves: wave vectors, shape (K, 3).
        phases: shape (K,).
        amount: less than 1.
    """
    bumps = np.sin(solid.vertices @ np.asarray(waves, np.float64).T + np.asarray(phases)).mean(-1)
    return dataclasses.replace(solid, vertices=solid.vertices * (1 + amount * bumps[:, None]))
