"""Fields of occupancy and colour: functions of points."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn.functional import grid_sample

from ..errors import InputError

Field = Callable[[Tensor], tuple[Tensor, Tensor]]
"""From points (..., 3) to logits of occupancy (...), positive inside, and colours in [0, 1] (..., 3)."""


SHARPNESS = 10.0  # logits reach further than Adam, which moves all weights at one pace, takes others


class OccupancyField(nn.Module):
    """The decoder of Differentiable Volumetric Rendering (Niemeyer et al. 2020; ``papers.md`` 2.4).

    A linear layer takes the points, five residual blocks follow, before each of which a linear layer of the
    latent vector is added, and a last layer gives a logit and the logits of a colour. Ours is that the last
    layer's values are multiplied by ten and added to the logit of a ball, so that rays have something to hit.

    Args:
        latent: length of the latent vector; 0 for one object.
        hidden: width of the layers; 512 in the paper, 128 for its model of many objects learned
            from pictures.
        blocks: residual blocks.
        frequencies: octaves of sines and cosines of the coordinates that the first layer takes beside them
            (Mildenhall et al. 2020), so that small networks learn small parts sooner; 0 as published.
        radius: of that ball, which an untrained field is about.

    Raises:
        InputError: ``frequencies`` is negative.
    """

    def __init__(
        self,
        *,
        latent: int = 0,
        hidden: int = 512,
        blocks: int = 5,
        frequencies: int = 0,
        radius: float = 0.3,
    ) -> None:
        super().__init__()
        if frequencies < 0:
            raise InputError(f"frequencies must not be negative, got {frequencies}")
        self.latent, self.frequencies, self.radius = latent, frequencies, radius
        self.points = nn.Linear(3 + 6 * frequencies, hidden)
        self.latents = nn.ModuleList(nn.Linear(latent, hidden) for _ in range(blocks if latent else 0))
        self.blocks = nn.ModuleList(ResidualBlock(hidden) for _ in range(blocks))
        self.last = nn.Linear(hidden, 4)
        nn.init.normal_(self.last.weight, std=1e-3)
        nn.init.zeros_(self.last.bias)

    def forward(
        self, points: Tensor, latent: Tensor | None = None, base: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Logits (..., P) and colours (..., P, 3) of points (..., P, 3).

        Args:
            points: in the object's frame.
            latent: shape (..., C), one for the points of each batch entry; None for a field without latents.
            base: logits of the colours that those of each batch entry vary about, shape (..., 3); those of
                grey when None.

        Raises:
            InputError: a latent vector is missing, or of another length.
        """
        given = 0 if latent is None else latent.shape[-1]
        if given != self.latent:
            raise InputError(f"the latent vector must have length {self.latent}, got {given}")
        values = self.points(torch.cat([points, *self._waves(points)], -1))
        for i, block in enumerate(self.blocks):
            if latent is not None:
                values = values + self.latents[i](latent)[..., None, :]
            values = block(values)
        found = SHARPNESS * self.last(torch.relu(values))
        logits = found[..., 0] + ball_logit(points, self.radius, slope=2.0)
        colors = found[..., 1:] if base is None else found[..., 1:] + base[..., None, :]
        return logits, torch.sigmoid(colors)

    def _waves(self, points: Tensor) -> list[Tensor]:
        """Sines and cosines; the longest have the period 2."""
        angles = [points * (torch.pi * 2**octave) for octave in range(self.frequencies)]
        return [wave(angle) for angle in angles for wave in (torch.sin, torch.cos)]


class ResidualBlock(nn.Module):
    """x + W2 relu(W1 relu(x)), the identity before any training.

    Args:
        width: of both layers.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first = nn.Linear(width, width)
        self.second = nn.Linear(width, width)
        nn.init.zeros_(self.second.weight)

    def forward(self, values: Tensor) -> Tensor:
        """Apply to (..., width)."""
        return values + self.second(torch.relu(self.first(torch.relu(values))))


class GridField(nn.Module):
    """A field of feature grids of several resolutions and a small network: our faster one for one object.

    Grids cover the cube [-half_side, half_side]^3; between their points features are interpolated linearly,
    outside the cube they are those of its border. The idea is that of multi-resolution encodings (Mueller et
    al. 2022), without their hashing, which objects at these resolutions do not need.

    Args:
        resolutions: points along each side of the grids, coarse to fine.
        features: of each grid.
        hidden: width of the network's two layers.
        half_side: of the cube.
        radius: an untrained field is about a ball of this radius.
    """

    def __init__(
        self,
        *,
        resolutions: tuple[int, ...] = (8, 16, 32, 64),
        features: int = 4,
        hidden: int = 64,
        half_side: float = 0.55,
        radius: float = 0.3,
    ) -> None:
        super().__init__()
        self.half_side, self.radius = half_side, radius
        self.grids = nn.ParameterList(
            nn.Parameter(1e-2 * torch.randn(1, features, *(side,) * 3)) for side in resolutions
        )
        self.network = nn.Sequential(
            nn.Linear(features * len(resolutions), hidden),
            nn.ReLU(),
            nn.Linear(hidden, hidden),
            nn.ReLU(),
            nn.Linear(hidden, 4),
        )

    def forward(self, points: Tensor) -> tuple[Tensor, Tensor]:
        """Logits (...) and colours (..., 3) of points (..., 3)."""
        places = (points.reshape(1, -1, 1, 1, 3) / self.half_side).flip(-1)  # axes are indexed by x, y, z
        values = [
            grid_sample(grid, places.to(grid.dtype), padding_mode="border", align_corners=True)[0, :, :, 0, 0]
            for grid in self.grids
        ]
        found = self.network(torch.cat(values).mT).reshape(*points.shape[:-1], 4)
        logits = found[..., 0] + ball_logit(points, self.radius, slope=10.0)
        return logits, torch.sigmoid(found[..., 1:])


def ball_logit(points: Tensor, radius: float, *, slope: float) -> Tensor:
    """The logit of an untrained field at points (..., 3): 0 on a sphere, positive inside."""
    return slope * (radius - torch.linalg.vector_norm(points, dim=-1))
