"""What a fit can be told, and the stages it goes through."""

from __future__ import annotations

import dataclasses
import math
from typing import Literal, get_args

from ..errors import InputError
from ..render import DIBR, NeuralMesh, SoftRas
from ..render.draw import Renderer

MeshRendererName = Literal["dibr", "softras", "nmr"]
RendererName = Literal["dibr", "softras", "nmr", "dvr"]
LEAST_SIZE = 128  # pixels on the longer side of pictures that are fitted
SOFTRAS_BLUR = 0.5  # SoftRas fades on both sides of an edge


@dataclasses.dataclass(frozen=True, kw_only=True)
class FitOptions:
    """Settings of :func:`unrender.fit.fit`; the defaults are meant to work on any object.

    Attributes:
        template: where the shape starts: the visual hull of the masks, or a sphere (then without holes).
        renderer: what draws: DIB-R, the Soft Rasterizer, the Neural 3D Mesh Renderer, or Differentiable
            Volumetric Rendering, which fits an implicit field and makes the mesh of that.
        then: after ``dvr``, polish shape and texture of the field's mesh through this renderer; the field's
            mesh is the result when None.
        max_faces: faces of the finished mesh.
        texture_size: longest side of the texture [texels]; no more than the pictures resolve is used.
        light: also fit light (spherical harmonics of degree 2), or let the texture hold the shading, as that
            of a field always does.
        picture_size: larger pictures are fitted at this many pixels on their longer side.
        effort: multiplies the number of steps.
        seed: of the order in which views are drawn.
    """

    template: Literal["hull", "sphere"] = "hull"
    renderer: RendererName = "dibr"
    then: MeshRendererName | None = None
    max_faces: int = 8000
    texture_size: int = 1024
    light: bool = True
    picture_size: int = 512
    effort: float = 1.0
    seed: int = 0

    def __post_init__(self) -> None:
        for name, least in (("max_faces", 100), ("texture_size", 16), ("picture_size", 16)):
            if getattr(self, name) < least:
                raise InputError(f"{name} must be at least {least}, got {getattr(self, name)}")
        if self.renderer not in get_args(RendererName):
            raise InputError(
                f"renderer must be one of {', '.join(get_args(RendererName))}, got {self.renderer!r}"
            )
        if self.then is not None and self.then not in get_args(MeshRendererName):
            raise InputError(
                f"then must be one of {', '.join(get_args(MeshRendererName))}, got {self.then!r}"
            )
        if self.then is not None and self.renderer != "dvr":
            raise InputError(f"then={self.then!r} goes on from renderer dvr, got renderer {self.renderer}")
        if self.renderer == "dvr" and self.template != "hull":
            raise InputError(f"renderer dvr starts from the visual hull, got template {self.template}")
        if not (self.effort > 0 and math.isfinite(self.effort)):
            raise InputError(f"effort must be positive, got {self.effort}")

    @property
    def mesh_renderer(self) -> MeshRendererName:
        """What draws meshes."""
        if self.renderer != "dvr":
            return self.renderer
        return "dibr" if self.then is None else self.then


def make_renderer(name: MeshRendererName, blur: float) -> Renderer:
    """A renderer with about the blur that DIB-R has at ``blur`` [pixels]."""
    if name == "softras":
        return SoftRas(blur=SOFTRAS_BLUR * blur, color="hard")
    return NeuralMesh() if name == "nmr" else DIBR(blur=blur)


@dataclasses.dataclass(frozen=True)
class Stage:
    """One stretch of the optimisation; coarse ones come first.

    Attributes:
        name: what to call it.
        picture_size: most pixels on the longer side of the pictures.
        faces: remesh to about this many faces before it; None keeps the mesh.
        blur: width of DIB-R's soft silhouette [pixels]; those of other renderers follow from it.
        lr: length of the first steps [pixels]; it falls to a fifth.
        steps: how many.
        views: pictures a step.
        texture: fit texture and light too.
        shape: weight of silhouettes and smoothness, beside that of colours, which is 1.
        least_size: fewest pixels on the longer side; smaller pictures are enlarged by a whole number.
    """

    name: str
    picture_size: int
    faces: int | None
    blur: float
    lr: float
    steps: int
    views: int
    texture: bool = False
    shape: float = 1.0
    least_size: int = LEAST_SIZE


def stages(options: FitOptions) -> list[Stage]:
    """Silhouettes first, then colour; coarse to fine in mesh, pictures and blur.

    A mesh that comes from a field is fine already: it takes large pictures and a blur of less than their
    pixels, and colours that count more than silhouettes, to find where it is wrong.
    """
    size, faces = options.picture_size, options.max_faces

    def steps(count: int) -> int:
        return max(1, round(count * options.effort))

    last = Stage("shape 3/3", min(size, 256), faces, 0.5, 0.06, steps(160), 8)
    texture = Stage("texture", size, None, 0.5, 0.04, steps(300), 4, texture=True)
    if options.renderer == "dvr":
        polish = dataclasses.replace(
            texture, name="polish", lr=0.16, steps=steps(600), shape=0.3, least_size=256
        )
        return [] if options.then is None else [polish]
    plan = [
        Stage("shape 1/3", min(size, 128), min(faces, 1500), 1.0, 0.15, steps(120), 8),
        Stage("shape 2/3", min(size, 256), min(faces, 4000), 0.7, 0.1, steps(160), 8),
        last,
        texture,
    ]
    if options.template == "sphere":
        plan.insert(0, Stage("from sphere", min(size, 64), 1280, 3.0, 0.4, steps(250), 8))
    return plan
