"""Atlases: several pictures in one texture, one cell a face, and texels outside the UV islands."""

from __future__ import annotations

import dataclasses

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..errors import InputError
from ..geometry.mesh import Mesh

GUTTER = 4  # texels around a picture: bilinear filtering reaches one, two mipmap levels reach four
LARGEST_SIDE = 8192


def pack_pictures(pictures: list[NDArray[np.float32]]) -> tuple[NDArray[np.float32], NDArray, NDArray]:
    """Pack pictures into one texture, on shelves in order of height.

    A gutter around each picture repeats its opposite edge, so a coordinate that leaves [0, 1] by less than
    the gutter wraps around as in the picture alone. When the texture would be wider or higher than 8192
    texels, all pictures are shrunk.

    Args:
        pictures: shapes (h_i, w_i, C), row 0 at the top.

    Returns:
        The texture (h, w, C), and scales (n, 2) and shifts (n, 2): ``uv * scales[i] + shifts[i]`` is where
        the coordinate ``uv`` of picture i lies.
    """
    while True:
        sizes = np.array([(p.shape[1], p.shape[0]) for p in pictures])
        positions, width, height = _shelves(sizes + 2 * GUTTER)
        if max(width, height) <= LARGEST_SIDE or sizes.max() <= 4:
            break
        pictures = [_resize(p, -(-p.shape[0] // 2), -(-p.shape[1] // 2)) for p in pictures]
    texture = np.zeros((height, width, pictures[0].shape[2]), np.float32)
    for (x, y), picture in zip(positions, pictures, strict=True):
        padded = np.pad(picture, ((GUTTER, GUTTER), (GUTTER, GUTTER), (0, 0)), mode="wrap")
        texture[y : y + padded.shape[0], x : x + padded.shape[1]] = padded
    low = positions + GUTTER
    low[:, 1] = height - low[:, 1] - sizes[:, 1]  # v points up
    total = np.array([width, height])
    return texture, sizes / total, low / total


def _shelves(sizes: NDArray[np.int64]) -> tuple[NDArray[np.int64], int, int]:
    """Upper left corners (n, 2) of rectangles (n, 2) = (width, height), and the size they fill together."""
    width = int(max(sizes[:, 0].max(), np.ceil(np.sqrt(sizes.prod(1).sum() * 1.1))))
    positions = np.zeros_like(sizes)
    x = y = shelf = 0
    for i in np.argsort(-sizes[:, 1], kind="stable"):
        if x + sizes[i, 0] > width:
            x, y, shelf = 0, y + shelf, 0
        positions[i] = x, y
        x, shelf = x + sizes[i, 0], max(shelf, sizes[i, 1])
    return positions, int((positions + sizes)[:, 0].max()), int(y + shelf)


def tile_picture(picture: NDArray[np.float32], columns: int, rows: int) -> NDArray[np.float32]:
    """A picture repeated ``columns`` times across and ``rows`` times down.

    Each repeat is shrunk where the whole would pass four sides of the picture, or 1024 texels if that is
    more.

    Args:
        picture: shape (h, w, C).
        columns: repeats in a row.
        rows: repeats in a column.

    Returns:
        Shape (rows * h', columns * w', C).
    """
    limit = max(1024, 4 * max(picture.shape[:2]))
    height, width = (max(1, min(n, limit // k)) for n, k in zip(picture.shape, (rows, columns), strict=False))
    return np.tile(_resize(picture, height, width), (rows, columns, 1))


def _resize(picture: NDArray[np.float32], height: int, width: int) -> NDArray[np.float32]:
    """Area average."""
    if picture.shape[:2] == (height, width):
        return picture
    planes = torch.from_numpy(np.ascontiguousarray(picture)).permute(2, 0, 1)[None]
    resized = torch.nn.functional.interpolate(planes, size=(height, width), mode="area")
    return resized[0].permute(1, 2, 0).numpy()


def sample_picture(picture: NDArray, uvs: NDArray) -> NDArray:
    """Bilinear lookup with repeat.

    Args:
        picture: shape (h, w, C), row 0 at the top.
        uvs: v up, shape (n, 2).

    Returns:
        Shape (n, C).
    """
    height, width = picture.shape[:2]
    x, y = uvs[:, 0] * width - 0.5, (1 - uvs[:, 1]) * height - 0.5
    j, i = np.floor(x).astype(np.int64), np.floor(y).astype(np.int64)
    fx, fy = (x - j)[:, None], (y - i)[:, None]
    top, bottom, left, right = i % height, (i + 1) % height, j % width, (j + 1) % width
    return (1 - fy) * ((1 - fx) * picture[top, left] + fx * picture[top, right]) + fy * (
        (1 - fx) * picture[bottom, left] + fx * picture[bottom, right]
    )


@dataclasses.dataclass(frozen=True)
class Cells:
    """One square cell a face in a picture; the corners of the face are texel centres.

    Attributes:
        shape: height and width of the picture.
        texels: row-major index of each texel that belongs to a cell, shape (T,).
        face: its face, shape (T,).
        weights: its barycentric weights, shape (T, 3). They are negative past the edges, by little where
            bilinear filtering still reaches the texel.
        uvs: coordinates of the corners of the faces, shape (F, 3, 2).
    """

    shape: tuple[int, int]
    texels: NDArray[np.int64]
    face: NDArray[np.int64]
    weights: NDArray[np.float64]
    uvs: NDArray[np.float64]

    def picture(self, colors: NDArray) -> NDArray:
        """The picture (h, w, C) from the colours (T, C) of the texels."""
        flat = np.zeros((self.shape[0] * self.shape[1], colors.shape[-1]), colors.dtype)
        flat[self.texels] = colors
        return flat.reshape(*self.shape, -1)


def cell_layout(num_faces: int, size: int) -> Cells:
    """Lay out one cell of ``size`` x ``size`` texels, with a rim of one texel, for each face.

    Args:
        num_faces: F.
        size: texels along the two edges that meet in the first vertex, at least 2.

    Returns:
        The layout.
    """
    side = size + 2
    columns = int(np.ceil(np.sqrt(num_faces)))
    rows = -(-num_faces // columns)
    height, width = rows * side, columns * side
    face = np.arange(num_faces)
    top, left = face // columns * side, face % columns * side
    i, j = (a.reshape(-1) for a in np.mgrid[0:side, 0:side])
    w1, w2 = (j - 1) / (size - 1), (i - 1) / (size - 1)
    x = left[:, None] + 1.5 + np.array([0, size - 1, 0])
    y = top[:, None] + 1.5 + np.array([0, 0, size - 1])
    return Cells(
        shape=(height, width),
        texels=((top[:, None] + i) * width + left[:, None] + j).reshape(-1),
        face=np.repeat(face, side * side),
        weights=np.tile(np.stack([1 - w1 - w2, w1, w2], axis=-1), (num_faces, 1)),
        uvs=np.stack([x / width, 1 - y / height], axis=-1),
    )


def bake_faces(mesh: Mesh) -> Mesh:
    """Turn ``face_textures`` or ``face_cubes`` into a UV texture of one cell a face; gradients flow through.

    Six texels of a cell span one small triangle of a grid, or the step from one texel of a cube to the next.

    Args:
        mesh: with ``face_textures`` (F, R, R, C) or ``face_cubes`` (F, T, T, T, C).

    Returns:
        The mesh with ``texture``, ``uvs`` and ``uv_faces`` instead.

    Raises:
        InputError: the mesh has neither, or a batch of them.
    """
    grids, cubes = mesh.face_textures, mesh.face_cubes
    if grids is not None and grids.ndim == 4:
        cells = cell_layout(mesh.num_faces, 6 * grids.shape[1] + 1)
        colors = _grid_colors(grids, cells)
    elif cubes is not None and cubes.ndim == 5:
        cells = cell_layout(mesh.num_faces, 6 * (cubes.shape[1] - 1) + 1)
        colors = _cube_colors(cubes, cells)
    else:
        got = next((tuple(c.shape) for c in (grids, cubes) if c is not None), None)
        raise InputError(
            f"face_textures must have shape (F, R, R, C) or face_cubes (F, T, T, T, C) to be baked, got {got}"
        )
    texels = torch.from_numpy(cells.texels).to(colors.device)
    flat = colors.new_zeros(cells.shape[0] * cells.shape[1], colors.shape[-1])
    uvs = torch.from_numpy(cells.uvs.reshape(-1, 2)).to(device=mesh.device, dtype=mesh.dtype)
    return mesh.replace(
        face_textures=None,
        face_cubes=None,
        texture=flat.index_copy(0, texels, colors).reshape(*cells.shape, -1),
        uvs=uvs,
        uv_faces=torch.arange(len(uvs), device=mesh.device).reshape(-1, 3),
    )


def _grid_colors(grids: Tensor, cells: Cells) -> Tensor:
    """Colours (T, C) of the texels of cells from face textures (F, R, R, C).

    The grid of a face holds R * R small triangles in SoftRas's order: with ``x = w0 R`` and ``y = w1 R``
    (w0, w1 the weights of the first two vertices), texel (floor y, floor x) has the triangle whose
    fractions sum to at most 1, and the other half of that square has texel (R - 1 - floor y, R - 1 - floor
    x).
    """
    resolution = grids.shape[1]
    weights = np.maximum(cells.weights, 0)
    scaled = weights[:, :2] / weights.sum(1, keepdims=True) * resolution
    cell = np.minimum(scaled.astype(np.int64), resolution - 1)
    lower = (scaled - cell).sum(1, keepdims=True) <= 1
    x, y = np.where(lower, cell, resolution - 1 - cell).T
    face, y, x = (torch.from_numpy(a).to(grids.device) for a in (cells.face, y, x))
    return grids[face, y, x]


def _cube_colors(cubes: Tensor, cells: Cells) -> Tensor:
    """Colours (T, C) of the texels of cells from face cubes (F, S, S, S, C).

    Blended linearly along each of the three weights, and past the edges, as far as filtering reaches,
    continued in the same way, so that colours are right up to the edge.
    """
    size = cubes.shape[1]
    weights = cells.weights[: len(cells.face) // len(cubes)]  # alike in every cell
    place = np.maximum(weights * (size - 1), -1 / 6)
    cell = np.clip(np.floor(place).astype(np.int64), 0, size - 2)
    beyond = (place - cell)[..., None]
    nodes = np.arange(size)
    shares = (1 - beyond) * (nodes == cell[..., None]) + beyond * (nodes == cell[..., None] + 1)
    along = torch.from_numpy(shares).to(cubes).unbind(1)
    return torch.einsum("ti,tj,tk,fijkc->ftc", *along, cubes).reshape(-1, cubes.shape[-1])


def texel_coverage(uvs: Tensor, uv_faces: Tensor, height: int, width: int) -> Tensor:
    """Texels that bilinear filtering with repeat can reach from inside a UV triangle.

    Args:
        uvs: shape (U, 2).
        uv_faces: shape (F, 3).
        height: of the texture.
        width: of the texture.

    Returns:
        Mask, shape (height, width), bool, on the device of ``uvs``.
    """
    points = uvs.detach().double().cpu().numpy()[uv_faces.cpu().numpy()]
    points = np.stack([points[..., 0] * width, (1 - points[..., 1]) * height], axis=-1) - 0.5
    covered = np.zeros(height * width, bool)
    low = np.floor(points.min(1)).astype(np.int64)
    extent = np.ceil(points.max(1)).astype(np.int64) - low + 1
    whole = (extent >= (width, height)).any(1)  # a triangle that laps the texture: count its bounding box
    extent = np.minimum(extent, (width, height))

    edge = np.roll(points, -1, axis=1) - points
    area = edge[:, 0, 0] * edge[:, 1, 1] - edge[:, 0, 1] * edge[:, 1, 0]
    normal = np.stack([-edge[..., 1], edge[..., 0]], axis=-1) * np.where(area < 0, -1, 1)[:, None, None]
    reach = np.abs(normal).sum(-1)  # one texel across each edge

    counts = extent.prod(1)
    ends = np.cumsum(counts)
    start = 0
    while start < len(counts):  # about a million (face, texel) pairs at a time
        before = ends[start] - counts[start]
        stop = max(start + 1, int(np.searchsorted(ends, before + (1 << 20))))
        face = np.repeat(np.arange(start, stop), counts[start:stop])
        local = np.arange(len(face)) - (ends - counts - before)[face]
        texel = low[face] + np.stack([local % extent[face, 0], local // extent[face, 0]], axis=-1)
        offset = texel[:, None] - points[face]
        inside = ((offset * normal[face]).sum(-1) >= -reach[face] - 1e-9).all(1) | whole[face]
        x, y = texel[inside].T
        covered[y % height * width + x % width] = True
        start = stop
    return torch.from_numpy(covered.reshape(height, width)).to(uvs.device)


def pad_texture(texture: Tensor, coverage: Tensor, *, pixels: int = 16) -> Tensor:
    """Fill texels outside the UV islands from the nearest ones inside, so that filtering shows no seams.

    Args:
        texture: shape (h, w, C).
        coverage: texels to keep, shape (h, w), bool.
        pixels: how far to fill [texels]; the texture repeats at its borders.

    Returns:
        Shape (h, w, C).
    """
    height, width = coverage.shape
    color, filled = texture.clone(), coverage
    around = torch.tensor([(i, j) for i in (-1, 0, 1) for j in (-1, 0, 1)], device=texture.device)
    for _ in range(pixels):
        if bool(filled.all()):
            break
        reach = filled | filled.roll(1, 0) | filled.roll(-1, 0)
        reach = reach | reach.roll(1, 1) | reach.roll(-1, 1)
        i, j = torch.nonzero(reach & ~filled, as_tuple=True)
        near_i, near_j = (i[:, None] + around[:, 0]) % height, (j[:, None] + around[:, 1]) % width
        weight = filled[near_i, near_j, None].to(color.dtype)
        color[i, j] = (color[near_i, near_j] * weight).sum(1) / weight.sum(1)
        filled = reach
    return color
