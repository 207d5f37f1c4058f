"""Showing a mesh: a camera that frames it, light that stands by the camera, smooth edges, a full turn."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from ..errors import InputError
from ..geometry import Mesh
from .camera import Camera
from .draw import render
from .light import AmbientLight, DirectionalLight, Light

PIXELS_AT_ONCE = 2**20  # samples that a batch of frames may have: one picture of 512 x 512, 4 samples each


def bounding_ball(mesh: Mesh) -> tuple[Tensor, Tensor]:
    """The ball about the middle of the bounding box that holds every vertex.

    Args:
        mesh: one mesh or a batch; gradients do not flow.

    Returns:
        Centre, shape (..., 3), and radius, shape (...), in world units.

    Raises:
        InputError: a vertex is not finite, or all vertices are one point.
    """
    vertices = mesh.vertices.detach()
    finite = torch.isfinite(vertices).all(-1)
    if mesh.num_vertices == 0 or not bool(finite.all()):
        raise InputError(
            f"vertices must be finite, got {int((~finite).sum())} of {mesh.num_vertices} with NaN or infinity"
        )
    low, high = torch.aminmax(vertices, dim=-2)
    centre = (low + high) / 2
    radius = torch.linalg.vector_norm(vertices - centre[..., None, :], dim=-1).amax(-1)
    if not bool((radius > 0).all()):
        raise InputError(f"a mesh must have some size, got {mesh.num_vertices} vertices in one point")
    return centre, radius


def framing_camera(
    mesh: Mesh,
    *,
    elevation: float | Sequence[float] | Tensor = 20.0,
    azimuth: float | Sequence[float] | Tensor = 30.0,
    fov_y: float = 35.0,
    width: int = 512,
    height: int = 512,
    fill: float = 0.9,
    orthographic: bool = False,
) -> Camera:
    """A camera that looks at a mesh from so far away that its bounding ball fits the picture.

    The ball's outline is a circle of diameter ``fill`` times the shorter side of the picture. Angles are
    those of :meth:`Camera.orbit`, about the middle of the bounding box; the near plane lies before the ball.

    Args:
        mesh: what to look at; its batch dimensions broadcast against ``elevation`` and ``azimuth``.
        elevation: angle above the horizontal plane [degrees], shape (...).
        azimuth: angle about +Y, 0 looks from +Z, 90 from +X [degrees], shape (...).
        fov_y: full vertical angle of view [degrees]; an orthographic camera takes its distance from it.
        width: columns of the picture.
        height: rows of the picture.
        fill: diameter of the ball's outline in shorter sides of the picture.
        orthographic: parallel instead of perspective projection.

    Returns:
        The camera, or a batch of them.

    Raises:
        InputError: the mesh has no finite size, or a value is out of range.
    """
    if not 0 < fov_y < 180:
        raise InputError(f"fov_y must lie between 0 and 180 degrees, got {fov_y}")
    if not fill > 0:
        raise InputError(f"fill must be positive, got {fill}")
    if width < 1 or height < 1:
        raise InputError(f"width and height must be at least 1, got {width} x {height}")
    centre, radius = bounding_ball(mesh)
    share = fill * min(width, height) / height
    # The rays that touch the ball leave the axis by an angle whose sine is radius / distance.
    half_angle = math.atan(share * math.tan(math.radians(fov_y) / 2))
    distance = radius / math.sin(half_angle)
    if orthographic:
        fov_y = math.degrees(2 * math.atan(math.sin(half_angle) / share))
    return Camera.orbit(
        distance,
        elevation,
        azimuth,
        fov_y=fov_y,
        width=width,
        height=height,
        target=centre,
        orthographic=orthographic,
        near=float((distance - radius).min()) / 2,
    )


def studio_light(camera: Camera) -> list[Light]:
    """Light of a photographer's studio that moves with the camera.

    Ambient light, a warm key light from above to the left of the camera, a faint cool one from the right,
    and one from behind that separates the outline. A white surface stays just below 1.

    Args:
        camera: one camera or a batch.
    """
    return [
        AmbientLight(camera.intrinsics.new_full((3,), 0.44)),
        _beam(camera, (-0.45, -0.75, -0.8), (0.52, 0.51, 0.48)),
        _beam(camera, (0.9, -0.1, -0.6), (0.13, 0.14, 0.16)),
        _beam(camera, (0.3, -0.6, 0.8), (0.16, 0.16, 0.16)),
    ]


def headlight(camera: Camera) -> list[Light]:
    """White light along the line of sight, and a little from everywhere.

    Args:
        camera: one camera or a batch.
    """
    return [
        AmbientLight(camera.intrinsics.new_full((3,), 0.25)),
        _beam(camera, (0.0, 0.0, -1.0), (0.75, 0.75, 0.75)),
    ]


def resolve_samples(values: Tensor, mask: Tensor, samples: int) -> Tensor:
    """Average blocks of ``samples`` x ``samples`` pixels, edges included.

    Args:
        values: colours, shape (..., samples H, samples W, C).
        mask: where there is a surface, bool, shape (..., samples H, samples W).
        samples: side of a block.

    Returns:
        The mean colour of the covered pixels of each block, not multiplied by alpha and 0 where there are
        none, and alpha, the share of them: shape (..., H, W, C + 1).

    Raises:
        InputError: ``samples`` is not positive, or does not divide the size.
    """
    *batch, height, width, channels = values.shape
    if samples < 1 or height % samples or width % samples:
        raise InputError(f"samples must be at least 1 and divide {width} x {height}, got {samples}")
    premultiplied = torch.cat([torch.where(mask[..., None], values, 0), mask[..., None].to(values.dtype)], -1)
    blocks = premultiplied.reshape(
        *batch, height // samples, samples, width // samples, samples, channels + 1
    )
    mean = blocks.mean((-4, -2))
    alpha = mean[..., -1:]
    return torch.cat([mean[..., :-1] / torch.where(alpha > 0, alpha, 1), alpha], -1)


def render_antialiased(
    mesh: Mesh,
    camera: Camera,
    light: Light | Sequence[Light] | None = None,
    *,
    samples: int = 2,
    **options: Any,
) -> Tensor:
    """Render with smooth edges: ``samples`` x ``samples`` pixels for every one of the picture, averaged.

    Args:
        mesh: what to draw.
        camera: from where, and the size of the picture.
        light: as for :func:`~unrender.render.render`.
        samples: finer pixels along each side of a pixel.
        **options: of :func:`~unrender.render.render`, but for the background.

    Returns:
        Straight (not premultiplied) colour and alpha, shape (..., H, W, C + 1). Unlike the soft silhouette
        ``Picture.alpha``, this alpha is the share of the pixel that the mesh covers. Not clamped. Gradients
        flow to colours and light; the share itself is a count, and has none.

    Raises:
        InputError: ``samples`` is not positive, or what :func:`~unrender.render.render` raises.
    """
    if samples < 1:
        raise InputError(f"samples must be at least 1, got {samples}")
    fine = camera.resized(camera.width * samples, camera.height * samples)
    picture = render(mesh, fine, light, **options)
    return resolve_samples(picture.rgb, picture.mask, samples)


def composite(rgba: Tensor, background: float | Sequence[float] | Tensor) -> Tensor:
    """Lay straight colour and alpha over a background.

    Args:
        rgba: shape (..., H, W, C + 1).
        background: a number, C numbers, or pictures of shape (..., H, W, C).

    Returns:
        Shape (..., H, W, C).
    """
    color, alpha = rgba[..., :-1], rgba[..., -1:]
    return color * alpha + torch.as_tensor(background, dtype=rgba.dtype, device=rgba.device) * (1 - alpha)


def frame_batches(cameras: Camera, *, samples: int) -> list[slice]:
    """Slices of a batch of cameras (N,) that are cheap to draw at once, in order."""
    pixels = cameras.width * cameras.height * samples**2
    step = max(1, PIXELS_AT_ONCE // max(1, pixels))
    return [slice(i, i + step) for i in range(0, cameras.batch_shape[0], step)]


@torch.no_grad()
def turntable(
    mesh: Mesh,
    *,
    frames: int = 60,
    elevation: float = 20.0,
    azimuth: float = 30.0,
    fov_y: float = 35.0,
    width: int = 512,
    height: int = 512,
    fill: float = 0.9,
    orthographic: bool = False,
    light: Light | Sequence[Light] | Callable[[Camera], Sequence[Light]] | None = studio_light,
    samples: int = 2,
    background: float | Sequence[float] | Tensor = 1.0,
    **options: Any,
) -> Tensor:
    """Frames of one full turn around a mesh, which repeat without a seam.

    Args:
        mesh: one mesh.
        frames: number T of pictures.
        elevation: angle above the horizontal plane [degrees].
        azimuth: where the turn starts [degrees].
        fov_y: full vertical angle of view [degrees].
        width: columns of a picture.
        height: rows of a picture.
        fill: see :func:`framing_camera`.
        orthographic: parallel instead of perspective projection.
        light: a function of the cameras, for light that stands by the camera while the mesh turns; or
            lights in the world, which turn with the mesh; or None.
        samples: see :func:`render_antialiased`.
        background: a number, 3 numbers, or a picture of shape (H, W, 3).
        **options: of :func:`~unrender.render.render`.

    Returns:
        Pictures in [0, 1], shape (T, H, W, 3).

    Raises:
        InputError: as :func:`framing_camera` and :func:`render_antialiased`; or ``frames`` is not positive,
            or the mesh is a batch.
    """
    if mesh.batch_shape:
        raise InputError(f"turntable takes one mesh, got a batch of shape {tuple(mesh.batch_shape)}")
    cameras = framing_camera(
        mesh,
        elevation=elevation,
        azimuth=full_turn(frames, start=azimuth),
        fov_y=fov_y,
        width=width,
        height=height,
        fill=fill,
        orthographic=orthographic,
    )
    pictures = []
    for batch in frame_batches(cameras, samples=samples):
        lights = light(cameras[batch]) if callable(light) else light
        rgba = render_antialiased(mesh, cameras[batch], lights, samples=samples, **options)
        pictures.append(composite(rgba, background).clamp(0, 1))
    return torch.cat(pictures)


def full_turn(frames: int, *, start: float = 0.0) -> Tensor:
    """Azimuths of ``frames`` evenly spaced views around an object [degrees], shape (frames,).

    Raises:
        InputError: ``frames`` is not positive.
    """
    if frames < 1:
        raise InputError(f"frames must be at least 1, got {frames}")
    return start + torch.arange(frames) * (360 / frames)


def _beam(
    camera: Camera, towards: tuple[float, float, float], color: tuple[float, float, float]
) -> DirectionalLight:
    """Parallel light that comes from ``towards`` in camera space (x right, y down, z forward)."""
    rotation = camera.world_to_camera[..., :3, :3]
    direction = (rotation.mT @ rotation.new_tensor(towards)[:, None])[..., 0]
    return DirectionalLight(direction=direction, color=rotation.new_tensor(color))
