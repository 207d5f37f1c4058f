"""Soft Rasterizer's single-image reconstruction."""

from __future__ import annotations

import dataclasses
import warnings

from torch import Tensor

from ...geometry import Mesh
from ...render import SoftRas
from ..networks.shape_decoders import BoundedShape
from ..networks.texture_decoders import PaletteDecoder
from ..prediction import Prediction
from ..predictor import Batch
from .mesh_predictor import MeshPredictor, MeshPredictorConfig


@dataclasses.dataclass(frozen=True, kw_only=True)
class SoftRasConfig(MeshPredictorConfig):
    """SoftRas's network and losses (Liu et al. 2019; released recipe, ``papers.md`` 2.2).

    Attributes:
        sigma_ndc: of the renderer, times 0.3 from 60 % of the training on.
        palette: colours that are picked from the picture; they are learned where ``color_weight`` is not 0.
        texels: R, of a grid of R x R texels a face.
    """

    sigma_ndc: float = 1e-4
    palette: int = 16
    texels: int = 2


class SoftRasPredictor(MeshPredictor):
    """Shape in logit space; with a colour weight also face textures mixed from a palette."""

    method = "softras"
    config: SoftRasConfig

    def __init__(self, config: SoftRasConfig | None = None) -> None:
        config = SoftRasConfig() if config is None else config
        super().__init__(config)
        self.colors = None
        if config.color_weight:
            self.colors = PaletteDecoder(
                config.features, self.template_faces.shape[0], texels=config.texels, colors=config.palette
            )

    def make_shape(self, template: Mesh) -> BoundedShape:
        """Vertices in logit space."""
        config = self.config
        hidden = (config.hidden, 2 * config.hidden)
        return BoundedShape(config.features, template, hidden, smoothness=config.smoothness)

    def renderer(self, progress: float) -> SoftRas:
        """The soft silhouette, and the nearest face's colour, as in the released recipe."""
        factor = 0.3 if progress >= 0.6 else 1.0
        return SoftRas(sigma_ndc=self.config.sigma_ndc * factor, dist_eps=1e-10, color="hard")

    def picture_terms(self, prediction: Prediction, batch: Batch, progress: float) -> dict[str, Tensor]:
        """See :meth:`MeshPredictor.picture_terms`."""
        with warnings.catch_warnings():
            # that colours leave the shape alone is meant
            warnings.filterwarnings("ignore", message="rgb has no gradient to the vertices")
            return super().picture_terms(prediction, batch, progress)

    def appearance(self, vertices: Tensor, features: Tensor, pictures: Tensor) -> Mesh:
        """The mesh, with face textures where colours are learned."""
        if self.colors is None:
            return Mesh(vertices, self.template_faces)
        # colours leave the shape alone, as the authors did it: they see neither encoder nor geometry
        textures = self.colors(features.detach(), pictures)
        return Mesh(vertices, self.template_faces, face_textures=textures)
