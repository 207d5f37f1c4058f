"""The parts that a mesh file holds, and how they become one mesh."""

from __future__ import annotations

import dataclasses
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray

from ..errors import InputError
from ..geometry.mesh import Mesh
from .atlas import cell_layout, pack_pictures, sample_picture, tile_picture

FEW_PERIODS = 4  # a face that spans no more periods than this gets them at full resolution
MANY_PERIODS = 256  # a face that spans more than this shows the mean colour


@dataclasses.dataclass
class Part:
    """One piece of a file: triangles with at most one picture. Colours and pictures are display-referred.

    Attributes:
        vertices: positions before ``matrix``, shape (n, 3).
        faces: shape (f, 3).
        shell: vertices that coincide within one shell are one vertex.
        matrix: from ``vertices`` to the world, shape (4, 4).
        uvs: one a vertex, v up, shape (n, 2).
        colors: one a vertex; they multiply the picture where there is one; shape (n, 3).
        picture: texture, row 0 at the top, repeated outside [0, 1]; shape (h, w, 3).
    """

    vertices: NDArray[np.float64]
    faces: NDArray[np.int64]
    shell: int = 0
    matrix: NDArray[np.float64] = dataclasses.field(default_factory=lambda: np.eye(4))
    uvs: NDArray[np.float64] | None = None
    colors: NDArray[np.float64] | None = None
    picture: NDArray[np.float32] | None = None

    def __post_init__(self) -> None:
        self.vertices = np.asarray(self.vertices, np.float64).reshape(-1, 3)
        self.faces = np.asarray(self.faces, np.int64).reshape(-1, 3)
        for name, values in (("vertices", self.vertices), ("texture coordinates", self.uvs)):
            if values is not None and not np.isfinite(values).all():
                bad = int((~np.isfinite(values)).any(1).sum())
                raise InputError(f"{name} must be finite, got {bad} of {len(values)} with NaN or infinity")
        if self.faces.size and not (self.faces.min() >= 0 and self.faces.max() < len(self.vertices)):
            raise InputError(
                f"faces must index {len(self.vertices)} vertices, "
                f"got indices from {self.faces.min()} to {self.faces.max()}"
            )
        if self.picture is not None and self.uvs is None:
            # Without coordinates a texture can only give its mean.
            mean = self.picture.mean((0, 1), dtype=np.float64)
            white = np.ones((len(self.vertices), 3))
            self.colors, self.picture = mean * (white if self.colors is None else self.colors), None
        if np.linalg.det(self.matrix[:3, :3]) < 0:  # a mirror turns faces inside out
            self.faces = self.faces[:, ::-1]


def join_parts(parts: list[Part]) -> Mesh:
    """One mesh from the parts of a file.

    With a picture in any part the mesh has a texture, else with a colour in any part it has vertex colours
    (white where a part states none), else no appearance. Vertices of one shell that coincide become one,
    unless they differ in vertex colour; faces that then name a vertex twice, and vertices that no face
    names, are left out.

    Args:
        parts: at least one of them with faces.

    Returns:
        A float32 mesh on the CPU.

    Raises:
        InputError: there is no face.
    """
    parts = [part for part in parts if len(part.faces)]
    if not parts:
        raise InputError("a mesh needs at least one face, got none")
    offsets = np.cumsum([0] + [len(part.vertices) for part in parts])
    faces = np.concatenate([part.faces + start for part, start in zip(parts, offsets, strict=False)])
    world = np.concatenate([part.vertices @ part.matrix[:3, :3].T + part.matrix[:3, 3] for part in parts])
    keys = [np.concatenate([np.c_[np.full(len(p.vertices), p.shell), p.vertices + 0.0] for p in parts])]

    textured = any(part.picture is not None for part in parts)
    colors = None
    if not textured and any(part.colors is not None for part in parts):
        colors = np.concatenate([np.ones_like(p.vertices) if p.colors is None else p.colors for p in parts])
        keys.append(colors)
    first, inverse = unique_rows(np.concatenate(keys, axis=1))
    faces = inverse[faces]
    keep = (faces != np.roll(faces, 1, axis=1)).all(1)
    if not keep.any():
        raise InputError("a mesh needs at least one face with three different vertices, got none")
    used, faces = _compact(faces[keep])
    first = first[used]

    texture = None
    if textured:
        texture, uvs, uv_faces = _join_textures(parts)
    elif all(part.uvs is not None for part in parts):
        uvs, uv_faces = _own_uvs(parts)
    else:
        uvs, uv_faces = None, None
    if uvs is not None and uv_faces is not None:
        used, uv_faces = _compact(uv_faces[keep])
        uvs = uvs[used]
    return Mesh(
        vertices=_tensor(world[first]),
        faces=torch.from_numpy(faces),
        uvs=None if uvs is None else _tensor(uvs),
        uv_faces=None if uv_faces is None else torch.from_numpy(uv_faces),
        vertex_colors=None if colors is None else _tensor(colors[first]),
        texture=None if texture is None else _tensor(texture),
    )


def unique_rows(rows: NDArray) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Distinct rows in order of first appearance.

    Args:
        rows: shape (n, k).

    Returns:
        The index of each distinct row, shape (m,), and for every row the number of its distinct row, shape
        (n,).
    """
    _, first, inverse = np.unique(rows, axis=0, return_index=True, return_inverse=True)
    order = np.argsort(first)
    rank = np.empty_like(order)
    rank[order] = np.arange(len(order))
    return first[order], rank[inverse.reshape(-1)]


def _compact(faces: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    used, inverse = np.unique(faces, return_inverse=True)
    return used, inverse.reshape(faces.shape)


def _tensor(values: NDArray) -> torch.Tensor:
    return torch.from_numpy(np.ascontiguousarray(values, dtype=np.float32))


def _own_uvs(parts: list[Part]) -> tuple[NDArray, NDArray[np.int64]]:
    offsets = np.cumsum([0] + [len(part.vertices) for part in parts])
    uv_faces = np.concatenate([part.faces + start for part, start in zip(parts, offsets, strict=False)])
    return np.concatenate([part.uvs for part in parts if part.uvs is not None]), uv_faces


def _join_textures(parts: list[Part]) -> tuple[NDArray, NDArray, NDArray[np.int64]]:
    """The texture (h, w, 3), uvs (U, 2) and uv_faces (F, 3) of all parts."""
    first = parts[0].picture
    if first is not None and all(part.picture is first and part.colors is None for part in parts):
        return first, *_own_uvs(parts)

    pictures: list[NDArray[np.float32]] = []
    known: dict[object, int] = {}
    entries, corners = [], []

    def place(mask: NDArray[np.bool_], key: object, make, uv: NDArray) -> None:
        if key not in known:
            known[key] = len(pictures)
            pictures.append(make())
        entry[mask], corner[mask] = known[key], uv

    for part in parts:
        entry = np.zeros(len(part.faces), np.int64)
        corner = np.zeros((len(part.faces), 3, 2))
        everywhere = np.ones(len(part.faces), bool)
        colors = np.ones_like(part.vertices) if part.colors is None else part.colors
        flat = bool((colors == colors[:1]).all())
        if part.picture is None and flat:
            color = colors[0].astype(np.float32)
            place(everywhere, color.tobytes(), lambda c=color: c[None, None], np.asarray(0.5))
        elif part.picture is not None and part.uvs is not None and part.colors is None:
            _place_tiles(part.faces, part.uvs, part.picture, place)
        else:
            baked, uv = _bake(part, colors)
            place(everywhere, id(part), lambda b=baked: b, uv)
        entries.append(entry)
        corners.append(corner)
    texture, scales, shifts = pack_pictures(pictures)
    entry = np.concatenate(entries)
    corner = np.concatenate(corners) * scales[entry, None] + shifts[entry, None]
    index, inverse = unique_rows(corner.reshape(-1, 2))
    return texture, corner.reshape(-1, 2)[index], inverse.reshape(-1, 3)


def _place_tiles(faces: NDArray[np.int64], uvs: NDArray, picture: NDArray[np.float32], place) -> None:
    """Move each face to the first period; faces that still leave it get a picture repeated beforehand."""
    uv = uvs[faces]
    slack = 1e-4  # of a period: rounding does not call for another one
    uv = uv - np.floor(uv.min(1, keepdims=True) + slack)
    periods = np.maximum(np.ceil(uv.max(1) - slack), 1)
    most = periods.max(1)
    mean = most > MANY_PERIODS
    for mask in (most <= FEW_PERIODS, (most > FEW_PERIODS) & ~mean):
        if mask.any():
            across, down = (int(n) for n in periods[mask].max(0))
            tiles = partial(tile_picture, picture, across, down)
            place(mask, (id(picture), across, down), tiles, uv[mask] / (across, down))
    if mean.any():
        color = picture.mean((0, 1))
        place(mean, color.tobytes(), lambda: color[None, None], np.asarray(0.5))


def _bake(part: Part, colors: NDArray) -> tuple[NDArray[np.float32], NDArray]:
    """Vertex colours, times the picture if any, as a picture of one cell a face, and its uvs (f, 3, 2)."""
    size = 4
    if part.picture is not None and part.uvs is not None:
        height, width = part.picture.shape[:2]
        uv = part.uvs[part.faces] * (width, height)
        edges = np.linalg.norm(uv - np.roll(uv, 1, axis=1), axis=-1).max(1)
        size = int(np.clip(np.ceil(np.quantile(edges, 0.9)) + 1, 4, 32))
    cells = cell_layout(len(part.faces), size)
    corners = part.faces[cells.face]
    baked = np.einsum("tk,tkc->tc", cells.weights, colors[corners])
    if part.picture is not None and part.uvs is not None:
        uv = np.einsum("tk,tkc->tc", cells.weights, part.uvs[corners])
        baked = baked * sample_picture(part.picture, uv)
    return cells.picture(np.clip(baked, 0, 1).astype(np.float32)), cells.uvs
