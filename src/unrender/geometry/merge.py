"""Several meshes as one: a scene that draws in a single call, with one texture."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from ..errors import InputError
from .mesh import Mesh
from .normals import vertex_normals
from .packed import PackedMeshes, require_same_fields, require_unbatched

# Texels of repeated edge round each texture, so that bilinear sampling stays within it.
_PADDING = 2


def merge(meshes: Sequence[Mesh]) -> Mesh:
    """Join meshes into one mesh, differentiable in every field.

    Vertex colours, and face textures or cubes of one resolution, are joined. Textures are laid side by side
    in one picture, with their edges repeated round them, and the UVs moved along; a texture that all meshes
    share (the same tensor) stays as it is. UVs without a texture are kept if all meshes have them. If only
    some meshes have normals, the others get their computed ones.

    Args:
        meshes: at least one, none batched, all with the same kind of appearance.

    Raises:
        InputError: there are no meshes, one is batched, their appearances differ in kind or channels, or UVs
            leave [0, 1] where textures have to be laid side by side.
    """
    if not meshes:
        raise InputError("merge needs at least one mesh, got none")
    for mesh in meshes:
        require_unbatched(mesh)
    if any(m.normals is not None for m in meshes):
        meshes = [
            m.replace(normals=vertex_normals(m.vertices, m.faces)) if m.normals is None else m for m in meshes
        ]
    require_same_fields(meshes, ("texture",))
    texture = meshes[0].texture
    if texture is None and any(m.uvs is None for m in meshes):
        meshes = [m.replace(uvs=None, uv_faces=None) for m in meshes]
    if texture is not None and any(m.texture is not texture for m in meshes):
        texture, meshes = _lay_side_by_side(meshes)
    packed = PackedMeshes.pack(meshes)
    return Mesh(
        packed.vertices,
        packed.faces,
        uvs=packed.uvs,
        uv_faces=packed.uv_faces,
        normals=packed.normals,
        vertex_colors=packed.vertex_colors,
        face_textures=packed.face_textures,
        face_cubes=packed.face_cubes,
        texture=texture,
    )


def _lay_side_by_side(meshes: Sequence[Mesh]) -> tuple[Tensor, list[Mesh]]:
    """One picture of all textures in shelves, tallest first, and the meshes with their UVs moved into it."""
    textures = [m.texture for m in meshes if m.texture is not None]
    channels = {t.shape[-1] for t in textures}
    if len(channels) > 1:
        raise InputError(f"textures to be merged must have the same channels, got {sorted(channels)}")
    sizes = [(t.shape[0] + 2 * _PADDING, t.shape[1] + 2 * _PADDING) for t in textures]
    limit = max(*(w for _, w in sizes), math.isqrt(sum(h * w for h, w in sizes)))
    shelves = _shelves(sizes, limit)
    width = max(sum(sizes[i][1] for i in shelf) for shelf in shelves)
    height = sum(sizes[shelf[0]][0] for shelf in shelves)

    rows, moved, top = [], list(meshes), 0
    for shelf in shelves:
        shelf_height, blocks, left = sizes[shelf[0]][0], [], 0
        for i in shelf:
            block_width = width - left if i == shelf[-1] else sizes[i][1]
            blocks.append(_extend_edges(textures[i], shelf_height, block_width))
            box = (left + _PADDING, top + _PADDING, textures[i].shape[1], textures[i].shape[0])
            moved[i] = meshes[i].replace(uvs=_moved_uvs(meshes[i], box, width, height), texture=None)
            left += sizes[i][1]
        rows.append(torch.cat(blocks, 1))
        top += shelf_height
    return torch.cat(rows), moved


def _shelves(sizes: Sequence[tuple[int, int]], limit: int) -> list[list[int]]:
    """Indices shelf by shelf, the tallest first, no shelf wider than ``limit``."""
    shelves: list[list[int]] = []
    left = limit
    for i in sorted(range(len(sizes)), key=lambda i: (-sizes[i][0], i)):
        if left + sizes[i][1] > limit:
            shelves.append([])
            left = 0
        shelves[-1].append(i)
        left += sizes[i][1]
    return shelves


def _extend_edges(texture: Tensor, height: int, width: int) -> Tensor:
    """The texture, ``_PADDING`` from the upper left of a larger picture that its repeated edges fill."""
    h, w, _ = texture.shape
    below, right = height - h - _PADDING, width - w - _PADDING
    tall = torch.cat([texture[:1].expand(_PADDING, -1, -1), texture, texture[-1:].expand(below, -1, -1)])
    return torch.cat([tall[:, :1].expand(-1, _PADDING, -1), tall, tall[:, -1:].expand(-1, right, -1)], 1)


def _moved_uvs(mesh: Mesh, box: tuple[int, int, int, int], width: int, height: int) -> Tensor:
    """UVs in the whole picture, whose (left, top, width, height) ``box`` holds the texture."""
    if mesh.uvs is None:
        raise InputError("a texture needs uvs")
    low, high = mesh.uvs.detach().aminmax()
    if low < -1e-5 or high > 1 + 1e-5:
        raise InputError(
            "uvs must lie in [0, 1] for textures to be merged side by side (a repeated texture cannot be), "
            f"got values from {float(low):g} to {float(high):g}"
        )
    left, top, w, h = box
    u, v = mesh.uvs.unbind(-1)
    return torch.stack([(left + u * w) / width, 1 - (top + (1 - v) * h) / height], -1)
