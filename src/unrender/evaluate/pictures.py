"""Predicted objects in views that the network did not see."""

from __future__ import annotations

import torch
from torch import Tensor

from ..geometry import Mesh
from ..learn.data import LightRecord, ObjectViews
from ..learn.metrics import mask_iou, masked_psnr, ssim
from ..render import Camera
from ..render.turntable import composite, render_antialiased
from .options import EvaluateOptions

WHITE = 1.0


def picture_scores(
    mesh: Mesh | None,
    light: LightRecord | None,
    item: ObjectViews,
    view: int,
    options: EvaluateOptions,
    training_color: Tensor | None = None,
) -> dict[str, float]:
    """Compare the prediction from one view with the pictures of all others.

    Colours are left out for shapes without colour, and everything for objects without cameras or with
    a single picture.

    Args:
        mesh: the prediction, in a batch of one; None if nothing was predicted.
        light: the predicted light, one; None if the colours hold the shading.
        item: the truth.
        view: the view that was predicted from.
        options: the protocol.
        training_color: mean colour of the training set, shape (3,), to compare with; left out when None.
    """
    others = [i for i in range(len(item)) if i != view]
    if item.cameras is None or not others:
        return {}
    device = torch.device("cpu") if mesh is None else mesh.device
    truth = item.pictures[others].to(device).float() / 255
    cameras = item.cameras[others].to(device)
    drawn = torch.zeros_like(truth) if mesh is None else _draw(mesh, cameras, light, options.samples)
    covered = drawn[..., 3:] > 0
    scores = {"mask_iou": mask_iou(drawn[..., 3], truth[..., 3])}
    constants = {"_mean_color": _mean_color(item.pictures[view].to(device).float() / 255)}
    if training_color is not None:
        constants["_training_color"] = training_color.to(device)
    # what colours could reach on this shape: one for each object, or all of them
    inside = truth[..., 3:] > 0.5
    both = inside & covered
    constants["_best_color"] = (truth[..., :3] * both).sum((0, 1, 2)) / both.sum().clamp(min=1)
    perfect = torch.where(covered, truth[..., :3], 0)
    scores["psnr_true_colors"] = masked_psnr(perfect, truth[..., :3], inside[..., 0])
    for suffix, color in constants.items():
        scores |= _psnrs(torch.where(covered, color, 0), covered, truth, suffix)
    if mesh is not None and _has_colors(mesh):
        scores |= _color_scores(drawn, truth, "")
        known = item.lights
        if known is not None and (light is not None or known.kind == "none"):
            relit = _draw(mesh, cameras, known[others].to(device), options.samples)
            scores |= _color_scores(relit, truth, "_true_light")
    return {name: float(values.nanmean()) for name, values in scores.items()}


def _draw(mesh: Mesh, cameras: Camera, light: LightRecord | None, samples: int) -> Tensor:
    """Straight colour and alpha in steps of 1 / 255, like the pictures of a data set, shape (V, H, W, 4).

    Rounding matters: an alpha of one half is stored as 128, which is above one half.
    """
    lights, material = (None, None) if light is None else (light.lights(), light.material())
    drawn = render_antialiased(mesh, cameras, lights, samples=samples, material=material)
    return (drawn.clamp(0, 1) * 255).round() / 255


def _color_scores(drawn: Tensor, truth: Tensor, suffix: str) -> dict[str, Tensor]:
    same = {f"ssim{suffix}": ssim(composite(drawn, WHITE), composite(truth, WHITE))}
    return _psnrs(drawn[..., :3], drawn[..., 3:] > 0, truth, suffix) | same


def _psnrs(colors: Tensor, covered: Tensor, truth: Tensor, suffix: str) -> dict[str, Tensor]:
    """Of all pixels of the object, and of those that the prediction covers (V, H, W, 1)."""
    inside = truth[..., 3] > 0.5
    return {
        f"psnr{suffix}": masked_psnr(colors, truth[..., :3], inside),
        f"psnr_both{suffix}": masked_psnr(colors, truth[..., :3], inside & covered[..., 0]),
    }


def _mean_color(picture: Tensor) -> Tensor:
    """Mean colour inside the mask of a picture (H, W, 4), shape (3,); black if the mask is empty."""
    inside = picture[..., 3] > 0.5
    return picture[..., :3][inside].sum(0) / inside.sum().clamp(min=1)


def _has_colors(mesh: Mesh) -> bool:
    colors = (mesh.vertex_colors, mesh.face_textures, mesh.face_cubes, mesh.texture)
    return any(c is not None for c in colors)
