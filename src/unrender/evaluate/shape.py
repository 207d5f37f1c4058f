"""Predicted shapes against true ones."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from ..errors import InputError
from ..geometry import Mesh, sample_surface, voxel_iou
from ..geometry.surface_metrics import surface_metrics
from ..learn.data import ObjectViews
from ..learn.data.capture import object_voxels
from ..learn.prediction import Prediction
from .options import EvaluateOptions


def solid_ious(prediction: Prediction, target: Tensor, options: EvaluateOptions) -> Tensor:
    """3D IoU of each predicted object with one solid.

    Args:
        prediction: of B pictures.
        target: the true solid, bool, shape (S, S, S).
        options: the protocol.

    Returns:
        Shape (B,).

    Raises:
        InputError: a predicted solid has another number of cells.
    """
    if prediction.mesh is not None:
        return voxel_iou(object_voxels(prediction.mesh, target.shape[-1]), target)
    assert prediction.occupancy is not None
    if prediction.occupancy.shape[-3:] != target.shape:
        raise InputError(
            f"a predicted solid must have the {tuple(target.shape)} cells of the data set's, "
            f"got {tuple(prediction.occupancy.shape[-3:])}"
        )
    return voxel_iou(prediction.occupancy > options.level, target)


def surface_of(prediction: Prediction, options: EvaluateOptions) -> Mesh | None:
    """The surface of the only object of a prediction, in a batch of one; None if there is nothing.

    Raises:
        ImportError: the prediction is a solid, and scikit-image is not installed.
    """
    if prediction.mesh is not None:
        return prediction.mesh
    if prediction.surfaces is not None:
        mesh = prediction.surfaces(0)
    else:
        assert prediction.occupancy is not None
        mesh = mesh_solid(prediction.occupancy[0], level=options.level)
    return None if mesh is None else mesh.replace(vertices=mesh.vertices[None])


def mesh_solid(occupancy: Tensor, *, level: float = 0.5) -> Mesh | None:
    """The surface of a solid by marching cubes (Lorensen and Cline 1987).

    Values belong to the middles of the cells. Since a cell is filled as soon as the object reaches into it,
    the surface lies half a cell outside the object's on average.

    Args:
        occupancy: laid out as :attr:`unrender.learn.data.ObjectViews.voxels`, in [0, 1], shape (S, S, S).
        level: value at the surface, between 0 and 1.

    Returns:
        A closed mesh in the frame of the object, or None if no value exceeds ``level``.

    Raises:
        ImportError: scikit-image is not installed.
    """
    try:
        from skimage.measure import marching_cubes
    except ImportError as error:
        raise ImportError("meshing a solid needs scikit-image: pip install 'unrender[mesh]'") from error
    if not bool((occupancy > level).any()):
        return None
    padded = torch.nn.functional.pad(occupancy.float(), (1, 1) * 3).cpu().numpy()
    points, faces, _, _ = marching_cubes(padded, level=level, gradient_direction="ascent")
    size = occupancy.shape[-1]
    # point p of the padded grid is the middle of cell p - 1, and the grid is the object scaled by S - 1
    vertices = (torch.from_numpy(points.copy()) - 0.5 - size / 2) / (size - 1)
    return Mesh(vertices, torch.from_numpy(faces.astype("int64"))).to(occupancy.device)


def surface_scores(
    mesh: Mesh | None, item: ObjectViews, options: EvaluateOptions, *, seed: int
) -> dict[str, float]:
    """Distances between the predicted and the true surface; none where the data set has no surface points.

    Args:
        mesh: the prediction, in a batch of one; None if nothing was predicted.
        item: the truth.
        options: the protocol.
        seed: of the points that are drawn.

    Raises:
        InputError: the mesh has no area.
    """
    if item.points is None:
        return {}
    f_names = [f"f_score@{t:g}" for t in options.thresholds]
    if mesh is None:
        far = math.sqrt(3)
        return {
            **dict.fromkeys(f_names, 0.0),
            "chamfer_l1": far,
            "chamfer_l1_x10": 10 * far,
            "chamfer_l2": 2 * far**2,
            **({} if item.point_normals is None else {"normal_consistency": 0.0}),
        }
    generator = torch.Generator(mesh.device).manual_seed(seed)
    drawn = sample_surface(mesh, options.points, with_normals=True, generator=generator)
    points = item.points[None, : options.points].to(drawn.points)
    normals = None if item.point_normals is None else item.point_normals[None, : options.points].to(points)
    found = surface_metrics(
        drawn.points,
        points,
        predicted_normals=None if normals is None else drawn.normals,
        target_normals=normals,
        thresholds=options.thresholds,
    )
    scores = dict(zip(f_names, found.f_score[0].tolist(), strict=True))
    scores["chamfer_l1"] = float(found.chamfer_l1)
    scores["chamfer_l1_x10"] = 10 * float(found.chamfer_l1)
    scores["chamfer_l2"] = float(found.chamfer_l2)
    if found.normal_consistency is not None:
        scores["normal_consistency"] = float(found.normal_consistency)
    return scores
