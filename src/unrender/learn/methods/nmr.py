"""Neural 3D Mesh Renderer's single-image reconstruction."""

from __future__ import annotations

import dataclasses
from typing import Any

from ...geometry import Mesh
from ...render import NeuralMesh
from ..networks.shape_decoders import BoundedShape
from .mesh_predictor import MeshPredictor, MeshPredictorConfig


@dataclasses.dataclass(frozen=True, kw_only=True)
class NMRConfig(MeshPredictorConfig):
    """N3MR's network and losses (Kato et al. 2018; released code, ``papers.md`` 2.1), from silhouettes."""

    batch_norm: bool = False
    laplacian_weight: float = 0.0
    flatten_weight: float = 1e-3


class NMRPredictor(MeshPredictor):
    """Shape in logit space, learned through N3MR's approximate gradient."""

    method = "nmr"
    config: NMRConfig
    shape: BoundedShape

    def __init__(self, config: NMRConfig | None = None) -> None:
        super().__init__(NMRConfig() if config is None else config)

    def make_shape(self, template: Mesh) -> BoundedShape:
        """Vertices in logit space."""
        config = self.config
        hidden = (config.hidden, 2 * config.hidden)
        return BoundedShape(config.features, template, hidden, smoothness=config.smoothness)

    def parameter_groups(self, learning_rate: float) -> list[dict[str, Any]]:
        """The predicted centre learns at a tenth of the rate, as in the released code."""
        center = {id(weight) for weight in self.shape.center.parameters()}
        others = [weight for weight in self.parameters() if id(weight) not in center]
        return [
            {"params": others, "lr": learning_rate},
            {"params": list(self.shape.center.parameters()), "lr": 0.1 * learning_rate},
        ]

    def renderer(self, progress: float) -> NeuralMesh:
        """N3MR with its anti-aliasing."""
        return NeuralMesh()
