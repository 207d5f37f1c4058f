"""What all methods share: from pictures to predictions, and the loss that teaches it."""

from __future__ import annotations

import abc
import dataclasses
import itertools
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from ..render import Camera
from .data.light_record import LightRecord
from .prediction import Prediction


@dataclasses.dataclass(frozen=True, eq=False)
class Batch:
    """K pictures of each of B objects.

    Attributes:
        pictures: colours multiplied by alpha, and alpha, in [0, 1], shape (B, K, H, W, 4).
        cameras: batch shape (B, K).
        index: the objects' places in the data set, shape (B,).
        views: which pictures of their objects these are, shape (B, K); None where that does not matter.
        mirrored: the objects that augmentation has mirrored across x = 0, bool, shape (B,); none when None.
        tints: what augmentation has multiplied the colours by, shape (B, 3, 3); nothing when None.
        depth: camera z, 0 where it is not known, shape (B, K, H, W), for methods that learn from depth.
        lights: as recorded, of batch dimensions (B, K); None unless all are known, and of one kind.
    """

    pictures: Tensor
    cameras: Camera
    index: Tensor
    views: Tensor | None = None
    mirrored: Tensor | None = None
    tints: Tensor | None = None
    depth: Tensor | None = None
    lights: LightRecord | None = None

    def to(self, device: torch.device | str) -> Batch:
        """A copy on another device."""
        return self._map(lambda value: value.to(device))

    def __getitem__(self, rows: slice) -> Batch:
        """Some of the objects."""
        return self._map(lambda value: value[rows])

    def _map(self, change: Callable[[Any], Any]) -> Batch:
        fields = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        known = {name: change(value) for name, value in fields.items() if value is not None}
        return dataclasses.replace(self, **known)

    @staticmethod
    def join(parts: Sequence[Batch]) -> Batch:
        """Several batches, with the same fields, as one."""

        def joined(name: str) -> Any:
            values = [getattr(part, name) for part in parts]
            first = values[0]
            if first is None:
                return None
            if isinstance(first, Tensor):
                return torch.cat(values)
            if isinstance(first, Camera):
                return first.replace(
                    world_to_camera=torch.cat([camera.world_to_camera for camera in values]),
                    intrinsics=torch.cat([camera.intrinsics for camera in values]),
                )
            return LightRecord.join(values)

        return Batch(**{field.name: joined(field.name) for field in dataclasses.fields(Batch)})


class Predictor(nn.Module, abc.ABC):
    """A network that looks at one picture and gives an object.

    Attributes:
        method: short name, for files and the command line.
        config: a frozen dataclass of plain values; ``type(self)(config)`` builds the same network.
        aids: networks that only the loss needs, such as a critic; they are not part of a predictor's file.
    """

    method: str
    config: Any

    def __init__(self) -> None:
        super().__init__()
        self.aids = nn.ModuleDict()

    @property
    def device(self) -> torch.device:
        """Where its parameters or buffers are."""
        values = itertools.chain(self.parameters(), self.buffers())
        first = next(values, None)
        return torch.device("cpu") if first is None else first.device

    @property
    def crops(self) -> bool:
        """Whether the pictures are cut round the object (:func:`~unrender.learn.crop.crop_to_object`)."""
        return getattr(self.config, "crop", False)

    def prepare_training(self) -> None:
        """Make the ``aids``; called once before a training. There are none here."""

    @abc.abstractmethod
    def forward(self, pictures: Tensor) -> Prediction:
        """Predict.

        Args:
            pictures: colours multiplied by alpha, and alpha, in [0, 1], shape (B, H, W, 4).
        """

    @abc.abstractmethod
    def loss(self, batch: Batch, progress: float) -> dict[str, Tensor]:
        """The weighted terms whose sum is minimised.

        Args:
            batch: pictures and their cameras; nothing in 3D.
            progress: how much of the training is done, in [0, 1]; drives schedules.
        """

    def parameter_groups(self, learning_rate: float) -> list[dict[str, Any]]:
        """Parameters with their learning rates, as optimisers take them."""
        return [{"params": list(self.parameters()), "lr": learning_rate}]
