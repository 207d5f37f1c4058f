"""From a vector to where the picture was taken from."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from ...render import Camera
from ..crop import place_camera
from ..data.capture import N3MR_DISTANCE, N3MR_FOV


class ViewDirections(NamedTuple):
    """Scores of the azimuth's bins, places in them in [-1/2, 1/2], and elevations [radians], each (B, n).

    Bin k is centred at azimuth 2 pi k / n.
    """

    scores: Tensor
    places: Tensor
    elevations: Tensor


class CameraHead(nn.Module):
    """Azimuth, as bins with a place in each, and elevation.

    Furniture looks alike from several sides; bins can say so, where a regressed angle would fall between.

    Args:
        features: length of the vector.
        bins: n.
        hidden: width of the layer between.
    """

    def __init__(self, features: int, *, bins: int = 24, hidden: int = 512) -> None:
        super().__init__()
        self.bins = bins
        self.layers = nn.Sequential(nn.Linear(features, hidden), nn.ReLU(), nn.Linear(hidden, 3 * bins))

    def forward(self, features: Tensor) -> ViewDirections:
        """Decode (B, features)."""
        scores, places, elevations = self.layers(features).unflatten(-1, (3, self.bins)).unbind(1)
        return ViewDirections(scores, 0.5 * places.tanh(), math.pi / 2 * elevations.tanh())

    def loss(self, said: ViewDirections, cameras: Camera) -> Tensor:
        """Cross-entropy of the bins, and L1 of place [bins] and elevation [radians] in the right bin.

        Args:
            said: for B pictures.
            cameras: theirs, which look at the object's middle, batch shape (B,).
        """
        azimuth, elevation = view_angles(cameras)
        position = azimuth * (self.bins / (2 * math.pi))
        nearest = position.round()
        right = (nearest.long() % self.bins)[:, None]
        place = said.places.gather(1, right)[:, 0]
        tilt = said.elevations.gather(1, right)[:, 0]
        return (
            functional.cross_entropy(said.scores, right[:, 0])
            + (place - (position - nearest)).abs().mean()
            + (tilt - elevation).abs().mean()
        )

    def best(self, said: ViewDirections, count: int = 1) -> tuple[Tensor, Tensor, Tensor]:
        """The ``count`` likeliest directions: azimuth and elevation [radians] and probability, (B, count)."""
        probability, bins = said.scores.softmax(-1).topk(count, dim=-1)
        azimuth = (bins + said.places.gather(1, bins)) * (2 * math.pi / self.bins)
        return azimuth, said.elevations.gather(1, bins), probability

    def cameras(
        self, features: Tensor, pictures: Tensor, vertices: Tensor, *, count: int
    ) -> tuple[Camera, Tensor]:
        """The likeliest cameras, placed so that shapes fill the pictures as the objects do.

        Args:
            features: of B pictures, (B, F).
            pictures: with alpha, shape (B, H, W, 4).
            vertices: of the shapes, (B, V, 3).
            count: n.

        Returns:
            Cameras of batch shape (B, n), likeliest first, and their probabilities (B, n).
        """
        azimuth, elevation, probability = self.best(self(features), count)
        around = vertices[:, None].expand(-1, count, -1, -1)
        alpha = pictures[:, None, ..., 3].expand(-1, count, -1, -1)
        return place_camera(around, orbit_poses(azimuth, elevation), alpha), probability

    def rotations(self, said: ViewDirections) -> tuple[Tensor, Tensor]:
        """From the frame of each bin's camera to the object's, (B, n, 3, 3), and probabilities (B, n)."""
        bins = torch.arange(self.bins, device=said.scores.device)
        azimuth, elevation = (bins + said.places) * (2 * math.pi / self.bins), said.elevations
        return orbit_poses(azimuth, elevation)[..., :3, :3].mT, said.scores.softmax(-1)


def orbit_poses(azimuth: Tensor, elevation: Tensor) -> Tensor:
    """World to camera of cameras about the origin at the training pictures' distance, shape (..., 4, 4).

    Args:
        azimuth: [radians], shape (...).
        elevation: [radians], shape (...).
    """
    degrees = torch.rad2deg(elevation), torch.rad2deg(azimuth)
    return Camera.orbit(N3MR_DISTANCE, *degrees, fov_y=N3MR_FOV, width=1, height=1).world_to_camera


def view_angles(cameras: Camera) -> tuple[Tensor, Tensor]:
    """Azimuth and elevation [radians] of cameras that look at the origin, as ``Camera.orbit`` has them."""
    x, y, z = functional.normalize(cameras.center, dim=-1).unbind(-1)
    return torch.atan2(x, z), torch.asin(y.clamp(-1, 1))
