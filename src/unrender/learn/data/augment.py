"""Changes to training pictures that keep them true: mirror images, other colours, other focal lengths."""

from __future__ import annotations

import dataclasses

import torch
from torch import Tensor
from torch.nn import functional

from ...errors import InputError
from ..predictor import Batch


@dataclasses.dataclass(frozen=True, kw_only=True)
class AugmentOptions:
    """What may be changed, the same in all pictures of an object.

    Attributes:
        flip: mirror half of the objects across x = 0.
        color: how far colours are stretched, 0 for not at all; from 1/4 on the channels of half the objects
            are also exchanged.
        scale: how much larger or smaller the object may stand in the pictures, about their middle; cameras
            change with them. 0 for not at all.

    Raises:
        InputError: ``color`` or ``scale`` is not in [0, 1).
    """

    flip: bool = True
    color: float = 0.0
    scale: float = 0.0

    def __post_init__(self) -> None:
        for name in ("color", "scale"):
            if not 0 <= getattr(self, name) < 1:
                raise InputError(f"{name} must be in [0, 1), got {getattr(self, name)}")


def augment(batch: Batch, options: AugmentOptions, generator: torch.Generator) -> Batch:
    """Change a batch at random.

    Args:
        batch: pictures, their cameras, and what is known of depth and light.
        options: what may be changed.
        generator: on the CPU; the same state gives the same changes.
    """
    count = batch.pictures.shape[0]
    device = batch.pictures.device
    flips = (torch.rand(count, generator=generator) < 0.5).to(device)
    gains = (torch.rand(count, 1, 1, 1, 3, generator=generator) * 2 - 1).to(device)
    order = torch.rand(count, 3, generator=generator).argsort(-1).to(device)
    exchanged = (torch.rand(count, 1, generator=generator) < 0.5).to(device)
    zooms = (1 + options.scale * (2 * torch.rand(count, generator=generator) - 1)).to(device)
    if options.color:
        colors, alpha = batch.pictures[..., :3], batch.pictures[..., 3:]
        if options.color < 0.25:
            exchanged = torch.zeros_like(exchanged)
        order = torch.where(exchanged, order, torch.arange(3, device=device))
        colors = colors.gather(-1, order[:, None, None, None].expand_as(colors))
        factors = 1 + options.color * gains
        colors = torch.minimum(colors * factors, alpha)
        tints = torch.nn.functional.one_hot(order, 3) * factors.reshape(count, 3, 1)
        # a factor may be of surface or light, and is taken for the surface's; other channels are of both
        lights = None if batch.lights is None else batch.lights.recoloured((tints > 0).to(tints))
        pictures = torch.cat([colors, alpha], -1)
        batch = dataclasses.replace(batch, pictures=pictures, tints=tints, lights=lights)
    if options.scale:
        batch = _zoomed(batch, zooms)
    return _mirrored(batch, flips) if options.flip else batch


def _zoomed(batch: Batch, zooms: Tensor) -> Batch:
    """The batch with its objects (B,) times as large about the middle of their pictures."""
    cameras, pictures = batch.cameras, batch.pictures
    views = pictures.shape[1]
    planes = pictures.flatten(0, 1).permute(0, 3, 1, 2)
    turn = torch.zeros(len(planes), 2, 3, device=pictures.device)
    turn[:, 0, 0] = turn[:, 1, 1] = 1 / zooms.repeat_interleave(views)
    places = functional.affine_grid(turn, list(planes.shape), align_corners=False)
    planes = functional.grid_sample(planes, places, align_corners=False)
    middle = cameras.intrinsics.new_tensor([cameras.width / 2, cameras.height / 2])
    intrinsics = cameras.intrinsics.clone()
    intrinsics[..., :2, :2] *= zooms[:, None, None, None]
    intrinsics[..., :2, 2] = middle + (intrinsics[..., :2, 2] - middle) * zooms[:, None, None]
    pictures = planes.permute(0, 2, 3, 1).reshape(pictures.shape)
    depth = batch.depth
    if depth is not None:  # that of the nearest pixel: the mean of two depths is on neither surface
        maps = depth.flatten(0, 1)[:, None]
        depth = functional.grid_sample(maps, places, "nearest", align_corners=False).reshape(depth.shape)
    cameras = cameras.replace(intrinsics=intrinsics)
    return dataclasses.replace(batch, pictures=pictures, cameras=cameras, depth=depth)


def _mirrored(batch: Batch, chosen: Tensor) -> Batch:
    """The batch with the chosen (B,) objects mirrored across x = 0, and their pictures with them."""
    cameras = batch.cameras
    pictures = torch.where(chosen[:, None, None, None, None], batch.pictures.flip(-2), batch.pictures)
    depth = batch.depth
    if depth is not None:
        depth = torch.where(chosen[:, None, None, None], depth.flip(-1), depth)
    # The mirrored object under the mirrored camera: both ends of the transform change the sign of x.
    side = cameras.world_to_camera.new_tensor([-1.0, 1.0, 1.0, 1.0])
    pose = side[:, None] * cameras.world_to_camera * side
    intrinsics = cameras.intrinsics.clone()
    intrinsics[..., 0, 2] = cameras.width - intrinsics[..., 0, 2]
    intrinsics[..., 0, 1] = -intrinsics[..., 0, 1]
    pick = chosen[:, None, None, None]
    cameras = cameras.replace(
        world_to_camera=torch.where(pick, pose, cameras.world_to_camera),
        intrinsics=torch.where(pick, intrinsics, cameras.intrinsics),
    )
    lights = None if batch.lights is None else batch.lights.mirrored(chosen)
    return dataclasses.replace(
        batch, pictures=pictures, cameras=cameras, mirrored=chosen, depth=depth, lights=lights
    )
