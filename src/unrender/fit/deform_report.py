"""Pictures to judge a deformation by."""

from __future__ import annotations

import torch
from torch import Tensor

from ..geometry import Mesh
from ..io import Views, contact_sheet
from ..render import Camera, composite, render_antialiased, studio_light
from .deform_colors import has_colors
from .report import CELL, VIEWS_SHOWN


@torch.no_grad()
def before_and_after(start: Mesh, result: Mesh, views: Views) -> Tensor:
    """Target, mesh at the start and result side by side: a row each for at most 6 of the views.

    Meshes without colours are drawn grey, under a studio's light.

    Args:
        start: the mesh that was given.
        result: the deformed mesh.
        views: the targets.

    Returns:
        Shape (H, W, 3), on white.
    """
    shown = views[torch.linspace(0, len(views) - 1, min(len(views), VIEWS_SHOWN)).round().long()]
    enlarged = max(1, round(CELL / max(shown.width, shown.height)))
    targets = composite(torch.cat([shown.pictures, shown.masks[..., None]], -1), 1.0)
    targets = targets.repeat_interleave(enlarged, 1).repeat_interleave(enlarged, 2)
    cameras = shown.cameras.resized(shown.width * enlarged, shown.height * enlarged)
    cells = [
        cell
        for i in range(len(shown))
        for cell in (targets[i], _drawn(start, cameras[i]), _drawn(result, cameras[i]))
    ]
    return contact_sheet(cells, columns=3)


def _drawn(mesh: Mesh, camera: Camera) -> Tensor:
    if has_colors(mesh):
        return composite(render_antialiased(mesh, camera).clamp(0, 1), 1.0)
    grey = mesh.replace(vertex_colors=torch.full_like(mesh.vertices, 0.7))
    return composite(render_antialiased(grey, camera, studio_light(camera)).clamp(0, 1), 1.0)
