"""The DIB-R renderer's settings."""

from __future__ import annotations

import dataclasses
import math

from ....errors import InputError
from ..backend import Backend
from ..grid import Grid


@dataclasses.dataclass(frozen=True, kw_only=True)
class DIBR:
    """DIB-R (Chen et al., "Learning to Predict 3D Objects with an Interpolation-based Differentiable
    Renderer", NeurIPS 2019): foreground pixels interpolate, background pixels aggregate distances.

    Attributes:
        blur: width of the soft silhouette [pixels]: one face at distance d gives a background pixel
            exp(-(d / blur)^2). Sensible values are 0.5 to 5; larger ones reach farther and are less sharp.
        sigma_ndc: the papers' form instead of ``blur``: exp(-d^2 / sigma_ndc) with d in units in which the
            shorter side of the picture is 2 long. Kaolin's default is 1 / 7000.
        perspective_correct: interpolate with perspective-correct weights, so that depth gets gradients from
            colour; False is the paper's screen-space form, which leaves depth out.
        cull_backfaces: do not draw faces seen from behind; they still shape the soft silhouette.
        max_faces: let only the first so many faces blur a pixel, as Kaolin's ``knum``; all when None.
        backend: ``"auto"``, ``"warp"`` or ``"torch"``.

    Raises:
        InputError: ``blur``, ``sigma_ndc`` or ``max_faces`` is not positive.
    """

    blur: float = 1.0
    sigma_ndc: float | None = None
    perspective_correct: bool = True
    cull_backfaces: bool = False
    max_faces: int | None = None
    backend: Backend = "auto"

    def __post_init__(self) -> None:
        if not (self.blur > 0 and math.isfinite(self.blur)):
            raise InputError(f"blur must be a positive number of pixels, got {self.blur}")
        if self.sigma_ndc is not None and not (self.sigma_ndc > 0 and math.isfinite(self.sigma_ndc)):
            raise InputError(f"sigma_ndc must be positive, got {self.sigma_ndc}")

        if self.max_faces is not None and self.max_faces < 1:
            raise InputError(f"max_faces must be at least 1, got {self.max_faces}")

    def sigma(self, grid: Grid) -> float:
        """Squared width of the blur [squared pixels]."""
        if self.sigma_ndc is None:
            return self.blur**2
        return self.sigma_ndc * (min(grid.width, grid.height) / 2) ** 2
