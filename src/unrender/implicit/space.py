"""Where a field may be occupied: what lets rays skip empty space."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import max_pool3d

from .field import Field


class OccupiedSpace:
    """Cells of a cube that an object may reach into, refreshed as its field changes.

    A cell may be occupied if the field is at one of its samples, or at one of its neighbours', or nearly so.
    Something thinner than the distance of two samples, in a field so steep that it is not felt beside it, can
    be missed; raise ``samples`` for it.

    Args:
        half_side: of the cube about the origin; what lies outside is empty.
        resolution: cells along each side.
        samples: points along each side of a cell.
        margin: logits above its negative count as occupied; how far the field may have come since the last
            refresh.
        device: of the points that will be asked for.
    """

    def __init__(
        self,
        half_side: float,
        *,
        resolution: int = 32,
        samples: int = 2,
        margin: float = 1.0,
        device: torch.device | str = "cpu",
    ) -> None:
        self.half_side, self.resolution, self.samples, self.margin = half_side, resolution, samples, margin
        self.cells = torch.ones((resolution,) * 3, dtype=torch.bool, device=device)

    @torch.no_grad()
    def refresh(self, field: Field) -> int:
        """Look at the field again; the number of points that it was asked for."""
        from .cast import logits_at

        side = self.resolution * self.samples
        axis = (torch.arange(side, device=self.cells.device) + 0.5) * (2 / side) - 1
        points = self.half_side * torch.stack(torch.meshgrid(axis, axis, axis, indexing="ij"), -1)
        occupied = logits_at(field, points.reshape(-1, 3)) > -self.margin
        fine = occupied.reshape(1, 1, side, side, side).float()
        coarse = max_pool3d(fine, self.samples)
        self.cells = max_pool3d(coarse, 3, stride=1, padding=1)[0, 0] > 0
        return len(occupied)

    def may_be_occupied(self, points: Tensor) -> Tensor:
        """Whether points (N, 3) lie in cells that may be occupied, bool, shape (N,)."""
        place = ((points / self.half_side + 1) / 2 * self.resolution).floor().long()
        within = ((place >= 0) & (place < self.resolution)).all(-1)
        x, y, z = place.clamp(0, self.resolution - 1).unbind(-1)
        return self.cells[x, y, z] & within
