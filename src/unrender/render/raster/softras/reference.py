"""The Soft Rasterizer in plain PyTorch: the definition that the kernels are held to."""

from __future__ import annotations

import dataclasses

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid

from ....geometry import gather_corners, scatter_corners
from ..grid import Grid
from ..pairs import PixelPairs, boundary_distance, edge_functions, pixel_pairs
from .renderer import Aggregation

LEAST_AREA = 1e-30  # of smaller areas the inverse overflows in float32


@dataclasses.dataclass(frozen=True, eq=False)
class Fragments:
    """What pixels (P,) see of triangles.

    Attributes:
        closeness: x of D = sigmoid(x), shape (P,).
        weights: clipped barycentric weights, for colours, shape (P, 3).
        depth: shape (P,).
    """

    closeness: Tensor
    weights: Tensor
    depth: Tensor


@dataclasses.dataclass(frozen=True, eq=False)
class Contributions:
    """Pairs of pixel and triangle, and the weight of each in its pixel's mixture.

    Attributes:
        pixel: flat index into the (I, H, W) pictures, int64, shape (E,).
        triangle: int64, shape (E,).
        weights: shape (E,); those of a pixel and its background's add up to 1.
        barycentrics: weights of the triangle's corners there, shape (E, 3).
        background: weight of the background, shape (I, H, W).
    """

    pixel: Tensor
    triangle: Tensor
    weights: Tensor
    barycentrics: Tensor
    background: Tensor


def fragments(triangles: Tensor, pairs: PixelPairs, how: Aggregation) -> Fragments:
    """Look at triangles (T, 3, 3) from the pixels of pairs; those without area have no depth (NaN)."""
    t = gather_corners(triangles.flatten(1), pairs.triangle[:, None]).view(-1, 3, 3)
    edges = edge_functions(t, pairs.x, pairs.y)
    area = edge_functions(t, t[:, 0, 0], t[:, 0, 1]).sum(1)
    proper = area.abs() > LEAST_AREA
    area = torch.where(proper, area, 1)[:, None]
    seen = (edges / area).detach()
    box = t.detach()[..., :2]
    # of a needle, rounding may put a pixel inside that lies beyond its ends
    point = torch.stack([pairs.x, pairs.y], 1)
    boxed = ((point >= box.amin(1)) & (point <= box.amax(1))).all(1)
    inside = (seen >= 0).all(1) & boxed & proper
    if how.distance == "barycentric":
        least = edges.gather(1, seen.argmin(1)[:, None])[:, 0] / area[:, 0]
        closeness = torch.where(proper, least * least.abs() / how.sigma, -torch.inf)
    elif how.distance == "euclidean":
        square = boundary_distance(t, pairs.x, pairs.y)
        closeness = torch.where(inside, square, -square) / how.sigma
    else:
        closeness = torch.where(inside, torch.inf, -torch.inf).to(edges.dtype)
    # clamped before they divide: outside, weights of a needle may be infinite
    between = (seen >= 0) & (seen <= 1)
    clipped = torch.where(between, edges, 0) / area + (seen > 1)
    clipped = clipped / clipped.sum(1, keepdim=True).clamp(min=1e-5)
    if not how.interpolation_gradient:
        clipped = clipped.detach()
    over_z = clipped / t[..., 2]
    depth = torch.where(proper, 1 / over_z.sum(1), torch.nan)
    if how.perspective:
        clipped = over_z * depth[:, None]
        if not how.interpolation_gradient:
            clipped = clipped.detach()
    return Fragments(closeness, clipped, depth)


def visible_pairs(
    triangles: Tensor, image_starts: Tensor, grid: Grid, how: Aggregation, valid: Tensor | None
) -> PixelPairs:
    """The pairs whose D_j is not cut off."""
    with torch.no_grad():
        pairs = pixel_pairs(grid, triangles, image_starts, reach=how.reach, valid=valid)
        box = triangles[..., :2]
        low, high = (box.amin(1) - how.reach)[pairs.triangle], (box.amax(1) + how.reach)[pairs.triangle]
        near = (pairs.x >= low[:, 0]) & (pairs.x <= high[:, 0])
        pairs = pairs.select(near & (pairs.y >= low[:, 1]) & (pairs.y <= high[:, 1]))
        return pairs.select(fragments(triangles, pairs, how).closeness > -how.cutoff / how.sigma)


def silhouette(
    triangles: Tensor, image_starts: Tensor, grid: Grid, how: Aggregation, *, valid: Tensor | None
) -> Tensor:
    """See :func:`unrender.render.raster.softras.silhouette`."""
    pairs = visible_pairs(triangles, image_starts, grid, how, valid)
    closeness = fragments(triangles, pairs, how).closeness
    shape = (grid.images, grid.height, grid.width)
    pixels = grid.images * grid.height * grid.width
    if how.alpha == "hard":
        covered = (closeness > 0).to(triangles.dtype)
        return covered.new_zeros(pixels).scatter_reduce(0, pairs.pixel, covered, "amax").view(shape)
    # 1 - D = sigmoid(-x); a sum of logarithms has a gradient where a product is 0
    terms = logsigmoid(-closeness) if how.alpha == "prod" else torch.sigmoid(closeness)
    total = scatter_corners(terms[:, None, None], pairs.pixel[:, None], pixels).view(shape)
    if how.alpha == "prod":
        return -torch.expm1(total)
    counts = (image_starts[1:] - image_starts[:-1]).clamp(min=1).to(triangles.dtype)
    return total / counts[:, None, None]


def contributions(
    triangles: Tensor, image_starts: Tensor, grid: Grid, how: Aggregation, *, valid: Tensor | None
) -> Contributions:
    """See :func:`unrender.render.raster.softras.contributions`."""
    pairs = visible_pairs(triangles, image_starts, grid, how, valid)
    with torch.no_grad():
        depth = fragments(triangles, pairs, how).depth
        shown = (depth >= how.near) & (depth <= how.far)
        pairs = pairs.select(shown)
        nearest = depth.new_full((grid.images * grid.height * grid.width,), how.behind)
        nearest = nearest.scatter_reduce(0, pairs.pixel, depth[shown], "amin")
    listed = mixed(triangles, pairs, nearest, grid, how)
    keep = (listed.weights > 0).nonzero().squeeze(1)
    return dataclasses.replace(
        listed,
        pixel=listed.pixel[keep],
        triangle=listed.triangle[keep],
        weights=listed.weights[keep],
        barycentrics=listed.barycentrics[keep],
    )


def mixed(
    triangles: Tensor, pairs: PixelPairs, nearest: Tensor, grid: Grid, how: Aggregation
) -> Contributions:
    """The softmax over pairs; ``nearest`` is the least depth of each pixel, of shape (I H W,)."""
    seen = fragments(triangles, pairs, how)
    strength = torch.sigmoid(seen.closeness) * torch.exp((nearest[pairs.pixel] - seen.depth) * how.rate)
    behind = torch.exp((nearest - how.behind) * how.rate)
    total = behind + scatter_corners(strength[:, None, None], pairs.pixel[:, None], len(nearest))[:, 0]
    return Contributions(
        pairs.pixel,
        pairs.triangle,
        strength / gather_corners(total[:, None], pairs.pixel[:, None])[:, 0, 0],
        seen.weights,
        (behind / total).view(grid.images, grid.height, grid.width),
    )


def aggregate(listed: Contributions, values: Tensor) -> Tensor:
    """Sum the values (E, D) of pairs by their weights: shape (I, H, W, D)."""
    shape = listed.background.shape
    weighted = (listed.weights[:, None] * values)[:, None]
    total = scatter_corners(weighted, listed.pixel[:, None], listed.background.numel())
    return total.view(*shape, values.shape[1])
