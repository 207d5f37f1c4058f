"""Residual networks as encoders, with the weights' names of torchvision."""

from __future__ import annotations

import os
import pickle
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor, nn

from ...errors import InputError

_BLOCKS = {18: (2, 2, 2, 2), 34: (3, 4, 6, 3), 50: (3, 4, 6, 3)}


class ResNet(nn.Module):
    """A picture becomes a vector: ResNet-18, 34 or 50 (He et al. 2016) up to the mean over all places.

    Parameters and statistics have the names and shapes of torchvision's ``resnet18``, ``resnet34`` and
    ``resnet50``, without ``fc``; ResNet-50 halves the picture in its 3 x 3 convolutions, as there. So
    :meth:`load_imagenet` reads a weights file of torchvision.

    Colours are normalised as torchvision's weights expect them, by the mean and deviation of ImageNet; alpha
    is stretched from [0, 1] to [-1, 1]. Colours multiplied by alpha are the picture before black.

    Attributes:
        features: length of the vector, 512 (depths 18 and 34) or 2048 (50).

    Args:
        depth: 18, 34 or 50.
        in_channels: 3 (RGB) or 4 (RGB and alpha).

    Raises:
        InputError: a number is none of these.
    """

    mean: Tensor
    deviation: Tensor

    def __init__(self, depth: int = 18, in_channels: int = 4) -> None:
        super().__init__()
        if depth not in _BLOCKS:
            raise InputError(f"depth must be one of {', '.join(map(str, _BLOCKS))}, got {depth}")
        if in_channels not in (3, 4):
            raise InputError(f"in_channels must be 3 or 4, got {in_channels}")
        self.depth, self.in_channels = depth, in_channels
        block = BottleneckBlock if depth == 50 else BasicBlock
        self.conv1 = nn.Conv2d(in_channels, 64, 7, stride=2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        first, second, third, fourth = _BLOCKS[depth]
        self.layer1 = _stage(block, 64, 64, first, stride=1)
        self.layer2 = _stage(block, 64 * block.growth, 128, second, stride=2)
        self.layer3 = _stage(block, 128 * block.growth, 256, third, stride=2)
        self.layer4 = _stage(block, 256 * block.growth, 512, fourth, stride=2)
        self.features = 512 * block.growth
        mean, deviation = [0.485, 0.456, 0.406, 0.5], [0.229, 0.224, 0.225, 0.5]
        self.register_buffer("mean", torch.tensor(mean[:in_channels]), persistent=False)
        self.register_buffer("deviation", torch.tensor(deviation[:in_channels]), persistent=False)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, pictures: Tensor) -> Tensor:
        """Encode.

        Args:
            pictures: in [0, 1], shape (B, H, W, in_channels).

        Returns:
            Shape (B, features).

        Raises:
            InputError: the pictures have another number of channels.
        """
        return self.maps(pictures)[-1].mean((-2, -1))

    def maps(self, pictures: Tensor) -> list[Tensor]:
        """The maps after the first convolution and after each of the four stages.

        Args:
            pictures: in [0, 1], shape (B, H, W, in_channels).

        Returns:
            Five tensors (B, C, h, w), of a half to a 32nd of the picture's sides.

        Raises:
            InputError: the pictures have another number of channels.
        """
        if pictures.ndim != 4 or pictures.shape[-1] != self.in_channels:
            raise InputError(
                f"pictures must have shape (B, H, W, {self.in_channels}), got {tuple(pictures.shape)}"
            )
        channels = ((pictures - self.mean) / self.deviation).permute(0, 3, 1, 2)
        maps = [torch.relu(self.bn1(self.conv1(channels)))]
        maps.append(self.layer1(nn.functional.max_pool2d(maps[-1], 3, stride=2, padding=1)))
        for stage in (self.layer2, self.layer3, self.layer4):
            maps.append(stage(maps[-1]))
        return maps

    def load_imagenet(self, path: str | os.PathLike[str]) -> None:
        """Take the weights of torchvision's network of the same depth.

        ``fc`` is dropped. With alpha, the first convolution gets weights 0 for it: at first the network says
        of a picture what torchvision's says of its colours, and training finds out what alpha is worth.

        Args:
            path: state dict, .pth (or .pt) or .safetensors.

        Raises:
            InputError: the file is missing or not readable, or is of another network.
        """
        weights = {
            name: value for name, value in _read_state(Path(path)).items() if not name.startswith("fc.")
        }
        kernel = weights.get("conv1.weight")
        if self.in_channels == 4 and kernel is not None and kernel.shape[1] == 3:
            weights["conv1.weight"] = nn.functional.pad(kernel, (0, 0, 0, 0, 0, 1))
        own = self.state_dict()
        # a count that files from before PyTorch 0.4.1 lack, and evaluation does not use
        missing = {n for n in own.keys() - weights.keys() if not n.endswith("num_batches_tracked")}
        wrong = missing | (weights.keys() - own.keys())
        wrong |= {name for name in own.keys() & weights.keys() if own[name].shape != weights[name].shape}
        if wrong:
            raise InputError(
                f"{path} must hold the weights of torchvision's resnet{self.depth}; these are missing, "
                f"unknown or of another shape: {', '.join(sorted(wrong)[:4])}{' ...' * (len(wrong) > 4)}"
            )
        self.load_state_dict(own | weights)


class BasicBlock(nn.Module):
    """Two 3 x 3 convolutions beside a shortcut.

    Args:
        before: channels of the input.
        width: channels of the convolutions.
        stride: of the first one.
    """

    growth = 1
    """Channels of the output over ``width``."""

    def __init__(self, before: int, width: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(before, width, 3, stride=stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.downsample = _shortcut(before, width, stride)

    def forward(self, maps: Tensor) -> Tensor:
        """Maps (B, C, H, W) to maps."""
        inner = torch.relu(self.bn1(self.conv1(maps)))
        return torch.relu(self.bn2(self.conv2(inner)) + self.downsample(maps))


class BottleneckBlock(nn.Module):
    """A 3 x 3 convolution between two 1 x 1, beside a shortcut.

    Args:
        before: channels of the input.
        width: channels of the 3 x 3 convolution.
        stride: of the same.
    """

    growth = 4
    """Channels of the output over ``width``."""

    def __init__(self, before: int, width: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(before, width, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, stride=stride, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.conv3 = nn.Conv2d(width, self.growth * width, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(self.growth * width)
        self.downsample = _shortcut(before, self.growth * width, stride)

    def forward(self, maps: Tensor) -> Tensor:
        """Maps (B, C, H, W) to maps."""
        inner = torch.relu(self.bn1(self.conv1(maps)))
        inner = torch.relu(self.bn2(self.conv2(inner)))
        return torch.relu(self.bn3(self.conv3(inner)) + self.downsample(maps))


def _shortcut(before: int, after: int, stride: int) -> nn.Module:
    if before == after and stride == 1:
        return nn.Identity()
    return nn.Sequential(nn.Conv2d(before, after, 1, stride=stride, bias=False), nn.BatchNorm2d(after))


def _stage(
    block: type[BasicBlock] | type[BottleneckBlock], before: int, width: int, count: int, *, stride: int
) -> nn.Sequential:
    """``count`` blocks, the first of which strides."""
    later = (block(block.growth * width, width, 1) for _ in range(count - 1))
    return nn.Sequential(block(before, width, stride), *later)


def _read_state(path: Path) -> Mapping[str, Tensor]:
    """Tensors by name from a .pth, .pt or .safetensors file."""
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    if not path.is_file():
        raise InputError(f"weights file {path} does not exist")
    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        state = torch.load(path, map_location="cpu", weights_only=True)
    except (SafetensorError, pickle.UnpicklingError, RuntimeError, EOFError) as error:
        raise InputError(f"{path} is not a readable weights file: {error}") from error
    if not isinstance(state, Mapping) or not all(isinstance(value, Tensor) for value in state.values()):
        raise InputError(f"{path} must hold a state dict, tensors by name, got {type(state).__name__}")
    return state
