"""The edge scan in plain PyTorch: the definition that the kernels are held to."""

from __future__ import annotations

import torch
from torch import Tensor

from ..grid import image_of_triangles

_CHUNK = 2**20  # pixels of scanned lines at a time, which bounds the memory


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
    """Gradient of triangles (T, 3, 3) from that of pictures (I, H, W, C).

    See :func:`unrender.render.raster.nmr.scan_edges`.
    """
    size = torch.tensor([index.shape[2], index.shape[1]], device=triangles.device)
    places = (triangles[..., :2] / triangles.new_tensor([step_x, step_y]) + (size - 1)) / 2
    image = image_of_triangles(image_starts, triangles.shape[0])
    visible = torch.zeros_like(image, dtype=torch.bool)
    visible[index[index >= 0].long()] = True
    column, row = places.unbind(-1)
    x = _scan_rows(grad, pictures, index, column, row, image, visible, 2 * step_x, eps)
    grad, pictures, index = (tensor.transpose(1, 2) for tensor in (grad, pictures, index))
    y = _scan_rows(grad, pictures, index, row, column, image, visible, 2 * step_y, eps)
    return torch.stack([x, y, torch.zeros_like(x)], -1)


def _scan_rows(
    grad: Tensor,
    pictures: Tensor,
    index: Tensor,
    column: Tensor,
    row: Tensor,
    image: Tensor,
    visible: Tensor,
    pitch: float,
    eps: float,
) -> Tensor:
    """Gradient (T, 3) of the corners' screen positions along rows.

    Args:
        grad: of the pictures, shape (I, H, W, C).
        pictures: shape (I, H, W, C).
        index: shape (I, H, W).
        column: column at each corner, not rounded, shape (T, 3).
        row: row at each corner, not rounded, shape (T, 3).
        image: picture of each triangle, shape (T,).
        visible: triangles that own a pixel, shape (T,).
        pitch: from one column to the next, screen units.
        eps: screen units.
    """
    height, width = index.shape[1:]
    columns = torch.arange(width, device=row.device)
    tiny = torch.finfo(row.dtype).tiny  # keeps 0 / 0 out
    total = torch.zeros_like(row)
    for start in range(3):
        end, third = (start + 1) % 3, (start + 2) % 3
        edge = row[:, [start, end]]
        first = edge.amin(1).ceil().clamp_min(0)
        count = edge.amax(1).floor().clamp_max(height - 1) - first + 1
        keep = visible & (edge[:, 0] != edge[:, 1]) & (count > 0)
        count = torch.where(keep, count, 0).long()
        first = torch.where(keep, first, 0).long()

        owner = torch.repeat_interleave(torch.arange(len(row), device=row.device), count)
        line = first[owner] + torch.arange(len(owner), device=row.device) - (count.cumsum(0) - count)[owner]
        rise = row[:, end] - row[:, start]
        run = column[:, end] - column[:, start]
        # the third corner lies inside; the edge's direction turns the sign of this area
        area = (column[:, third] - column[:, start]) * rise - (row[:, third] - row[:, start]) * run
        outward = torch.where((area >= 0) == (rise > 0), -1, 1)[owner]
        weight = (line - row[owner, start]) / rise[owner]  # of the end, at the crossing
        cross = column[owner, start] + weight * run[owner]
        inner = torch.where(outward > 0, cross.floor(), cross.ceil())
        outer = inner + outward
        shown = (torch.minimum(inner, outer) >= 0) & (torch.maximum(inner, outer) < width)
        for part in shown.nonzero().squeeze(1).split(max(_CHUNK // width, 1)):
            t, r, side, at = owner[part], line[part], outward[part, None], cross[part, None]
            i = image[t]
            colors, slopes = pictures[i, r], grad[i, r]
            numbers = torch.arange(len(part), device=row.device)
            near, beyond = inner[part].long(), outer[part].long()
            owned = index[i, r] == t[:, None]
            sweep = owned[numbers, near, None] & ((columns - beyond[:, None]) * side >= 0)
            retreat = owned & ((columns - near[:, None]) * side <= 0)
            painted = ((colors - colors[numbers, near, None]) * slopes).sum(-1)
            uncovered = ((colors - colors[numbers, beyond, None]) * slopes).sum(-1)
            pull = torch.where(sweep, painted, 0).clamp_min(0)
            pull = pull - torch.where(retreat, uncovered, 0).clamp_min(0)
            distance = (columns - at).abs() * abs(pitch)
            towards = outward[part] if pitch > 0 else -outward[part]
            for corner, share in ((start, 1 - weight[part, None]), (end, weight[part, None])):
                moved = (pull * share / (distance + eps * share).clamp_min(tiny)).sum(1)
                total[:, corner] -= torch.zeros_like(total[:, 0]).index_add_(0, t, towards * moved)
    return total
