"""Losses that keep a mesh regular."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ...geometry import EdgeTopology, gather_corners, laplacian_loss

__all__ = ["FlattenLoss", "LaplacianLoss"]


class LaplacianLoss(nn.Module):
    """Squared distance of each vertex from the mean of its neighbours, summed.

    Args:
        vertex: of which only the number counts, shape (V, 3).
        faces: shape (F, 3).
        average: give the mean over the batch instead of one value an item.
    """

    def __init__(self, vertex: Tensor, faces: Tensor, average: bool = False) -> None:
        super().__init__()
        self.average = average
        self.topology = EdgeTopology.from_faces(faces, vertex.shape[0])

    def forward(self, x: Tensor) -> Tensor:
        """The loss of vertices (B, V, 3): shape (B,), or () with ``average``."""
        loss = laplacian_loss(x, self.topology.to(x.device), reduction="sum")
        return loss.mean() if self.average else loss


class FlattenLoss(nn.Module):
    """(cos t + 1)² summed over every two faces that share an edge, t being the angle between them.

    The original's list of edges lacks those between the last and the first corner of all their faces, and
    breaks on open meshes.

    Args:
        faces: shape (F, 3).
        average: give the mean over the batch instead of one value an item.
    """

    def __init__(self, faces: Tensor, average: bool = False) -> None:
        super().__init__()
        self.average = average
        self.topology = EdgeTopology.from_faces(faces, int(faces.max()) + 1)

    def forward(self, vertices: Tensor, eps: float = 1e-6) -> Tensor:
        """The loss of vertices (B, V, 3): shape (B,), or () with ``average``.

        ``eps`` [squared world units] is added to squared lengths and to divisors.
        """
        topology = self.topology.to(vertices.device)
        edges = topology.edges[topology.pair_edges]
        corners = gather_corners(vertices, torch.cat((edges, topology.pair_opposites), dim=-1))
        edge = corners[..., 1:2, :] - corners[..., :1, :]
        side = corners[..., 2:, :] - corners[..., :1, :]
        edge_square, side_square = edge.square().sum(-1), side.square().sum(-1)
        product = (edge * side).sum(-1)
        side_length = (side_square + eps).sqrt()
        cosine = product / ((edge_square + eps).sqrt() * side_length + eps)
        upright = side - edge * (product / (edge_square + eps))[..., None]
        height = side_length * (1 - cosine.square() + eps).sqrt()
        between = (upright[..., 0, :] * upright[..., 1, :]).sum(-1) / (height.prod(-1) + eps)
        loss = (between + 1).square().sum(-1)
        return loss.mean() if self.average else loss
