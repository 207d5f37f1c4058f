"""Pictures of a mesh from all around, with the truth beside them: how training sets are made."""

from __future__ import annotations

import dataclasses
import hashlib
from typing import Literal

import torch
from torch import Tensor

from ...errors import InputError
from ...geometry import Mesh, gather_corners, sample_surface, voxelize
from ...render import Camera, render
from ...render.turntable import resolve_samples
from .light_record import LightKind, LightRecord, random_lights
from .object_views import ObjectViews

N3MR_DISTANCE = 2.732  # 1 / tan(30 degrees) + 1, of the data sets of N3MR, SoftRas and DVR
N3MR_FOV = 30.0  # full angle of view [degrees]
N3MR_ELEVATION = 30.0
_OVERHANG = 4  # cells by which solids may reach out of the cube; what is farther is moved there


@dataclasses.dataclass(frozen=True, kw_only=True)
class CaptureOptions:
    """How objects are pictured.

    Attributes:
        size: sides of the pictures [pixels].
        views: pictures of an object.
        cameras: ``n3mr``: elevation 30, azimuths in equal steps, as in the data sets of N3MR, SoftRas and
            DVR. ``random``: azimuth at random, elevation from -10 to 60, both in degrees. Both stand 2.732
            away and see 30 degrees.
        light: kind of light, drawn anew for each picture.
        samples: finer pixels along each side of a pixel.
        voxels: cells along each side of the ground-truth grid.
        points: surface points of the ground truth.
        seed: of cameras, lights and points; each object mixes its name into it.

    Raises:
        InputError: a number is not positive.
    """

    size: int = 64
    views: int = 24
    cameras: Literal["n3mr", "random"] = "n3mr"
    light: LightKind = "harmonics"
    samples: int = 2
    voxels: int = 32
    points: int = 100_000
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("size", "views", "samples", "voxels", "points"):
            if getattr(self, name) < 1:
                raise InputError(f"{name} must be at least 1, got {getattr(self, name)}")


def capture(mesh: Mesh, name: str, category: str, options: CaptureOptions) -> ObjectViews:
    """Picture one object.

    Args:
        mesh: one mesh in any units and place, +Y up, front +Z; moved to the cube of :class:`ObjectViews`.
        name: names the object; with ``options.seed`` it decides all that is random.
        category: the object's class.
        options: how.

    Raises:
        InputError: the mesh has no face with area, or a vertex that is not finite.
    """
    digest = hashlib.sha256(f"{options.seed}/{category}/{name}".encode()).digest()
    generator = torch.Generator().manual_seed(int.from_bytes(digest[:7], "little"))
    mesh = to_unit_cube(mesh)
    if options.cameras == "n3mr":
        cameras = n3mr_cameras(options.views, options.size)
    else:
        cameras = random_cameras(options.views, options.size, generator)
    lights = random_lights(options.light, options.views, generator)
    pictures, depth, normals = _picture(mesh, cameras, lights, options.samples)
    points = sample_surface(mesh, options.points, with_normals=True, generator=generator)
    return ObjectViews(
        name,
        category,
        pictures,
        cameras,
        lights,
        depth,
        normals,
        object_voxels(mesh, options.voxels),
        points.points,
        points.normals,
    )


def to_unit_cube(mesh: Mesh) -> Mesh:
    """Move and scale a mesh so that its bounding box is centred and its longest side is 1.

    Raises:
        InputError: a vertex is not finite, or all are in one place.
    """
    used = mesh.vertices[..., mesh.faces.reshape(-1), :]
    low, high = used.amin(-2), used.amax(-2)
    side = (high - low).amax(-1)
    if not bool((torch.isfinite(side) & (side > 0)).all()):
        raise InputError("the mesh must have finite vertices that are not all in one place")
    middle = (low + high) / 2
    vertices = (mesh.vertices - middle[..., None, :]) / side[..., None, None]
    return mesh.replace(vertices=vertices)


def n3mr_cameras(views: int, size: int) -> Camera:
    """The cameras of N3MR's data: view i at elevation 30 and azimuth -360 i / V degrees, batch shape (V,)."""
    azimuth = -torch.arange(views) * (360.0 / views)
    return Camera.orbit(
        N3MR_DISTANCE, N3MR_ELEVATION, azimuth, fov_y=N3MR_FOV, width=size, height=size, near=0.1
    )


def random_cameras(views: int, size: int, generator: torch.Generator) -> Camera:
    """Cameras at N3MR's distance: azimuth uniform, elevation uniform in [-10, 60] degrees, shape (V,)."""
    azimuth, elevation = torch.rand(2, views, generator=generator)
    return Camera.orbit(
        N3MR_DISTANCE,
        70 * elevation - 10,
        360 * azimuth,
        fov_y=N3MR_FOV,
        width=size,
        height=size,
        near=0.1,
    )


def object_voxels(mesh: Mesh, size: int) -> Tensor:
    """The part of a mesh's solid that is in the unit cube, by the N3MR protocol, bool, shape (..., S, S, S).

    Predictions may reach out of the cube. Cut off there, they would be open, and empty for a protocol that
    fills what cannot be reached from outside; so the grid is wider than the cube until they are filled.
    """
    corners = gather_corners(mesh.vertices * ((size - 1) / size) + 0.5, mesh.faces)
    if bool(((corners >= 0) & (corners <= 1)).all()):
        return voxelize(corners, size)
    wide = size + 2 * _OVERHANG
    corners = ((corners * size + _OVERHANG) / wide).clamp(0.5 / wide, 1 - 0.5 / wide)
    inner = slice(_OVERHANG, -_OVERHANG)
    return voxelize(corners, wide)[..., inner, inner, inner]


def _picture(mesh: Mesh, cameras: Camera, lights: LightRecord, samples: int) -> tuple[Tensor, Tensor, Tensor]:
    """RGBA as bytes (V, H, W, 4), depth (V, H, W) and world normals (V, H, W, 3)."""
    fine = cameras.resized(cameras.width * samples, cameras.height * samples)
    with torch.no_grad():
        picture = render(mesh, fine, lights.lights(), material=lights.material())
        rgba = resolve_samples(picture.rgb.clamp(0, 1), picture.mask, samples)
        # depth and normals of the pixel's sample that is nearest to the camera
        depth = _blocks(picture.depth[..., None], samples)
        nearest = torch.where(depth > 0, depth, torch.inf).argmin(-2, keepdim=True)
        normals = _blocks(picture.world_normals, samples).take_along_dim(nearest, -2)[..., 0, :]
        depth = depth.take_along_dim(nearest, -2)[..., 0, 0]
    pictures = (rgba * 255).round().clamp(0, 255).to(torch.uint8)
    pictures = pictures * (pictures[..., 3:] > 0)
    return pictures, depth, normals


def _blocks(values: Tensor, samples: int) -> Tensor:
    """The samples of each pixel side by side: (V, s H, s W, C) to (V, H, W, s s, C)."""
    views, height, width, channels = values.shape
    rows, columns = height // samples, width // samples
    values = values.reshape(views, rows, samples, columns, samples, channels)
    return values.permute(0, 1, 3, 2, 4, 5).reshape(views, rows, columns, samples**2, channels)
