"""DIB-R's single-image prediction of shape, texture and light."""

from __future__ import annotations

import dataclasses
from typing import Literal

import torch
from torch import Tensor

from ...errors import InputError
from ...geometry import Mesh, spherical_uvs
from ...render import DIBR, Camera
from ..data.light_record import LightKind, LightRecord
from ..losses import light_loss
from ..networks.camera_head import CameraHead
from ..networks.conv_encoder import ConvEncoder
from ..networks.light_head import LightHead
from ..networks.shape_decoders import OffsetShape
from ..networks.texture_decoders import UVTextureDecoder, VertexColorDecoder, mean_color
from ..networks.texture_flow import SeenTexels, TextureFlow, flow_loss
from ..prediction import Prediction
from ..predictor import Batch
from .camera_predictor import CameraPredictor, CameraPredictorConfig
from .mesh_predictor import MeshPredictor, MeshPredictorConfig

LIGHT_CHANNELS = (32, 64, 128)  # of the light's encoder
LIGHT_HIDDEN = 256


@dataclasses.dataclass(frozen=True, kw_only=True)
class DIBRConfig(MeshPredictorConfig, CameraPredictorConfig):
    """DIB-R's network and losses (Chen et al. 2019, 4; weights of ``papers.md`` 2.3).

    Symmetry is not among the paper's losses; its weight is ours, and 0 in the recipe of the paper.

    Attributes:
        sigma_ndc: of the renderer, at the start and at the end of the training, changing geometrically in
            between. The published value is 1/7000, 0.38 pixels of 64. A wide blur makes shapes too thin,
            since several faces beside an outline blur the same pixel.
        appearance: a UV texture, or a colour a vertex as in the released code.
        texture_size: rows of the texture, which has twice as many columns.
        texture_channels: of the texture decoder's finest layer
            (:class:`~unrender.learn.networks.texture_decoders.UVMapDecoder`).
        texture_flow: copy the texture from the picture where that can be (ours;
            :class:`~unrender.learn.networks.texture_flow.TextureFlow`); else decode all of it, as published.
        light: kind of light that is predicted; ``none`` leaves it in the texture. Beside a camera head,
            harmonics are found in the camera's frame.
        light_encoder: find light with an encoder of its own, since features of shape tell little of shading.
        light_weight: of :func:`~unrender.learn.losses.light_loss` against the lights that the data set
            records, under which the loss on pictures then draws. 0, as published, learns light from pictures
            alone, which cannot tell a bright light from bright colours.
        learned_scale: predict one factor on the shape's size.
        flow_weight: of :func:`~unrender.learn.networks.texture_flow.flow_loss`.

    Raises:
        InputError: a sigma is not positive, there is texture flow without a texture, a weight on light that
            is not predicted or has highlights, or as of the bases.
    """

    sigma_ndc: tuple[float, float] = (1 / 7000, 1 / 7000)
    color_weight: float = 1.0
    laplacian_weight: float = 1e-2
    flatten_weight: float = 1e-3
    symmetry_weight: float = 1.0
    appearance: Literal["texture", "vertices"] = "texture"
    texture_size: int = 64
    texture_channels: int = 8
    texture_flow: bool = False
    light: LightKind = "harmonics"
    learned_scale: bool = False
    flow_weight: float = 1.0
    light_encoder: bool = False
    light_weight: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        if len(self.sigma_ndc) != 2 or not all(value > 0 for value in self.sigma_ndc):
            raise InputError(f"sigma_ndc must be two positive numbers, got {self.sigma_ndc}")
        if self.texture_flow and self.appearance != "texture":
            raise InputError(f"texture_flow=True needs appearance texture, got {self.appearance}")
        if self.light_encoder and self.light == "none":
            raise InputError("light_encoder=True needs a light to predict, got light none")
        if self.light_weight and self.light not in ("harmonics", "lambert"):
            raise InputError(
                f"light_weight {self.light_weight} needs light harmonics or lambert, got {self.light}: "
                "there is no loss on highlights"
            )


class DIBRPredictor(MeshPredictor, CameraPredictor):
    """Shape as offsets of a sphere, texture as its UV picture, light, and the camera if asked for."""

    method = "dibr"
    config: DIBRConfig

    def __init__(self, config: DIBRConfig | None = None) -> None:
        config = DIBRConfig() if config is None else config
        super().__init__(config)
        template = spherical_uvs(self.template)
        assert template.uvs is not None
        assert template.uv_faces is not None
        self.register_buffer("uvs", template.uvs, persistent=False)
        self.register_buffer("uv_faces", template.uv_faces, persistent=False)
        if config.texture_flow:
            self.colors = TextureFlow(
                config.features, height=config.texture_size, channels=config.texture_channels
            )
        elif config.appearance == "texture":
            self.colors = UVTextureDecoder(
                config.features, height=config.texture_size, channels=config.texture_channels
            )
        else:
            self.colors = VertexColorDecoder(config.features, template.num_vertices)
        self.light_head = None if config.light == "none" else LightHead(config.features, config.light)
        self.light_encoder = None
        if config.light_encoder:
            self.light_encoder = ConvEncoder(
                channels=LIGHT_CHANNELS, hidden=LIGHT_HIDDEN, features=config.features, size=config.size
            )
        self.camera_head = CameraHead(config.features) if config.camera else None

    def make_shape(self, template: Mesh) -> OffsetShape:
        """Offsets of the template."""
        config = self.config
        hidden = (config.hidden, 2 * config.hidden)
        return OffsetShape(
            config.features,
            template,
            hidden,
            learned_scale=config.learned_scale,
            smoothness=config.smoothness,
        )

    def prepare_training(self) -> None:
        """Also make what texture flow is taught by."""
        super().prepare_training()
        if self.config.texture_flow:
            self.aids["texels"] = SeenTexels(self.template, self.config.texture_size).to(self.device)

    def renderer(self, progress: float) -> DIBR:
        """DIB-R as published, but for perspective-correct colours and the schedule of its blur."""
        start, end = self.config.sigma_ndc
        return DIBR(sigma_ndc=start * (end / start) ** progress)

    def smoothed(self, vertices: Tensor) -> Tensor:
        """The Laplacian is taken of the offsets."""
        assert isinstance(self.shape.template, Tensor)
        return vertices - self.shape.template

    def appearance(self, vertices: Tensor, features: Tensor, pictures: Tensor) -> Mesh:
        """The mesh with a UV texture, or with vertex colours, about the mean colour of the picture."""
        colors, _ = self.texture(features, pictures)
        return self._painted(vertices, colors)

    def _painted(self, vertices: Tensor, colors: Tensor) -> Mesh:
        if self.config.appearance == "vertices":
            return Mesh(vertices, self.template_faces, vertex_colors=colors)
        assert isinstance(self.uvs, Tensor)
        assert isinstance(self.uv_faces, Tensor)
        return Mesh(vertices, self.template_faces, uvs=self.uvs, uv_faces=self.uv_faces, texture=colors)

    def texture(self, features: Tensor, pictures: Tensor) -> tuple[Tensor, Tensor | None]:
        """Textures (B, H, W, 3), or colours of vertices (B, V, 3); and the texture flow, if there is any."""
        if self.config.texture_flow:
            return self.colors(features, pictures)
        return self.colors(features, mean_color(pictures)), None

    def light(self, features: Tensor, pictures: Tensor, cameras: Camera | None = None) -> LightRecord | None:
        """The light in the pictures.

        Args:
            features: of B pictures.
            pictures: shape (B, H, W, 4).
            cameras: that took them, batch shape (B,), where they are known; else those that a predictor of
                cameras believes in.
        """
        if self.light_head is None:
            return None
        seen = features if self.light_encoder is None else self.light_encoder(pictures)
        if self.camera_head is None or self.config.light != "harmonics":
            return self.light_head(seen)
        with torch.autocast(features.device.type, enabled=False):
            if cameras is None:
                with torch.no_grad():
                    rotations, weights = self.camera_head.rotations(self.camera_head(features.float()))
            else:
                rotations = cameras.world_to_camera[:, None, :3, :3].mT
                weights = rotations.new_ones(rotations.shape[:2])
            return self.light_head(seen.float(), rotations, weights)

    def forward(self, pictures: Tensor) -> Prediction:
        """See :meth:`~unrender.learn.predictor.Predictor.forward`. A camera head adds a camera."""
        features = self.encoder(pictures)
        prediction = self.decode(features, pictures)
        if self.camera_head is None:
            return prediction
        assert prediction.mesh is not None
        cameras, _ = self.camera_head.cameras(features, pictures, prediction.mesh.vertices, count=1)
        return dataclasses.replace(prediction, camera=cameras[:, 0])

    def loss(self, batch: Batch, progress: float) -> dict[str, Tensor]:
        """See :meth:`~unrender.learn.predictor.Predictor.loss`."""
        pictures = batch.pictures.flatten(0, 1)
        features = self.encoder(pictures)
        vertices, (colors, places) = self.shape(features), self.texture(features, pictures)
        terms = self.camera_terms(features, flat_cameras(batch.cameras))
        light = self.light(features, pictures, flat_cameras(batch.cameras))
        if self.config.light_weight:
            assert light is not None
            terms["light"] = self.config.light_weight * self.light_term(light, recorded_lights(batch))
            light = recorded_lights(batch)
        terms |= self.picture_terms(Prediction(self._painted(vertices, colors), light), batch, progress)
        if places is not None:
            terms["flow"] = self.flow_term(places, vertices, flat_cameras(batch.cameras))
        return terms

    def flow_term(self, places: Tensor, vertices: Tensor, cameras: Camera) -> Tensor:
        """The weighted term on texture flow.

        Args:
            places: flow of N pictures, shape (N, H, W, 2).
            vertices: of what is in them, as far as that is known, shape (N, P, 3).
            cameras: that took them, batch shape (N,).
        """
        with torch.autocast(places.device.type, enabled=False):
            target, known = self.aids["texels"](vertices.detach().float(), self.template_faces, cameras)
            return self.config.flow_weight * flow_loss(places.float(), target, known).mean()

    def light_term(self, found: LightRecord, target: LightRecord) -> Tensor:
        """The mean of :func:`~unrender.learn.losses.light_loss`, in single precision."""
        with torch.autocast(self.device.type, enabled=False):
            return light_loss(found.map(lambda value, _: value.float()), target).mean()


def recorded_lights(batch: Batch) -> LightRecord:
    """The recorded lights of a batch, of batch shape (B K,).

    Raises:
        InputError: they are not known, or of kind none.
    """
    lights = batch.lights
    if lights is None or lights.kind == "none":
        raise InputError(
            "light_weight needs a data set that records the light of each picture, all of one kind: "
            "render it with unrender data render --light harmonics"
        )
    return lights.reshape(-1)


def flat_cameras(cameras: Camera) -> Camera:
    """Cameras of batch shape (B, K) one after the other."""
    return cameras.replace(
        world_to_camera=cameras.world_to_camera.flatten(0, 1), intrinsics=cameras.intrinsics.flatten(0, 1)
    )
