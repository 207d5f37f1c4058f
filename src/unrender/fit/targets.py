"""Soft silhouettes of the masks, made as the renderer makes them of the mesh."""

from __future__ import annotations

import torch
from torch import Tensor


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
    """The silhouette that a mesh with the given masks would have under DIB-R's blur.

    Beyond the edge of a mesh several faces reach a pixel, and DIB-R multiplies them up: its silhouette is
    1 - (1 - exp(-d^2 / blur^2))^k, with k of several for usual meshes. Held against the plain mask, such a
    silhouette is too large, and the loss shrinks thin parts away. So the mask is blurred by the same formula,
    with the k that the mesh shows at the moment.

    Args:
        masks: shape (N, H, W).
        blur: width of DIB-R's blur [pixels].
    """

    def __init__(self, masks: Tensor, blur: float) -> None:
        self.distances = distance_to_mask(masks)
        self.blur = blur
        self.faces = 0.0  # k; 0 until the first calibration

    def calibrate(self, alpha: Tensor, mask: Tensor) -> None:
        """Measure k on a render: soft silhouettes (n, H, W) and the pixels that faces cover (n, H, W)."""
        distance = distance_to_mask(mask.to(alpha.dtype))
        band = (distance > 0) & (distance < 2.5 * self.blur + 0.5)
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
        distance = self.distances[index]
        soft = -torch.expm1(self.faces * self._log_clear(distance))
        return torch.where(distance == 0, 1.0, soft)

    def _log_clear(self, distance: Tensor) -> Tensor:
        # the mask ends half a pixel before the centre of its last pixel's neighbour
        edge = (distance - 0.5).clamp(min=0.1)
        return torch.log(-torch.expm1(-((edge / self.blur) ** 2)))
