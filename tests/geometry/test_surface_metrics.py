import numpy as np
import pytest
import torch
import trimesh

from unrender.errors import InputError
from unrender.geometry import chamfer_l1, chamfer_squared, f_score
from unrender.geometry.surface_metrics import surface_metrics


def grid(side: int, height: float) -> torch.Tensor:
    """A square grid of points of spacing 1 in the plane z = height."""
    axis = torch.arange(float(side))
    return torch.stack(
        [*torch.meshgrid(axis, axis, indexing="ij"), torch.full((side, side), height)], -1
    ).view(-1, 3)


def test_two_parallel_planes(device):
    low, high = grid(5, 0.0).to(device), grid(5, 0.25).to(device)
    up = torch.tensor([0.0, 0.0, 1.0], device=device).expand_as(low)
    tilted = torch.tensor([0.6, 0.0, -0.8], device=device).expand_as(low)
    found = surface_metrics(
        low, high, predicted_normals=up, target_normals=tilted, thresholds=(0.2, 0.25, 0.3)
    )
    assert float(found.accuracy) == float(found.completeness) == float(found.chamfer_l1) == 0.25
    assert float(found.chamfer_l2) == 2 * 0.25**2
    assert found.f_score.tolist() == [0, 1, 1]
    assert found.normal_consistency is not None
    assert float(found.normal_consistency) == pytest.approx(0.8)


def test_two_spheres_drawn_by_trimesh():
    points, normals = [], []
    for radius in (0.5, 0.45):
        mesh = trimesh.creation.icosphere(subdivisions=5, radius=radius)
        drawn, faces = trimesh.sample.sample_surface(mesh, 20_000, seed=0)[:2]
        points.append(torch.from_numpy(np.array(drawn)))
        normals.append(torch.from_numpy(mesh.face_normals[faces]))
    found = surface_metrics(
        *points, predicted_normals=normals[0], target_normals=normals[1], thresholds=(0.049, 0.052)
    )
    # the nearest of finitely many points is a little further than the sphere
    assert 0.0499 < float(found.chamfer_l1) < 0.0506
    assert 2 * 0.0499**2 < float(found.chamfer_l2) < 2 * 0.0507**2
    assert found.f_score[0] == 0
    assert found.f_score[1] > 0.95
    assert found.normal_consistency is not None
    assert 0.995 < float(found.normal_consistency) <= 1


def test_batches_agree_with_single_functions_and_a_slow_loop(device):
    predicted, target = torch.rand(2, 60, 3, device=device), torch.rand(2, 70, 3, device=device)
    first, second = (torch.nn.functional.normalize(torch.randn_like(p), dim=-1) for p in (predicted, target))
    found = surface_metrics(
        predicted, target, predicted_normals=first, target_normals=second, thresholds=(0.1, 0.2)
    )
    torch.testing.assert_close(found.chamfer_l1, chamfer_l1(predicted, target))
    torch.testing.assert_close(found.chamfer_l2, chamfer_squared(predicted, target))
    for k, threshold in enumerate((0.1, 0.2)):
        torch.testing.assert_close(found.f_score[:, k], f_score(predicted, target, threshold=threshold))
    assert found.normal_consistency is not None
    for b in range(2):
        cosines: list[list[float]] = [[], []]
        for i, point in enumerate(predicted[b]):
            j = int((target[b] - point).norm(dim=-1).argmin())
            cosines[0].append(abs(float(first[b, i] @ second[b, j])))
        for j, point in enumerate(target[b]):
            i = int((predicted[b] - point).norm(dim=-1).argmin())
            cosines[1].append(abs(float(first[b, i] @ second[b, j])))
        expected = (np.mean(cosines[0]) + np.mean(cosines[1])) / 2
        assert float(found.normal_consistency[b]) == pytest.approx(expected, abs=1e-5)


def test_f_score_is_zero_far_away_and_precision_differs_from_recall():
    target = grid(4, 0.0)
    found = surface_metrics(target[:4], target, thresholds=(0.5,))
    assert found.precision.tolist() == [1]
    assert found.recall.tolist() == [0.25]
    assert found.f_score.tolist() == pytest.approx([0.4])
    assert surface_metrics(target, target + 100).f_score.tolist() == [0, 0, 0]
    assert found.normal_consistency is None


def test_wrong_input():
    points = torch.zeros(4, 3)
    with pytest.raises(InputError, match="both surfaces need points"):
        surface_metrics(points[:0], points)
    with pytest.raises(InputError, match="target_normals must be given"):
        surface_metrics(points, points, predicted_normals=points)
    with pytest.raises(
        InputError, match=r"predicted_normals must have the shape of the points \(4, 3\), got \(3, 3\)"
    ):
        surface_metrics(points, points, predicted_normals=points[:3], target_normals=points)
