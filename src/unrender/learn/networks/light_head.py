"""From a vector to the light in the picture."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from ...render.harmonics import rotate_sh
from ..data.light_record import LightKind, LightRecord

_WHITE = 2 * math.sqrt(math.pi)  # the first coefficient of a light that leaves colours as they are
_ABOVE = 1  # the coefficient of light from above


class LightHead(nn.Module):
    """Predict a light of one kind.

    ``lambert`` and ``phong`` give a direction and strengths; ``harmonics`` gives nine coefficients a colour
    channel. An untrained head gives a light from above that is nearly ambient.

    Args:
        features: length of the vector.
        kind: lambert, phong or harmonics.
        hidden: width of the layer between.
    """

    def __init__(self, features: int, kind: LightKind, *, hidden: int = 256) -> None:
        super().__init__()
        self.kind: LightKind = kind
        count = {"lambert": 5, "phong": 7, "harmonics": 27}[kind]
        self.layers = nn.Sequential(nn.Linear(features, hidden), nn.ReLU(), nn.Linear(hidden, count))
        last = self.layers[-1]
        assert isinstance(last, nn.Linear)
        nn.init.normal_(last.weight, std=1e-3)
        nn.init.zeros_(last.bias)

    def forward(
        self, features: Tensor, rotations: Tensor | None = None, weights: Tensor | None = None
    ) -> LightRecord:
        """Decode (B, features) to B lights, in the object's frame.

        Which side of a picture is lit can be seen without knowing from where it was taken. So what harmonics
        add to the light of an untrained head may be said in the camera's frame, and turned into the
        object's; if the camera is uncertain, each of n cameras counts by its probability.

        Args:
            features: shape (B, features).
            rotations: from the cameras' frames to the object's, shape (B, n, 3, 3); the head speaks in the
                object's frame when None.
            weights: of the rotations, of sum one, shape (B, n); needed with them.
        """
        raw = self.layers(features)
        if self.kind == "harmonics":
            coefficients = 0.5 * raw.unflatten(-1, (9, 3))
            if rotations is not None:
                assert weights is not None
                turned = rotate_sh(coefficients[:, None].to(rotations), rotations)
                coefficients = (turned * weights[..., None, None]).sum(1)
            base = torch.zeros_like(coefficients)
            base[:, 0], base[:, _ABOVE] = 0.8 * _WHITE, 0.2 * _WHITE
            return LightRecord("harmonics", coefficients=base + coefficients)
        up = raw.new_tensor([0.0, 1.0, 0.0])
        direction = functional.normalize(raw[:, :3] + up, dim=-1)
        ambient, diffuse = torch.sigmoid(raw[:, 3]), 2 * torch.sigmoid(raw[:, 4] - 1)
        if self.kind == "lambert":
            return LightRecord("lambert", direction, ambient, diffuse)
        specular, shininess = torch.sigmoid(raw[:, 5] - 1), (3 + raw[:, 6].tanh()).exp()
        return LightRecord("phong", direction, ambient, diffuse, specular, shininess)
