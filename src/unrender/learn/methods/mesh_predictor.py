"""What the methods that predict meshes share: encoder, shape, and the loss over pairs of pictures."""

from __future__ import annotations

import abc
import dataclasses

import torch
from torch import Tensor
from torch.func import functional_call

from ...errors import InputError
from ...geometry import EdgeTopology, Mesh, flatten_loss, icosphere, laplacian_loss
from ...render import Camera, render
from ...render.draw import Renderer
from ..adversarial import Critic, adversarial_loss, critic_loss
from ..data.light_record import LightRecord
from ..losses import color_loss, mirror_partners, silhouette_loss, symmetry_loss
from ..networks.encoder import EncoderConfig, load_encoder, make_encoder
from ..networks.shape_decoders import BoundedShape, OffsetShape
from ..perceptual import PerceptualDistance
from ..prediction import Prediction
from ..predictor import Batch, Predictor


@dataclasses.dataclass(frozen=True, kw_only=True)
class MeshPredictorConfig(EncoderConfig):
    """The network of a mesh predictor, and the weights of its losses; see also what it derives from.

    Attributes:
        subdivisions: of the icosphere that is deformed; 3 has 642 vertices.
        smoothness: of the layer that says where vertices go
            (:class:`~unrender.learn.networks.shape_decoders.VertexField`); 0 as published.
        laplacian_weight: of :func:`~unrender.geometry.laplacian_loss`, summed over vertices.
        flatten_weight: of :func:`~unrender.geometry.flatten_loss`, summed over edges.
        symmetry_weight: of :func:`~unrender.learn.losses.symmetry_loss`.
        color_weight: of :func:`~unrender.learn.losses.color_loss`.
        adversarial_weight: of :func:`~unrender.learn.adversarial.adversarial_loss`, with a critic that learns
            beside the predictor.
        perceptual_weight: of :class:`~unrender.learn.perceptual.PerceptualDistance`.
        perceptual_file: of the trained predictor whose encoder that distance is measured with.

    Raises:
        InputError: a weight is negative, there is a perceptual weight without a file, or as of the base.
    """

    subdivisions: int = 3
    smoothness: float = 0.0
    laplacian_weight: float = 5e-3
    flatten_weight: float = 5e-4
    symmetry_weight: float = 0.0
    color_weight: float = 0.0
    adversarial_weight: float = 0.0
    perceptual_weight: float = 0.0
    perceptual_file: str = ""

    def __post_init__(self) -> None:
        super().__post_init__()
        for field in dataclasses.fields(self):
            if field.name.endswith("_weight") and not getattr(self, field.name) >= 0:
                raise InputError(f"{field.name} must not be negative, got {getattr(self, field.name)}")
        if self.perceptual_weight and not self.perceptual_file:
            raise InputError("perceptual_weight needs perceptual_file, a trained predictor's")


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

    def light(self, features: Tensor, pictures: Tensor) -> LightRecord | None:
        """The light in the pictures; none here."""
        return None

    def prepare_training(self) -> None:
        """Read the encoder's weights; make critic and perceptual distance, where they have a weight."""
        load_encoder(self.encoder, self.config)
        if self.config.adversarial_weight:
            self.aids["critic"] = Critic(self.config.size)
        if self.config.perceptual_weight:
            self.aids["perceptual"] = PerceptualDistance.of_predictor(self.config.perceptual_file)

    @property
    def template_faces(self) -> Tensor:
        """Faces (F, 3) of every mesh that is predicted."""
        assert isinstance(self.faces, Tensor)
        return self.faces

    def forward(self, pictures: Tensor) -> Prediction:
        """See :meth:`~unrender.learn.predictor.Predictor.forward`."""
        return self.decode(self.encoder(pictures), pictures)

    def decode(self, features: Tensor, pictures: Tensor) -> Prediction:
        """What features (B, F) say of the pictures (B, H, W, 4) that they come from."""
        mesh = self.appearance(self.shape(features), features, pictures)
        return Prediction(mesh, self.light(features, pictures))

    def loss(self, batch: Batch, progress: float) -> dict[str, Tensor]:
        """See :meth:`~unrender.learn.predictor.Predictor.loss`."""
        return self.picture_terms(self(batch.pictures.flatten(0, 1)), batch, progress)

    def picture_terms(self, prediction: Prediction, batch: Batch, progress: float) -> dict[str, Tensor]:
        """The weighted terms on silhouettes, colours and shapes, in single precision.

        Args:
            prediction: for the B K pictures of the batch, one after the other.
            batch: B objects of K pictures.
            progress: share of the training that is done.
        """
        with torch.autocast(batch.pictures.device.type, enabled=False):
            return self._single_precision_terms(prediction, batch, progress)

    def _single_precision_terms(
        self, prediction: Prediction, batch: Batch, progress: float
    ) -> dict[str, Tensor]:
        config = self.config
        assert prediction.mesh is not None
        mesh = prediction.mesh.to(torch.float32)
        objects, views = batch.pictures.shape[:2]
        light = None
        if prediction.light is not None:
            light = prediction.light.map(lambda value, _: value.float()).reshape(objects, 1, views)
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
        if config.adversarial_weight or config.perceptual_weight:
            drawn = torch.cat([picture.rgb, picture.alpha[..., None]], -1)
            terms |= self.look_terms(drawn, target.expand_as(drawn))
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

    def look_terms(self, drawn: Tensor, target: Tensor) -> dict[str, Tensor]:
        """The weighted terms of the ``aids``.

        One step of one optimiser moves predictor and critic: the weights of the critic are constants in the
        predictor's term, and the renders are in the critic's.

        Args:
            drawn: renders, shape (B, K, K, H, W, 4).
            target: the pictures, of the same shape.
        """
        config, terms = self.config, {}
        if "perceptual" in self.aids:
            terms["perceptual"] = config.perceptual_weight * self.aids["perceptual"](drawn, target).mean()
        if "critic" in self.aids:
            critic, fake, real = self.aids["critic"], drawn.flatten(0, 2), target.flatten(0, 2)
            fixed = {name: weight.detach() for name, weight in critic.named_parameters()}
            said = adversarial_loss(lambda x: functional_call(critic, fixed, (x,)), fake)
            terms["adversarial"] = config.adversarial_weight * said
            terms |= critic_loss(critic, real, fake)
        return terms

    def smoothed(self, vertices: Tensor) -> Tensor:
        """What the Laplacian loss is taken of: the vertices themselves here."""
        return vertices

    def _apply(self, fn, recurse=True):
        super()._apply(fn, recurse)
        self.topology = self.topology.to(self.template_faces.device)
        return self


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
