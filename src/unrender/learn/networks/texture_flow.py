"""Textures that are looked up in the picture: where in it each point of the surface is seen."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from ...geometry import Mesh, gather_corners, spherical_uvs
from ...render import Camera, render
from ..losses import mirror_partners
from .texture_decoders import UVMapDecoder, mean_color

NEAR = 0.04  # a texel is seen if nothing is so much nearer [object's units]; objects are about 1 long


class TextureFlow(nn.Module):
    """A texture copied from the picture where the network can tell where to look, and decoded elsewhere.

    A decoder gives, for each texel, a place in the picture (the texture flow of Kanazawa et al. 2018), a
    factor that takes the light off what is found there, a colour of its own, and how much it trusts each.

    Args:
        features: length of the vector.
        height: see :class:`~unrender.learn.networks.texture_decoders.UVMapDecoder`.
        channels: see there.
    """

    def __init__(self, features: int, *, height: int = 64, channels: int = 8) -> None:
        super().__init__()
        self.maps = UVMapDecoder(features, 9, height=height, channels=channels)

    def forward(self, features: Tensor, pictures: Tensor) -> tuple[Tensor, Tensor]:
        """Textures and where they come from.

        Args:
            features: shape (B, F).
            pictures: colours multiplied by alpha, and alpha, shape (B, H, W, 4).

        Returns:
            Textures (B, height, 2 height, 3) in [0, 1], and places (B, height, 2 height, 2), x right and y
            down, the picture being [-1, 1] x [-1, 1].
        """
        own, factor, places, trust = self.maps(features).split((3, 3, 2, 1), -1)
        found = functional.grid_sample(pictures.permute(0, 3, 1, 2), places.to(pictures), align_corners=False)
        found = found.permute(0, 2, 3, 1)
        alpha = found[..., 3:]
        copied = (found[..., :3] / alpha.clamp(min=0.05) * factor.exp()).clamp(0, 1)
        base = torch.logit(mean_color(pictures).clamp(0.02, 0.98))[:, None, None]
        share = torch.sigmoid(trust) * alpha
        return share * copied + (1 - share) * torch.sigmoid(own + base), places


class SeenTexels(nn.Module):
    """Which texels of a deformed sphere a camera sees, and where: what texture flow is taught.

    Args:
        template: that is deformed, round the origin.
        height: rows of the texture, which has twice as many columns.
    """

    def __init__(self, template: Mesh, height: int) -> None:
        super().__init__()
        corners, weights = texel_corners(template, height)
        self.register_buffer("corners", corners, persistent=False)
        self.register_buffer("weights", weights, persistent=False)
        self.turn = mirrored_turn(template)

    def forward(self, vertices: Tensor, faces: Tensor, cameras: Camera) -> tuple[Tensor, Tensor]:
        """Places of texels in pictures.

        A texel that the camera does not see takes the place of its mirror image across x = 0, if that is
        seen: most things are symmetric.

        Args:
            vertices: of B meshes, shape (B, P, 3); no gradient comes back to them.
            faces: shape (F, 3).
            cameras: batch shape (B,).

        Returns:
            Places as of :class:`TextureFlow`, and which are known, bool, (B, height, 2 height).
        """
        assert isinstance(self.corners, Tensor)
        assert isinstance(self.weights, Tensor)
        with torch.no_grad():
            depth = render(Mesh(vertices, faces), cameras).depth
            rows, columns = self.weights.shape[:2]
            texels = (vertices[:, self.corners] * self.weights[..., None]).sum(-2)
            spots = cameras.project(texels.flatten(1, 2))
            size = spots.new_tensor([cameras.width, cameras.height])
            places = (2 * spots[..., :2] / size - 1).unflatten(1, (rows, columns))
            there = functional.grid_sample(depth[:, None], places, mode="nearest", align_corners=False)
            nearest = there[:, 0]
            ahead = spots[..., 2].unflatten(1, (rows, columns)) - nearest
            seen = (nearest > 0) & (ahead < NEAR) & (places.abs() <= 1).all(-1)
            shift = round(self.turn * columns)
            other_places, other_seen = (value.flip(2).roll(shift, 2) for value in (places, seen))
            places = torch.where(seen[..., None], places, other_places)
        return places, seen | other_seen


def flow_loss(places: Tensor, target: Tensor, known: Tensor) -> Tensor:
    """Mean distance, over the known texels of each picture, of where a texel is looked up and should be.

    Args:
        places: shape (B, H, W, 2).
        target: of the same shape.
        known: bool, shape (B, H, W).

    Returns:
        Shape (B,); 0 where nothing is known.
    """
    apart = (places - target).square().sum(-1).add(1e-6).sqrt()
    return (apart * known).sum((1, 2)) / known.sum((1, 2)).clamp(min=1)


def texel_corners(template: Mesh, height: int) -> tuple[Tensor, Tensor]:
    """The vertices round each texel of a spherical texture, and their weights.

    Args:
        template: round the origin; its texture is that of :func:`~unrender.geometry.spherical_uvs`.
        height: rows of the texture, which has twice as many columns.

    Returns:
        Indices and weights, both of shape (height, 2 height, 3).
    """
    azimuth = torch.pi * ((torch.arange(2 * height) + 0.5) / height - 1)
    inverse = torch.linalg.inv(gather_corners(template.vertices.double(), template.faces))
    corners, weights = [], []
    for row in range(height):
        elevation = torch.tensor(torch.pi * (0.5 - (row + 0.5) / height))
        across, up = elevation.cos(), elevation.sin().expand_as(azimuth)
        toward = torch.stack([across * azimuth.sin(), up, across * azimuth.cos()], -1).double()
        inside = torch.einsum("td,fdk->tfk", toward, inverse)  # toward is the sum of inside_k corner_k
        face = inside.amin(-1).argmax(-1)
        chosen = inside[torch.arange(len(face)), face].clamp(min=0)
        corners.append(template.faces[face])
        weights.append(chosen / chosen.sum(-1, keepdim=True))
    return torch.stack(corners), torch.stack(weights).to(template.dtype)


def mirrored_turn(template: Mesh) -> float:
    """How far, in u, a texture mirrored across x = 0 is turned after its columns were reversed: 0 or 1/2.

    Args:
        template: round the origin.
    """
    mesh = spherical_uvs(template)
    assert mesh.uvs is not None
    assert mesh.uv_faces is not None
    u = torch.full((mesh.num_vertices,), torch.nan)
    u[mesh.faces.reshape(-1)] = mesh.uvs[mesh.uv_faces.reshape(-1), 0]
    away = mesh.vertices[:, 1].abs() < 0.9 * mesh.vertices.abs().max()  # from the poles
    total = (u + u[mirror_partners(mesh.vertices)])[away] % 1.0  # reversed columns are 1 - u
    angle = 2 * torch.pi * total
    turn = torch.atan2(angle.sin().mean(), angle.cos().mean()) / (2 * torch.pi)
    return float(turn % 1.0)
