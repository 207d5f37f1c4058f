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


def visible_triangles(index: Tensor, count: int) -> Tensor:
    """Which of ``count`` triangles own a pixel of ``index`` (I, H, W): bool, shape (count,)."""
    seen = torch.zeros(count + 1, dtype=torch.bool, device=index.device)  # the last entry takes the -1s
    seen[index.view(-1).long()] = True
    return seen[:count]


def triangles_near_background(
    grid: Grid, triangles: Tensor, image_starts: Tensor, index: Tensor, reach: float
) -> Tensor:
    """Which triangles have an uncovered pixel in their enlarged bounding box: bool, shape (T,)."""
    first, last = grid.pixel_boxes(triangles, reach)
    table = torch.nn.functional.pad((index < 0).int(), (1, 0, 1, 0)).cumsum(1, dtype=torch.int32)
    table = table.cumsum(2, dtype=torch.int32).view(-1)
    width = grid.width + 1
    base = image_of_triangles(image_starts, triangles.shape[0]) * (grid.height + 1) * width
    top, bottom = base + first[:, 1] * width, base + last[:, 1] * width
    left, right = first[:, 0], last[:, 0]
    return (table[bottom + right] - table[bottom + left] - table[top + right] + table[top + left]) > 0


@dataclasses.dataclass(frozen=True)
class Cells:
    """(triangle, square cell of pixels) pairs, ordered by triangle and then by cell.

    Attributes:
        triangle: int32, shape (P,).
        cell: picture-major, row-major cell index, int32, shape (P,).
        starts: pairs of triangle t are ``starts[t] : starts[t + 1]``, int32, shape (T + 1,).
        size: side of a cell in pixels.
        columns: cells in a row of a picture.
        rows: cells in a column of a picture.
    """

    triangle: Tensor
    cell: Tensor
    starts: Tensor
    size: int
    columns: int
    rows: int


def cells_of_triangles(
    grid: Grid,
    triangles: Tensor,
    image_starts: Tensor,
    *,
    size: int,
    reach: float = 0.0,
    valid: Tensor | None = None,
) -> Cells:
    """Pair every triangle with the cells its enlarged bounding box overlaps.

    Memory grows with the number of overlaps; there is no bin to overflow.

    Args:
        grid: the pixels.
        triangles: screen triangles, shape (T, 3, 3).
        image_starts: first triangle of each picture, shape (I + 1,), int64.
        size: side of a cell in pixels.
        reach: margin around the bounding box, screen units.
        valid: triangles to keep, bool, shape (T,).
    """
    count = triangles.shape[0]
    first, last = grid.pixel_boxes(triangles, reach)
    columns, rows = -(-grid.width // size), -(-grid.height // size)
    low = first // size
    span = torch.where(last > first, (last + (size - 1)) // size - low, 0)
    overlaps = span[:, 0] * span[:, 1]
    if valid is not None:
        overlaps = overlaps * valid
    ends = overlaps.cumsum(0)
    total = int(ends[-1]) if count else 0
    if total >= 2**31:
        raise InputError(f"the picture has {total} triangle-tile overlaps, more than 2**31: render it in parts")
    triangle = torch.repeat_interleave(torch.arange(count, device=first.device), overlaps, output_size=total)
    starts = torch.cat([ends.new_zeros(1), ends])
    local = torch.arange(total, device=first.device) - starts[triangle]
    base = (image_of_triangles(image_starts, count) * rows + low[:, 1]) * columns + low[:, 0]
    wide = span[:, 0].clamp(min=1)[triangle]
    down = torch.div(local, wide, rounding_mode="floor")
    cell = base[triangle] + down * columns + (local - down * wide)
    return Cells(triangle.int(), cell.int(), starts.int(), size, columns, rows)


def sort_by_cell(cells: Cells, images: int) -> tuple[Tensor, Tensor]:
    """Triangles listed cell by cell, in their own order within a cell.

    Returns:
        Triangle indices, int32, shape (P,), and the first entry of every cell, int32, shape (cells + 1,).
    """
    order = torch.sort(cells.cell, stable=True).indices
    counts = torch.bincount(cells.cell, minlength=images * cells.rows * cells.columns)
    starts = torch.cat([counts.new_zeros(1), counts.cumsum(0)])
    return cells.triangle[order].contiguous(), starts.int()
