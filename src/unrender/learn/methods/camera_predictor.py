"""What the methods share that can also say where a picture was taken from."""

from __future__ import annotations

import dataclasses

from torch import Tensor, nn

from ...errors import InputError
from ...render import Camera
from ..networks.camera_head import CameraHead
from ..networks.encoder import EncoderConfig
from ..prediction import Prediction
from ..predictor import Predictor


@dataclasses.dataclass(frozen=True, kw_only=True)
class CameraPredictorConfig(EncoderConfig):
    """Whether cameras are predicted; see also what it derives from.

    Attributes:
        camera: predict where the picture was taken from, too; ``crop`` must be set.
        camera_weight: of :meth:`~unrender.learn.networks.camera_head.CameraHead.loss`.

    Raises:
        InputError: the weight is negative, a camera is predicted without crops, or as of the base.
    """

    camera: bool = False
    camera_weight: float = 0.1

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.camera and not self.crop:
            raise InputError("camera=True needs crop=True: cameras are predicted for crops of objects")
        if not self.camera_weight >= 0:
            raise InputError(f"camera_weight must not be negative, got {self.camera_weight}")


class CameraPredictor(Predictor):
    """Looks at a picture by an encoder, from whose features a camera head finds cameras, if there is one."""

    config: CameraPredictorConfig
    encoder: nn.Module
    camera_head: CameraHead | None

    def cameras(self, pictures: Tensor, prediction: Prediction, *, count: int) -> tuple[Camera, Tensor]:
        """The likeliest cameras, placed so that the predicted shape fills the picture as the object does.

        Args:
            pictures: shape (B, H, W, 4).
            prediction: of them, with a mesh of batch shape (B,).
            count: n.

        Returns:
            Cameras of batch shape (B, n), likeliest first, and their probabilities (B, n).

        Raises:
            InputError: the predictor was made without a camera head.
        """
        if self.camera_head is None:
            raise InputError("cameras need a predictor with a camera head: one of camera=True and crop=True")
        assert prediction.mesh is not None
        features = self.encoder(pictures)
        return self.camera_head.cameras(features, pictures, prediction.mesh.vertices, count=count)

    def camera_terms(self, features: Tensor, cameras: Camera) -> dict[str, Tensor]:
        """The weighted term on cameras, where they are predicted.

        Args:
            features: of B pictures.
            cameras: that took them, batch shape (B,).
        """
        if self.camera_head is None:
            return {}
        loss = self.camera_head.loss(self.camera_head(features), cameras)
        return {"camera": self.config.camera_weight * loss}
