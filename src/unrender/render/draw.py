"""From mesh, camera and light to a picture."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from ..errors import InputError
from ..geometry import Mesh, PackedMeshes
from .camera import Camera
from .dibr_picture import DIBRPicture
from .light import Light
from .mesh_picture import Look, MeshPicture
from .nmr_picture import NeuralMeshPicture
from .raster.dibr import DIBR
from .raster.nmr import NeuralMesh
from .raster.softras import SoftRas
from .scene import prepare
from .shade import Phong
from .softras_picture import SoftRasPicture
from .texture import Filter, Wrap

Renderer = DIBR | SoftRas | NeuralMesh


def render(
    mesh: Mesh | PackedMeshes,
    camera: Camera,
    light: Light | Sequence[Light] | None = None,
    *,
    renderer: Renderer | None = None,
    background: float | Sequence[float] | Tensor = 0.0,
    material: Phong | None = None,
    flat: bool = False,
    double_sided: bool = True,
    texture_filter: Filter = "bilinear",
    texture_wrap: Wrap = "wrap",
) -> MeshPicture:
    """Render meshes, differentiably in all that goes in.

    One mesh under N cameras: ``mesh`` without and ``camera`` with batch dimension (N,). M meshes under N
    cameras: batch dimensions (M, 1) and (N,). Meshes of different topology: :class:`PackedMeshes`, M of
    them under cameras without batch dimensions, with (M,), or with (N, 1) for all pairs. Geometry and
    textures are shared, not copied. Several meshes in one scene: :func:`unrender.geometry.merge`.

    Args:
        mesh: what to draw.
        camera: from where, and how large the picture is.
        light: one light or several, which add up; None shows the surface's own colours.
        renderer: how to draw, ``DIBR()``, ``SoftRas()`` or ``NeuralMesh()``; the first when None.
        background: colour behind the mesh: a number, C numbers, or pictures of shape (..., H, W, C).
        material: how the surface answers light; matt when None.
        flat: shade with face normals instead of interpolated vertex normals.
        double_sided: turn normals of faces seen from behind towards the camera.
        texture_filter: ``"bilinear"``, ``"trilinear"`` (mipmaps) or ``"nearest"`` (no vertex gradient).
        texture_wrap: ``"wrap"``, ``"clamp"`` or ``"mirror"`` beyond the texture's border.

    Returns:
        The picture, whose parts are computed when they are read.

    Raises:
        InputError: shapes, dtypes or devices do not fit.

    Example:
        >>> from unrender import Camera, icosphere, render
        >>> camera = Camera.orbit(3.0, 20.0, [0.0, 90.0], fov_y=40.0, width=64, height=48)
        >>> render(icosphere(), camera).rgb.shape
        torch.Size([2, 48, 64, 3])
    """
    behind = torch.as_tensor(background, dtype=mesh.dtype, device=mesh.device)
    if behind.ndim > 1 and tuple(behind.shape[-3:-1]) != (camera.height, camera.width):
        raise InputError(
            f"a background picture must have shape (..., {camera.height}, {camera.width}, C), "
            f"got {tuple(behind.shape)}"
        )
    renderer = DIBR() if renderer is None else renderer
    if isinstance(renderer, NeuralMesh) and renderer.near is not None:
        camera = camera.replace(near=max(camera.near, renderer.near))
    scene = prepare(mesh, camera)
    try:
        fits = torch.broadcast_shapes(behind.shape[:-3], scene.batch) == scene.batch
    except RuntimeError:
        fits = False
    if not fits or (behind.ndim == 1 and behind.shape[0] not in (1, _channels(mesh))):
        raise InputError(
            f"background must be a number, {_channels(mesh)} numbers, or pictures for batch "
            f"{tuple(scene.batch)}, got shape {tuple(behind.shape)}"
        )
    look = Look(
        lights=[light] if isinstance(light, Light) else light,
        material=Phong() if material is None else material,
        background=behind,
        flat=flat,
        double_sided=double_sided,
        texture_filter=texture_filter,
        texture_wrap=texture_wrap,
    )
    if isinstance(renderer, SoftRas):
        return SoftRasPicture(scene, renderer, look)
    if isinstance(renderer, NeuralMesh):
        return NeuralMeshPicture(scene, renderer, look)
    return DIBRPicture(scene, renderer, look)


def _channels(mesh: Mesh | PackedMeshes) -> int:
    """Colour channels of what a mesh shows."""
    textures = list(mesh.textures) if isinstance(mesh, PackedMeshes) else [mesh.texture]
    for colors in (*textures, mesh.face_textures, mesh.face_cubes, mesh.vertex_colors):
        if colors is not None:
            return colors.shape[-1]
    return 3
