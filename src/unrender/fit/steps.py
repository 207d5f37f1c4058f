"""The optimisation: one stage of a fit."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

from ..errors import InputError
from ..geometry import (
    EdgeTopology,
    Mesh,
    face_areas,
    laplacian_loss,
    normal_consistency_loss,
    remesh,
)
from ..io import Views, unwrap
from ..render import SphericalHarmonicsLight, render
from .appearance import (
    colour_loss,
    estimate_light,
    light_colour,
    project_pictures,
    remove_light,
    texture_roughness,
)
from .frame import pixel_footprint
from .options import LEAST_SIZE, FitOptions, Stage, make_renderer
from .smooth import SmoothAdam
from .state import FitState
from .targets import SoftTargets

CALIBRATE_EVERY = 10
_BENDING = 0.01
_LAPLACIAN = 0.001
_COLOUR = 1.0
_ROUGHNESS = 0.1
_LIGHT_COLOUR = 0.01


def sized_views(views: Views, most: int, least: int = LEAST_SIZE) -> Views:
    """The views with at most ``most`` pixels on the longer side, and at least ``least``.

    They are enlarged by a whole number, as far as ``most`` allows. The grey rims of small masks say where in
    a pixel the edge runs; in a larger picture it can be followed.
    """
    scale = most / max(views.width, views.height)
    if scale < 1:
        views = views.resized(max(1, round(views.width * scale)), max(1, round(views.height * scale)))
    longer = max(views.width, views.height)
    factor = min(-(-least // longer), most // longer)
    return views if factor <= 1 else views.resized(views.width * factor, views.height * factor)


def prepare_stage(state: FitState, stage: Stage, views: Views, options: FitOptions) -> None:
    """Give the state the mesh and texture that the stage starts with."""
    footprint = pixel_footprint(views.cameras)
    if stage.faces is not None:
        edge = edge_for(state.vertices, state.faces, stage.faces, footprint)
        state.vertices, state.faces = remesh(state.vertices, state.faces, edge)
    state.edge = edge_for(state.vertices, state.faces, state.faces.shape[0], 0.0)
    if stage.texture:
        size = texture_side(state.vertices, state.faces, footprint, options.texture_size)
        unwrapped = unwrap(Mesh(state.vertices, state.faces), resolution=size)
        state.uvs, state.uv_faces = unwrapped.uvs, unwrapped.uv_faces
        state.texture = project_pictures(unwrapped, views, size)
        if options.light:
            light = estimate_light(unwrapped, views)
            state.texture, state.light = remove_light(state.texture, unwrapped, light)


def texture_side(vertices: Tensor, faces: Tensor, footprint: float, most: int) -> int:
    """Side of a texture whose texels are about the size of a pixel, as an atlas fills it by some 60 %.

    Smaller texels would each be seen in too few pixels, and keep the noise of those. Pixels are those of the
    pictures of the stage, which may be enlarged.
    """
    texels = float(face_areas(vertices, faces).sum()) / footprint**2 / 0.6
    return min(most, max(16, math.ceil(1.2 * math.sqrt(texels))))


def edge_for(vertices: Tensor, faces: Tensor, count: int, footprint: float) -> float:
    """Edge length of a mesh of ``count`` equilateral faces with this area, but not far below a pixel."""
    area = float(face_areas(vertices, faces).sum())
    return max(math.sqrt(4 * area / (math.sqrt(3) * count)), 0.7 * footprint)


def run_stage(
    state: FitState, stage: Stage, views: Views, options: FitOptions, after_step: Callable[[float], None]
) -> None:
    """Optimise from ``state.step`` to the end of the stage, calling back after each step with the loss.

    Raises:
        InputError: the loss stops being finite.
    """
    footprint = pixel_footprint(views.cameras)
    topology = EdgeTopology.from_faces(state.faces, state.vertices.shape[0])
    state.vertices = state.vertices.detach().requires_grad_()
    shape = SmoothAdam(state.vertices, state.faces, lr=0, smoothness=10.0)
    look = _appearance_optimizer(state)
    if state.step:
        shape.load(state.optimizers["shape"])
        if look is not None:
            look.load_state_dict(state.optimizers["look"])
    renderer = make_renderer(options.mesh_renderer, stage.blur)
    targets = SoftTargets(views.masks, renderer)
    targets.faces = state.blur_faces if state.step else 0.0
    random = torch.Generator()
    if state.random is not None:
        random.set_state(state.random)
    else:
        random.manual_seed(options.seed)

    for step in range(state.step, stage.steps):
        chosen = torch.randperm(len(views), generator=random)[: stage.views]
        picture = render(state.mesh(), views.cameras[chosen], state.lights(), renderer=renderer)
        alpha = picture.alpha
        if step % CALIBRATE_EVERY == 0:
            targets.calibrate(alpha[:4], picture.mask[:4])
        target = targets[chosen]
        area = (views.masks[chosen] > 0.5).sum((1, 2))
        loss = ((alpha - target).square().sum((1, 2)) / area).mean()
        loss = loss + _BENDING * normal_consistency_loss(state.vertices, topology)
        loss = loss + _LAPLACIAN * laplacian_loss(state.vertices, topology) / state.edge**2
        loss = stage.shape * loss
        if state.texture is not None:
            colour = colour_loss(picture.rgb, picture.mask, views.pictures[chosen], views.masks[chosen])
            loss = loss + _COLOUR * colour + _ROUGHNESS * texture_roughness(state.texture)
            if state.light is not None:
                loss = loss + _LIGHT_COLOUR * light_colour(state.light)
        if not bool(torch.isfinite(loss)):
            raise InputError(
                f"the loss is {float(loss)} in stage {stage.name!r}, step {step}: "
                "check pictures and cameras for values that are not finite"
            )
        loss.backward()
        fade = 1 - 0.8 * step / stage.steps
        shape.lr = stage.lr * footprint * fade
        shape.step()
        if look is not None:
            _step_appearance(look, state, fade)
        state.step = step + 1
        state.blur_faces, state.random = targets.faces, random.get_state()
        state.optimizers = {"shape": shape.state()} | ({"look": look.state_dict()} if look else {})
        after_step(loss.item())

    state.vertices = state.vertices.detach()
    state.texture = None if state.texture is None else state.texture.detach()
    state.light = None if state.light is None else state.light.detach()


def _appearance_optimizer(state: FitState) -> torch.optim.Adam | None:
    if state.texture is None:
        return None
    state.texture = state.texture.detach().requires_grad_()
    groups = [{"params": [state.texture], "peak": 0.01}]
    if state.light is not None:
        state.light = state.light.detach().requires_grad_()
        groups.append({"params": [state.light], "peak": 0.02})
    return torch.optim.Adam(groups, betas=(0.9, 0.99))


def _step_appearance(look: torch.optim.Adam, state: FitState, fade: float) -> None:
    for group in look.param_groups:
        group["lr"] = group["peak"] * fade
    look.step()
    look.zero_grad()
    assert state.texture is not None
    with torch.no_grad():
        state.texture.clamp_(0, 1)


def light_of(state: FitState) -> SphericalHarmonicsLight | None:
    """The fitted light, cut off from the graph."""
    return None if state.light is None else SphericalHarmonicsLight(state.light.detach())
