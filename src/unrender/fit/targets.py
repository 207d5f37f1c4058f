"""Silhouettes of the masks, made as the renderer makes them of the mesh."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid

from ..render.draw import Renderer
from ..render.raster.dibr import DIBR
from ..render.raster.softras import SoftRas


def distance_to_mask(masks: Tensor) -> Tensor:
    """Distance of each pixel's centre to the nearest pixel of its mask [pixels], 0 inside.

    Args:
        masks: shape (N, H, W); a value above one half is inside.

    Returns:
        Shape (N, H, W).

    Raises:
        ImportError: SciPy is not installed.
    """
    try:
        from scipy.ndimage import distance_transform_edt
    except ImportError as error:
        raise ImportError("fitting needs SciPy: pip install 'unrender[mesh]'") from error
    outside = (masks <= 0.5).cpu().numpy()
    distances = [torch.from_numpy(distance_transform_edt(picture)) for picture in outside]
    return torch.stack(distances).to(masks)


class SoftTargets:
    """The silhouettes that a mesh with the given masks would have under a renderer.

    Beside the edge of a mesh several faces reach a pixel, and soft renderers multiply them up: the silhouette
    is 1 - (1 - p)^k, where one face gives p, with k of several for usual meshes. Held against the plain mask,
    such a silhouette is too large, and the loss shrinks thin parts away. So the mask is blurred by the same
    formula, with the k that the mesh shows at the moment. The Neural 3D Mesh Renderer has no blur, and its
    targets are the masks.

    Args:
        masks: shape (N, H, W).
        renderer: what draws the silhouettes.
    """

    def __init__(self, masks: Tensor, renderer: Renderer) -> None:
        self.masks = masks
        self.renderer = renderer
        self.soft = isinstance(renderer, (DIBR, SoftRas))
        self.distances = _signed_distance(masks) if self.soft else masks
        self.faces = 0.0  # k; 0 until the first calibration

    def calibrate(self, alpha: Tensor, mask: Tensor) -> None:
        """Measure k on a render: soft silhouettes (n, H, W) and the pixels that faces cover (n, H, W)."""
        if not isinstance(self.renderer, (DIBR, SoftRas)):
            return
        distance = _signed_distance(mask.to(alpha.dtype))
        # outside alone: inside, SoftRas's silhouette dips along the edges between faces
        band = (distance > 0) & (distance < 2.5 * self.renderer.blur)
        if not bool(band.any()):
            return
        log_clear, mean = self._log_clear(distance[band]), alpha.detach()[band].mean()
        low, high = 0.0, 64.0
        for _ in range(20):  # the k whose silhouette has the same mean
            middle = (low + high) / 2
            if bool(-torch.expm1(middle * log_clear).mean() < mean):
                low = middle
            else:
                high = middle
        self.faces = low if self.faces == 0 else 0.7 * self.faces + 0.3 * low

    def __getitem__(self, index: Tensor) -> Tensor:
        """Targets of the views with these indices, shape (n, H, W)."""
        if not self.soft:
            return self.masks[index]
        return -torch.expm1(self.faces * self._log_clear(self.distances[index]))

    def _log_clear(self, distance: Tensor) -> Tensor:
        """log(1 - p) at a signed distance from the edge, positive outside [pixels]."""
        if isinstance(self.renderer, SoftRas):
            return logsigmoid(distance * distance.abs() / self.renderer.blur**2)
        assert isinstance(self.renderer, DIBR)
        outside = torch.log(-torch.expm1(-((distance.clamp(min=0.1) / self.renderer.blur) ** 2)))
        return torch.where(distance > 0, outside, _CERTAIN)


_CERTAIN = -50.0  # log(1 - p) of a pixel that is surely covered


def _signed_distance(masks: Tensor) -> Tensor:
    """Distance to the edge of the mask, half a pixel off the centres beside it; positive outside."""
    outside, inside = distance_to_mask(masks), distance_to_mask((masks <= 0.5).to(masks.dtype))
    return torch.where(outside > 0, outside - 0.5, 0.5 - inside)
