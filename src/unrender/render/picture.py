"""The picture that a render gives: every quantity computed when it is first asked for."""

from __future__ import annotations

import abc
from collections.abc import Callable
from typing import Any, Generic, TypeVar, overload

import torch
from torch import Tensor

from .camera import Camera

T = TypeVar("T")


class lazy(Generic[T]):
    """A property computed once, with gradients on or off as they were when the picture was made."""

    def __init__(self, function: Callable[[Any], T]) -> None:
        self.function = function
        self.__doc__ = function.__doc__

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    @overload
    def __get__(self, picture: None, owner: type) -> lazy[T]: ...
    @overload
    def __get__(self, picture: object, owner: type) -> T: ...
    def __get__(self, picture: Any, owner: type) -> Any:
        if picture is None:
            return self
        with torch.set_grad_enabled(picture._gradients):
            value = self.function(picture)
        picture.__dict__[self.name] = value
        return value


class Picture(abc.ABC):
    """What a camera sees. Each attribute is computed when it is first read, and kept.

    Batch dimensions ``...`` are those of what is drawn and of the camera, broadcast together.

    Attributes:
        camera: the cameras, with the batch dimensions of the pictures.
    """

    def __init__(self, camera: Camera) -> None:
        self.camera = camera
        self._gradients = torch.is_grad_enabled()

    @property
    @abc.abstractmethod
    def rgb(self) -> Tensor:
        """Shaded colour over the background, shape (..., H, W, C); not clamped."""

    @property
    @abc.abstractmethod
    def alpha(self) -> Tensor:
        """How much the object covers each pixel, in [0, 1], shape (..., H, W)."""

    @property
    @abc.abstractmethod
    def mask(self) -> Tensor:
        """Whether the object covers the pixel's centre: bool, shape (..., H, W); no gradient."""

    @property
    @abc.abstractmethod
    def depth(self) -> Tensor:
        """Camera z of the surface [world units], 0 where there is none: shape (..., H, W)."""

    @property
    @abc.abstractmethod
    def world_normals(self) -> Tensor:
        """Unit normals in the world, 0 where there is no surface: shape (..., H, W, 3)."""

    @lazy
    def camera_normals(self) -> Tensor:
        """Unit normals in camera space (x right, y down, z forward), shape (..., H, W, 3)."""
        rotation = self.camera.world_to_camera[..., None, None, :3, :3]
        return (rotation * self.world_normals[..., None, :]).sum(-1)

    @lazy
    def rgba(self) -> Tensor:
        """``rgb`` and ``alpha`` together, shape (..., H, W, C + 1)."""
        return torch.cat([self.rgb, self.alpha[..., None]], -1)
