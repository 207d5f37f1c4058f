"""Solids from one picture, learned from silhouettes: Perspective Transformer Nets (Yan et al. 2016)."""

from __future__ import annotations

import dataclasses

import torch
from torch import Tensor, nn
from torch.nn import functional

from ...errors import InputError
from ...render import Camera
from ...render.rays import cube_span, pixel_rays
from ..networks.conv_encoder import ConvEncoder
from ..prediction import Prediction
from ..predictor import Batch, Predictor


@dataclasses.dataclass(frozen=True, kw_only=True)
class VoxelConfig:
    """Sizes of a :class:`VoxelPredictor`.

    Attributes:
        size: sides of the pictures [pixels].
        crop: the pictures are cut round the object (:func:`~unrender.learn.crop.crop_to_object`); else they
            are what cameras see that look at the object from N3MR's distance.
        voxels: cells along each side of the predicted solid, a multiple of 8.
        width: channels of the decoder at its finest; each coarser level has twice as many.
        mask_size: sides of the silhouettes that are compared [pixels].
        samples: points along a ray.

    Raises:
        InputError: a number is not positive, or ``voxels`` not a multiple of 8.
    """

    size: int = 64
    crop: bool = False
    voxels: int = 32
    width: int = 32
    mask_size: int = 32
    samples: int = 48

    def __post_init__(self) -> None:
        for name in ("size", "voxels", "width", "mask_size", "samples"):
            if getattr(self, name) < 1:
                raise InputError(f"{name} must be at least 1, got {getattr(self, name)}")
        if self.voxels % 8:
            raise InputError(f"voxels must be a multiple of 8, got {self.voxels}")


class VoxelPredictor(Predictor):
    """A volumetric decoder, taught by projecting its volume into the cameras of the pictures.

    The decoder gives a field of how surely points are inside: S - 1 values a side, at the centres of the
    cells of the cube [-1/2, 1/2]^3, which are the points where S cells of the N3MR protocol meet. A cell of
    that protocol is filled when the solid reaches into it, so the predicted occupancy of a cell is the
    largest of the values at its corners.
    """

    method = "voxel"

    def __init__(self, config: VoxelConfig | None = None) -> None:
        super().__init__()
        self.config = config = config or VoxelConfig()
        self.encoder = ConvEncoder(size=config.size)
        self.decoder = VolumeDecoder(512, config.voxels, config.width)

    def field(self, pictures: Tensor) -> Tensor:
        """How surely points are inside, in [0, 1], shape (B, S - 1, S - 1, S - 1), indexed by x, y and z."""
        return self.decoder(self.encoder(pictures))

    def forward(self, pictures: Tensor) -> Prediction:
        """Predict solids from pictures (B, H, W, 4)."""
        cells = functional.max_pool3d(self.field(pictures)[:, None], 2, stride=1, padding=1)
        return Prediction(occupancy=cells[:, 0])

    def loss(self, batch: Batch, progress: float) -> dict[str, Tensor]:
        """Mean squared difference between solids, drawn in all cameras of their object, and the masks there.

        The projection loss of Yan et al. 2016. On ``home`` it trains faster than the IoU of silhouettes.
        """
        objects, views, *shape = batch.pictures.shape
        fields = self.field(batch.pictures.reshape(-1, *shape))
        side = self.config.mask_size
        masks = functional.adaptive_avg_pool2d(batch.pictures[..., 3], side)
        rows = torch.arange(objects, device=fields.device).repeat_interleave(views)
        cameras = batch.cameras[rows].resized(side, side)
        drawn = project_field(fields, cameras, samples=self.config.samples)
        return {"silhouette": (drawn - masks[rows]).square().mean()}


class VolumeDecoder(nn.Module):
    """Features (B, F) to values in [0, 1] on a grid, shape (B, S - 1, S - 1, S - 1), by up-convolutions.

    Args:
        features: F.
        voxels: S, a multiple of 8.
        width: channels before the last layer; each coarser level has twice as many.
    """

    def __init__(self, features: int, voxels: int, width: int) -> None:
        super().__init__()
        self.shape = (4 * width, *(voxels // 8,) * 3)
        cells = (voxels // 8) ** 3
        self.seed = nn.Sequential(nn.Linear(features, 4 * width * cells), nn.ReLU())
        self.layers = nn.Sequential(
            nn.ConvTranspose3d(4 * width, 2 * width, 4, stride=2, padding=1, bias=False),
            nn.BatchNorm3d(2 * width),
            nn.ReLU(),
            nn.ConvTranspose3d(2 * width, width, 4, stride=2, padding=1, bias=False),
            nn.BatchNorm3d(width),
            nn.ReLU(),
            nn.ConvTranspose3d(width, 1, 5, stride=2, padding=2),  # n to 2 n - 1
            nn.Sigmoid(),
        )

    def forward(self, features: Tensor) -> Tensor:
        """Decode."""
        return self.layers(self.seed(features).unflatten(1, self.shape))[:, 0]


def project_field(field: Tensor, cameras: Camera, *, samples: int, side: float = 1.0) -> Tensor:
    """Silhouettes of soft solids: the largest value on the ray through the middle of each pixel.

    The perspective transformer of Yan et al. 2016, with the samples of a ray spread over what the
    cube cuts off from it, half a step from either end. Between the centres of the cells values are
    interpolated linearly; outside the cube they are 0, to which they fall off over half a cell at its border.

    Solids by the N3MR protocol, of S cells a side, fill a cube of side S / (S - 1).

    Args:
        field: values in [0, 1] of the cells of a cube about the origin, indexed by x, y and z, shape
            (B, n, n, n).
        cameras: batch shape (B, K), fixed: no gradient flows to them.
        samples: points along a ray.
        side: of the cube.

    Returns:
        Shape (B, K, H, W).

    Raises:
        InputError: a shape is wrong.
    """
    if field.ndim != 4 or cameras.batch_shape[:1] != field.shape[:1] or len(cameras.batch_shape) != 2:
        raise InputError(
            "field and cameras must have shapes (B, n, n, n) and (B, K), "
            f"got {tuple(field.shape)} and {tuple(cameras.batch_shape)}"
        )
    with torch.no_grad():
        rays = pixel_rays(cameras)
        start, end = cube_span(rays, side / 2)
        start = start.clamp(min=cameras.near)
        steps = (torch.arange(samples, device=field.device, dtype=cameras.dtype) + 0.5) / samples
        depths = start[..., None] + (end - start)[..., None] * steps
        points = rays.origins[..., None, :] + depths[..., None] * rays.directions[..., None, :]
        places = 2 / side * points.flip(-1)  # grid_sample counts axes from the last, from -1 to 1
    volumes = field[:, None].to(places.dtype)
    values = functional.grid_sample(volumes, places.flatten(1, 4)[:, None, None], align_corners=False)
    values = values.view(*depths.shape).amax(-1)
    return torch.where(end > start, values, 0)
