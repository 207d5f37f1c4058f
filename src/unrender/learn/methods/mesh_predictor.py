"""What the methods that predict meshes share: encoder, shape, and the loss over pairs of pictures."""

from __future__ import annotations

import abc
import dataclasses
from typing import Literal

from torch import Tensor, nn

from ...errors import InputError
from ...geometry import EdgeTopology, Mesh, flatten_loss, icosphere, laplacian_loss
from ...render import Camera, render
from ...render.draw import Renderer
from ..data.light_record import LightRecord
from ..losses import color_loss, mirror_partners, silhouette_loss, symmetry_loss
from ..networks.conv_encoder import ConvEncoder
from ..networks.shape_decoders import BoundedShape, OffsetShape
from ..prediction import Prediction
from ..predictor import Batch, Predictor


@dataclasses.dataclass(frozen=True, kw_only=True)
class MeshPredictorConfig:
    """The network of a mesh predictor, and the weights of its losses.

    Attributes:
        size: sides of the pictures [pixels].
        encoder: the convolutions of N3MR, or a residual network (He et al. 2016).
        channels: of the convolutions of ``conv``.
        batch_norm: normalise after each convolution of ``conv``.
        hidden: width of the linear layers.
        features: length of the vector between encoder and decoders.
        subdivisions: of the icosphere that is deformed; 3 has 642 vertices.
        laplacian_weight: of :func:`~unrender.geometry.laplacian_loss`, summed over vertices.
        flatten_weight: of :func:`~unrender.geometry.flatten_loss`, summed over edges.
        symmetry_weight: of :func:`~unrender.learn.losses.symmetry_loss`.
        color_weight: of :func:`~unrender.learn.losses.color_loss`.

    Raises:
        InputError: a weight is negative.
    """

    size: int = 64
    encoder: Literal["conv", "resnet18", "resnet34", "resnet50"] = "conv"
    channels: tuple[int, ...] = (64, 128, 256)
    batch_norm: bool = True
    hidden: int = 1024
    features: int = 512
    subdivisions: int = 3
    laplacian_weight: float = 5e-3
    flatten_weight: float = 5e-4
    symmetry_weight: float = 0.0
    color_weight: float = 0.0

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            if field.name.endswith("_weight") and not getattr(self, field.name) >= 0:
                raise InputError(f"{field.name} must not be negative, got {getattr(self, field.name)}")


class MeshPredictor(Predictor):
    """A picture becomes a deformed sphere (Kato et al. 2018, 4.1).

    The loss draws each of the K meshes that the pictures of an object give into each of its K cameras, so
    that a shape has to fit the picture that its network did not see; light belongs to the picture that is
    drawn.
    """

    config: MeshPredictorConfig

    def __init__(self, config: MeshPredictorConfig) -> None:
        super().__init__()
        self.config = config
        self.encoder = make_encoder(config)
        self.template = template = icosphere(config.subdivisions)
        self.shape = self.make_shape(template)
        self.topology = EdgeTopology.from_faces(template.faces, template.num_vertices)
        self.register_buffer("faces", template.faces, persistent=False)
        self.register_buffer("mirror", mirror_partners(template.vertices), persistent=False)

    @abc.abstractmethod
    def make_shape(self, template: Mesh) -> BoundedShape | OffsetShape:
        """The decoder of the shape."""

    @abc.abstractmethod
    def renderer(self, progress: float) -> Renderer:
        """What draws, at a share ``progress`` of the training."""

    def appearance(self, vertices: Tensor, features: Tensor, pictures: Tensor) -> Mesh:
        """The mesh with its colours; without any here."""
        return Mesh(vertices, self.template_faces)

    def light(self, features: Tensor) -> LightRecord | None:
        """The light in the picture; none here."""
        return None

    @property
    def template_faces(self) -> Tensor:
        """Faces (F, 3) of every mesh that is predicted."""
        assert isinstance(self.faces, Tensor)
        return self.faces

    def forward(self, pictures: Tensor) -> Prediction:
        """See :meth:`~unrender.learn.predictor.Predictor.forward`."""
        features = self.encoder(pictures)
        mesh = self.appearance(self.shape(features), features, pictures)
        return Prediction(mesh, self.light(features))

    def loss(self, batch: Batch, progress: float) -> dict[str, Tensor]:
        """See :meth:`~unrender.learn.predictor.Predictor.loss`."""
        return self.picture_terms(self(batch.pictures.flatten(0, 1)), batch, progress)

    def picture_terms(self, prediction: Prediction, batch: Batch, progress: float) -> dict[str, Tensor]:
        """The weighted terms on silhouettes, colours and shapes.

        Args:
            prediction: for the B K pictures of the batch, one after the other.
            batch: B objects of K pictures.
            progress: share of the training that is done.
        """
        config, mesh = self.config, prediction.mesh
        assert mesh is not None
        objects, views = batch.pictures.shape[:2]
        light = None if prediction.light is None else prediction.light.reshape(objects, 1, views)
        picture = render(
            _rearrange(mesh, (objects, views, 1)),
            _cameras(batch.cameras, (objects, 1, views)),
            None if light is None else light.lights(),
            renderer=self.renderer(progress),
            material=None if light is None else light.material(),
        )
        target = batch.pictures[:, None]
        terms = {"silhouette": silhouette_loss(picture.alpha, target[..., 3].expand_as(picture.alpha)).mean()}
        if config.color_weight:
            colors = picture.rgb
            terms["color"] = (
                config.color_weight * color_loss(colors, target[..., :3].expand_as(colors)).mean()
            )
        vertices, pairs = mesh.vertices, self.topology.face_pairs.shape[0]
        if config.laplacian_weight:
            smooth = laplacian_loss(self.smoothed(vertices), self.topology, reduction="sum")
            terms["laplacian"] = config.laplacian_weight * smooth.mean()
        if config.flatten_weight:
            terms["flatten"] = config.flatten_weight * pairs * flatten_loss(vertices, self.topology).mean()
        if config.symmetry_weight:
            assert isinstance(self.mirror, Tensor)
            terms["symmetry"] = config.symmetry_weight * symmetry_loss(vertices, self.mirror).mean()
        return terms

    def smoothed(self, vertices: Tensor) -> Tensor:
        """What the Laplacian loss is taken of: the vertices themselves here."""
        return vertices

    def _apply(self, fn, recurse=True):
        super()._apply(fn, recurse)
        self.topology = self.topology.to(self.template_faces.device)
        return self


def make_encoder(config: MeshPredictorConfig) -> nn.Module:
    """The encoder that a configuration names, from pictures (B, H, W, 4) to features (B, ``features``)."""
    if config.encoder == "conv":
        return ConvEncoder(
            channels=config.channels,
            hidden=config.hidden,
            features=config.features,
            size=config.size,
            batch_norm=config.batch_norm,
        )
    from ..networks.resnet import ResNet

    resnet = ResNet(int(config.encoder.removeprefix("resnet")), in_channels=4)
    return nn.Sequential(resnet, nn.Linear(resnet.features, config.features), nn.ReLU())


def _rearrange(mesh: Mesh, batch: tuple[int, ...]) -> Mesh:
    """The mesh with its one batch dimension split into ``batch``."""
    fields = ("vertices", "vertex_colors", "face_textures", "texture")
    changed = {name: getattr(mesh, name) for name in fields if getattr(mesh, name) is not None}
    return mesh.replace(**{name: value.unflatten(0, batch) for name, value in changed.items()})


def _cameras(cameras: Camera, batch: tuple[int, ...]) -> Camera:
    return cameras.replace(
        world_to_camera=cameras.world_to_camera.reshape(*batch, 4, 4),
        intrinsics=cameras.intrinsics.reshape(*batch, 3, 3),
    )
