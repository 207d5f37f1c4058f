"""What pose estimation can be told, and the rounds it goes through."""

from __future__ import annotations

import dataclasses
import math
from typing import get_args

from ..errors import InputError
from ..fit.options import RendererName


@dataclasses.dataclass(frozen=True, kw_only=True)
class PoseOptions:
    """Settings of :func:`unrender.pose.estimate_pose`.

    Attributes:
        renderer: the differentiable renderer.
        starts: rotations, evenly spread, that are tried before the best of them are optimised.
        color: compare colours too, where there are a picture and a mesh with colours.
        picture_size: the last round sees the object's surroundings at no more than this many pixels a side.
        effort: multiplies the number of steps.
        seed: turns the set of starts as a whole.

    Raises:
        InputError: a value is out of range.
    """

    renderer: RendererName = "softras"
    starts: int = 1000
    color: bool = True
    picture_size: int = 160
    effort: float = 1.0
    seed: int = 0

    def __post_init__(self) -> None:
        if self.renderer not in get_args(RendererName):
            raise InputError(
                f"renderer must be one of {', '.join(get_args(RendererName))}, got {self.renderer!r}"
            )
        for name, least in (("starts", 1), ("picture_size", 32)):
            if getattr(self, name) < least:
                raise InputError(f"{name} must be at least {least}, got {getattr(self, name)}")
        if not (self.effort > 0 and math.isfinite(self.effort)):
            raise InputError(f"effort must be positive, got {self.effort}")


@dataclasses.dataclass(frozen=True)
class Round:
    """One round of the search: the best poses so far, optimised in a finer picture.

    Attributes:
        keep: how many poses take part.
        size: pixels a side of the picture.
        faces: the mesh is simplified to about this many faces.
        blur: width of the soft silhouette at the start and at the end [pixels].
        softness: range of depths that mix at the start and at the end [radii of the object].
        lr: length of the first step; it falls to a tenth [radians, radii, shares of size].
        steps: how many.
    """

    keep: int
    size: int
    faces: int
    blur: tuple[float, float]
    softness: tuple[float, float]
    lr: float
    steps: int


def rounds(options: PoseOptions) -> list[Round]:
    """Many poses in small pictures under a wide blur, then few in large pictures under a narrow one."""

    def steps(count: int) -> int:
        return max(1, round(count * options.effort))

    return [
        Round(16, 32, 500, (0.7, 0.3), (0.1, 0.03), 0.06, steps(16)),
        Round(6, 64, 1200, (0.6, 0.2), (0.1, 0.02), 0.04, steps(20)),
        Round(3, options.picture_size, 5000, (0.4, 0.12), (0.03, 0.01), 0.02, steps(25)),
    ]
