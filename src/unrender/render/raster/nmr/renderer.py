"""The Neural 3D Mesh Renderer's settings."""

from __future__ import annotations

import dataclasses
import math

from ....errors import InputError
from ..backend import Backend
from ..grid import Grid


@dataclasses.dataclass(frozen=True, kw_only=True)
class NeuralMesh:
    """Neural 3D Mesh Renderer (Kato, Ushiku, Harada, "Neural 3D Mesh Renderer", CVPR 2018): the z-buffer's
    picture, whose gradient to the vertices is an approximation made by scanning over the edges of faces.

    Attributes:
        anti_aliasing: draw at twice the size and average 2 x 2 pixels; the gradient is that of the large
            picture.
        near: least depth that is drawn [world units]; the camera's near plane when None.
        far: greatest depth that is drawn [world units].
        eps: added to the distance between a pixel and an edge before it divides, in units in which the
            shorter side of the picture is 2 long. A pixel on an edge pulls with at most 1 / eps.
        cull_backfaces: do not draw faces seen from behind, which then get no gradient.
        backend: ``"auto"``, ``"warp"`` or ``"torch"``.

    Raises:
        InputError: ``near`` or ``eps`` is not positive, ``far`` is not beyond ``near``, or the backend is
            unknown.
    """

    anti_aliasing: bool = True
    near: float | None = None
    far: float = 100.0
    eps: float = 1e-3
    cull_backfaces: bool = False
    backend: Backend = "auto"

    def __post_init__(self) -> None:
        if self.near is not None and not (self.near > 0 and math.isfinite(self.near)):
            raise InputError(f"near must be positive, got {self.near}")
        nearest = 0.0 if self.near is None else self.near
        if not self.far > nearest:
            raise InputError(f"far must be greater than near, {nearest}, got {self.far}")
        if not (self.eps > 0 and math.isfinite(self.eps)):
            raise InputError(f"eps must be positive, got {self.eps}")
        if self.backend not in ("auto", "warp", "torch"):
            raise InputError(f"backend must be 'auto', 'warp' or 'torch', got {self.backend!r}")

    def scan_eps(self, grid: Grid) -> float:
        """``eps`` in the grid's screen units."""
        return self.eps * min(grid.width * abs(grid.step_x), grid.height * abs(grid.step_y))
