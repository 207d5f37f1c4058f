"""Solids through rows of rings: lathe work, prisms, bars along curves, bent boards."""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ....errors import InputError
from .parts import Solid

SHARP = math.cos(math.radians(50))  # edges that turn by more stay sharp


def loft(rings: ArrayLike, *, caps: bool = True, fit: bool = False) -> Solid:
    """The solid through a row of rings with as many points each.

    Edges that turn by more than 50 degrees are sharp. The first and the last ring are closed by fans about
    their middle; a ring in one point is a tip.

    Args:
        rings: shape (M, N, 3), round the solid in either sense.
        caps: close both ends; without, the last ring must be the first one.
        fit: stretch the texture over every smooth side, instead of one scale along and across.

    Raises:
        InputError: the shape is wrong.
    """
    rings = np.asarray(rings, np.float64)
    if rings.ndim != 3 or rings.shape[2] != 3 or rings.shape[0] < 2 or rings.shape[1] < 3:
        raise InputError(f"rings must have shape (M, N, 3) with M >= 2 and N >= 3, got {rings.shape}")
    rows, columns = rings.shape[:2]
    tips = [bool((ring == ring[0]).all()) for ring in (rings[0], rings[-1])]
    around = np.roll(rings, -1, 1) - rings  # (M, N, 3)
    widest = int(np.linalg.norm(around, axis=-1).sum(1).argmax())
    steps = np.diff(rings, axis=0)
    seams = np.flatnonzero(_cosines(np.roll(around[widest], 1, 0), around[widest]) < SHARP)
    bends = np.array([_cosines(steps[i], steps[i + 1]).mean() < SHARP for i in range(rows - 2)], bool)
    ridges = [0, *(np.flatnonzero(bends) + 1), rows - 1]

    u = np.concatenate([[0], np.linalg.norm(around[widest], axis=-1).cumsum()])
    v = np.concatenate([[0], np.linalg.norm(steps, axis=-1).mean(1).cumsum()])
    scale = max(u[-1], v[-1])
    wrap = len(seams) == 0
    spans = (
        [(0, columns)]
        if wrap
        else [(s, t) for s, t in zip(seams, [*seams[1:], seams[0] + columns], strict=True)]
    )
    vertices, faces, uvs, count = [], [], [], 0
    for top, bottom in itertools.pairwise(ridges):
        for start, stop in spans:
            picked = np.arange(start, stop + 1)
            keep, sheet, corners = _sheet(
                bottom - top + 1, len(picked), wrap, tips[0] and top == 0, tips[1] and bottom == rows - 1
            )
            grid = rings[top : bottom + 1, picked % columns].reshape(-1, 3)
            across = u[picked % columns] + u[-1] * (picked // columns)
            down = v[top : bottom + 1]
            if fit:
                across, down = _unit(across), _unit(down)
            else:
                across, down = (across - across[0]) / scale, (down - down[0]) / scale
            plane = np.stack(np.broadcast_arrays(across, down[:, None]), -1).reshape(-1, 2)
            vertices.append(grid[keep])
            faces.append(sheet + count)
            uvs.append(plane[corners])
            count += len(keep)
    for ring, tip, order in ((rings[0], tips[0], -1), (rings[-1], tips[1], 1)):
        if caps and not tip:
            fan = np.stack([np.arange(columns), (np.arange(columns) + 1) % columns], -1)[:, ::order]
            flat = _flattened(ring) / (1 if fit else scale)
            flat = np.concatenate([_unit(flat) if fit else flat - flat.min(0), [[0, 0]]])
            flat[-1] = flat[:-1].mean(0)
            fan = np.concatenate([np.full((columns, 1), columns), fan], -1)
            vertices += [ring, ring.mean(0, keepdims=True)]
            faces.append(fan + count)
            uvs.append(flat[fan])
            count += columns + 1
    solid = Solid(np.concatenate(vertices), np.concatenate(faces), np.concatenate(uvs).clip(0, 1))
    if _volume(solid) < 0:
        return Solid(solid.vertices, solid.faces[:, ::-1], solid.uvs[:, ::-1])
    return solid


@functools.cache
def _sheet(rows: int, columns: int, wrap: bool, tip: bool, tail: bool) -> tuple[NDArray, NDArray, NDArray]:
    """Triangles of a grid: the grid points used (K,), faces among these, and faces among all grid points.

    With ``wrap`` the last column is the first one again; ``tip`` and ``tail`` say that the first and the last
    row are one point.
    """
    i, j = np.meshgrid(np.arange(rows - 1), np.arange(columns - 1), indexing="ij")
    a = (i * columns + j).reshape(-1)
    b, c, d = a + 1, a + columns + 1, a + columns
    row = i.reshape(-1)
    lower = ~((row == 0) & tip)
    upper = ~((row == rows - 2) & tail)
    corners = np.concatenate([np.stack([a, b, c], -1)[lower], np.stack([a, c, d], -1)[upper]])
    same = np.arange(rows * columns).reshape(rows, columns).copy()
    if wrap:
        same[:, -1] = same[:, 0]
    if tip:
        same[0] = same[0, 0]
    if tail:
        same[-1] = same[-1, 0]
    keep, faces = np.unique(same.reshape(-1)[corners], return_inverse=True)
    return keep, faces.reshape(-1, 3), corners


def lathe(profile: ArrayLike, *, segments: int = 16, outline: ArrayLike | None = None) -> Solid:
    """The solid that a profile sweeps about the y axis.

    Args:
        profile: radius and height of points along the profile, shape (M, 2).
        segments: corners of a round cross-section.
        outline: cross-section (x, z) at radius 1 in place of a circle, shape (N, 2).
    """
    profile = np.asarray(profile, np.float64)
    ring = circle(segments) if outline is None else np.asarray(outline, np.float64)
    rings = np.empty((len(profile), len(ring), 3))
    rings[..., 0] = profile[:, :1] * ring[:, 0]
    rings[..., 1] = profile[:, 1:]
    rings[..., 2] = profile[:, :1] * ring[:, 1]
    return loft(rings)


def cylinder(radius: float, height: float, *, top: float | None = None, segments: int = 12) -> Solid:
    """A cylinder, or a cone's stump, along y from height 0; ``top`` is the upper radius."""
    return lathe([(radius, 0), (radius if top is None else top, height)], segments=segments)


def ball(width: float, height: float, depth: float, *, segments: int = 12, rows: int = 7) -> Solid:
    """An ellipsoid about the origin with the given diameters."""
    angle = np.linspace(-np.pi / 2, np.pi / 2, rows)
    profile = np.stack([np.cos(angle) / 2, np.sin(angle) / 2], -1)
    profile[[0, -1], 0] = 0
    return lathe(profile, segments=segments).scaled(width, height, depth)


def tapered_box(
    lower: tuple[float, float],
    upper: tuple[float, float],
    height: float,
    *,
    shift: tuple[float, float] = (0, 0),
    fit: bool = False,
) -> Solid:
    """A box from y = 0 up whose sections (width, depth) and middle (x, z) change with height."""
    square = np.array([(-0.5, -0.5), (0.5, -0.5), (0.5, 0.5), (-0.5, 0.5)])
    rings = np.zeros((2, 4, 3))
    rings[0, :, [0, 2]] = (square * lower).T
    rings[1, :, [0, 2]] = (square * upper + shift).T
    rings[1, :, 1] = height
    return loft(rings, fit=fit)


def tube(
    path: Sequence[ArrayLike] | NDArray[np.float64],
    radius: float | ArrayLike,
    *,
    segments: int = 8,
    outline: ArrayLike | None = None,
    closed: bool = False,
) -> Solid:
    """A bar along a curve.

    Args:
        path: points of the curve, shape (M, 3).
        radius: of the section, one or (M,).
        segments: corners of a round section.
        outline: the section at radius 1 in place of a circle, its second axis as upright as can be at the
            start of the path, shape (N, 2).
        closed: the curve returns to its first point, which ``path`` does not repeat.
    """
    path = np.asarray(path, np.float64)
    radii = np.broadcast_to(np.asarray(radius, np.float64), len(path))
    ring = circle(segments) if outline is None else np.asarray(outline, np.float64)
    tangents = np.roll(path, -1, 0) - np.roll(path, 1, 0) if closed else np.gradient(path, axis=0)
    tangents = tangents / np.linalg.norm(tangents, axis=-1, keepdims=True)
    guide = np.array([0.0, 1.0, 0.0]) if abs(tangents[0, 1]) < 0.9 else np.array([0.0, 0.0, 1.0])
    rings = np.empty((len(path), len(ring), 3))
    for i, tangent in enumerate(tangents):
        guide = guide - tangent * (guide @ tangent)  # carried along with the least turning
        guide = guide / math.sqrt(guide @ guide)
        side = np.cross(guide, tangent)
        rings[i] = path[i] + radii[i] * (ring[:, :1] * side + ring[:, 1:] * guide)
    if closed:
        rings = np.concatenate([rings, rings[:1]])
    return loft(rings, caps=not closed)


def plate(
    path: Sequence[ArrayLike] | NDArray[np.float64],
    width: ArrayLike,
    thickness: float,
    *,
    dish: ArrayLike = 0.0,
    columns: int = 7,
) -> Solid:
    """A bent board: the side view of a seat, swept across x.

    Args:
        path: (y, z) of points along the board, shape (M, 2).
        width: across x, one or (M,).
        thickness: of the board.
        dish: how far the rims rise above the middle, to the left of the path's direction of travel seen from
            +x, one or (M,).
        columns: points across.
    """
    path = np.asarray(path, np.float64)
    widths = np.broadcast_to(np.asarray(width, np.float64), len(path))
    dishes = np.broadcast_to(np.asarray(dish, np.float64), len(path))
    along = np.gradient(path, axis=0)
    along /= np.linalg.norm(along, axis=-1, keepdims=True)
    normal = np.stack([along[:, 1], -along[:, 0]], -1)  # (M, 2) in (y, z)
    across = np.linspace(-1, 1, columns)
    rings = np.empty((len(path), 2 * columns, 3))
    for half, offset, order in ((slice(0, columns), 0.5, 1), (slice(columns, None), -0.5, -1)):
        t = across[::order]
        rise = dishes[:, None] * t**2 + offset * thickness
        rings[:, half, 0] = widths[:, None] / 2 * t
        rings[:, half, 1:] = path[:, None] + rise[..., None] * normal[:, None]
    return loft(rings)


@functools.cache
def circle(segments: int) -> NDArray[np.float64]:
    """Points of the unit circle, shape (segments, 2)."""
    angle = np.arange(segments) * (2 * np.pi / segments)
    return np.stack([np.cos(angle), np.sin(angle)], -1)


def superellipse(segments: int, power: float) -> NDArray[np.float64]:
    """Points of |x|^p + |y|^p = 1, between a circle (2) and a square (infinity), shape (segments, 2)."""
    points = circle(segments)
    return points / (np.abs(points) ** power).sum(-1, keepdims=True) ** (1 / power)


def smooth_path(points: Sequence[ArrayLike] | NDArray[np.float64], steps: int) -> NDArray[np.float64]:
    """A Catmull-Rom curve through points (K, D), shape ((K - 1) steps + 1, D)."""
    knots = np.asarray(points, np.float64)
    knots = np.concatenate([2 * knots[:1] - knots[1:2], knots, 2 * knots[-1:] - knots[-2:-1]])
    t = (np.arange(steps) / steps)[:, None]
    pieces = [
        b + t * ((c - a) / 2 + t * (a - 2.5 * b + 2 * c - d / 2 + t * (1.5 * (b - c) + (d - a) / 2)))
        for a, b, c, d in zip(knots[:-3], knots[1:-2], knots[2:-1], knots[3:], strict=True)
    ]
    return np.concatenate([*pieces, knots[-2:-1]])


def _cosines(a: NDArray, b: NDArray) -> NDArray:
    """Cosines of the angles between vectors (..., 3); 1 where one has no length."""
    lengths = np.linalg.norm(a, axis=-1) * np.linalg.norm(b, axis=-1)
    return np.where(lengths > 0, (a * b).sum(-1) / np.where(lengths > 0, lengths, 1), 1.0)


def _unit(values: NDArray) -> NDArray:
    """Values moved and scaled to [0, 1] along the first axis."""
    low, high = values.min(0), values.max(0)
    return (values - low) / np.where(high > low, high - low, 1)


def _flattened(ring: NDArray) -> NDArray:
    """Coordinates (N, 2) of a flat ring along the two world axes that it spans most."""
    spread = np.ptp(ring, axis=0)
    first, second = np.sort(np.argsort(spread)[1:])
    return ring[:, [first, second]]


def _volume(solid: Solid) -> float:
    a, b, c = solid.vertices[solid.faces].transpose(1, 0, 2)
    return float((a * np.cross(b, c)).sum()) / 6
