"""From a field to a mesh."""

from __future__ import annotations

import dataclasses

import torch
from torch import Tensor
from torch.nn.functional import interpolate, max_pool3d

from ..errors import InputError
from ..geometry import Mesh
from .cast import colors_at, logits_at
from .field import Field
from .surface import outward_normals

REFINED_AT_ONCE = 10_000  # faces


class EmptyFieldError(InputError):
    """The field has no surface: no point of the cube is inside, or all are."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class ExtractOptions:
    """How a mesh is extracted.

    Attributes:
        resolution: cells along each side of the cube, ``coarsest`` times a power of two.
        coarsest: cells along each side that are looked at everywhere; parts of the object that are thinner
            may be missed.
        half_side: of the cube about the origin.
        refine: steps that move vertices onto the surface and faces across its normals (Mescheder et al. 2019;
            ``papers.md`` 1.4); 0 leaves the vertices of marching cubes.

    Raises:
        InputError: a number is out of range.
    """

    resolution: int = 128
    coarsest: int = 32
    half_side: float = 0.55
    refine: int = 0

    def __post_init__(self) -> None:
        if self.coarsest < 1:
            raise InputError(f"coarsest must be at least 1, got {self.coarsest}")
        doublings = (self.resolution // self.coarsest).bit_length() - 1
        if self.resolution != self.coarsest * 2 ** max(doublings, 0):
            raise InputError(
                f"resolution must be {self.coarsest} times a power of two, got {self.resolution}"
            )
        if not self.half_side > 0:
            raise InputError(f"half_side must be positive, got {self.half_side}")
        if self.refine < 0:
            raise InputError(f"refine must not be negative, got {self.refine}")


def extract_mesh(
    field: Field, options: ExtractOptions | None = None, *, device: torch.device | str | None = None
) -> Mesh:
    """The surface of a field by marching cubes, with the field's colours at its vertices.

    Points of fine grids are looked at near the surface of coarse ones alone (multi-resolution extraction,
    Mescheder et al. 2019), so parts smaller than a cell of the coarsest grid may be missed.

    Args:
        field: of the object.
        options: how.
        device: of the points that the field is asked for; that of a module's parameters when None, and the
            CPU for other functions.

    Returns:
        A mesh without batch dimensions, closed unless the object leaves the cube.

    Raises:
        EmptyFieldError: the field is empty or full in the cube.
        InputError: it is not finite there.
        ImportError: scikit-image is not installed.
    """
    try:
        from skimage.measure import marching_cubes
    except ImportError as error:
        raise ImportError("extract_mesh needs scikit-image: pip install 'unrender[mesh]'") from error
    options = ExtractOptions() if options is None else options
    logits = grid_logits(field, options, device=device)
    low, high = float(logits.min()), float(logits.max())
    if not low < 0 < high:
        state = "empty: no point of the cube is inside" if high <= 0 else "full: all of the cube is inside"
        raise EmptyFieldError(
            f"the field must have a surface, but it is {state} (logits {low:.3g} to {high:.3g})"
        )
    # a rim of empty cells closes what leaves the cube
    padded = torch.nn.functional.pad(logits, (1, 1) * 3, value=min(low, -1.0)).cpu().numpy()
    points, faces, _, _ = marching_cubes(padded, level=0.0, gradient_direction="ascent")
    cell = 2 * options.half_side / options.resolution
    vertices = torch.from_numpy((points - 1) * cell - options.half_side).to(logits)
    mesh = Mesh(vertices, torch.from_numpy(faces.astype("int64")).to(logits.device))
    if options.refine:
        mesh = refine_mesh(field, mesh, steps=options.refine)
    with torch.no_grad():
        colors = colors_at(field, mesh.vertices)
    return mesh.replace(vertex_colors=colors)


@torch.no_grad()
def grid_logits(field: Field, options: ExtractOptions, *, device: torch.device | str | None = None) -> Tensor:
    """Logits at the corners of the cells, shape (resolution + 1,) * 3, indexed by x, y and z.

    Away from the surface they are interpolated from coarser grids. The device is that of
    :func:`extract_mesh`.
    """
    side = options.coarsest
    if device is None:
        device = next(iter(getattr(field, "parameters", lambda: ())()), torch.zeros(0)).device
    every = torch.ones((side + 1,) * 3, dtype=torch.bool, device=device)
    logits = _fill(field, torch.zeros((side + 1,) * 3, device=device), every, options.half_side)
    while side < options.resolution:
        active = _cells_with_surface(logits)
        side *= 2
        logits = interpolate(logits[None, None], (side + 1,) * 3, mode="trilinear", align_corners=True)[0, 0]
        fine = interpolate(active[None, None].float(), scale_factor=2, mode="nearest")
        near = max_pool3d(torch.nn.functional.pad(fine, (1, 1) * 3), 2, stride=1)[0, 0] > 0  # their corners
        logits = _fill(field, logits, near, options.half_side)
    return logits


def refine_mesh(field: Field, mesh: Mesh, *, steps: int, learning_rate: float = 1e-5) -> Mesh:
    """Move vertices so that faces lie on the surface, and across its normals (``papers.md`` 1.4).

    A step looks at one random point of each face, or of 10,000 random faces where there are more.

    Args:
        field: of the object.
        mesh: near its surface.
        steps: of RMSprop.
        learning_rate: of RMSprop [frame's units].
    """
    vertices = mesh.vertices.detach().clone().requires_grad_()
    optimizer = torch.optim.RMSprop([vertices], lr=learning_rate)
    generator = torch.Generator(vertices.device).manual_seed(0)
    for _ in range(steps):
        faces = mesh.faces
        if len(faces) > REFINED_AT_ONCE:
            chosen = torch.randint(len(faces), (REFINED_AT_ONCE,), generator=generator, device=faces.device)
            faces = faces[chosen]
        # Dirichlet (1/2, 1/2, 1/2)
        weights = torch.randn(len(faces), 3, 1, generator=generator, device=vertices.device).square()
        weights = (weights / weights.sum(1, keepdim=True)).to(vertices)
        corners = vertices[faces]
        points = (corners * weights).sum(1)
        a, b, c = corners.unbind(1)
        normals = torch.nn.functional.normalize(torch.linalg.cross(b - a, c - a), dim=-1)
        logits, _ = field(points)
        wanted = outward_normals(field, points.detach())
        off = (torch.sigmoid(logits) - 0.5).square().mean()
        loss = off + 0.01 * (normals - wanted).square().sum(-1).mean()
        optimizer.zero_grad()
        (vertices.grad,) = torch.autograd.grad(loss, vertices)
        optimizer.step()
    return mesh.replace(vertices=vertices.detach())


def _fill(field: Field, logits: Tensor, where: Tensor, half_side: float) -> Tensor:
    """The grid (n + 1,) * 3 with the field's logits at some of its points."""
    places = where.nonzero()
    points = places.to(logits.dtype) * (2 * half_side / (logits.shape[0] - 1)) - half_side
    logits = logits.clone()
    logits[where] = logits_at(field, points)
    return logits


def _cells_with_surface(logits: Tensor) -> Tensor:
    """Cells (n,) * 3 whose corners (n + 1,) * 3 differ in sign, and their neighbours, bool."""
    inside = (logits > 0)[None, None].float()
    most, least = max_pool3d(inside, 2, stride=1), -max_pool3d(-inside, 2, stride=1)
    return max_pool3d((most != least).float(), 3, stride=1, padding=1)[0, 0] > 0
