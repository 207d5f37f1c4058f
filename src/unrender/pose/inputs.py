"""What a pose is estimated from: picture, mask and intrinsics, checked."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from ..errors import InputError

GUESS = 40.0  # vertical angle of view from which an unknown focal length is estimated [degrees]


def split_view(
    picture: Tensor | None, mask: Tensor | None, *, device: torch.device
) -> tuple[Tensor | None, Tensor]:
    """Picture (H, W, 3) or None, and mask (H, W), float32.

    Args:
        picture: shape (H, W, 3), or (H, W, 4) with the mask as alpha.
        mask: shape (H, W); goes before alpha.
        device: where to put them.

    Raises:
        InputError: a shape is wrong, or there is no mask.
    """
    if picture is not None:
        if picture.ndim != 3 or picture.shape[-1] not in (3, 4):
            raise InputError(f"picture must have shape (H, W, 3) or (H, W, 4), got {tuple(picture.shape)}")
        if mask is None and picture.shape[-1] == 4:
            mask = picture[..., 3]
        picture = picture[..., :3].detach().to(device, torch.float32)
    if mask is None:
        raise InputError(
            "a pose needs to know which pixels show the object: give a mask of shape (H, W), "
            "or a picture of shape (H, W, 4) whose alpha channel is the mask; got neither"
        )
    if mask.ndim != 2 or 0 in mask.shape:
        raise InputError(f"mask must have shape (H, W), got {tuple(mask.shape)}")
    if picture is not None and picture.shape[:2] != mask.shape:
        raise InputError(
            f"picture and mask must have one size, got {tuple(picture.shape[:2])} and {tuple(mask.shape)}"
        )
    return picture, mask.detach().to(device, torch.float32)


def check_view(picture: Tensor | None, mask: Tensor) -> None:
    """Refuse what no pose can explain.

    Raises:
        InputError: a value is not finite or the mask lies outside [0, 1], or is empty or full.
    """
    for name, values in (("picture", picture), ("mask", mask)):
        if values is not None and not bool(torch.isfinite(values).all()):
            raise InputError(f"{name} must be finite, got NaN or infinity")
    low, high = (float(value) for value in torch.aminmax(mask))
    if low < 0 or high > 1:
        raise InputError(f"mask must lie between 0 and 1, got values from {low:g} to {high:g}")
    covered = int((mask > 0.5).sum())
    if covered == 0:
        raise InputError("mask must not be empty, got no pixel above one half")
    if covered == mask.numel():
        raise InputError("mask must leave some background, got the object in every pixel")


def intrinsics_of(mask: Tensor, fov_y: float | None, intrinsics: Tensor | None) -> Tensor:
    """Pinhole intrinsics (3, 3) of the picture, a guess if neither is given.

    Raises:
        InputError: both are given, or one of them is no pinhole camera's.
    """
    if intrinsics is not None:
        if fov_y is not None:
            raise InputError("give fov_y or intrinsics, got both")
        if tuple(intrinsics.shape) != (3, 3):
            raise InputError(f"intrinsics must have shape (3, 3), got {tuple(intrinsics.shape)}")
        k = intrinsics.detach().to(mask)
        below = [float(k[1, 0]), *k[2].tolist()]
        if (
            not bool(torch.isfinite(k).all())
            or min(float(k[0, 0]), float(k[1, 1])) <= 0
            or below != [0, 0, 0, 1]
        ):
            raise InputError(
                "intrinsics must be [[fx, s, cx], [0, fy, cy], [0, 0, 1]] with fx and fy positive, "
                f"got {intrinsics.tolist()}"
            )
        return k
    fov_y = GUESS if fov_y is None else fov_y
    if not 0 < fov_y < 180:
        raise InputError(f"fov_y must lie between 0 and 180 degrees, got {fov_y}")
    height, width = mask.shape
    focal = 0.5 * height / math.tan(math.radians(fov_y) / 2)
    return mask.new_tensor([[focal, 0, width / 2], [0, focal, height / 2], [0, 0, 1]])
