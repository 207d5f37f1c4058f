"""The visual hull: the largest shape whose silhouettes fit in the masks."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import grid_sample, max_pool2d

from ..errors import InputError
from ..geometry import Mesh, connected_components
from ..io import Views

_TRACE = 0.1


def visual_hull(views: Views, *, resolution: int = 96, tolerance: float = 0.12, level: float = 0.5) -> Mesh:
    """Carve the cube around the unit ball by the masks and mesh what is left (Laurentini 1994).

    A point is cut off if it lies outside the masks of more than a share ``tolerance`` of the pictures, or
    more than a pixel away from all that the mask touches in any of them (in one of 50, to survive a wrong
    mask). Cutting at the first picture that says so would lose parts that are thinner than a pixel in some.
    Points that fewer than half of the pictures show are empty.

    Args:
        views: pictures whose cameras look at the cube from -1 to 1.
        resolution: grid points along each axis.
        tolerance: share of the pictures whose masks may miss a point by less than a pixel.
        level: mask value at the surface, between 0 and 1.

    Returns:
        A closed mesh without appearance; fragments of less than one part in 200 of its faces are left out.

    Raises:
        InputError: nothing is left.
        ImportError: scikit-image is not installed.
    """
    try:
        from skimage.measure import marching_cubes
    except ImportError as error:
        raise ImportError("visual_hull needs scikit-image: pip install 'unrender[mesh]'") from error
    occupancy = carve(views, resolution, tolerance)
    if not bool((occupancy >= level).any()):
        raise InputError(
            "no point is inside the masks: masks or cameras contradict each other; "
            "check the cameras' convention, or start from a sphere (--template sphere)"
        )
    padded = torch.nn.functional.pad(occupancy, (1, 1) * 3).cpu().numpy()
    points, faces, _, _ = marching_cubes(padded, level=level, gradient_direction="ascent")
    vertices = torch.from_numpy((points - 1) * (2 / (resolution - 1)) - 1).to(occupancy)
    return without_fragments(Mesh(vertices, torch.from_numpy(faces.astype("int64")).to(vertices.device)))


def carve(views: Views, resolution: int, tolerance: float) -> Tensor:
    """Mask values as :func:`visual_hull` keeps them, x-major: shape (resolution,) * 3."""
    axis = torch.linspace(-1, 1, resolution, device=views.pictures.device, dtype=views.pictures.dtype)
    points = torch.stack(torch.meshgrid(axis, axis, axis, indexing="ij"), -1).view(-1, 3)
    masks = views.masks[:, None]
    touched = (masks > _TRACE).to(masks.dtype)  # a part thinner than a pixel leaves only a trace of grey
    masks = torch.cat([masks, max_pool2d(touched, 3, 1, 1)], 1)
    kept = [_carve_points(views, masks, part, tolerance) for part in points.split(2**16)]
    return torch.cat(kept).view(resolution, resolution, resolution)


def _carve_points(views: Views, masks: Tensor, points: Tensor, tolerance: float) -> Tensor:
    """``masks`` are those of the views, and all that they touch grown by a pixel, shape (N, 2, H, W)."""
    pixels = views.cameras.project(points)
    at = pixels[..., :2] / points.new_tensor([views.width, views.height]) * 2 - 1
    seen = (at.abs() < 1).all(-1) & (pixels[..., 2] > views.cameras.near)
    values = grid_sample(masks, at[:, None], padding_mode="border", align_corners=False)
    values = torch.where(seen[:, None], values[:, :, 0], 1)
    few, wrong = int(tolerance * len(views)), len(views) // 50
    kept = torch.minimum(values[:, 0].kthvalue(few + 1, 0).values, values[:, 1].kthvalue(wrong + 1, 0).values)
    return torch.where(seen.sum(0) * 2 >= len(views), kept, 0)


def without_fragments(mesh: Mesh) -> Mesh:
    """The mesh without connected parts of less than one in 200 of its faces, and without appearance."""
    part = connected_components(torch.cat([mesh.faces[:, :2], mesh.faces[:, 1:]]), mesh.num_vertices)
    part = part[mesh.faces[:, 0]]
    sizes = torch.bincount(part)
    faces = mesh.faces[(sizes * 200 >= mesh.num_faces)[part]]
    used, table = torch.unique(faces, return_inverse=True)
    return Mesh(mesh.vertices[used], table)
