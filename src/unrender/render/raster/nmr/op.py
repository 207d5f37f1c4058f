"""The edge scan as a torch operator over the Warp kernels."""

from __future__ import annotations

import torch
import warp as wp
from torch import Tensor

from ....errors import InputError
from ..binning import sum_segments
from ..cells import FINE, screen_of, visible_triangles
from ..grid import Grid
from ..launch import as_warp, launch
from . import kernels

_library = torch.library.Library("unrender", "FRAGMENT")
_library.define(
    "nmr_edge_gradient(Tensor grad, Tensor pictures, Tensor triangles, Tensor image_starts, Tensor index, "
    "float step_x, float step_y, float eps) -> Tensor"
)


def edge_gradient(
    grad: Tensor,
    pictures: Tensor,
    triangles: Tensor,
    image_starts: Tensor,
    index: Tensor,
    step_x: float,
    step_y: float,
    eps: float,
) -> Tensor:
    """As :func:`unrender.render.raster.nmr.reference.edge_gradient`."""
    return torch.ops.unrender.nmr_edge_gradient(
        grad, pictures, triangles, image_starts, index, step_x, step_y, eps
    )


def _edge_gradient(
    grad: Tensor,
    pictures: Tensor,
    triangles: Tensor,
    image_starts: Tensor,
    index: Tensor,
    step_x: float,
    step_y: float,
    eps: float,
) -> Tensor:
    device, channels = triangles.device, pictures.shape[-1]
    triangles, index = triangles.contiguous(), index.contiguous()
    grid = Grid.of(index, step_x, step_y)
    screen = screen_of(grid, FINE, device)
    sides = 6 * triangles.shape[0]
    counts = torch.empty(sides, dtype=torch.int32, device=device)
    launch(
        kernels.count_lines,
        sides,
        [
            screen,
            as_warp(triangles, wp.float32),
            as_warp(visible_triangles(index, triangles.shape[0]), wp.bool),
            as_warp(counts, wp.int32),
        ],
        device,
        grain=4096,
    )
    ends = counts.cumsum(0)
    total = int(ends[-1]) if sides else 0
    if max(total, pictures.numel()) >= 2**31:
        raise InputError(
            f"{grid.images} pictures of {grid.width} x {grid.height} with {total} crossings of edges and "
            "lines are too many: render them in parts"
        )
    starts = torch.cat([ends.new_zeros(1), ends]).int()
    pulls = triangles.new_empty(total, 2)
    launch(
        kernels.scan_lines,
        total,
        [
            screen,
            sides,
            channels,
            eps,
            as_warp(triangles, wp.float32),
            as_warp(image_starts, wp.int64),
            grid.images,
            as_warp(starts, wp.int32),
            as_warp(index.view(-1), wp.int32),
            as_warp(pictures.contiguous().view(-1, channels), wp.float32),
            as_warp(grad.contiguous().view(-1, channels), wp.float32),
            as_warp(pulls, wp.float32),
        ],
        device,
        grain=64,
    )
    sums = triangles.new_empty(sides, 2)
    launch(
        sum_segments,
        sums.numel(),
        [2, as_warp(starts, wp.int32), as_warp(pulls, wp.float32), as_warp(sums, wp.float32)],
        device,
        grain=2**14,
    )
    first, second = sums.view(-1, 3, 2, 2).unbind(-1)  # edge, axis: an edge ends at the next corner
    return torch.nn.functional.pad(first + second.roll(1, 1), (0, 1))


for _key in ("CPU", "CUDA"):
    _library.impl("nmr_edge_gradient", _edge_gradient, _key)
torch.library.register_fake(
    "unrender::nmr_edge_gradient",
    lambda grad, pictures, triangles, *rest: triangles.new_empty(triangles.shape),
    lib=_library,
)
