"""The cameras that Soft Rasterizer and Neural 3D Mesh Renderer share: x right, y up, z into the picture.

The frame is left-handed, so the pictures show a right-handed world mirrored. Our camera of the same picture
is :func:`unrender.render.conventions.from_softras`. Positions on the picture are in [-1, 1], y up, and depth
stays z.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import overload

import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import normalize

from ..errors import InputError
from ..geometry import gather_rows

Numbers = Sequence[float] | NDArray | Tensor


def look_at(vertices: Tensor, eye: Numbers, at: Numbers = (0, 0, 0), up: Numbers = (0, 1, 0)) -> Tensor:
    """Move world points into the frame of a camera at ``eye`` that looks at ``at``.

    Args:
        vertices: shape (B, V, 3).
        eye: where the camera is, shape (3,) or (B, 3).
        at: the point in the centre of the picture, shape (3,) or (B, 3).
        up: direction that appears upward, shape (3,) or (B, 3).

    Returns:
        The points seen from the camera, shape (B, V, 3).

    Raises:
        InputError: a shape is wrong, ``eye`` is ``at``, or ``up`` lies along the line of sight.
    """
    eye = _directions(eye, "eye", vertices)
    sight = _directions(at, "at", vertices) - eye
    return _turn(vertices, eye, sight, _directions(up, "up", vertices), "eye and at must be different points")


def look(vertices: Tensor, eye: Numbers, direction: Numbers = (0, 0, 1), up: Numbers | None = None) -> Tensor:
    """Move world points into the frame of a camera at ``eye`` that looks along ``direction``.

    The originals' default direction is (0, 1, 0), their up as well, which gives no picture; (0, 0, 1) is the
    default of their renderers.

    Args:
        vertices: shape (B, V, 3).
        eye: where the camera is, shape (3,) or (B, 3).
        direction: of any length but 0, shape (3,) or (B, 3).
        up: direction that appears upward, shape (3,) or (B, 3); (0, 1, 0) if None.

    Returns:
        The points seen from the camera, shape (B, V, 3).

    Raises:
        InputError: a shape is wrong, ``direction`` is 0, or ``up`` lies along it.
    """
    eye = _directions(eye, "eye", vertices)
    sight = _directions(direction, "direction", vertices)
    upward = _directions((0, 1, 0) if up is None else up, "up", vertices)
    return _turn(vertices, eye, sight, upward, "direction must not be 0")


def perspective(vertices: Tensor, angle: float | Tensor = 30.0) -> Tensor:
    """Divide x and y by the depth and by the tangent of ``angle``.

    Args:
        vertices: seen from the camera, shape (B, V, 3).
        angle: HALF of the angle of view [degrees], a number or shape (B,).

    Returns:
        Points on the picture and their depth, shape (B, V, 3).

    Raises:
        InputError: ``vertices`` has the wrong shape.
    """
    _require_points(vertices)
    degrees = torch.as_tensor(angle, dtype=vertices.dtype, device=vertices.device)
    width = torch.tan(torch.deg2rad(degrees)).reshape(-1, 1, 1)
    depth = vertices[..., 2:]
    return torch.cat((vertices[..., :2] / depth / width, depth), dim=-1)


def orthogonal(vertices: Tensor, scale: float | Tensor) -> Tensor:
    """Multiply x and y by ``scale``.

    Args:
        vertices: seen from the camera, shape (B, V, 3).
        scale: a number or shape (B,).

    Returns:
        Points on the picture and their depth, shape (B, V, 3).

    Raises:
        InputError: ``vertices`` has the wrong shape.
    """
    _require_points(vertices)
    factor = torch.as_tensor(scale, dtype=vertices.dtype, device=vertices.device).reshape(-1, 1, 1)
    return torch.cat((vertices[..., :2] * factor, vertices[..., 2:]), dim=-1)


def distort(x: Tensor, y: Tensor, dist_coeffs: Tensor) -> tuple[Tensor, Tensor]:
    """Radial and tangential distortion of a lens (Brown 1966), as OpenCV has it.

    Args:
        x: shape (B, V).
        y: shape (B, V).
        dist_coeffs: k1, k2, p1, p2, k3, shape (B, 5) or (5,).

    Returns:
        x and y, distorted, each (B, V).

    Raises:
        InputError: ``dist_coeffs`` has the wrong shape.
    """
    if dist_coeffs.ndim not in (1, 2) or dist_coeffs.shape[-1] != 5:
        raise InputError(f"dist_coeffs must have shape (B, 5), got {tuple(dist_coeffs.shape)}")
    k1, k2, p1, p2, k3 = dist_coeffs.reshape(-1, 5, 1).unbind(dim=1)
    square = x * x + y * y
    radial = 1 + square * (k1 + square * (k2 + square * k3))
    across = 2 * x * y
    return (
        x * radial + p1 * across + p2 * (square + 2 * x * x),
        y * radial + p1 * (square + 2 * y * y) + p2 * across,
    )


@overload
def get_points_from_angles(
    distance: Tensor, elevation: float | Tensor, azimuth: float | Tensor, degrees: bool = True
) -> Tensor: ...


@overload
def get_points_from_angles(
    distance: float, elevation: float | Tensor, azimuth: float | Tensor, degrees: bool = True
) -> tuple[float, float, float]: ...


def get_points_from_angles(
    distance: float | Tensor, elevation: float | Tensor, azimuth: float | Tensor, degrees: bool = True
) -> tuple[float, float, float] | Tensor:
    """The point at a distance from the origin; azimuth 0 is at -z, azimuth 90 at +x, elevation 90 at +y.

    Args:
        distance: a number, or shape (B,).
        elevation: a number, or shape (B,).
        azimuth: a number, or shape (B,).
        degrees: angles are in degrees, else in radians.

    Returns:
        x, y, z; shape (B, 3) if ``distance`` is a tensor.
    """
    unit = math.pi / 180 if degrees else 1.0
    if isinstance(distance, Tensor):
        high, round_ = torch.as_tensor(elevation * unit), torch.as_tensor(azimuth * unit)
        flat = distance * high.cos()
        return torch.stack(
            torch.broadcast_tensors(flat * round_.sin(), distance * high.sin(), -flat * round_.cos()), dim=-1
        )
    high, round_ = float(elevation) * unit, float(azimuth) * unit
    flat = distance * math.cos(high)
    return flat * math.sin(round_), distance * math.sin(high), -flat * math.cos(round_)


def face_vertices(vertices: Tensor, faces: Tensor) -> Tensor:
    """The values at the corners of every face.

    Args:
        vertices: positions or other values of vertices, shape (B, V, C).
        faces: vertex indices, shape (B, F, 3).

    Returns:
        Shape (B, F, 3, C).

    Raises:
        InputError: a shape is wrong.
    """
    if vertices.ndim != 3:
        raise InputError(f"vertices must have shape (B, V, C), got {tuple(vertices.shape)}")
    if faces.ndim != 3 or faces.shape[0] != vertices.shape[0] or faces.shape[2] != 3:
        raise InputError(f"faces must have shape ({vertices.shape[0]}, F, 3), got {tuple(faces.shape)}")
    rows = gather_rows(vertices, faces.flatten(1))
    return rows.reshape(*faces.shape, vertices.shape[2])


def _turn(vertices: Tensor, eye: Tensor, sight: Tensor, up: Tensor, rule: str) -> Tensor:
    """Points (B, V, 3) in the frame at ``eye`` with z along ``sight`` and y as near ``up`` as can be."""
    if not bool((sight != 0).any(dim=-1).all()):
        raise InputError(f"{rule}, got a line of sight of length 0")
    z = normalize(sight, dim=-1)
    sideways = torch.linalg.cross(normalize(up, dim=-1).expand_as(z), z)
    if not bool((torch.linalg.vector_norm(sideways.detach(), dim=-1) > 1e-6).all()):
        raise InputError("up must not lie along the line of sight; give another up direction")
    x = normalize(sideways, dim=-1)
    rotation = torch.stack((x, torch.linalg.cross(z, x), z), dim=-1)
    return (vertices - eye[:, None, :]) @ rotation


def _directions(numbers: Numbers, name: str, vertices: Tensor) -> Tensor:
    """A vector for each item of the batch, shape (1, 3) or (B, 3)."""
    _require_points(vertices)
    vectors = torch.as_tensor(numbers, dtype=vertices.dtype, device=vertices.device)
    batch = vertices.shape[0]
    if vectors.shape not in ((3,), (1, 3), (batch, 3)):
        raise InputError(f"{name} must have shape (3,) or ({batch}, 3), got {tuple(vectors.shape)}")
    return vectors.reshape(-1, 3)


def _require_points(vertices: Tensor) -> None:
    if vertices.ndim != 3 or vertices.shape[2] != 3:
        raise InputError(f"vertices must have shape (B, V, 3), got {tuple(vertices.shape)}")
