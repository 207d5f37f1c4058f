"""Isotropic remeshing: even, well-shaped triangles of a chosen size on the same surface.

The loop of Botsch and Kobbelt (2004): split long edges, collapse short ones, flip edges, relax vertices
along the surface. Every step is vectorised NumPy: operations that could disturb one another are drawn in
rounds of independent sets by random priorities.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from ..errors import InputError
from .surface import (
    Bools,
    Edges,
    Floats,
    Ints,
    Surface,
    are_edges,
    compact,
    cotangent,
    edge_keys,
    find_edges,
    group,
    norm,
    normals,
    quadrics,
    require_oriented_manifold,
    width,
)

_LONG, _SHORT = 4 / 3, 4 / 5  # of the target length: thresholds for splitting and collapsing
_MAX_TURN = 0.5  # least cosine between the normals of a face before and after an operation (60 degrees)
_MAX_FOLD = 0.9  # least cosine between two faces whose edge may be flipped (26 degrees)
_THINNEST = 0.02  # least shape measure 4 sqrt(3) area / (sum of squared edges) of a face that is made
# How far a collapse may leave the planes of its faces: a share of the edge, or of the target if that is more.
# The share of the edge keeps a small part from melting; the share of the target lets roughness go.
_OFF_EDGE, _OFF_TARGET = 0.2, 0.02
_ROUNDS = 60  # most rounds of one step; a bound that real meshes stay well below


def remesh(
    vertices: Tensor, faces: Tensor, target_edge: float | Tensor, *, iterations: int = 3
) -> tuple[Tensor, Tensor]:
    """Remesh an oriented manifold to edges of about a target length.

    The result is an oriented manifold with the same components, handles and boundary: no operation that
    would pinch the surface or turn a face over is taken, and boundary edges stay as they are. Positions move
    along the surface; a collapse goes where the planes of its faces meet best (Garland and Heckbert 1997),
    so creases and thin parts keep their shape, though a part much thinner than ``target_edge`` gets coarse.
    There is no gradient through it, and the same input gives the same result.

    Args:
        vertices: positions [world units], shape (V, 3).
        faces: vertex indices, shape (F, 3).
        target_edge: edge length to aim at [world units]: one number, or one for each vertex, shape (V,).
        iterations: passes of split, collapse, flip and relax.

    Returns:
        New vertices (V', 3) and faces (F', 3), of the types and on the device of the old; vertices that no
        face names are dropped.

    Raises:
        InputError: a shape is wrong, a value is not finite or not positive, or the mesh is not an oriented
            manifold at its edges.
    """
    if vertices.ndim != 2 or vertices.shape[-1] != 3 or not bool(torch.isfinite(vertices).all()):
        raise InputError(f"vertices must be finite and of shape (V, 3), got {tuple(vertices.shape)}")
    if faces.ndim != 2 or faces.shape[-1] != 3:
        raise InputError(f"faces must have shape (F, 3), got {tuple(faces.shape)}")
    size = np.asarray(torch.as_tensor(target_edge).detach().cpu(), dtype=np.float64)
    if size.shape not in ((), (len(vertices),)) or not (np.isfinite(size).all() and (size > 0).all()):
        raise InputError(
            f"target_edge must be positive, one number or {len(vertices)}, got shape {size.shape}"
            + (f" and value {float(size):g}" if size.ndim == 0 else "")
        )
    work = Surface(
        vertices.detach().cpu().numpy().astype(np.float64),
        faces.detach().cpu().numpy().astype(np.int64),
        np.broadcast_to(size, len(vertices)).copy(),
    )
    require_oriented_manifold(work)
    work = compact(work)
    random = np.random.default_rng(0)
    for _ in range(iterations):
        work = _split_long(work)
        work = _collapse_short(work, random)
        work = _flip(work, random)
        work = _relax(work)
    if iterations:
        work = _flip(work, random)
    new_vertices = torch.from_numpy(work.vertices).to(vertices.device, vertices.dtype)
    return new_vertices, torch.from_numpy(work.faces).to(faces.device, faces.dtype)


def _split_long(work: Surface) -> Surface:
    """Halve all edges that are too long, with the pattern of 1, 2 or 3 halved edges in each face."""
    for _ in range(_ROUNDS):
        vertices, faces, size = work
        edges = find_edges(work)
        lengths = norm(vertices[edges.a] - vertices[edges.b])
        long = (lengths > _LONG * (size[edges.a] + size[edges.b]) / 2) & (edges.second >= 0)
        if not long.any():
            break
        middle = np.where(long, len(vertices) + np.cumsum(long) - 1, -1)[edges.of_face]
        a, b = edges.a[long], edges.b[long]
        vertices = np.concatenate([vertices, (vertices[a] + vertices[b]) / 2])
        size = np.concatenate([size, (size[a] + size[b]) / 2])
        work = Surface(vertices, _cut(vertices, faces, middle), size)
    return work


def _cut(vertices: Floats, faces: Ints, middle: Ints) -> Ints:
    """Faces cut at the vertices ``middle`` (F, 3) of their edges k -> k + 1; -1 where an edge is whole."""
    cut = middle >= 0
    number = cut.sum(1)
    # Turn each face until the one cut edge comes first, or the one whole edge last.
    turn = np.where(number == 2, (np.argmin(cut, 1) + 1) % 3, np.argmax(cut, 1))
    columns = (turn[:, None] + np.arange(3)) % 3
    f, m = np.take_along_axis(faces, columns, 1), np.take_along_axis(middle, columns, 1)
    parts = [f[number == 0]]
    a, b, c, ab = (*f[number == 1].T, m[number == 1, 0])
    parts += [np.stack(p, 1) for p in ((a, ab, c), (ab, b, c))]
    (a, b, c), (ab, bc, _) = f[number == 2].T, m[number == 2].T
    shorter = norm(vertices[a] - vertices[bc]) <= norm(vertices[ab] - vertices[c])
    parts += [np.stack(p, 1) for p in ((ab, b, bc), (a, ab, np.where(shorter, bc, c)))]
    parts += [np.stack((np.where(shorter, a, ab), bc, c), 1)]
    (a, b, c), (ab, bc, ca) = f[number == 3].T, m[number == 3].T
    parts += [np.stack(p, 1) for p in ((a, ab, ca), (b, bc, ab), (c, ca, bc), (ab, bc, ca))]
    return np.concatenate(parts)


def _collapse_short(work: Surface, random: np.random.Generator) -> Surface:
    """Collapse edges that are too short, until none is left that may be collapsed."""
    refused = np.empty(0, np.int64)
    for _ in range(_ROUNDS):
        vertices, _, size = work
        edges = find_edges(work)
        border = np.zeros(len(vertices), bool)
        rim = edges.second < 0
        border[edges.a[rim]] = border[edges.b[rim]] = True
        goal = (size[edges.a] + size[edges.b]) / 2
        ratio = norm(vertices[edges.a] - vertices[edges.b]) / goal
        short = (ratio < _SHORT) & ~(border[edges.a] & border[edges.b])
        short = np.flatnonzero(short & ~np.isin(edges.keys, refused))
        short = short[_keeps_topology(edges, border, short)]
        if not len(short):
            break
        # Shorter edges first, in coarse classes, so that chance spreads each round over the surface.
        priority = np.floor(4 * ratio[short]) + random.random(len(short))
        chosen = short[_far_apart(edges, short, priority, len(vertices))]
        position, distance = _meeting_points(work, edges, border, chosen)
        fits = distance <= goal[chosen] * np.maximum(_OFF_EDGE * ratio[chosen], _OFF_TARGET)
        fits &= _keeps_shape(work, edges, chosen, position, _LONG * goal[chosen])
        refused = np.concatenate([refused, edges.keys[chosen[~fits]]])
        work = _collapse(work, edges, chosen[fits], position[fits])
    return compact(work)


def _keeps_topology(edges: Edges, border: Bools, which: Ints) -> Bools:
    """The link condition: the ends share exactly the two opposite vertices, and neither of those is lost."""
    ends, others = np.concatenate([edges.a, edges.b]), np.concatenate([edges.b, edges.a])
    neighbours = group(ends, others, len(border))
    a, b, c, d = edges.a[which], edges.b[which], edges.c[which], edges.d[which]
    place, other = neighbours.of(a)
    shared = are_edges(edges, b[place], other)
    common = np.bincount(place[shared], minlength=len(which))
    least = np.where(border, 2, 3)
    return (common == 2) & (neighbours.counts[c] > least[c]) & (neighbours.counts[d] > least[d])


def _meeting_points(work: Surface, edges: Edges, border: Bools, which: Ints) -> tuple[Floats, Floats]:
    """Where each edge collapses to, and how far that is from the planes of the faces round it (mean square).

    It is the point nearest to those planes, or the end that lies on the border.
    """
    vertices = work.vertices
    a, b = edges.a[which], edges.b[which]
    middle = (vertices[a] + vertices[b]) / 2
    # A vertex lies in the planes of its own faces, so each quadric has its minimum there.
    planes = quadrics(work)
    at_a, at_b = planes[a], planes[b]
    matrix = at_a + at_b
    residual = np.einsum("nij,nj->ni", at_a - at_b, (vertices[a] - vertices[b]) / 2)
    hold = 0.002 * np.trace(matrix, axis1=1, axis2=2) + np.finfo(np.float64).tiny
    move = np.linalg.solve(matrix + hold[:, None, None] * np.eye(3), residual[..., None])[..., 0]
    reach = norm(vertices[a] - vertices[b]) / 2
    move *= np.minimum(1, reach / np.maximum(norm(move), np.finfo(np.float64).tiny))[:, None]
    position = middle + move
    position = np.where(border[a][:, None], vertices[a], position)
    position = np.where(border[b][:, None], vertices[b], position)
    error = np.zeros(len(which))
    for end, plane in ((vertices[a], at_a), (vertices[b], at_b)):
        error += np.einsum("ni,nij,nj->n", position - end, plane, position - end)
    total = np.maximum(np.trace(matrix, axis1=1, axis2=2), np.finfo(np.float64).tiny)
    return position, np.sqrt(np.maximum(error, 0) / total)


def _keeps_shape(work: Surface, edges: Edges, which: Ints, position: Floats, longest: Floats) -> Bools:
    """Whether every face round a collapse keeps its side and some width, and no edge gets too long."""
    vertices, faces, _ = work
    around = group(faces.reshape(-1), np.repeat(np.arange(len(faces)), 3), len(vertices))
    good = np.ones(len(which), bool)
    for end in (edges.a[which], edges.b[which]):
        place, face = around.of(end)
        stays = (face != edges.first[which][place]) & (face != edges.second[which][place])
        place, face = place[stays], face[stays]
        before = vertices[faces[face]]
        moved = faces[face] == end[place][:, None]
        after = np.where(moved[..., None], position[place][:, None], before)
        lengths = norm(after - position[place][:, None]).max(1)
        bad = ~_same_side(before, after) | (lengths > longest[place])
        good[place[bad]] = False
    return good


def _far_apart(edges: Edges, which: Ints, priority: Floats, count: int) -> Bools:
    """An independent set: no two chosen edges are joined by an edge or lie opposite one vertex."""
    order = np.empty(len(which), np.int64)
    order[np.argsort(priority, kind="stable")] = np.arange(len(which))
    a, b = edges.a[which], edges.b[which]
    least = np.full(count, len(which))
    np.minimum.at(least, np.concatenate([a, b]), np.concatenate([order, order]))
    wide = least.copy()
    np.minimum.at(wide, np.concatenate([edges.a, edges.b]), np.concatenate([least[edges.b], least[edges.a]]))
    chosen = (wide[a] == order) & (wide[b] == order)
    claims = np.full(count, len(which))
    c, d = edges.c[which], edges.d[which]
    np.minimum.at(
        claims, np.concatenate([c[chosen], d[chosen]]), np.concatenate([order[chosen], order[chosen]])
    )
    return chosen & (claims[c] == order) & (claims[d] == order)


def _collapse(work: Surface, edges: Edges, which: Ints, position: Floats) -> Surface:
    """Join the ends of each edge in a new vertex; the old ones stay behind without faces."""
    vertices, faces, size = work
    a, b = edges.a[which], edges.b[which]
    target = np.arange(len(vertices))
    target[a] = target[b] = len(vertices) + np.arange(len(which))
    stays = np.ones(len(faces), bool)
    stays[edges.first[which]] = stays[edges.second[which]] = False
    return Surface(
        np.concatenate([vertices, position]),
        target[faces[stays]],
        np.concatenate([size, (size[a] + size[b]) / 2]),
    )


def _flip(work: Surface, random: np.random.Generator) -> Surface:
    """Flip edges whose opposite angles sum to over 180 degrees (Delaunay), except across creases."""
    for _ in range(_ROUNDS):
        vertices, faces, _ = work
        edges = find_edges(work)
        which = np.flatnonzero(edges.second >= 0)
        a, b, c, d = edges.a[which], edges.b[which], edges.c[which], edges.d[which]
        at_c, at_d = (cotangent(vertices[v], vertices[a], vertices[b]) for v in (c, d))
        wanted = at_c + at_d < -1e-6
        which, a, b, c, d = (t[wanted] for t in (which, a, b, c, d))
        old = vertices[np.stack([np.stack([a, b, c], 1), np.stack([b, a, d], 1)])]
        new_faces = np.stack([np.stack([a, d, c], 1), np.stack([d, b, c], 1)])
        new = vertices[new_faces]
        sides = normals(old)
        lengths = norm(sides)
        folded = (sides[0] * sides[1]).sum(-1) < _MAX_FOLD * lengths[0] * lengths[1]
        # The new faces are held against the mean of the old: a sliver's own normal says little.
        mean = sides.sum(0)
        fits = ~folded & (c != d) & ~are_edges(edges, c, d)
        for k in range(2):
            turned = normals(new[k])
            fits &= (turned * mean).sum(-1) > _MAX_TURN * norm(turned) * norm(mean)
            fits &= width(new[k]) > np.minimum(width(old[0]), width(old[1]))
        which, c, d = which[fits], c[fits], d[fits]
        order = random.permutation(len(which))
        claims = np.full(len(faces), len(which))
        for side in (edges.first[which], edges.second[which]):
            np.minimum.at(claims, side, order)
        chosen = np.flatnonzero(
            (claims[edges.first[which]] == order) & (claims[edges.second[which]] == order)
        )
        _, once = np.unique(edge_keys(c, d)[chosen], return_index=True)
        chosen = chosen[once]
        if not len(chosen):
            break
        faces = faces.copy()
        faces[edges.first[which[chosen]]] = new_faces[0][fits][chosen]
        faces[edges.second[which[chosen]]] = new_faces[1][fits][chosen]
        work = work._replace(faces=faces)
    return work


def _relax(work: Surface) -> Surface:
    """Move vertices towards the mean of their neighbours, as far as the planes of their faces allow."""
    vertices, faces, size = work
    edges = find_edges(work)
    count = len(vertices)
    ends = np.concatenate([edges.a, edges.b])
    others = np.concatenate([edges.b, edges.a])
    sums = np.stack([np.bincount(ends, vertices[others, k], count) for k in range(3)], 1)
    move = sums / np.bincount(ends, minlength=count)[:, None] - vertices
    planes = quadrics(work)
    # A flat neighbourhood holds back one direction, a crease two, a corner all three.
    strength = 100 / np.maximum(np.trace(planes, axis1=1, axis2=2), 1e-300)
    move = np.linalg.solve(np.eye(3) + strength[:, None, None] * planes, move[..., None])[..., 0]
    rim = edges.second < 0
    move[edges.a[rim]] = move[edges.b[rim]] = 0
    before = vertices[faces]
    while True:
        bad = ~_same_side(before, (vertices + move)[faces]) & move[faces].any((1, 2))
        if not bad.any():
            return Surface(vertices + move, faces, size)
        move[faces[bad]] = 0


def _same_side(before: Floats, after: Floats) -> Bools:
    """Whether triangles (N, 3, 3) turn by no more than is allowed and do not become slivers."""
    old, new = normals(before), normals(after)
    turns = (old * new).sum(-1) <= _MAX_TURN * norm(old) * norm(new)
    old_width, new_width = width(before), width(after)
    # The normal of a face that is a sliver already says nothing, and any wider face is welcome.
    return (~turns | (old_width < 1e-6)) & (new_width > np.minimum(_THINNEST, old_width))
