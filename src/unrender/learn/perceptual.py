"""How differently two pictures strike a trained network (Zhang et al. 2018)."""

from __future__ import annotations

import copy
import os

import torch
from torch import Tensor, nn

from ..errors import InputError
from .networks.conv_encoder import ConvEncoder
from .networks.resnet import ResNet


class PerceptualDistance(nn.Module):
    """Distance of two pictures in the maps of an encoder of ours.

    d(a, b) is the sum over the layers of the mean over all places of ``|f_a / |f_a| - f_b / |f_b||^2``, where
    f are the maps' vectors there: Zhang et al. 2018, eq. 1, without their learned weights of the channels.
    The layers are those after each activation of a :class:`ConvEncoder`, or after the first convolution and
    the four stages of a :class:`ResNet`.

    The encoder is copied and fixed: gradients flow to the pictures alone. Numbers of different encoders do
    not compare, nor do those of published LPIPS.

    Args:
        encoder: a trained one, on any device; predictors have theirs in ``.encoder``, residual ones in
            ``.encoder[0]``.

    Raises:
        InputError: it is neither of the two.
    """

    def __init__(self, encoder: nn.Module) -> None:
        super().__init__()
        if isinstance(encoder, ConvEncoder):
            self.network: nn.Sequential | ResNet = copy.deepcopy(encoder.convolutions)
        elif isinstance(encoder, ResNet):
            self.network = copy.deepcopy(encoder)
        else:
            raise InputError(f"encoder must be a ConvEncoder or a ResNet, got {type(encoder).__name__}")
        self.requires_grad_(False).eval()

    @staticmethod
    def of_predictor(path: str | os.PathLike[str]) -> PerceptualDistance:
        """The distance in the encoder of a trained predictor's file.

        Raises:
            InputError: the file is missing or no predictor's, or its predictor has no such encoder.
        """
        from .registry import load_predictor

        predictor = load_predictor(path)
        encoder = getattr(predictor, "encoder", None)
        if isinstance(encoder, nn.Sequential):  # a residual network before a linear layer
            encoder = encoder[0]
        if not isinstance(encoder, nn.Module):
            raise InputError(f"{path} holds a predictor without an encoder, {predictor.method}")
        return PerceptualDistance(encoder)

    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        """Compare.

        Args:
            a: pictures in [0, 1] as the encoder saw them, colours multiplied by alpha, shape (..., H, W, 4).
            b: the same; batch dimensions broadcast.

        Returns:
            Shape (...).

        Raises:
            InputError: the pictures differ in size.
        """
        if a.shape[-3:] != b.shape[-3:]:
            raise InputError(
                f"pictures must have one shape (..., H, W, C), got {tuple(a.shape)} and {tuple(b.shape)}"
            )
        a, b = torch.broadcast_tensors(a, b)
        batch = a.shape[:-3]
        maps = zip(*(self.maps(p.reshape(-1, *p.shape[-3:])) for p in (a, b)), strict=True)
        distances = [(_unit(one) - _unit(other)).square().sum(1).mean((-2, -1)) for one, other in maps]
        return torch.stack(distances).sum(0).reshape(batch)

    def maps(self, pictures: Tensor) -> list[Tensor]:
        """The layers' maps of pictures (B, H, W, 4), each (B, C, h, w)."""
        if isinstance(self.network, ResNet):
            return self.network.maps(pictures)
        maps, found = pictures.permute(0, 3, 1, 2), []
        for layer in self.network:
            maps = layer(maps)
            if isinstance(layer, nn.ReLU):
                found.append(maps)
        return found

    def train(self, mode: bool = True) -> PerceptualDistance:
        """Do nothing: batch statistics stay those of the encoder's training."""
        return super().train(False)


def _unit(maps: Tensor) -> Tensor:
    """Maps (B, C, h, w) with vectors of length 1, or 0 where nothing is active."""
    # the root has no gradient at 0
    return maps / (maps.square().sum(1, keepdim=True) + 1e-10).sqrt()
