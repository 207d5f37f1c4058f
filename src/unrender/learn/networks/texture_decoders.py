"""From a vector to the colours of a sphere's surface."""

from __future__ import annotations

import itertools

import torch
from torch import Tensor, nn
from torch.nn import functional

from ...errors import InputError


class UVMapDecoder(nn.Module):
    """An up-convolutional decoder to maps over the UVs of a sphere, twice as wide as high (DIB-R).

    The left and right borders of the picture meet on the sphere, so convolutions wrap round in u; in v they
    repeat the border. Each layer works on the coarse picture and unfolds channels to finer pixels (Shi et al.
    2016), which costs a quarter of the same layer after enlarging.

    Args:
        features: length of the vector.
        maps: channels that come out.
        height: rows of the maps, 4 times a power of two.
        channels: of the finest layer; each coarser layer has twice as many, up to 128.

    Raises:
        InputError: ``height`` is another number.
    """

    def __init__(self, features: int, maps: int, *, height: int = 64, channels: int = 8) -> None:
        super().__init__()
        steps = (height // 4).bit_length() - 1
        if height != 4 * 2**steps:
            raise InputError(f"height must be 4 times a power of two, got {height}")
        widths = [min(128, channels * 2**k) for k in range(steps, -1, -1)]
        self.start = nn.Linear(features, widths[0] * 4 * 8)
        self.width = widths[0]
        self.layers = nn.ModuleList(
            nn.Conv2d(before, 4 * after, 3) for before, after in itertools.pairwise(widths)
        )
        self.last = nn.Conv2d(widths[-1], maps, 3)

    def forward(self, features: Tensor) -> Tensor:
        """Decode features (B, F) to maps (B, height, 2 height, maps)."""
        maps = functional.relu(self.start(features)).unflatten(-1, (self.width, 4, 8))
        for layer in self.layers:
            maps = functional.relu(functional.pixel_shuffle(layer(_pad_sphere(maps)), 2))
        return self.last(_pad_sphere(maps)).permute(0, 2, 3, 1)


class UVTextureDecoder(nn.Module):
    """Textures of a sphere, decoded (DIB-R).

    Args:
        features: length of the vector.
        height: see :class:`UVMapDecoder`.
        channels: see :class:`UVMapDecoder`.
    """

    def __init__(self, features: int, *, height: int = 64, channels: int = 8) -> None:
        super().__init__()
        self.maps = UVMapDecoder(features, 3, height=height, channels=channels)

    def forward(self, features: Tensor, base: Tensor) -> Tensor:
        """Decode features (B, F) to textures (B, height, 2 height, 3) in (0, 1).

        Args:
            features: what varies over the surface.
            base: colours in [0, 1] that it varies about, shape (B, 3).
        """
        return torch.sigmoid(self.maps(features) + color_logits(base)[:, None, None])


class VertexColorDecoder(nn.Module):
    """A linear decoder to a colour a vertex (DIB-R's released code).

    Args:
        features: length of the vector.
        vertices: V.
        hidden: width of the linear layer before.
    """

    def __init__(self, features: int, vertices: int, hidden: int = 1024) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(features, hidden), nn.ReLU(), nn.Linear(hidden, vertices * 3))

    def forward(self, features: Tensor, base: Tensor) -> Tensor:
        """Decode (B, features) to colours (B, V, 3) in (0, 1) about base colours (B, 3)."""
        return torch.sigmoid(self.layers(features).unflatten(-1, (-1, 3)) + color_logits(base)[:, None])


class PaletteDecoder(nn.Module):
    """SoftRas's colours: a palette picked from the picture, mixed at each texel of each face.

    A sampling network weighs the picture's pixels for each colour of the palette; a selection network weighs
    the palette for each texel (Liu et al. 2019, 4.1). Its last layer is factored into a code a texel, the
    same for all pictures, and one a colour, from the picture: its plain form would have half a billion
    weights.

    Args:
        features: length of the vector.
        faces: F.
        texels: R, of a grid of R x R texels a face.
        colors: of the palette.
        samples: the picture is reduced to this many pixels a side for the palette.
        code: length of the codes of texels.
    """

    def __init__(
        self,
        features: int,
        faces: int,
        *,
        texels: int = 2,
        colors: int = 16,
        samples: int = 16,
        code: int = 64,
    ) -> None:
        super().__init__()
        self.texels, self.colors, self.samples = texels, colors, samples
        self.sampling = nn.Linear(features, colors * samples**2)
        self.selection = nn.Linear(features, colors * code)
        self.codes = nn.Parameter(torch.randn(faces * texels**2, code) / code**0.5)

    def forward(self, features: Tensor, pictures: Tensor) -> Tensor:
        """Decode to face textures.

        Args:
            features: shape (B, features).
            pictures: colours multiplied by alpha, and alpha, shape (B, H, W, 4).

        Returns:
            Shape (B, F, R, R, 3).
        """
        small = functional.interpolate(
            pictures.permute(0, 3, 1, 2), size=(self.samples, self.samples), mode="area"
        ).flatten(2)
        alpha = small[:, 3]
        weights = self.sampling(features).unflatten(-1, (self.colors, -1))
        # pixels count by how much of the object they show
        weights = (weights + alpha[:, None].clamp(min=1e-6).log()).softmax(-1)
        straight = small[:, :3] / alpha[:, None].clamp(min=1e-6)
        palette = weights @ straight.mT
        chosen = (self.codes @ self.selection(features).unflatten(-1, (-1, self.colors))).softmax(-1)
        return (chosen @ palette).unflatten(1, (-1, self.texels, self.texels))


def mean_color(pictures: Tensor) -> Tensor:
    """Mean colours of the objects in pictures (B, H, W, 4), colours multiplied by alpha: shape (B, 3)."""
    total = pictures.sum((1, 2))
    return total[:, :3] / total[:, 3:].clamp(min=1e-6)


def color_logits(colors: Tensor) -> Tensor:
    """Logits of colours in [0, 1], kept finite."""
    return torch.logit(colors.clamp(0.02, 0.98))


def _pad_sphere(maps: Tensor) -> Tensor:
    """One more row and column on each side of (B, C, H, W): round the sphere in u, repeated in v."""
    maps = functional.pad(maps, (1, 1, 0, 0), mode="circular")
    return functional.pad(maps, (0, 0, 1, 1), mode="replicate")
