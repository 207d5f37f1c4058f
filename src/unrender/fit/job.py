"""Fitting: from pictures of an object to its textured mesh and light."""

from __future__ import annotations

import dataclasses
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

from torch import Tensor

from ..errors import InputError
from ..geometry import Mesh, icosphere, winding_number
from ..io import Views
from ..progress import Progress
from ..render import SphericalHarmonicsLight
from .checks import check_pictures, named
from .field_job import field_mesh
from .frame import to_unit_ball
from .hull import visual_hull
from .options import FitOptions, stages
from .state import FitState, StateFile
from .steps import light_of, prepare_stage, run_stage, sized_views

FIELD_WORK = 10_000  # of a field, in the units of the work of stages: pictures


@dataclasses.dataclass(frozen=True)
class FitResult:
    """A fitted object, in the world of the views.

    Attributes:
        mesh: with UV texture.
        light: spherical harmonics, or None if the texture holds the shading.
        seconds: time that the fit took, without what a checkpoint had done already.
    """

    mesh: Mesh
    light: SphericalHarmonicsLight | None
    seconds: float


def fit(
    views: Views,
    options: FitOptions | None = None,
    *,
    checkpoint: Path | None = None,
    resume: bool = False,
    progress: Callable[[Progress], None] | None = None,
) -> FitResult:
    """Fit a textured mesh and its light to pictures from known cameras, by DIB-R (Chen et al. 2019).

    Silhouettes first, then colour; coarse to fine in mesh, pictures and blur, with the mesh made anew at each
    stage (:func:`unrender.geometry.remesh`). The shape starts from the visual hull of the masks, or, with
    renderer ``dvr``, is that of a field (:mod:`unrender.fit.field_job`).

    Args:
        views: at least two, from different sides, with masks.
        options: the settings.
        checkpoint: file to save the state in every 15 seconds and after each stage.
        resume: go on from ``checkpoint``; the result is the same as without the interruption.
        progress: called after each step.

    Returns:
        The mesh, its light and the time taken.

    Raises:
        InputError: the views cannot be fitted; the message says why and what to do.
        ImportError: a package of the extra ``mesh`` is missing.
    """
    start = time.monotonic()
    options = FitOptions() if options is None else options
    check_views(views)
    centre, radius = views.bounds()
    unit = to_unit_ball(views, centre, radius)
    plan = stages(options)
    fingerprint: dict[str, Any] = {
        "options": dataclasses.asdict(options),
        "views": list(views.names),
        "size": [views.width, views.height],
        "depth": views.depth is not None,
    }
    file = StateFile(checkpoint, fingerprint)
    saved = file.load() if resume else None
    work = [stage.steps * stage.views for stage in plan]
    before = FIELD_WORK if options.renderer == "dvr" else 0

    def show(name: str, loss: float, done: float) -> None:
        if progress is not None:
            progress(Progress(name, loss, done / (before + sum(work))))

    if saved is not None and "vertices" in saved:
        state = FitState(**saved)
    elif options.renderer == "dvr":
        hull = _initial_state(unit, options).vertices
        mesh = field_mesh(
            unit, hull, options, file, saved, lambda loss, done: show("field", loss, done * before)
        )
        state = FitState(mesh.vertices, mesh.faces)
        if not plan:
            state.uvs, state.uv_faces, state.texture = mesh.uvs, mesh.uv_faces, mesh.texture
        file.save(state.values, now=True)
    else:
        state = _initial_state(unit, options)

    for number in range(state.stage, len(plan)):
        stage = plan[number]
        staged = sized_views(unit, stage.picture_size, stage.least_size)
        if state.step == 0:
            prepare_stage(state, stage, staged, options)

        def after_step(loss: float, number: int = number) -> None:
            stage = plan[number]
            done = sum(work[:number]) + work[number] * state.step / stage.steps
            show(stage.name, loss, before + done)
            file.save(state.values)

        run_stage(state, stage, staged, options, after_step)
        state.stage, state.step, state.optimizers = number + 1, 0, {}
        file.save(state.values, now=True)

    mesh = state.mesh().detach()
    mesh = mesh.replace(vertices=mesh.vertices * radius + centre)
    return FitResult(mesh, light_of(state), time.monotonic() - start)


def check_views(views: Views) -> None:
    """Refuse views that cannot be fitted, before any work is done.

    Raises:
        InputError: fewer than two views, an empty or full mask, or numbers that are not finite.
    """
    if len(views) < 2:
        raise InputError(
            f"fit needs at least 2 views from different sides, got {len(views)}: "
            "one picture does not say how deep the object is"
        )
    if len(views) < 6:
        warnings.warn(
            f"only {len(views)} views: sides that no view shows are guessed; 12 or more are better",
            UserWarning,
            stacklevel=3,
        )
    check_pictures(views)


def _initial_state(unit: Views, options: FitOptions) -> FitState:
    if options.template == "sphere":
        sphere = icosphere(3, radius=0.5).to(unit.pictures.device)
        return FitState(sphere.vertices.to(unit.pictures.dtype), sphere.faces)
    hull = visual_hull(sized_views(unit, 256, least=1))
    _require_outside(unit, winding_number(unit.cameras.center, hull.vertices, hull.faces) > 0.5)
    return FitState(hull.vertices, hull.faces)


def _require_outside(views: Views, inside: Tensor) -> None:
    if bool(inside.any()):
        raise InputError(
            f"cameras must stand outside the object, got {named(views, inside)} inside it; "
            "check the cameras' convention (world-to-camera or camera-to-world?) and scale"
        )
