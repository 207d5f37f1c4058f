"""Pose estimation: from a picture of a known object to the camera that took it."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable

import torch
from torch import Tensor

from ..errors import InputError
from ..geometry import Mesh
from ..progress import Progress
from ..render import Camera, render
from ..render.turntable import bounding_ball
from .compare import gains
from .inputs import check_view, intrinsics_of, split_view
from .options import PoseOptions, rounds
from .placement import free_motions
from .proxy import simplified
from .search import distinct, optimise, scores
from .starts import even_rotations, placed
from .symmetry import rotation_error
from .target import Target, target_of

CANDIDATES = 3
_LEAST_SIZE = 32


@dataclasses.dataclass(frozen=True, eq=False)
class PoseCandidate:
    """One pose that explains the picture.

    Attributes:
        camera: of the picture; world coordinates are those of the mesh.
        discrepancy: what the search ranks by: squared differences of silhouettes and colours, a pixel of the
            mask.
        mask_iou: intersection over union of mask and render, in the whole picture.
        color_error: mean absolute difference of colours where mask and render overlap, after each channel's
            best gain; None without colours.
        turned: angle to the best candidate's rotation [degrees].
    """

    camera: Camera
    discrepancy: float
    mask_iou: float
    color_error: float | None
    turned: float


@dataclasses.dataclass(frozen=True, eq=False)
class PoseResult:
    """The pose found, and what else might be.

    Attributes:
        candidates: the best first; the others are at least 10 degrees from it and from each other.
        seconds: time that it took.
    """

    candidates: tuple[PoseCandidate, ...]
    seconds: float

    @property
    def best(self) -> PoseCandidate:
        """The first candidate."""
        return self.candidates[0]

    @property
    def camera(self) -> Camera:
        """The camera of the best candidate."""
        return self.best.camera


def estimate_pose(
    mesh: Mesh,
    picture: Tensor | None = None,
    mask: Tensor | None = None,
    *,
    fov_y: float | None = None,
    intrinsics: Tensor | None = None,
    options: PoseOptions | None = None,
    progress: Callable[[Progress], None] | None = None,
) -> PoseResult:
    """Find the camera of a picture of a known object, by optimisation through the renderer.

    Many rotations, spread evenly, are placed and scaled as the mask is and scored in small pictures. The best
    of them are optimised in three rounds, fewer at a time, in larger and larger pictures, while the
    renderer's blur (SoftRas's sigma) and the mixing of depths (its gamma) shrink (Liu et al., "Soft
    Rasterizer", ICCV 2019, section 5.3). Where the mesh and the picture have colours they are compared too,
    up to a factor on each channel, since the light is not known.

    Args:
        mesh: the object, without batch dimensions.
        picture: in [0, 1], shape (H, W, 3), or (H, W, 4) with the mask as alpha; None to go by the mask.
        mask: 1 on the object, 0 elsewhere, bool or floating point, shape (H, W).
        fov_y: full vertical angle of view [degrees].
        intrinsics: of a pinhole camera, in pixels, shape (3, 3), instead of ``fov_y``. Without either, the
            focal length is estimated too, and the principal point is the middle of the picture.
        options: the settings.
        progress: called after each step.

    Returns:
        The camera, how well it explains the picture, and other poses that do so nearly as well.

    Raises:
        InputError: there is no mask, or it is empty or full; shapes do not fit; a value is not finite.
    """
    start = time.monotonic()
    options = PoseOptions() if options is None else options
    if mesh.batch_shape:
        raise InputError(f"estimate_pose takes one mesh, got a batch of shape {tuple(mesh.all_batch_shape)}")
    mesh = mesh.detach().to(torch.float32)
    picture, mask = split_view(picture, mask, device=mesh.device)
    check_view(picture, mask)
    if not (options.color and has_colors(mesh)):
        picture = None
    known = intrinsics_of(mask, fov_y, intrinsics)
    middle, ball = bounding_ball(mesh)
    radius = float(ball)
    unit = mesh.replace(vertices=(mesh.vertices - middle) / radius)
    frame, full = target_of(mask, picture, known)
    free = free_motions(mesh.device, focal=fov_y is None and intrinsics is None)

    plan = rounds(options)
    total, done = sum(how.steps for how in plan), 0
    coarse = full.resized(plan[0].size)
    proxy = simplified(unit, plan[0].faces)
    rotations = even_rotations(options.starts, seed=options.seed).to(mesh.device)
    with torch.no_grad():
        poses = placed(proxy, rotations, frame, coarse)
    score = scores(proxy, poses, frame, coarse)
    for number, how in enumerate(plan, 1):
        target = full.resized(min(how.size, max(_LEAST_SIZE, 4 * (frame.side // 4))))
        proxy = simplified(unit, how.faces)
        poses = poses[distinct(poses, score, how.keep)]
        steps = optimise(proxy, poses, frame, target, how, renderer=options.renderer, free=free)
        for moved, loss in steps:
            poses, done = moved, done + 1
            if progress is not None:
                progress(Progress(f"round {number}/{len(plan)}", loss, done / total))
        score = scores(proxy, poses, frame, target)

    order = distinct(poses, score, CANDIDATES)
    cameras = poses[order].whole_camera(frame, middle, radius)
    turned = rotation_error(cameras.world_to_camera[:, :3, :3], cameras.world_to_camera[0, :3, :3])
    found = tuple(
        PoseCandidate(
            cameras[n], float(score[i]), *fit_of_camera(mesh, cameras[n], mask, picture), float(turned[n])
        )
        for n, i in enumerate(order)
    )
    return PoseResult(found, time.monotonic() - start)


def has_colors(mesh: Mesh) -> bool:
    """Whether a mesh has an appearance of three channels."""
    looks = (mesh.vertex_colors, mesh.face_textures, mesh.face_cubes, mesh.texture)
    return any(look is not None and look.shape[-1] == 3 for look in looks)


@torch.no_grad()
def fit_of_camera(
    mesh: Mesh, camera: Camera, mask: Tensor, picture: Tensor | None
) -> tuple[float, float | None]:
    """How well a render from a camera explains a picture.

    Args:
        mesh: the object.
        camera: one camera, of the picture's size.
        mask: shape (H, W).
        picture: shape (H, W, 3), or None.

    Returns:
        Intersection over union of the mask and the pixels whose centre a face covers, and the mean absolute
        difference of the colours of those in both after each channel's best gain, None without a picture.
    """
    drawn = render(mesh, camera)
    inside = mask > 0.5
    both = drawn.mask & inside
    iou = float(both.sum() / (drawn.mask | inside).sum())
    if picture is None or not bool(both.any()):
        return iou, None
    own, wanted = drawn.rgb * both[..., None], picture * both[..., None]
    gain = gains(own[None], Target(both.to(mask.dtype), wanted, torch.ones_like(mask)))[0]
    return iou, float((own * gain - wanted)[both].abs().mean())
