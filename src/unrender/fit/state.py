"""Where a fit stands: all that a checkpoint holds."""

from __future__ import annotations

import dataclasses
import os
import pickle
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ..errors import InputError
from ..geometry import Mesh
from ..render import SphericalHarmonicsLight

_FORMAT = 1


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

    def save(self, path: Path, fingerprint: dict[str, Any]) -> None:
        """Write a checkpoint so that an interrupted write leaves the last one whole."""
        values = {f.name: getattr(self, f.name) for f in dataclasses.fields(self)}
        values = {n: v.detach() if isinstance(v, Tensor) else v for n, v in values.items()}
        temporary = path.with_name(path.name + ".part")
        torch.save({"format": _FORMAT, "fingerprint": fingerprint, "state": values}, temporary)
        os.replace(temporary, path)

    @staticmethod
    def load(path: Path, fingerprint: dict[str, Any]) -> FitState:
        """Read a checkpoint.

        Raises:
            InputError: the file is not a checkpoint of a fit with these views and options.
        """
        try:
            saved = torch.load(path, weights_only=True)
        except (OSError, RuntimeError, EOFError, KeyError, pickle.UnpicklingError) as error:
            raise InputError(f"{path} is not a readable checkpoint: {error}") from error
        if saved.get("format") != _FORMAT:
            raise InputError(
                f"{path} has checkpoint format {saved.get('format')}, this version reads {_FORMAT}"
            )
        for name, value in fingerprint.items():
            before = saved["fingerprint"].get(name)
            if before != value:
                raise InputError(
                    f"{path} belongs to another fit: {name} was {before}, now {value}; "
                    "leave --resume out to start anew"
                )
        return FitState(**saved["state"])
