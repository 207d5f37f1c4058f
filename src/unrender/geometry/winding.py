"""Inside or outside: the winding number of a mesh about a point."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from .corners import gather_corners


def winding_number(points: Tensor, vertices: Tensor, faces: Tensor) -> Tensor:
    """How often a mesh winds about each point: 1 inside a closed mesh, 0 outside (Jacobson et al. 2013).

    The sum over the faces of the signed solid angle (Van Oosterom and Strackee 1983), over 4 pi. Memory is
    P times F.

    Args:
        points: shape (P, 3).
        vertices: shape (V, 3).
        faces: counter-clockwise from outside, shape (F, 3).

    Returns:
        Shape (P,); fractions near the holes of an open mesh.
    """
    a, b, c = (gather_corners(vertices, faces)[None] - points[:, None, None]).unbind(-2)
    la, lb, lc = (torch.linalg.vector_norm(v, dim=-1) for v in (a, b, c))
    numerator = (a * torch.linalg.cross(b, c)).sum(-1)
    denominator = la * lb * lc + (a * b).sum(-1) * lc + (b * c).sum(-1) * la + (c * a).sum(-1) * lb
    return torch.atan2(numerator, denominator).sum(-1) / (2 * math.pi)
