"""The Soft Rasterizer's settings, and what they mean in screen units."""

from __future__ import annotations

import dataclasses
import math
from typing import Literal

from ....errors import InputError
from ..backend import Backend
from ..grid import Grid

Distance = Literal["euclidean", "barycentric", "hard"]
AlphaRule = Literal["prod", "sum", "hard"]
ColorRule = Literal["softmax", "hard"]


@dataclasses.dataclass(frozen=True)
class Aggregation:
    """How faces are mixed, in the units of a grid's screen.

    Attributes:
        sigma: scale of the squared distance; of squared weights if ``distance`` is ``"barycentric"``.
        cutoff: pixels outside a face at this squared distance or more do not see it.
        reach: pixels farther than this from a face's bounding box do not see it.
        distance: what D_j is made of.
        alpha: how the D_j make a silhouette.
        color: how the faces' colours are mixed.
        gamma: temperature of the softmax over depths.
        eps: the background's normalised depth, near 0.
        near: faces nearer than this give no colour.
        far: nor do faces farther than this.
        perspective: interpolate colours with perspective-correct weights.
        interpolation_gradient: let gradients pass through the weights that interpolate colour and depth.
    """

    sigma: float
    cutoff: float
    reach: float
    distance: Distance = "euclidean"
    alpha: AlphaRule = "prod"
    color: ColorRule = "softmax"
    gamma: float = 1e-4
    eps: float = 1e-3
    near: float = 1.0
    far: float = 100.0
    perspective: bool = True
    interpolation_gradient: bool = True

    @property
    def rate(self) -> float:
        """Steepness of the softmax in depth: exp(-rate z)."""
        return 1 / ((self.far - self.near) * self.gamma)

    @property
    def behind(self) -> float:
        """The depth at which the background stands in the softmax."""
        return self.far - self.eps * (self.far - self.near)


@dataclasses.dataclass(frozen=True, kw_only=True)
class SoftRas:
    """The Soft Rasterizer (Liu et al., "Soft Rasterizer: A Differentiable Renderer for Image-based 3D
    Reasoning", ICCV 2019): a pixel is a probabilistic mixture of all faces, also of those that are hidden.

    Attributes:
        blur: width of the faces' rims [pixels]: a face whose boundary is d away covers a pixel with
            probability sigmoid(d^2 / blur^2) from inside, sigmoid(-d^2 / blur^2) from outside.
        sigma_ndc: the paper's sigma instead of ``blur``, in units in which the shorter side of the picture is
            2 long: sigmoid(d^2 / sigma_ndc). The released code has 1e-5, its recipes 1e-4.
        gamma: how much nearer faces outweigh farther ones; the smaller, the harder.
        eps: weight of the background in the softmax, as a normalised depth.
        near: faces nearer than this give no colour [world units]; the camera's near plane when None.
        far: nor do faces farther than this. Depths from ``near`` to ``far`` are normalised to 1 to 0.
        distance: ``"euclidean"``, ``"barycentric"`` (the least weight, squared, which has no unit: set
            ``sigma_ndc``), or ``"hard"`` (1 inside, 0 outside; no vertex gradient from the silhouette).
        alpha: ``"prod"``, 1 - prod(1 - D_j); ``"sum"``, the mean of D_j over all faces; ``"hard"``, whether
            some D_j exceeds one half (no gradient).
        color: ``"softmax"``, or ``"hard"``, the nearest face under the pixel.
        dist_eps: faces whose D_j would be less than this are left out.
        perspective_correct: interpolate with perspective-correct weights; False is the paper's screen space.
        interpolation_gradient: the true gradient; False leaves out what goes through the weights that
            interpolate colour and depth, as the released code does.
        cull_backfaces: faces seen from behind take no part.
        backend: ``"auto"``, ``"warp"`` or ``"torch"``.

    Raises:
        InputError: a value is out of range.
    """

    blur: float = 0.5
    sigma_ndc: float | None = None
    gamma: float = 1e-4
    eps: float = 1e-3
    near: float | None = None
    far: float = 100.0
    distance: Distance = "euclidean"
    alpha: AlphaRule = "prod"
    color: ColorRule = "softmax"
    dist_eps: float = 1e-4
    perspective_correct: bool = True
    interpolation_gradient: bool = True
    cull_backfaces: bool = False
    backend: Backend = "auto"

    def __post_init__(self) -> None:
        for name in ("blur", "sigma_ndc", "gamma", "near", "far"):
            value = getattr(self, name)
            if value is not None and not (value > 0 and math.isfinite(value)):
                raise InputError(f"{name} must be positive, got {value}")
        if not 0 < self.dist_eps < 0.5:
            raise InputError(f"dist_eps must be between 0 and 0.5, got {self.dist_eps}")
        if not 0 <= self.eps < 1:
            raise InputError(f"eps must be at least 0 and below 1, got {self.eps}")
        if self.near is not None and self.near >= self.far:
            raise InputError(f"near must be less than far, got {self.near} and {self.far}")
        for name, known in (
            ("distance", ("euclidean", "barycentric", "hard")),
            ("alpha", ("prod", "sum", "hard")),
            ("color", ("softmax", "hard")),
        ):
            if getattr(self, name) not in known:
                raise InputError(f"{name} must be one of {', '.join(known)}, got {getattr(self, name)!r}")
        if self.distance == "barycentric" and self.sigma_ndc is None:
            raise InputError("distance='barycentric' has no unit of length: give sigma_ndc, got only a blur")

    def aggregation(self, grid: Grid, near: float) -> Aggregation:
        """The settings in the screen units of ``grid``; ``near`` [world units] stands in for a near of None.

        Raises:
            InputError: ``near`` is not less than ``far``.
        """
        near = near if self.near is None else self.near
        if near >= self.far:
            raise InputError(f"near must be less than far, got {near} and {self.far}")
        unit = min(grid.width * abs(grid.step_x), grid.height * abs(grid.step_y))  # 1 in NDC
        if self.sigma_ndc is None:
            sigma = (2 * abs(grid.step_x) * self.blur) ** 2
        else:
            sigma = self.sigma_ndc * (1 if self.distance == "barycentric" else unit**2)
        cutoff = math.log(1 / self.dist_eps - 1) * sigma
        reach = math.sqrt(cutoff) * (unit if self.distance == "barycentric" else 1)
        return Aggregation(
            sigma=sigma,
            cutoff=cutoff,
            reach=0.0 if self.distance == "hard" else reach,
            distance=self.distance,
            alpha=self.alpha,
            color=self.color,
            gamma=self.gamma,
            eps=self.eps,
            near=near,
            far=self.far,
            perspective=self.perspective_correct,
            interpolation_gradient=self.interpolation_gradient,
        )
