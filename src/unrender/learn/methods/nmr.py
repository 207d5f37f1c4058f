"""Neural 3D Mesh Renderer's single-image reconstruction."""

from __future__ import annotations

import dataclasses

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

    def __init__(self, config: NMRConfig | None = None) -> None:
        super().__init__(NMRConfig() if config is None else config)

    def make_shape(self, template: Mesh) -> BoundedShape:
        """Vertices in logit space."""
        config = self.config
        hidden = (config.hidden, 2 * config.hidden)
        return BoundedShape(config.features, template, hidden, smoothness=config.smoothness)

    def renderer(self, progress: float) -> NeuralMesh:
        """N3MR with its anti-aliasing."""
        return NeuralMesh()
