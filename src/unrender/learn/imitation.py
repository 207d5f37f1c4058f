"""Teaching a predictor what fits of its training objects have found, without drawing anything."""

from __future__ import annotations

import dataclasses

import torch
from torch import Tensor

from ..errors import InputError
from .data.light_record import LightRecord
from .losses import mirror_partners
from .methods.dibr import DIBRPredictor, flat_cameras
from .networks.texture_flow import mirrored_turn
from .object_fits import ObjectFits
from .predictor import Batch

PAINTED = 4  # the texture of one picture in so many is compared, since decoding them takes longest


@dataclasses.dataclass(frozen=True, kw_only=True)
class ImitationOptions:
    """Weights of the terms.

    Attributes:
        shape: of the mean distance of vertices [object's units].
        texture: of the mean over texels of the sum over channels of absolute differences.
        light: of :func:`~unrender.learn.losses.light_loss`.
    """

    shape: float = 10.0
    texture: float = 1.0
    light: float = 3.0


class Imitation:
    """The loss of a DIB-R predictor against fits of the objects of a training set.

    A step costs a fraction of one that draws, and its gradient tells every vertex where to go, so that most
    of a training can go by it, and learning through the renderer comes last.

    Args:
        fits: of the objects.
        names: of the training set's objects, each of which must have been fitted.
        predictor: with a UV texture of the size of the fits' and spherical-harmonic light.
        options: weights.

    Raises:
        InputError: an object was not fitted, or predictor and fits do not have the same template or texture,
            or the predictor learns recorded lights and the fits have found their own.
    """

    def __init__(
        self,
        fits: ObjectFits,
        names: list[str],
        predictor: DIBRPredictor,
        options: ImitationOptions | None = None,
    ) -> None:
        self.options = ImitationOptions() if options is None else options
        config = predictor.config
        places = {name: place for place, name in enumerate(fits.names)}
        missing = [name for name in names if name not in places]
        if missing:
            raise InputError(f"{len(missing)} training objects have no fit, the first is {missing[0]}")
        if config.appearance != "texture" or config.light != "harmonics":
            raise InputError(
                "imitation needs appearance texture and light harmonics, "
                f"got {config.appearance} and {config.light}"
            )
        wanted = (predictor.template.num_vertices, config.texture_size)
        if (fits.vertices.shape[1], fits.textures.shape[1]) != wanted:
            raise InputError(
                f"the fits must have {wanted[0]} vertices and textures of {wanted[1]} rows, got "
                f"{fits.vertices.shape[1]} and {fits.textures.shape[1]}"
            )
        if config.light_weight and not fits.recorded_light:
            raise InputError(
                f"light_weight {config.light_weight:g} needs fits under recorded light: "
                "make them with unrender data fit --recorded-light"
            )
        rows = torch.tensor([places[name] for name in names])
        self.vertices, self.textures = fits.vertices[rows], fits.textures[rows]
        self.lights = fits.lights[rows]
        self.partners = mirror_partners(predictor.template.vertices)
        self.turn = mirrored_turn(predictor.template)

    def loss(self, predictor: DIBRPredictor, batch: Batch) -> dict[str, Tensor]:
        """The weighted terms.

        Args:
            predictor: what is taught.
            batch: B objects of K pictures, of the training set, with ``views``.
        """
        options, shape = self.options, batch.pictures.shape[:2]
        pictures = batch.pictures.flatten(0, 1)
        features = predictor.encoder(pictures)
        vertices, textures, lights = self.targets(batch)
        found = predictor.shape(features).unflatten(0, shape)
        apart = (found - vertices[:, None]).square().sum(-1).add(1e-8).sqrt()
        terms = {"shape": options.shape * apart.mean()}
        some = torch.arange(0, len(pictures), PAINTED, device=pictures.device)
        painted, places = predictor.texture(features[some], pictures[some])
        objects = torch.div(some, shape[1], rounding_mode="floor")
        wanted = textures[objects]
        terms["texture"] = options.texture * (painted - wanted).abs().sum(-1).mean()
        if places is not None:
            cameras = batch.cameras[objects, some % shape[1]]
            terms["flow"] = predictor.flow_term(places, vertices[objects], cameras)
        light = predictor.light(features, pictures, flat_cameras(batch.cameras))
        assert light is not None
        terms["light"] = options.light * predictor.light_term(light, lights.reshape(-1))
        return terms | predictor.camera_terms(features, flat_cameras(batch.cameras))

    def targets(self, batch: Batch) -> tuple[Tensor, Tensor, LightRecord]:
        """Vertices (B, P, 3), textures (B, H, W, 3), lights (B, K), augmented as the pictures are."""
        assert batch.views is not None
        device, index = batch.pictures.device, batch.index.cpu()
        vertices, textures = self.vertices[index].to(device), self.textures[index].to(device)
        coefficients = self.lights[index[:, None], batch.views.cpu()].to(device)
        lights = LightRecord("harmonics", coefficients=coefficients)
        if batch.mirrored is not None:
            side = vertices.new_tensor([-1.0, 1.0, 1.0])
            chosen = batch.mirrored[:, None, None]
            vertices = torch.where(chosen, vertices[:, self.partners.to(device)] * side, vertices)
            flipped = textures.flip(2).roll(round(self.turn * textures.shape[2]), 2)
            textures = torch.where(chosen[..., None], flipped, textures)
            lights = lights.mirrored(batch.mirrored)
        if batch.tints is not None:
            textures = (textures @ batch.tints[:, None].to(textures).mT).clamp(0, 1)
            lights = lights.recoloured(batch.tints > 0)
        return vertices, textures, lights
