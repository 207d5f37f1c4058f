"""How far rotations are apart, and which rotations leave an object as it is."""

from __future__ import annotations

import itertools

import torch
from torch import Tensor
from torch.nn.functional import normalize

from ..geometry import Mesh, sample_surface
from ..render.quaternion import rotation_from_quaternion
from ..render.texture import sample_texture
from ..render.turntable import bounding_ball

_STEP = 5  # degrees
_MOVED, _FIXED = 500, 100_000  # points; so dense that their gaps are well below the tolerance


def rotation_error(first: Tensor, second: Tensor) -> Tensor:
    """Angle of the rotation that leads from one rotation to another [degrees], shape (...).

    Args:
        first: shape (..., 3, 3).
        second: shape (..., 3, 3).
    """
    # |A - B|^2 = 8 sin^2(angle / 2), which small angles do not flatten as they do the trace
    half = (first - second).square().sum((-2, -1)).div(8).sqrt().clamp(max=1)
    return torch.rad2deg(2 * torch.asin(half))


def symmetry_rotations(
    mesh: Mesh, *, color: bool = True, tolerance: float = 0.01, color_tolerance: float = 0.05
) -> Tensor:
    """Rotations about the middle of the bounding box that leave an object as it is, or nearly.

    Tried are turns about the three axes by multiples of 5 degrees, those about +Y also upside down, and the
    24 rotations of a cube. One is a symmetry if 95 % of points on the turned surface lie within ``tolerance``
    of the surface as it was, and their colours differ by no more than ``color_tolerance`` on average from
    those of the nearest points there.

    Args:
        mesh: without batch dimensions.
        color: compare colours too, if the mesh has a texture or vertex colours.
        tolerance: share of the object's diameter.
        color_tolerance: mean absolute difference.

    Returns:
        The symmetries, the identity first, shape (K, 3, 3).

    Raises:
        ImportError: SciPy is not installed.
    """
    try:
        from scipy.spatial import KDTree
    except ImportError as error:
        raise ImportError("measuring symmetry needs SciPy: pip install 'unrender[mesh]'") from error
    middle, radius = bounding_ball(mesh)
    generator = torch.Generator(mesh.device).manual_seed(0)
    samples = sample_surface(mesh, _FIXED, generator=generator)
    points = ((samples.points - middle) / radius).cpu()
    colors = None
    if color and mesh.vertex_colors is not None:
        colors = samples.interpolate(mesh.vertex_colors, mesh.faces).cpu()
    elif color and mesh.texture is not None and mesh.uvs is not None and mesh.uv_faces is not None:
        uv = samples.interpolate(mesh.uvs, mesh.uv_faces)
        colors = sample_texture(mesh.texture, uv[None])[0].cpu()
    tree = KDTree(points.numpy())
    found = []
    for rotation in _candidates().to(points.dtype):
        distance, nearest = tree.query((points[:_MOVED] @ rotation.T).numpy())
        if float(torch.as_tensor(distance).quantile(0.95)) > 2 * tolerance:
            continue
        if colors is None or float((colors[nearest] - colors[:_MOVED]).abs().mean()) <= color_tolerance:
            found.append(rotation)
    return torch.stack(found).to(mesh.device)


def _candidates() -> Tensor:
    """Rotations that may be symmetries of an object that stands upright, shape (K, 3, 3)."""
    half = torch.deg2rad(torch.arange(0, 360, _STEP, dtype=torch.float64)) / 2
    zero = torch.zeros_like(half)
    about_x = torch.stack([half.cos(), half.sin(), zero, zero], -1)
    about_y = torch.stack([half.cos(), zero, half.sin(), zero], -1)
    about_z = torch.stack([half.cos(), zero, zero, half.sin()], -1)
    over = torch.stack([zero, half.cos(), zero, half.sin()], -1)  # half a turn about an axis across +Y
    cube = [
        torch.tensor(q)
        for q in itertools.product((-1.0, 0.0, 1.0), repeat=4)
        if sum(map(abs, q)) in (1, 2, 4)
    ]
    quaternions = torch.cat([about_y, about_x, about_z, over, torch.stack(cube).double()])
    rotations = rotation_from_quaternion(normalize(quaternions, dim=-1))
    same = rotation_error(rotations[:, None], rotations) < _STEP / 2
    return rotations[same.int().argmax(1) == torch.arange(len(rotations))]
