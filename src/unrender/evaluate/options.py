"""What an evaluation can be told."""

from __future__ import annotations

import dataclasses

from ..errors import InputError
from ..geometry.surface_metrics import THRESHOLDS


@dataclasses.dataclass(frozen=True, kw_only=True)
class EvaluateOptions:
    """Settings of :func:`unrender.evaluate.evaluate`; the defaults are the protocol of the documentation.

    Attributes:
        views: views of each object that 3D IoU and light are measured from, spread evenly; all when None, as
            in the tables of N3MR and SoftRas.
        points: drawn from each predicted surface, and the most that are used of the true one.
        thresholds: of the F-score [longest sides of the object].
        level: a predicted solid is filled where its occupancy exceeds this, in (0, 1).
        samples: finer pixels along each side of a pixel, in pictures of predictions.
        seed: of the view that surface and pictures are measured from, and of the points.

    Raises:
        InputError: a value is out of range.
    """

    views: int | None = None
    points: int = 100_000
    thresholds: tuple[float, ...] = THRESHOLDS
    level: float = 0.5
    samples: int = 2
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("views", "points", "samples"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise InputError(f"{name} must be at least 1, got {value}")
        if not self.thresholds or not all(t > 0 for t in self.thresholds):
            raise InputError(f"thresholds must be positive distances, got {self.thresholds}")
        if not 0 < self.level < 1:
            raise InputError(f"level must lie between 0 and 1, got {self.level}")
