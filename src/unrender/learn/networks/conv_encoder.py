"""The convolutional encoder of N3MR, which SoftRas and DIB-R took over."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from ...errors import InputError


class ConvEncoder(nn.Module):
    """A picture becomes a vector: strided 5 x 5 convolutions, then three linear layers.

    N3MR (Kato et al. 2018) has no batch normalisation; SoftRas and DIB-R have it after each convolution.

    Args:
        channels: of the convolutions, each of which halves the picture.
        hidden: width of the linear layers.
        features: length of the vector.
        size: sides of the pictures [pixels], a multiple of 2^len(channels).
        batch_norm: whether to normalise after each convolution.

    Raises:
        InputError: the convolutions do not divide the picture.
    """

    def __init__(
        self,
        *,
        channels: Sequence[int] = (64, 128, 256),
        hidden: int = 1024,
        features: int = 512,
        size: int = 64,
        batch_norm: bool = True,
    ) -> None:
        super().__init__()
        if size % 2 ** len(channels):
            raise InputError(f"size must be a multiple of {2 ** len(channels)}, got {size}")
        self.size = size
        layers: list[nn.Module] = []
        for before, after in zip((4, *channels), channels, strict=False):
            layers.append(nn.Conv2d(before, after, 5, stride=2, padding=2, bias=not batch_norm))
            if batch_norm:
                layers.append(nn.BatchNorm2d(after))
            layers.append(nn.ReLU())
        self.convolutions = nn.Sequential(*layers)
        flat = channels[-1] * (size // 2 ** len(channels)) ** 2
        self.linear = nn.Sequential(
            nn.Linear(flat, hidden),
            nn.ReLU(),
            nn.Linear(hidden, hidden),
            nn.ReLU(),
            nn.Linear(hidden, features),
            nn.ReLU(),
        )

    def forward(self, pictures: Tensor) -> Tensor:
        """Encode.

        Args:
            pictures: shape (B, H, W, 4).

        Returns:
            Shape (B, features).

        Raises:
            InputError: the pictures have another size.
        """
        if tuple(pictures.shape[1:]) != (self.size, self.size, 4):
            raise InputError(
                f"pictures must have shape (B, {self.size}, {self.size}, 4), got {tuple(pictures.shape)}"
            )
        maps = self.convolutions(pictures.permute(0, 3, 1, 2).contiguous(memory_format=torch.channels_last))
        return self.linear(maps.flatten(1))
