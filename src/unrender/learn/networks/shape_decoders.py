"""From a vector to a deformed sphere."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ...geometry import EdgeTopology, Mesh


class VertexField(nn.Module):
    """A linear layer to a vector a vertex, whose rows may share what they learn with their neighbours.

    Silhouettes and colours say something of few vertices at a time. With ``smoothness`` a, what the layer
    says is multiplied by the inverse of I + L / a, L being the Laplacian of the template, scaled so that on a
    sphere a pattern of degree l comes out (1 + 6 / a) / (1 + l (l + 1) / a) times as large: large patterns
    move more, small ones less, and nothing is lost. The idea is that of Nicolet et al. 2021, by which ``fit``
    moves vertices.

    Args:
        inputs: length of the vectors before.
        template: V vertices.
        smoothness: a; 0 for a plain layer.
    """

    def __init__(self, inputs: int, template: Mesh, smoothness: float) -> None:
        super().__init__()
        self.linear = nn.Linear(inputs, template.num_vertices * 3)
        spread = spread_matrix(template, smoothness) if smoothness else None
        self.register_buffer("spread", spread, persistent=False)

    def forward(self, values: Tensor) -> Tensor:
        """From (B, inputs) to (B, V, 3)."""
        vectors = self.linear(values).unflatten(-1, (-1, 3))
        return vectors if self.spread is None else self.spread.to(vectors.dtype) @ vectors


def spread_matrix(template: Mesh, smoothness: float) -> Tensor:
    """The matrix of :class:`VertexField`, shape (V, V)."""
    count = template.num_vertices
    first, second = EdgeTopology.from_faces(template.faces, count).edges.unbind(-1)
    adjacency = torch.zeros(count, count, dtype=torch.float64)
    adjacency[first, second] = adjacency[second, first] = 1
    laplacian = torch.diag(adjacency.sum(-1)) - adjacency
    scaled = laplacian * (2 / torch.linalg.eigvalsh(laplacian)[1])  # patterns of degree 1 get 2
    identity = torch.eye(count, dtype=scaled.dtype)
    return ((1 + 6 / smoothness) * torch.linalg.inv(identity + scaled / smoothness)).to(torch.float32)


class BoundedShape(nn.Module):
    """The decoder of N3MR and SoftRas: vertices that never leave the cube, moved in logit space.

    With a template of radius 1/2, each coordinate keeps the sign that it has on the template about a
    predicted centre c: v = relu(s)(1 - c) - relu(-s)(1 + c) + c with s = sigmoid(logit|t| + bias) sign(t), in
    a cube of half side 1 that is then scaled to half side 1/2 (released code, ``papers.md`` 2.1).

    Args:
        features: length of the vector.
        template: a sphere of radius 1.
        hidden: widths of the two linear layers.
        smoothness: of the last layer (:class:`VertexField`).
    """

    def __init__(
        self,
        features: int,
        template: Mesh,
        hidden: tuple[int, int] = (1024, 2048),
        *,
        smoothness: float = 0.0,
    ) -> None:
        super().__init__()
        half = template.vertices / 2
        self.register_buffer("template", half, persistent=False)
        self.trunk = nn.Sequential(
            nn.Linear(features, hidden[0]), nn.ReLU(), nn.Linear(hidden[0], hidden[1]), nn.ReLU()
        )
        self.center = nn.Linear(hidden[1], 3)
        self.bias = VertexField(hidden[1], template, smoothness)

    def forward(self, features: Tensor) -> Tensor:
        """Decode (B, features) to vertices (B, V, 3)."""
        assert isinstance(self.template, Tensor)
        hidden = self.trunk(features)
        center = torch.tanh(0.1 * self.center(hidden))[:, None]
        bias = self.bias(hidden)
        size = self.template.abs().clamp(1e-6, 1 - 1e-6)
        moved = torch.sigmoid(torch.logit(size) + bias) * self.template.sign()
        return (moved.relu() * (1 - center) - (-moved).relu() * (1 + center) + center) / 2


class OffsetShape(nn.Module):
    """The decoder of DIB-R: a template plus predicted offsets, and a scale if asked for.

    Args:
        features: length of the vector.
        template: a sphere of radius 1.
        hidden: widths of the two linear layers.
        radius: of the template that the offsets are added to.
        learned_scale: predict one factor for the whole shape too.
        smoothness: of the last layer (:class:`VertexField`).
    """

    def __init__(
        self,
        features: int,
        template: Mesh,
        hidden: tuple[int, int] = (1024, 2048),
        *,
        radius: float = 0.35,
        learned_scale: bool = False,
        smoothness: float = 0.0,
    ) -> None:
        super().__init__()
        self.register_buffer("template", template.vertices * radius, persistent=False)
        self.trunk = nn.Sequential(
            nn.Linear(features, hidden[0]), nn.ReLU(), nn.Linear(hidden[0], hidden[1]), nn.ReLU()
        )
        self.offsets = VertexField(hidden[1], template, smoothness)
        self.log_scale = nn.Linear(hidden[1], 1) if learned_scale else None
        # the first shapes are the template, so that silhouettes overlap and give gradients from the start
        nn.init.normal_(self.offsets.linear.weight, std=1e-3)
        nn.init.zeros_(self.offsets.linear.bias)

    def forward(self, features: Tensor) -> Tensor:
        """Decode (B, features) to vertices (B, V, 3)."""
        assert isinstance(self.template, Tensor)
        hidden = self.trunk(features)
        vertices = self.template + self.offsets(hidden)
        if self.log_scale is not None:
            vertices = vertices * self.log_scale(hidden).exp()[..., None]
        return vertices
