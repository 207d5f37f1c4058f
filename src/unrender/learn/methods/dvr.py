"""Differentiable Volumetric Rendering's single-image reconstruction: a field from a picture."""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits, grid_sample

from ...errors import InputError
from ...geometry import Mesh
from ...implicit import (
    CastOptions,
    EmptyFieldError,
    ExtractOptions,
    OccupancyField,
    cast,
    extract_mesh,
)
from ...implicit.cast import AT_ONCE
from ...implicit.field import Field
from ...implicit.losses import FieldLossOptions, RayTargets, field_losses
from ...implicit.solid import entry_depths, solid_depths
from ...render.rays import Rays, pixel_rays
from ..networks.camera_head import CameraHead
from ..networks.encoder import load_encoder, make_encoder
from ..networks.texture_decoders import color_logits, mean_color
from ..prediction import Prediction
from ..predictor import Batch
from .camera_predictor import CameraPredictor, CameraPredictorConfig

HALF_SIDE = 0.55  # of the cube that rays are cast in
HULL_SAMPLES = 32  # along a ray, to look for the visual hull
NEAR = 0.04  # standard deviation of points near its surface


@dataclasses.dataclass(frozen=True, kw_only=True)
class DVRConfig(CameraPredictorConfig):
    """The single-image model (Niemeyer et al. 2020, 4.1; ``papers.md`` 2.4); see also what it derives from.

    Attributes:
        width: of the field's layers; 128 in the paper's model of many objects learned from pictures alone.
        blocks: of the field.
        frequencies: of the field (:class:`~unrender.implicit.OccupancyField`).
        mean_color: whether colours vary about the mean colour of the object in the picture; they do not as
            published.
        rays: drawn in a step from the pictures of each object.
        samples: along a ray, one number after the other.
        samples_at: shares of the part of the training that casts rays, at which the next of them begins.
        hull_share: of the training, at its start, in which the field learns the visual hull of the batch's
            pictures, and their colours on it, instead of casting rays; 0 as published.
        points: drawn in a step for that, for each object, besides one near each ray's entry into the hull.
        color_weight: of colours on the surface.
        depth_weight: of its depth, where the data have depth maps; 0 learns from colours and masks alone. In
            the paper's model of both it is 10.
        freespace_weight: of points before and beside the object.
        occupancy_weight: of points on rays that should have met it.
        normal_weight: of differences of nearby normals.
        level: how surely a point has to be inside to count as inside, in solids and surfaces. Where the
            network is in doubt, as of thin parts, nothing reaches 1/2.
        voxels: cells along each side of the predicted solid.
        resolution: cells along each side that surfaces are extracted from, 32 times a power of two.

    Raises:
        InputError: a number is out of range, or as of the base.
    """

    encoder: Literal["conv", "resnet18", "resnet34", "resnet50"] = "resnet18"
    features: int = 256
    width: int = 128
    blocks: int = 5
    frequencies: int = 0
    mean_color: bool = False
    rays: int = 1024
    samples: tuple[int, ...] = (16, 32, 64, 128)
    samples_at: tuple[float, ...] = (0.1, 0.2, 0.5)
    hull_share: float = 0.0
    points: int = 1024
    color_weight: float = 1.0
    depth_weight: float = 0.0
    freespace_weight: float = 1.0
    occupancy_weight: float = 1.0
    normal_weight: float = 0.05
    level: float = 0.5
    voxels: int = 32
    resolution: int = 64

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("size", "features", "width", "blocks", "rays", "points", "voxels"):
            if getattr(self, name) < 1:
                raise InputError(f"{name} must be at least 1, got {getattr(self, name)}")
        if not self.samples or min(self.samples) < 2:
            raise InputError(f"samples must be numbers from 2 on, got {self.samples}")
        starts = [0.0, *self.samples_at, 1.0]
        if len(self.samples_at) != len(self.samples) - 1 or starts != sorted(starts):
            raise InputError(
                f"samples_at must be {len(self.samples) - 1} rising shares from 0 to 1, where the second of "
                f"samples and what follows begin, got {self.samples_at}"
            )
        if not 0 <= self.hull_share < 1:
            raise InputError(f"hull_share must be in [0, 1), got {self.hull_share}")
        if not 0 < self.level < 1:
            raise InputError(f"level must be in (0, 1), got {self.level}")
        ExtractOptions(resolution=self.resolution)
        self.losses()

    def losses(self) -> FieldLossOptions:
        """The weights of the terms."""
        return FieldLossOptions(
            color=self.color_weight,
            depth=self.depth_weight,
            freespace=self.freespace_weight,
            occupancy=self.occupancy_weight,
            normal=self.normal_weight,
            half_side=HALF_SIDE,
        )


@dataclasses.dataclass(frozen=True, eq=False)
class Code:
    """What the fields of pictures depend on.

    Attributes:
        features: latent vectors, shape (..., F).
        base: logits of the colours that those of the object vary about, shape (..., 3).
    """

    features: Tensor
    base: Tensor

    def __len__(self) -> int:
        return len(self.features)

    def __getitem__(self, index: int) -> Code:
        return Code(self.features[index], self.base[index])


class DVRPredictor(CameraPredictor):
    """A field of occupancy and colour that depends on a picture, taught by casting rays on it.

    The field of the first picture of an object has to explain rays of all pictures of the batch, and is
    likely to be filled where these leave room for it, in their visual hull. Light stays in the colours.
    """

    method = "dvr"
    config: DVRConfig

    def __init__(self, config: DVRConfig | None = None) -> None:
        super().__init__()
        self.config = config = DVRConfig() if config is None else config
        self.encoder = make_encoder(config)
        self.decoder = OccupancyField(
            latent=config.features,
            hidden=config.width,
            blocks=config.blocks,
            frequencies=config.frequencies,
        )
        self.camera_head = CameraHead(config.features) if config.camera else None

    def prepare_training(self) -> None:
        """Read the encoder's weights."""
        load_encoder(self.encoder, self.config)

    def encode(self, pictures: Tensor) -> Code:
        """What fields of pictures (B, H, W, 4) depend on."""
        features = self.encoder(pictures).float()
        base = color_logits(mean_color(pictures)) if self.config.mean_color else features.new_zeros(1, 3)
        return Code(features, base.expand(len(features), 3))

    def field(self, code: Code) -> Field:
        """The field of one picture, or of B of them at their points (B, P, 3)."""
        return functools.partial(self.decoder, latent=code.features, base=code.base)

    def leveled_field(self, code: Code) -> Field:
        """The field of one picture with logits that are positive where it is as sure as the level asks."""
        field, shift = self.field(code), math.log(1 / self.config.level - 1)

        def leveled(points: Tensor) -> tuple[Tensor, Tensor]:
            logits, colors = field(points)
            return logits + shift, colors

        return leveled

    def forward(self, pictures: Tensor) -> Prediction:
        """See :meth:`~unrender.learn.predictor.Predictor.forward`; surfaces are extracted when asked for.

        A cell of the solid is filled as by the N3MR protocol, when the object reaches into it, so it is given
        the largest of the values at its corners.
        """
        code, cells = self.encode(pictures), self.config.voxels - 1
        axis = (torch.arange(cells, device=pictures.device) + 0.5) / cells - 0.5
        points = torch.stack(torch.meshgrid(axis, axis, axis, indexing="ij"), -1).reshape(-1, 3)
        with torch.no_grad():
            values = [
                torch.cat([self.leveled_field(code[i])(part)[0] for part in points.split(AT_ONCE)])
                for i in range(len(code))
            ]
        inside = torch.sigmoid(torch.stack(values)).reshape(-1, cells, cells, cells)
        solid = torch.nn.functional.max_pool3d(inside[:, None], 2, stride=1, padding=1)[:, 0]
        return Prediction(occupancy=solid, surfaces=functools.partial(self.surface, code))

    def surface(self, code: Code, index: int) -> Mesh | None:
        """The coloured surface of one of the pictures; None where its field is empty or full."""
        options = ExtractOptions(resolution=self.config.resolution, half_side=HALF_SIDE)
        one = Code(code.features[index].detach(), code.base[index])
        try:
            return extract_mesh(self.leveled_field(one), options, device=self.device)
        except EmptyFieldError:
            return None

    def loss(self, batch: Batch, progress: float) -> dict[str, Tensor]:
        """See :meth:`~unrender.learn.predictor.Predictor.loss`."""
        config = self.config
        code = self.encode(batch.pictures[:, 0])
        with torch.autocast(batch.pictures.device.type, enabled=False):
            terms = self.camera_terms(code.features, batch.cameras[:, 0])
            if progress < config.hull_share:
                return terms | self._hull_loss(code, batch)
            share = (progress - config.hull_share) / (1 - config.hull_share)
            return terms | self._ray_loss(code, batch, share)

    def _hull_loss(self, code: Code, batch: Batch) -> dict[str, Tensor]:
        """Of points inside or outside of all the masks, and of colours where rays enter the hull.

        Points are drawn from all of the cube, and near where the rays enter, to tell sooner where it ends.
        """
        rays, colors, _, inside = self._drawn(batch)
        depth = entry_depths(rays, self._solid(batch), half_side=HALF_SIDE, samples=HULL_SAMPLES)
        surface = rays.at(depth)
        seen = inside & (depth > 0)

        amount = self.config.points + self.config.rays
        points = HALF_SIDE * (2 * torch.rand(len(code), amount, 3, device=surface.device) - 1)
        near = surface + NEAR * torch.randn_like(surface)
        points[:, self.config.points :][seen] = near[seen]
        wanted = (self._hull(points, batch) > 0.5).to(points.dtype)
        logits, found = self.field(code)(torch.cat([points, surface], 1))
        wrong = (found[:, amount:] - colors).abs().sum(-1) * seen
        return {
            "hull": binary_cross_entropy_with_logits(logits[:, :amount], wanted),
            "color": self.config.color_weight * wrong.mean(),
        }

    def _hull(self, points: Tensor, batch: Batch) -> Tensor:
        """:func:`hull_values`; round the crop of an object there is nothing."""
        return hull_values(points, batch, unseen=0.0 if self.config.crop else 1.0)

    def _solid(self, batch: Batch) -> Callable[[Tensor], Tensor]:
        """The same for points (B, N, S, 3) on rays."""
        return lambda points: self._hull(points.flatten(1, 2), batch).reshape(points.shape[:-1])

    def _ray_loss(self, code: Code, batch: Batch, progress: float) -> dict[str, Tensor]:
        config = self.config
        options = config.losses()
        samples = config.samples[sum(progress >= at for at in config.samples_at)]
        rays, targets = self.draw(batch)
        total: dict[str, Tensor] = {}
        for i in range(len(code)):
            here = Rays(rays.origins[i], rays.directions[i])
            field = self.field(code[i])
            hits = cast(field, here, CastOptions(samples=samples, half_side=HALF_SIDE))
            for name, term in field_losses(field, here, hits, targets[i], options).items():
                total[name] = total.get(name, 0) + term / len(code)
        return total

    def draw(self, batch: Batch) -> tuple[Rays, list[RayTargets]]:
        """Rays (B, N) through random pixels of the pictures of each object, and what these show."""
        rays, colors, depth, inside = self._drawn(batch)
        solid = solid_depths(rays, self._solid(batch), half_side=HALF_SIDE, samples=HULL_SAMPLES)
        depths = [None] * len(colors) if depth is None else depth
        targets = zip(colors, inside, depths, solid * inside, strict=True)
        return rays, [RayTargets(*one) for one in targets]

    def _drawn(self, batch: Batch) -> tuple[Rays, Tensor, Tensor | None, Tensor]:
        """Rays (B, N), colours (B, N, 3), depth if there is any, and whether they meet the object (B, N)."""
        count, views, height, width, _ = batch.pictures.shape
        shape, device = (count, self.config.rays), batch.pictures.device
        pixels = torch.randint(views * height * width, shape, device=device)
        view, row, column = pixels // (height * width), pixels // width % height, pixels % width
        rows = torch.arange(count, device=device)[:, None]
        centres = torch.stack([column, row], -1)[..., None, :].to(batch.pictures.dtype) + 0.5
        found = pixel_rays(batch.cameras[rows, view], centres)
        rays = Rays(found.origins[..., 0, :], found.directions[..., 0, :])
        values = batch.pictures[rows, view, row, column]
        colors = (values[..., :3] / values[..., 3:].clamp(min=1e-6)).clamp(0, 1)
        depth = None if batch.depth is None else batch.depth[rows, view, row, column]
        return rays, colors, depth, values[..., 3] > 0.5


def hull_values(points: Tensor, batch: Batch, *, unseen: float = 1.0) -> Tensor:
    """The least that the masks of an object's pictures say at its points (B, P, 3), shape (B, P).

    It is above 1/2 in the visual hull (Laurentini 1994). Of points that they do not show, pictures say
    ``unseen``: 1 leaves them to the others.
    """
    cameras = batch.cameras
    pixels = cameras.project(points[:, None])  # (B, K, P, 3)
    places = pixels[..., :2] / points.new_tensor([cameras.width, cameras.height]) * 2 - 1
    seen = (places.abs() < 1).all(-1) & (pixels[..., 2] > cameras.near)
    masks = batch.pictures[..., 3].flatten(0, 1)[:, None]
    values = grid_sample(masks, places.flatten(0, 1)[:, None], padding_mode="border", align_corners=False)
    return torch.where(seen, values[:, 0, 0].reshape(seen.shape), unseen).amin(1)
