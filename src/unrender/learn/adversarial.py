"""A critic that tells real pictures from rendered ones: WGAN-GP (Gulrajani et al. 2017)."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import torch
from torch import Tensor, nn

from ..errors import InputError


class Critic(nn.Module):
    """A score a picture, high for real ones: the strided 4 x 4 convolutions of DCGAN (Radford et al. 2016).

    No layer normalises over the batch, because the gradient penalty is one on each picture alone.

    Args:
        size: sides of the pictures [pixels], 4 times a power of two.
        width: channels of the first convolution; each of the others has twice as many as the one before.

    Raises:
        InputError: ``size`` is not 8, 16, 32, ...
    """

    def __init__(self, size: int = 64, *, width: int = 64) -> None:
        super().__init__()
        halvings = (size // 4).bit_length() - 1
        if halvings < 1 or size != 4 * 2**halvings:
            raise InputError(f"size must be 8, 16, 32, 64 or another power of two above, got {size}")
        self.size = size
        channels = [4, *(width * 2**k for k in range(halvings))]
        layers: list[nn.Module] = []
        for before, after in itertools.pairwise(channels):
            layers += [nn.Conv2d(before, after, 4, stride=2, padding=1), nn.LeakyReLU(0.2)]
        self.layers = nn.Sequential(*layers, nn.Flatten(), nn.Linear(16 * channels[-1], 1))

    def forward(self, pictures: Tensor) -> Tensor:
        """Scores of pictures (B, H, W, 4), shape (B,).

        Raises:
            InputError: the pictures have another size.
        """
        if tuple(pictures.shape[1:]) != (self.size, self.size, 4):
            raise InputError(
                f"pictures must have shape (B, {self.size}, {self.size}, 4), got {tuple(pictures.shape)}"
            )
        return self.layers(2 * pictures.permute(0, 3, 1, 2) - 1)[:, 0]


def critic_loss(
    critic: Callable[[Tensor], Tensor],
    real: Tensor,
    fake: Tensor,
    *,
    penalty: float = 10.0,
    generator: torch.Generator | None = None,
) -> dict[str, Tensor]:
    """What the critic minimises: mean D(fake) - mean D(real) + penalty * mean ``(|grad D(x)| - 1)^2``.

    The gradient is taken at x, uniformly at random on the line between a real and a rendered picture.

    Args:
        critic: from pictures (B, H, W, 4) to scores (B,).
        real: pictures, shape (B, H, W, 4).
        fake: rendered pictures, of the same shape; no gradient flows to them.
        penalty: weight of the last term.
        generator: of the places on the lines, on the device of the pictures.

    Returns:
        ``critic``, minus the estimate of the distance between the two kinds of pictures, and ``penalty``,
        with its weight.

    Raises:
        InputError: the shapes differ.
    """
    if real.shape != fake.shape:
        raise InputError(
            f"real and fake must have one shape, got {tuple(real.shape)} and {tuple(fake.shape)}"
        )
    real, fake = real.detach(), fake.detach()
    share = torch.rand(len(real), 1, 1, 1, device=real.device, dtype=real.dtype, generator=generator)
    between = (share * real + (1 - share) * fake).requires_grad_()
    (slope,) = torch.autograd.grad(critic(between).sum(), between, create_graph=True)
    length = (slope.square().sum((1, 2, 3)) + 1e-12).sqrt()  # the root has no gradient at 0
    return {
        "critic": critic(fake).mean() - critic(real).mean(),
        "penalty": penalty * (length - 1).square().mean(),
    }


def adversarial_loss(critic: Callable[[Tensor], Tensor], fake: Tensor) -> Tensor:
    """What the renderer's side minimises: -mean D(fake).

    Args:
        critic: from pictures (B, H, W, 4) to scores (B,); its weights get gradients too, unless they are
            constants.
        fake: rendered pictures, shape (B, H, W, 4).

    Returns:
        Shape ().
    """
    return -critic(fake).mean()
