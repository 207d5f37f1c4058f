"""Drawing rays, and what views say about them, for fitting a field."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import grid_sample, max_pool2d

from ..implicit import Hits
from ..implicit.losses import RayTargets
from ..implicit.solid import solid_depths
from ..io import Views
from ..render.rays import Rays, pixel_rays

TRACE = 0.1  # of a mask, by which it may show something thinner than a pixel
NEAR = 9  # pixels about the mask from which most rays outside it are drawn
FAR_SHARE = 0.1  # of rays that are drawn from anywhere
DEPTH_SHARE = 0.25  # of rays that are drawn from pixels with depth, which may be few
HULL_SAMPLES = 48


class RaySampler:
    """Draws pixels of all views at random: most where the object is or nearly is, some where depth is known.

    They come in squares of 2 x 2, whose gradients of colours can be compared; where depth is known, one by
    one, since it may be sparse.

    Pixels that the object covers in part, but not for the most part, may show something thinner than a pixel,
    which is not to be called empty: of them only those are sure that hit the field outside of the visual
    hull, which several pictures agree on (:meth:`unsure`).

    Args:
        views: in the frame of the field.
        hull: mask values of a cube's grid, x-major, shape (R, R, R), as :func:`unrender.fit.hull.carve` gives
            them; where the object may be.
        half_side: of that cube.
    """

    def __init__(self, views: Views, hull: Tensor, half_side: float) -> None:
        self.views, self.half_side = views, half_side
        self.hull = hull.permute(2, 1, 0)[None, None]  # as grid_sample counts axes
        near = max_pool2d(views.masks[:, None], NEAR, 1, NEAR // 2)[:, 0] > 0.5
        self.inside = views.masks > 0.5
        self.partial = ~self.inside & (views.masks > TRACE)
        self.near = near.nonzero()
        self.deep = None if views.depth is None else (self.inside & (views.depth > 0)).nonzero()

    def draw(self, count: int, generator: torch.Generator) -> tuple[Rays, RayTargets, Tensor]:
        """Some rays, what is known of them, and which of them, bool, show the object in part.

        Args:
            count: N, a multiple of 4.
            generator: on the CPU.
        """
        views, device = self.views, self.views.pictures.device
        squares = count // 4
        if self.deep is not None and len(self.deep):
            squares = int((1 - DEPTH_SHARE) * count) // 4
        chosen = self._squares(squares, generator)
        if self.deep is not None and len(self.deep):
            shape = (count - len(chosen),)
            places = self.deep[torch.randint(len(self.deep), shape, generator=generator).to(device)]
            chosen = torch.cat([chosen, places])
        view, row, column = chosen.unbind(-1)
        cameras = views.cameras[view]
        pixels = torch.stack([column, row], -1)[:, None].to(cameras.dtype) + 0.5
        rays = pixel_rays(cameras, pixels).reshape(-1)
        inside = self.inside[view, row, column]
        depth = None if views.depth is None else views.depth[view, row, column]
        solid = solid_depths(
            rays, self._hull_at, half_side=self.half_side, samples=HULL_SAMPLES, generator=generator
        )
        colors = views.pictures[view, row, column]
        targets = RayTargets(colors, inside, depth, solid * inside, squares=squares)
        return rays, targets, self.partial[view, row, column]

    def _squares(self, count: int, generator: torch.Generator) -> Tensor:
        """View, row and column of the pixels of squares, shape (4 count, 3)."""
        device, shape = self.near.device, torch.tensor(self.inside.shape)
        anywhere = round(FAR_SHARE * count)
        chosen = (torch.rand(anywhere, 3, generator=generator) * shape).long().to(device)
        near = torch.randint(len(self.near), (count - anywhere,), generator=generator).to(device)
        chosen = torch.cat([chosen, self.near[near]])
        # what was chosen is any of the four
        chosen[:, 1:] -= torch.randint(0, 2, (count, 2), generator=generator).to(device)
        chosen[:, 1:] = chosen[:, 1:].clamp(min=0).minimum((shape[1:] - 2).to(device))
        offsets = torch.tensor([[0, 0, 0], [0, 0, 1], [0, 1, 0], [0, 1, 1]], device=device)
        return (chosen[:, None] + offsets).reshape(-1, 3)

    def unsure(self, rays: Rays, hits: Hits, partial: Tensor) -> Tensor:
        """Which of N rays may graze something thin, bool, shape (N,)."""
        outside = self._hull_at(rays.at(hits.depth)) <= 0.5
        return partial & ~(hits.hit & outside)

    def _hull_at(self, points: Tensor) -> Tensor:
        """Mask values of the hull at points (..., 3), shape (...)."""
        places = (points / self.half_side).reshape(1, 1, 1, -1, 3)
        return grid_sample(self.hull, places, align_corners=True).reshape(points.shape[:-1])
