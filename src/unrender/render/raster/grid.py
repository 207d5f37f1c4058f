"""Where pixels lie on the screen, and which pixels and tiles a triangle can touch."""

from __future__ import annotations

import dataclasses

import torch
from torch import Tensor

from ...errors import InputError


@dataclasses.dataclass(frozen=True)
class Grid:
    """The pixels of a stack of equally large pictures, in centred screen coordinates.

    Pixel (row r, column c) has its centre at ``(step_x * (2 c + 1 - width), step_y * (2 r + 1 - height))``.
    With steps of one half, coordinates are pixels counted from the middle of the picture, y down; other
    steps give the grids of other libraries (Kaolin: ``1000 / width, -1000 / height``).

    Attributes:
        images: number of pictures I.
        height: rows.
        width: columns.
        step_x: half the distance between two columns.
        step_y: half the distance between two rows; negative when y points up.
    """

    images: int
    height: int
    width: int
    step_x: float = 0.5
    step_y: float = 0.5

    def __post_init__(self) -> None:
        if self.height < 1 or self.width < 1:
            raise InputError(f"a picture needs at least one pixel, got {self.width} x {self.height}")

    @classmethod
    def of(cls, index: Tensor, step_x: float, step_y: float) -> Grid:
        """The grid of pictures with the shape (I, H, W) of ``index``."""
        images, height, width = index.shape
        return cls(images, height, width, step_x, step_y)

    def centres(self, dtype: torch.dtype, device: torch.device) -> tuple[Tensor, Tensor]:
        """Screen x of every column, shape (W,), and screen y of every row, shape (H,)."""
        columns = torch.arange(self.width, device=device, dtype=dtype) * 2 + (1 - self.width)
        rows = torch.arange(self.height, device=device, dtype=dtype) * 2 + (1 - self.height)
        return columns * self.step_x, rows * self.step_y

    def pixel_boxes(self, triangles: Tensor, reach: float) -> tuple[Tensor, Tensor]:
        """Pixels whose centres may lie in a triangle's bounding box enlarged by ``reach``.

        Args:
            triangles: screen triangles, shape (T, 3, 3).
            reach: margin in screen units.

        Returns:
            First and one past the last (column, row), each of shape (T, 2), int64; generous by up to a
            pixel, clipped to the picture, and empty where the triangle is off-screen or not finite.
        """
        xy = triangles.detach()[..., :2]
        low, high = xy.amin(-2) - reach, xy.amax(-2) + reach
        step = xy.new_tensor([self.step_x, self.step_y])
        size = torch.tensor([self.width, self.height], device=xy.device)
        a, b = (low / step + size - 1) / 2, (high / step + size - 1) / 2
        finite = (torch.isfinite(a) & torch.isfinite(b)).all(-1, keepdim=True)
        bound = size.to(xy.dtype)
        zero = torch.zeros_like(bound)
        first = torch.minimum(torch.minimum(a, b).floor().nan_to_num(), bound).maximum(zero).long()
        last = torch.minimum(torch.maximum(a, b).ceil().nan_to_num() + 1, bound).maximum(zero).long()
        return first, torch.where(finite, torch.maximum(first, last), first)


def image_of_triangles(image_starts: Tensor, count: int) -> Tensor:
    """Picture index of each of ``count`` triangles; ``image_starts`` has shape (I + 1,)."""
    sizes = image_starts[1:] - image_starts[:-1]
    images = torch.arange(len(sizes), device=image_starts.device)
    return torch.repeat_interleave(images, sizes, output_size=count)
