"""How well a mesh explains views: mask IoU and PSNR, from sharp renders."""

from __future__ import annotations

import torch
from torch import Tensor

from ..geometry import Mesh
from ..io import Views
from ..render import render
from ..render.light import Light


def view_metrics(mesh: Mesh, light: Light | None, views: Views) -> dict[str, list[float]]:
    """Compare renders with pictures, view by view.

    ``mask_iou`` is that of the pixels whose centre a face covers with those whose mask exceeds one half.
    ``psnr`` [dB] is over the pixels inside the mask, where a pixel that the mesh leaves empty counts as
    black; colours are cut to [0, 1]. It is left out for a mesh without texture.

    Args:
        mesh: in the world of the views.
        light: its light, if any.
        views: the pictures.
    """
    ious: list[float] = []
    psnrs: list[float] = []
    for i in range(len(views)):
        with torch.no_grad():
            picture = render(mesh, views.cameras[i], light)
            inside = views.masks[i] > 0.5
            ious.append(_iou(picture.mask, inside))
            if mesh.texture is not None and bool(inside.any()):
                error = (picture.rgb.clamp(0, 1) - views.pictures[i])[inside]
                psnrs.append(float(-10 * torch.log10(error.square().mean().clamp(min=1e-10))))
    return {"mask_iou": ious} | ({"psnr": psnrs} if psnrs else {})


def _iou(a: Tensor, b: Tensor) -> float:
    return float((a & b).sum() / (a | b).sum().clamp(min=1))
