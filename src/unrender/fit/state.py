"""Where a fit stands: all that a checkpoint holds."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from torch import Tensor

from ..errors import InputError
from ..geometry import Mesh
from ..io.checkpoints import load_checkpoint, save_checkpoint
from ..render import SphericalHarmonicsLight

CHECKPOINT_EVERY = 15.0  # seconds


@dataclasses.dataclass
class FitState:
    """The state of a fit between two steps, in the fit's own coordinates (:mod:`unrender.fit.frame`).

    Attributes:
        vertices: shape (V, 3).
        faces: shape (F, 3).
        stage: number of the stage.
        step: steps of the stage that are done.
        uvs: shape (U, 2), from the texture stage on.
        uv_faces: shape (F, 3).
        texture: shape (h, w, 3).
        light: spherical-harmonic coefficients, shape (9, 3).
        optimizers: states of the stage's optimisers, by name.
        blur_faces: the silhouette targets' calibration (:class:`~unrender.fit.targets.SoftTargets`).
        edge: length of the stage's edges at its start.
        random: state of the generator that draws the views.
    """

    vertices: Tensor
    faces: Tensor
    stage: int = 0
    step: int = 0
    uvs: Tensor | None = None
    uv_faces: Tensor | None = None
    texture: Tensor | None = None
    light: Tensor | None = None
    optimizers: dict[str, Any] = dataclasses.field(default_factory=dict)
    blur_faces: float = 0.0
    edge: float = 0.0
    random: Tensor | None = None

    def mesh(self) -> Mesh:
        """The mesh as it is now, textured if the fit has come so far."""
        return Mesh(self.vertices, self.faces, uvs=self.uvs, uv_faces=self.uv_faces, texture=self.texture)

    def lights(self) -> SphericalHarmonicsLight | None:
        """The light as it is now."""
        return None if self.light is None else SphericalHarmonicsLight(self.light)

    def values(self) -> dict[str, Any]:
        """What a checkpoint holds; ``FitState(**values)`` goes on from it."""
        values = {f.name: getattr(self, f.name) for f in dataclasses.fields(self)}
        return {n: v.detach() if isinstance(v, Tensor) else v for n, v in values.items()}


class StateFile:
    """The checkpoint of a fit, written so that an interrupted write leaves the last one whole.

    Args:
        path: of the file; None keeps none.
        fingerprint: what has to be the same for a fit to go on.
    """

    def __init__(self, path: Path | None, fingerprint: dict[str, Any]) -> None:
        self.path, self.fingerprint = path, fingerprint
        self.saved = time.monotonic()

    def load(self) -> dict[str, Any]:
        """What was saved.

        Raises:
            InputError: the file is missing, or no checkpoint of a fit with these views and options.
        """
        if self.path is None:
            raise InputError("resuming needs the file of a checkpoint, got none")
        return load_checkpoint(self.path, self.fingerprint, work="fit")

    def save(self, values: Callable[[], dict[str, Any]], *, now: bool = False) -> None:
        """Write what ``values`` gives, if the last time is long ago, or ``now``."""
        if self.path is None or not (now or time.monotonic() - self.saved > CHECKPOINT_EVERY):
            return
        save_checkpoint(self.path, values(), self.fingerprint)
        self.saved = time.monotonic()
