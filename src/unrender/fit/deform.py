"""Non-rigid fitting: a given mesh bends and stretches until it looks as in the pictures."""

from __future__ import annotations

import dataclasses
import math
import time
from collections.abc import Callable, Iterator
from typing import get_args

import torch
from torch import Tensor

from ..errors import InputError
from ..geometry import EdgeTopology, Mesh, adjacent_normal_cosines, arap_energy, laplacian_loss
from ..io import Views
from ..progress import Progress
from ..render import render
from ..render.turntable import bounding_ball
from .appearance import colour_loss
from .deform_colors import has_colors, refined_colors, with_texels_of_pixels
from .deform_inputs import check_inputs
from .frame import pixel_footprint, to_unit_ball
from .options import MeshRendererName, make_renderer
from .smooth import SmoothAdam
from .steps import CALIBRATE_EVERY, edge_for, sized_views
from .targets import SoftTargets

VIEWS_A_STEP = 4
_FOLDS = 0.1
_LAPLACIAN = 0.001
_COLOUR = 1.0
_ROUGHNESS = 0.1


@dataclasses.dataclass(frozen=True, kw_only=True)
class DeformOptions:
    """Settings of :func:`unrender.fit.deform`.

    Attributes:
        renderer: what draws: the Soft Rasterizer, DIB-R, or the Neural 3D Mesh Renderer.
        color: match colours too, and refine those of the mesh in the last stage.
        rigidity: how much stretch and shear count; 1 suits objects that bend more than they stretch.
        picture_size: larger pictures are fitted at this many pixels on their longer side.
        effort: multiplies the number of steps.
        seed: of the order in which views are drawn.

    Raises:
        InputError: a value is out of range.
    """

    renderer: MeshRendererName = "softras"
    color: bool = True
    rigidity: float = 1.0
    picture_size: int = 512
    effort: float = 1.0
    seed: int = 0

    def __post_init__(self) -> None:
        if self.renderer not in get_args(MeshRendererName):
            raise InputError(
                f"renderer must be one of {', '.join(get_args(MeshRendererName))}, got {self.renderer!r}"
            )
        if self.picture_size < 16:
            raise InputError(f"picture_size must be at least 16, got {self.picture_size}")
        for name in ("rigidity", "effort"):
            value = getattr(self, name)
            if not (value > 0 and math.isfinite(value)):
                raise InputError(f"{name} must be positive, got {value}")


@dataclasses.dataclass(frozen=True)
class DeformResult:
    """A deformed mesh.

    Attributes:
        mesh: with the faces and texture coordinates of the mesh that was given.
        seconds: time that it took.
    """

    mesh: Mesh
    seconds: float


@dataclasses.dataclass(frozen=True)
class DeformStage:
    """One stretch of the optimisation.

    Attributes:
        name: what to call it.
        picture_size: most pixels on the longer side of the pictures.
        blur: width of DIB-R's soft silhouette [pixels]; those of other renderers follow from it.
        rigidity: weight of the as-rigid-as-possible energy.
        smoothness: how far a gradient spreads along the surface, about its root in edges.
        lr: length of the first steps [pixels]; it falls to a fifth.
        steps: how many.
        refine: refine the mesh's colours.
    """

    name: str
    picture_size: int
    blur: float
    rigidity: float
    smoothness: float
    lr: float
    steps: int
    refine: bool = False


def deform_stages(options: DeformOptions) -> list[DeformStage]:
    """Coarse to fine in pictures, blur and movement; stiff to loose."""
    size = options.picture_size

    def steps(count: int) -> int:
        return max(1, round(count * options.effort))

    name, stiff = "colours" if options.color else "outline", options.rigidity
    return [
        DeformStage("bend 1/3", min(size, 64), 3.0, 30 * stiff, 100.0, 0.3, steps(150)),
        DeformStage("bend 2/3", min(size, 128), 2.0, 10 * stiff, 100.0, 0.3, steps(120)),
        DeformStage("bend 3/3", min(size, 256), 1.0, 1 * stiff, 30.0, 0.3, steps(120)),
        DeformStage(name, size, 0.5, 0.3 * stiff, 20.0, 0.2, steps(100), refine=options.color),
    ]


def deform(
    mesh: Mesh,
    views: Views,
    options: DeformOptions | None = None,
    *,
    progress: Callable[[Progress], None] | None = None,
) -> DeformResult:
    """Bend and stretch a mesh until it looks as in one picture or several, keeping faces and UVs.

    Silhouettes are compared through the renderer, and colours where the mesh has some, first in small and
    blurred pictures; the as-rigid-as-possible energy (:func:`unrender.geometry.arap_energy`), loosened from
    stage to stage, carries along what no picture shows. So one picture is enough, but what lies behind keeps
    its depth. The last stage refines the texture or vertex colours; a mesh without any gets vertex colours.
    No light is fitted: colours become those of the pictures, shading included.

    Args:
        mesh: one mesh, roughly in place: it must overlap the masks.
        views: one or more.
        options: the settings.
        progress: called after each step.

    Returns:
        The deformed mesh, without the normals that it may have come with, and the time taken.

    Raises:
        InputError: mesh or views cannot be used; the message says why.
        ImportError: SciPy is missing.
    """
    start = time.monotonic()
    options = DeformOptions() if options is None else options
    mesh = mesh.detach().to(views.pictures.device).to(views.pictures.dtype).replace(normals=None)
    check_inputs(mesh, views, color=options.color)
    centre, ball = bounding_ball(mesh)
    radius = float(ball)
    work = _Deformation(mesh.replace(vertices=(mesh.vertices - centre) / radius), options)
    unit = sized_views(to_unit_ball(views, centre, radius), options.picture_size)
    plan = deform_stages(options)
    done, total = 0, sum(stage.steps for stage in plan)
    for stage in plan:
        for loss in work.run(stage, sized_views(unit, stage.picture_size, least=1)):
            done += 1
            if progress is not None:
                progress(Progress(stage.name, loss, done / total))
    result = work.mesh.detach()
    return DeformResult(result.replace(vertices=result.vertices * radius + centre), time.monotonic() - start)


class _Deformation:
    """A mesh on its way, in the fit's own coordinates (:mod:`unrender.fit.frame`)."""

    def __init__(self, mesh: Mesh, options: DeformOptions) -> None:
        self.mesh = mesh
        self.options = options
        self.rest = mesh.vertices
        self.topology = EdgeTopology.from_faces(mesh.faces, mesh.num_vertices)
        self.cosines = adjacent_normal_cosines(self.rest, self.topology)
        self.edge = edge_for(self.rest, mesh.faces, mesh.num_faces, 0.0)
        self.random = torch.Generator().manual_seed(options.seed)

    def run(self, stage: DeformStage, views: Views) -> Iterator[float]:
        """Optimise through a stage, one step for each loss that is asked for.

        Raises:
            InputError: the loss stops being finite.
        """
        footprint = pixel_footprint(views.cameras)
        vertices = self.mesh.vertices.detach().clone().requires_grad_()  # stepped in place
        self.mesh = self.mesh.replace(vertices=vertices)
        shape = SmoothAdam(vertices, self.mesh.faces, lr=0, smoothness=stage.smoothness)
        colors = refined_colors(self.mesh, self.topology, views) if stage.refine else None
        coarse = with_texels_of_pixels(self.mesh, footprint)
        renderer = make_renderer(self.options.renderer, stage.blur)
        targets = SoftTargets(views.masks, renderer)
        for step in range(stage.steps):
            chosen = torch.randperm(len(views), generator=self.random)[:VIEWS_A_STEP]
            look = coarse if colors is None else colors.mesh(self.mesh)
            picture = render(look, views.cameras[chosen], renderer=renderer)
            if step % CALIBRATE_EVERY == 0:
                targets.calibrate(picture.alpha, picture.mask)
            area = (views.masks[chosen] > 0.5).sum((1, 2))
            loss = ((picture.alpha - targets[chosen]).square().sum((1, 2)) / area).mean()
            loss = loss + self.stiffness(stage)
            if self.options.color and has_colors(look):
                loss = loss + _COLOUR * colour_loss(
                    picture.rgb, picture.mask, views.pictures[chosen], views.masks[chosen]
                )
            if colors is not None:
                loss = loss + _ROUGHNESS * colors.roughness()
            if not bool(torch.isfinite(loss)):
                raise InputError(
                    f"the loss is {float(loss)} in stage {stage.name!r}, step {step}: "
                    "check mesh, pictures and cameras for values that are not finite"
                )
            loss.backward()
            fade = 1 - 0.8 * step / stage.steps
            shape.lr = stage.lr * footprint * fade
            shape.step()
            if colors is not None:
                colors.step(fade)
            yield loss.item()
        if colors is not None:
            self.mesh = colors.mesh(self.mesh)

    def stiffness(self, stage: DeformStage) -> Tensor:
        """What stretch, roughness of the movement, and folds sharper than the mesh had at first cost."""
        vertices = self.mesh.vertices
        rigid = arap_energy(vertices, self.rest, self.topology)
        rough = laplacian_loss(vertices - self.rest, self.topology) / self.edge**2
        folds = (self.cosines - adjacent_normal_cosines(vertices, self.topology)).clamp(min=0)
        return stage.rigidity * rigid + _LAPLACIAN * rough + _FOLDS * folds.sum() / max(len(folds), 1)
