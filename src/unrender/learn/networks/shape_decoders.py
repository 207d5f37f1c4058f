"""From a vector to a deformed sphere."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ...geometry import Mesh


class BoundedShape(nn.Module):
    """The decoder of N3MR and SoftRas: vertices that never leave the cube, moved in logit space.

    With a template of radius 1/2, each coordinate keeps the sign that it has on the template about a
    predicted centre c: v = relu(s)(1 - c) - relu(-s)(1 + c) + c with s = sigmoid(logit|t| + bias) sign(t), in
    a cube of half side 1 that is then scaled to half side 1/2 (released code, ``papers.md`` 2.1).

    Args:
        features: length of the vector.
        template: a sphere of radius 1.
        hidden: widths of the two linear layers.
    """

    def __init__(self, features: int, template: Mesh, hidden: tuple[int, int] = (1024, 2048)) -> None:
        super().__init__()
        half = template.vertices / 2
        self.register_buffer("template", half, persistent=False)
        self.trunk = nn.Sequential(
            nn.Linear(features, hidden[0]), nn.ReLU(), nn.Linear(hidden[0], hidden[1]), nn.ReLU()
        )
        self.center = nn.Linear(hidden[1], 3)
        self.bias = nn.Linear(hidden[1], template.num_vertices * 3)

    def forward(self, features: Tensor) -> Tensor:
        """Decode (B, features) to vertices (B, V, 3)."""
        assert isinstance(self.template, Tensor)
        hidden = self.trunk(features)
        center = torch.tanh(0.1 * self.center(hidden))[:, None]
        bias = self.bias(hidden).unflatten(-1, (-1, 3))
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
    """

    def __init__(
        self,
        features: int,
        template: Mesh,
        hidden: tuple[int, int] = (1024, 2048),
        *,
        radius: float = 0.35,
        learned_scale: bool = False,
    ) -> None:
        super().__init__()
        self.register_buffer("template", template.vertices * radius, persistent=False)
        self.trunk = nn.Sequential(
            nn.Linear(features, hidden[0]), nn.ReLU(), nn.Linear(hidden[0], hidden[1]), nn.ReLU()
        )
        self.offsets = nn.Linear(hidden[1], template.num_vertices * 3)
        self.log_scale = nn.Linear(hidden[1], 1) if learned_scale else None
        # the first shapes are the template, so that silhouettes overlap and give gradients from the start
        nn.init.normal_(self.offsets.weight, std=1e-3)
        nn.init.zeros_(self.offsets.bias)

    def forward(self, features: Tensor) -> Tensor:
        """Decode (B, features) to vertices (B, V, 3)."""
        assert isinstance(self.template, Tensor)
        hidden = self.trunk(features)
        vertices = self.template + self.offsets(hidden).unflatten(-1, (-1, 3))
        if self.log_scale is not None:
            vertices = vertices * self.log_scale(hidden).exp()[..., None]
        return vertices
