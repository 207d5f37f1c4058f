"""Refinement: a prediction is optimised until its render looks like the picture."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn.functional import interpolate, normalize

from ..errors import InputError
from ..fit.appearance import colour_loss, texture_roughness
from ..fit.frame import pixel_footprint
from ..fit.options import MeshRendererName, make_renderer
from ..fit.smooth import SmoothAdam
from ..fit.steps import edge_for
from ..fit.targets import SoftTargets
from ..geometry import EdgeTopology, Mesh, laplacian_loss, loop_subdivide, normal_consistency_loss
from ..learn.data.light_record import FIELDS, LightRecord
from ..learn.prediction import Prediction
from ..progress import Progress
from ..render import Camera, render
from ..render.quaternion import rotation_from_quaternion

SIZE = 192  # sides of the crops that predictions are refined against [pixels]
HYPOTHESES = 3  # cameras that are tried
TRIAL = 0.2  # share of the steps that each of them gets before the best goes on
TEXTURE_ROWS = 192
CALIBRATE_EVERY = 10
MIRRORED = (0.05, 0.3)  # weights of silhouette and colours of the mesh's mirror image
_BENDING = 0.02
_LAPLACIAN = 0.002
_ANCHOR = 0.2
_COLOUR = 0.5
_ROUGHNESS = 0.1
_LIGHT = 0.02
_LIGHT_COLOUR = 1.0


@dataclasses.dataclass(frozen=True)
class RefineStage:
    """One stretch of the optimisation; coarse ones come first.

    Attributes:
        size: sides of the pictures [pixels].
        faces: meshes with fewer are subdivided first.
        renderer: what draws. The Soft Rasterizer's silhouette also pulls on what lies within the outline,
            which empties the space between legs sooner; DIB-R's is sharper.
        blur: width of DIB-R's soft silhouette [pixels]; that of the other follows from it.
        share: of all steps.
        smoothness: how far a gradient spreads along the surface, about its root in edges.
        lr: length of the first steps [pixels]; it falls to a third.
    """

    size: int
    faces: int
    renderer: MeshRendererName
    blur: float
    share: float
    smoothness: float
    lr: float


STAGES = (
    RefineStage(64, 1000, "softras", 4.0, 0.4, 60.0, 1.5),
    RefineStage(128, 4000, "softras", 2.0, 0.35, 20.0, 1.0),
    RefineStage(SIZE, 4000, "dibr", 0.7, 0.25, 10.0, 0.6),
)


def refine(
    prediction: Prediction,
    crop: Tensor,
    *,
    steps: int,
    cameras: Camera | None = None,
    progress: Callable[[Progress], None] | None = None,
) -> Prediction:
    """Optimise shape, colours, light and camera of a prediction against its picture, through the renderer.

    Silhouettes and colours are compared coarse to fine, first in small and blurred pictures. What the picture
    does not show follows from three beliefs: most objects are their own mirror image, so the mesh's mirror
    image across x = 0 should look like the picture too, which counts little; surfaces move together
    (:class:`~unrender.fit.smooth.SmoothAdam`); and the prediction is about right, so leaving it costs
    something. Meshes of less than 4000 faces are subdivided, textures enlarged to 192 rows.

    Args:
        prediction: of one object, batch shape (1,).
        crop: colours multiplied by alpha, and alpha, square, shape (S, S, 4).
        steps: of the optimisation.
        cameras: of the crop, batch shape (n,), likeliest first; each is tried for a fifth of the steps, and
            the one whose render is nearest goes on. That of the prediction when None.
        progress: called after each step.

    Returns:
        A prediction of batch shape (1,), with a camera of the crop, without gradients.

    Raises:
        InputError: the prediction has no mesh, no camera, or more than one object, or the crop is not square.
        ImportError: SciPy is missing.
    """
    mesh = prediction.mesh
    if mesh is None or mesh.batch_shape != (1,):
        got = "none" if mesh is None else f"a batch of shape {tuple(mesh.batch_shape)}"
        raise InputError(f"refine takes a prediction of one mesh, got {got}")
    if crop.ndim != 3 or crop.shape[0] != crop.shape[1] or crop.shape[-1] != 4:
        raise InputError(f"crop must have shape (S, S, 4), got {tuple(crop.shape)}")
    if steps < 1:
        raise InputError(f"steps must be at least 1, got {steps}")
    cameras = prediction.camera if cameras is None else cameras
    if cameras is None:
        raise InputError("refine needs the camera of the crop, got a prediction without one")
    start = mesh.detach()[0]
    light = None if prediction.light is None else prediction.light.detach()[0]
    trial = max(1, round(TRIAL * steps))
    count = cameras.batch_shape[0]
    total, done = (count - 1) * trial + steps, 0

    def after(loss: float) -> None:
        nonlocal done
        done += 1
        if progress is not None:
            progress(Progress("refine", loss, done / total))

    runs = [_Refinement(start, light, cameras[i].detach(), crop.detach()) for i in range(count)]
    if count > 1:
        losses = [run.advance(0, trial, steps, after) for run in runs]
        best = runs[min(range(count), key=losses.__getitem__)]
        best.advance(trial, steps, steps, after)
    else:
        best = runs[0]
        best.advance(0, steps, steps, after)
    return best.result()


class _Refinement:
    """One object under one camera, on its way."""

    def __init__(self, mesh: Mesh, light: LightRecord | None, camera: Camera, crop: Tensor) -> None:
        self.mesh = _with_fine_texture(mesh.replace(normals=None))
        self.rest = self.mesh.vertices
        self.first_light, self.camera, self.crop = light, camera, crop
        self.light = None if light is None else light.map(lambda value, _: value.clone().requires_grad_())
        self.move = torch.zeros(6, device=crop.device, requires_grad=True)
        self.stage: RefineStage | None = None

    def advance(self, first: int, last: int, steps: int, after: Callable[[float], None]) -> float:
        """Do the steps from ``first`` to ``last`` of ``steps``; the last loss."""
        value = float("inf")
        for step in range(first, last):
            stage = self._enter(step / steps)
            loss = self._loss(stage, calibrate=step % CALIBRATE_EVERY == 0)
            loss.backward()
            self.shape.lr = stage.lr * self.footprint * (1 - 0.67 * step / steps)
            self.shape.step()
            self.adam.step()
            self.adam.zero_grad()
            with torch.no_grad():
                for colors in self._colors(self.mesh).values():
                    colors.clamp_(0, 1)
            value = loss.item()
            after(value)
        return value

    def current_camera(self) -> Camera:
        """The camera of the crop as it is now: turned about the object's middle, zoomed, shifted."""
        camera = self.camera
        turn = torch.cat([self.move.new_ones(1), self.move[:3] / 2])
        rotation = rotation_from_quaternion(turn) @ camera.world_to_camera[:3, :3]
        pose = torch.cat(
            [torch.cat([rotation, camera.world_to_camera[:3, 3:]], -1), camera.world_to_camera[3:]]
        )
        zero, one = self.move.new_zeros(()), self.move.new_ones(())
        zoom, (x, y) = self.move[3].exp(), (self.move[4:] * camera.width).unbind()
        rows = (torch.stack([zoom, zero, x]), torch.stack([zero, zoom, y]), torch.stack([zero, zero, one]))
        # zoomed about the middle of the picture
        middle = camera.width / 2
        centred = camera.intrinsics - camera.intrinsics.new_tensor(
            [[0, 0, middle], [0, 0, middle], [0, 0, 0]]
        )
        intrinsics = torch.stack(rows) @ centred
        intrinsics = intrinsics + intrinsics.new_tensor([[0, 0, middle], [0, 0, middle], [0, 0, 0]])
        return camera.replace(world_to_camera=pose, intrinsics=intrinsics)

    def result(self) -> Prediction:
        """Where it has come to."""
        mesh, camera = self.mesh.detach(), self.current_camera().detach()
        fields = {"vertices": mesh.vertices, **self._colors(mesh)}
        return Prediction(
            mesh.replace(**{name: value[None] for name, value in fields.items()}),
            None if self.light is None else self.light.detach().map(_finished),
            camera.replace(world_to_camera=camera.world_to_camera[None], intrinsics=camera.intrinsics[None]),
        )

    @staticmethod
    def _colors(mesh: Mesh) -> dict[str, Tensor]:
        """The field that holds a mesh's colours, if any."""
        names = ("texture", "vertex_colors", "face_textures", "face_cubes")
        return {name: getattr(mesh, name) for name in names if getattr(mesh, name) is not None}

    def _enter(self, share: float) -> RefineStage:
        """Make ready for the stage that a share of all steps lies in."""
        ends = torch.tensor([stage.share for stage in STAGES]).cumsum(0)
        stage = STAGES[min(int((ends <= share + 1e-6).sum()), len(STAGES) - 1)]
        if stage is self.stage:
            return stage
        self.stage = stage
        mesh = self.mesh.detach()
        if mesh.face_textures is None and mesh.face_cubes is None:
            while mesh.num_faces < stage.faces:
                self.rest = loop_subdivide(Mesh(self.rest, mesh.faces)).vertices
                mesh = loop_subdivide(mesh)
        fields = {"vertices": mesh.vertices, **self._colors(mesh)}
        self.mesh = mesh.replace(**{name: value.clone().requires_grad_() for name, value in fields.items()})
        self.topology = EdgeTopology.from_faces(mesh.faces, mesh.num_vertices)
        self.edge = edge_for(mesh.vertices, mesh.faces, mesh.num_faces, 0.0)
        self.shape = SmoothAdam(self.mesh.vertices, mesh.faces, lr=0, smoothness=stage.smoothness)
        lights = [] if self.light is None else [getattr(self.light, name) for name in FIELDS[self.light.kind]]
        groups = [
            {"params": list(self._colors(self.mesh).values()), "lr": 0.03},
            {"params": lights, "lr": 0.01},
            {"params": [self.move], "lr": 0.005},
        ]
        self.adam = torch.optim.Adam([group for group in groups if group["params"]], betas=(0.9, 0.99))
        planes = self.crop.permute(2, 0, 1)[None]
        mode = "area" if stage.size <= self.crop.shape[0] else "bilinear"
        crop = interpolate(planes, (stage.size, stage.size), mode=mode)[0].permute(1, 2, 0)
        self.mask = crop[None, ..., 3]
        self.picture = crop[None, ..., :3] / crop[None, ..., 3:].clamp(min=1e-3)
        self.targets = SoftTargets(self.mask, make_renderer(stage.renderer, stage.blur))
        self.footprint = pixel_footprint(self.camera.resized(stage.size, stage.size))
        return stage

    def _loss(self, stage: RefineStage, *, calibrate: bool) -> Tensor:
        mesh = self.mesh
        mirror = mesh.vertices.new_tensor([[[1.0, 1.0, 1.0]], [[-1.0, 1.0, 1.0]]])
        picture = render(
            mesh.replace(vertices=mesh.vertices * mirror),
            self.current_camera().resized(stage.size, stage.size),
            None if self.light is None else self.light.lights(),
            material=None if self.light is None else self.light.material(),
            renderer=self.targets.renderer,
        )
        if calibrate or self.targets.faces == 0:
            self.targets.calibrate(picture.alpha[:1], picture.mask[:1])
        target = self.targets[torch.zeros(1, dtype=torch.long)]
        area = (self.mask > 0.5).sum()
        loss = self._beliefs()
        for i, (outline, colour) in enumerate(((1.0, 1.0), MIRRORED)):
            loss = loss + outline * (picture.alpha[i] - target[0]).square().sum() / area
            if self._colors(mesh):
                rows = slice(i, i + 1)
                difference = colour_loss(picture.rgb[rows], picture.mask[rows], self.picture, self.mask)
                loss = loss + colour * _COLOUR * difference
        return loss

    def _beliefs(self) -> Tensor:
        """What bends, roughness, and leaving the prediction cost."""
        mesh = self.mesh
        moved = mesh.vertices - self.rest
        loss = _BENDING * normal_consistency_loss(mesh.vertices, self.topology)
        loss = loss + _LAPLACIAN * laplacian_loss(moved, self.topology) / self.edge**2
        loss = loss + _ANCHOR * moved.square().sum(-1).mean()
        if mesh.texture is not None:
            loss = loss + _ROUGHNESS * texture_roughness(mesh.texture)
        if self.light is not None:
            for name in FIELDS[self.light.kind]:
                change = getattr(self.light, name) - getattr(self.first_light, name)
                loss = loss + _LIGHT * change.square().mean()
                if name == "coefficients":  # what differs between channels is more often paint than light
                    cast = change - change.mean(-1, keepdim=True)
                    loss = loss + _LIGHT_COLOUR * cast.square().mean()
        return loss


def _finished(value: Tensor, tail: tuple[int, ...]) -> Tensor:
    """A field of a light as it is given back: directions of length 1, with one batch dimension."""
    return (normalize(value, dim=-1) if tail == (3,) else value)[None]


def _with_fine_texture(mesh: Mesh) -> Mesh:
    """The mesh with a texture, if any, of at least 192 rows."""
    if mesh.texture is None or mesh.texture.shape[0] >= TEXTURE_ROWS:
        return mesh
    rows, columns = mesh.texture.shape[:2]
    size = (TEXTURE_ROWS, round(columns * TEXTURE_ROWS / rows))
    planes = interpolate(mesh.texture.permute(2, 0, 1)[None], size, mode="bilinear")
    return mesh.replace(texture=planes[0].permute(1, 2, 0))
