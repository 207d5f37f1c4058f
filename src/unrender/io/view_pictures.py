"""The pictures and masks of a view set, read from picture files."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ..errors import InputError

PICTURE_SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff")


def read_pictures(
    pictures: Sequence[Path], masks: Sequence[Path | None], *, advice: str
) -> tuple[Tensor, Tensor]:
    """Read the pictures of a view set and their masks.

    Colours are taken as they are stored, also outside the mask. A mask file is a grey picture; if it holds
    nothing but 0 and 1 of 255, it is read as labels, 1 for the object.

    Args:
        pictures: N picture files, 8 bits a channel.
        masks: for each the file of its mask, or None to take the picture's alpha channel.
        advice: where this form of view set keeps its masks, for the message when a picture has none.

    Returns:
        Pictures (N, H, W, 3) and masks (N, H, W), float32 in [0, 1].

    Raises:
        InputError: a file is missing or no picture, a picture has neither mask nor alpha, or sizes differ.
    """
    if not pictures:
        raise InputError("a view set needs at least one picture")
    loaded = [
        _read_picture(picture, mask, advice=advice) for picture, mask in zip(pictures, masks, strict=True)
    ]
    _require_one_size(
        {str(path): (rgba.shape[1], rgba.shape[0]) for path, rgba in zip(pictures, loaded, strict=True)}
    )
    return split_alpha(torch.from_numpy(np.stack(loaded)))


def require_same_size(camera: str, said: tuple[int, int], picture: str, size: tuple[int, int]) -> None:
    """Check that a camera was made for pictures of this (width, height).

    Raises:
        InputError: it was not; the message names both.
    """
    if said != size:
        raise InputError(
            f"{camera} is for a picture of {said[0]} x {said[1]} pixels (width x height), "
            f"but {picture} has {size[0]} x {size[1]}"
        )


def _require_one_size(sizes: dict[str, tuple[int, int]]) -> None:
    (usual, _), *others = Counter(sizes.values()).most_common()
    if others:
        name, size = next((name, size) for name, size in sizes.items() if size != usual)
        raise InputError(
            f"all pictures of a view set must have one size: most are {usual[0]} x {usual[1]}, "
            f"but {name} is {size[0]} x {size[1]} (width x height)"
        )


def split_alpha(rgba: Tensor) -> tuple[Tensor, Tensor]:
    """Pictures (N, H, W, 3) and masks (N, H, W) in [0, 1] from bytes (N, H, W, 4)."""
    scaled = rgba.to(torch.float32) / 255
    return scaled[..., :3].contiguous(), scaled[..., 3].contiguous()


def view_names(pictures: Sequence[Path]) -> list[str]:
    """Paths without their common folder and their suffix."""
    folder = os.path.commonpath([path.parent for path in pictures])
    return [path.relative_to(folder).with_suffix("").as_posix() for path in pictures]


def _read_picture(path: Path, mask: Path | None, *, advice: str) -> np.ndarray:
    """Bytes (H, W, 4) with the mask as alpha."""
    image = _open(path)
    if mask is None:
        if not (image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info):
            raise InputError(f"{path} has no alpha channel and no mask: {advice}")
        return np.asarray(image.convert("RGBA"))
    coverage = _open(mask).convert("L")
    if coverage.size != image.size:
        raise InputError(
            f"a mask must have the size of its picture: {mask} is {coverage.size[0]} x {coverage.size[1]}, "
            f"{path} is {image.size[0]} x {image.size[1]} (width x height)"
        )
    alpha = np.asarray(coverage)
    if alpha.max() == 1:
        alpha = alpha * np.uint8(255)
    return np.dstack((np.asarray(image.convert("RGB")), alpha))


def _open(path: Path):
    from PIL import Image, UnidentifiedImageError

    try:
        image = Image.open(path)
        image.load()
    except FileNotFoundError as error:
        raise InputError(f"{path} does not exist") from error
    except (UnidentifiedImageError, OSError) as error:
        raise InputError(f"{path} is not a readable picture: {error}") from error
    if image.mode.startswith(("I", "F")):
        raise InputError(f"{path} must have 8 bits a channel, got mode {image.mode}")
    return image
