"""Fields whose surfaces are known in closed form."""

import torch
from torch import Tensor


class Ball:
    """A ball about ``center``; colours are those of the place."""

    def __init__(self, radius: Tensor | float = 0.4, center: Tensor | None = None) -> None:
        self.radius, self.center, self.asked = radius, center, 0

    def __call__(self, points: Tensor) -> tuple[Tensor, Tensor]:
        self.asked += points.shape[:-1].numel()
        center = torch.zeros(3, dtype=points.dtype) if self.center is None else self.center
        logit = 10 * (self.radius - torch.linalg.vector_norm(points - center, dim=-1))
        return logit, (points + 1) / 2


def constant(value: float):
    """A field that is the same everywhere."""
    return lambda points: (torch.full(points.shape[:-1], value, dtype=points.dtype), torch.zeros_like(points))


def shells(points: Tensor) -> tuple[Tensor, Tensor]:
    """A small ball in a hollow one, each with a wall: rays meet several surfaces."""
    length = torch.linalg.vector_norm(points, dim=-1)
    wall = 0.04 - (length - 0.42).abs()
    core = 0.2 - length
    return 20 * torch.maximum(wall, core), torch.zeros_like(points)
