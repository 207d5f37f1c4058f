"""The encoder that a configuration names."""

from __future__ import annotations

import dataclasses
from typing import Literal

from torch import nn

from ...errors import InputError
from .conv_encoder import ConvEncoder
from .resnet import ResNet


@dataclasses.dataclass(frozen=True, kw_only=True)
class EncoderConfig:
    """What looks at the pictures.

    Attributes:
        size: sides of the pictures [pixels].
        crop: the pictures are cut round the object (:func:`~unrender.learn.crop.crop_to_object`); else they
            are what cameras see that look at the object from N3MR's distance.
        encoder: the convolutions of N3MR, or a residual network (He et al. 2016).
        encoder_file: weights that a residual network starts from, with torchvision's names
            (:meth:`~unrender.learn.networks.resnet.ResNet.load_imagenet`).
        channels: of the convolutions of ``conv``.
        batch_norm: normalise after each convolution of ``conv``.
        hidden: width of the linear layers.
        features: length of the vector between encoder and decoders.

    Raises:
        InputError: there is a file for ``conv``.
    """

    size: int = 64
    crop: bool = False
    encoder: Literal["conv", "resnet18", "resnet34", "resnet50"] = "conv"
    encoder_file: str = ""
    channels: tuple[int, ...] = (64, 128, 256)
    batch_norm: bool = True
    hidden: int = 1024
    features: int = 512

    def __post_init__(self) -> None:
        if self.encoder_file and self.encoder == "conv":
            raise InputError("encoder_file needs a residual network as encoder, got conv")


def make_encoder(config: EncoderConfig) -> nn.Module:
    """From pictures (B, H, W, 4) to features (B, ``features``)."""
    if config.encoder == "conv":
        return ConvEncoder(
            channels=config.channels,
            hidden=config.hidden,
            features=config.features,
            size=config.size,
            batch_norm=config.batch_norm,
        )
    resnet = ResNet(int(config.encoder.removeprefix("resnet")), in_channels=4)
    return nn.Sequential(resnet, nn.Linear(resnet.features, config.features), nn.ReLU())


def load_encoder(encoder: nn.Module, config: EncoderConfig) -> None:
    """Read the weights of ``encoder_file``, if one is named, into what :func:`make_encoder` made.

    Raises:
        InputError: the file is missing or holds no such weights.
    """
    if config.encoder_file:
        assert isinstance(encoder, nn.Sequential)
        resnet = encoder[0]
        assert isinstance(resnet, ResNet)
        resnet.load_imagenet(config.encoder_file)
