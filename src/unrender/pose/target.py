"""The picture of the object as the search sees it: a window around its mask, at any size."""

from __future__ import annotations

import dataclasses

import torch
from torch import Tensor
from torch.nn.functional import interpolate

from .placement import Frame

MARGIN = 1.5  # side of the window in sides of the mask


@dataclasses.dataclass(frozen=True, eq=False)
class Target:
    """What a render is held against.

    Attributes:
        mask: how much the object covers each pixel, shape (S, S).
        color: times the mask, shape (S, S, 3); None to compare masks alone.
        known: share of each pixel that lies inside the picture, shape (S, S).
    """

    mask: Tensor
    color: Tensor | None
    known: Tensor

    @property
    def size(self) -> int:
        """S."""
        return self.mask.shape[0]

    @property
    def area(self) -> Tensor:
        """Pixels that the object covers."""
        return (self.mask * self.known).sum()

    def resized(self, size: int) -> Target:
        """The same with ``size`` pixels a side: averaged when smaller, blended linearly when larger."""
        planes = [self.mask[..., None], self.known[..., None]]
        planes = torch.cat(planes + ([] if self.color is None else [self.color]), -1).permute(2, 0, 1)[None]
        mode = "bilinear" if size > self.size else "area"
        mask, known, color = (
            interpolate(planes, (size, size), mode=mode)[0]
            .permute(1, 2, 0)
            .split((1, 1, planes.shape[1] - 2), -1)
        )
        return Target(mask[..., 0], None if self.color is None else color, known[..., 0])


def target_of(mask: Tensor, picture: Tensor | None, intrinsics: Tensor) -> tuple[Frame, Target]:
    """Cut out the mask and its surroundings.

    Args:
        mask: shape (H, W); somewhere above one half.
        picture: shape (H, W, 3), or None.
        intrinsics: of the picture, shape (3, 3).

    Returns:
        The window and what it shows, ``known`` being 0 where it reaches beyond the picture.
    """
    height, width = mask.shape
    inside = mask > 0.5
    rows, columns = inside.any(1).nonzero().flatten(), inside.any(0).nonzero().flatten()
    top, bottom, left, right = (int(i) for i in (rows[0], rows[-1] + 1, columns[0], columns[-1] + 1))
    side = round(MARGIN * max(bottom - top, right - left)) + 2
    frame = Frame((left + right - side) // 2, (top + bottom - side) // 2, side, intrinsics, width, height)

    def cut(plane: Tensor) -> Tensor:
        window = plane.new_zeros(side, side, *plane.shape[2:])
        y0, x0 = max(frame.top, 0), max(frame.left, 0)
        part = plane[y0 : frame.top + side, x0 : frame.left + side]
        y, x = y0 - frame.top, x0 - frame.left
        window[y : y + part.shape[0], x : x + part.shape[1]] = part
        return window

    color = None if picture is None else cut(picture * mask[..., None])
    return frame, Target(cut(mask), color, cut(torch.ones_like(mask)))
