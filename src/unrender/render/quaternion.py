"""Rotations as unit quaternions (w, x, y, z)."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import normalize


def rotation_from_quaternion(quaternion: Tensor) -> Tensor:
    """Rotation matrix (..., 3, 3) of a quaternion (w, x, y, z) of any length but 0, shape (..., 4)."""
    w, x, y, z = normalize(quaternion, dim=-1).unbind(dim=-1)
    entries = (
        *(1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)),
        *(2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)),
        *(2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)),
    )
    return torch.stack(entries, dim=-1).unflatten(-1, (3, 3))


def quaternion_from_rotation(rotation: Tensor) -> Tensor:
    """Unit quaternion (w, x, y, z) with w >= 0, shape (..., 4), of a rotation matrix (..., 3, 3)."""
    xx, yy, zz = rotation.diagonal(dim1=-2, dim2=-1).unbind(dim=-1)
    odd, even = rotation - rotation.mT, rotation + rotation.mT
    x, y, z = odd[..., 2, 1], odd[..., 0, 2], odd[..., 1, 0]
    xy, xz, yz = even[..., 0, 1], even[..., 0, 2], even[..., 1, 2]
    # Four multiples of the quaternion; the one with the largest diagonal entry is far from zero.
    entries = (
        *(1 + xx + yy + zz, x, y, z),
        *(x, 1 + xx - yy - zz, xy, xz),
        *(y, xy, 1 - xx + yy - zz, yz),
        *(z, xz, yz, 1 - xx - yy + zz),
    )
    candidates = torch.stack(entries, dim=-1).unflatten(-1, (4, 4))
    best = candidates.diagonal(dim1=-2, dim2=-1).argmax(dim=-1)
    quaternion = normalize(
        torch.take_along_dim(candidates, best[..., None, None], dim=-2).squeeze(-2), dim=-1
    )
    return torch.where(quaternion[..., :1] < 0, -quaternion, quaternion)
