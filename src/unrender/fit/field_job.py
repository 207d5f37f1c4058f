"""Fitting by Differentiable Volumetric Rendering: from pictures to the textured mesh of a field."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from ..geometry import Mesh, remesh
from ..implicit import ExtractOptions, extract_mesh
from ..io import Views
from .bake import bake_texture
from .field_fit import HALF_SIDE, FieldFit, FieldFitOptions
from .frame import pixel_footprint, to_unit_ball
from .hull import without_fragments
from .options import FitOptions
from .state import StateFile
from .steps import edge_for, sized_views, texture_side

MARGIN = 1.1  # of the field's ball, of radius 1/2, about the hull
RESOLUTION = 128  # cells that the surface is extracted from, along each side


def field_mesh(
    views: Views,
    hull: Tensor,
    options: FitOptions,
    file: StateFile,
    saved: dict[str, Any] | None,
    show: Callable[[float, float], None],
) -> Mesh:
    """Fit a field and make its mesh.

    Args:
        views: in the fit's own coordinates (:mod:`unrender.fit.frame`).
        hull: vertices of their visual hull, shape (V, 3).
        options: of the fit.
        file: that the state is saved to.
        saved: what an interrupted fit has saved there.
        show: called after each step with the loss and the share that is done.

    Returns:
        A mesh of about ``max_faces`` faces with UVs and a texture, without gradients.

    Raises:
        InputError: the field that was found has no surface.
    """
    defaults = FieldFitOptions()
    centre = (hull.amin(0) + hull.amax(0)) / 2
    ball = 2 * MARGIN * float(torch.linalg.vector_norm(hull - centre, dim=-1).amax())
    staged = sized_views(views, options.picture_size)
    fit = FieldFit(
        to_unit_ball(staged, centre, ball),
        FieldFitOptions(
            steps=max(1, round(defaults.steps * options.effort)),
            start_steps=max(1, round(defaults.start_steps * options.effort)),
            seed=options.seed,
        ),
    )
    if saved is not None:
        fit.restore(saved)

    def after_step(loss: float) -> None:
        show(loss, fit.step / fit.steps)
        file.save(fit.state)

    fit.run(after_step)
    # looked at everywhere, since bars and rails are thinner than the cells of a coarse grid
    extraction = ExtractOptions(resolution=RESOLUTION, coarsest=RESOLUTION, half_side=HALF_SIDE)
    mesh = without_fragments(extract_mesh(fit.field, extraction))
    footprint = pixel_footprint(views.cameras) / ball
    edge = edge_for(mesh.vertices, mesh.faces, options.max_faces, footprint)
    vertices, faces = remesh(mesh.vertices, mesh.faces, edge)
    size = texture_side(vertices, faces, footprint, options.texture_size)
    baked = bake_texture(fit.field, Mesh(vertices, faces), size)
    return baked.replace(vertices=baked.vertices * ball + centre)
