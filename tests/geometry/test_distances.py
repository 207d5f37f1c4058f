import sys

import numpy as np
import pytest
import torch
import trimesh
from scipy.spatial import KDTree

from unrender.errors import InputError
from unrender.geometry import (
    chamfer_l1,
    chamfer_squared,
    f_score,
    icosphere,
    nearest_on_triangle,
    nearest_points,
    point_to_mesh_distance,
)


def test_nearest_points_agree_with_a_kd_tree(device):
    queries, points = torch.randn(2, 1500, 3, device=device), torch.randn(2, 900, 3, device=device)
    squared, indices = nearest_points(queries, points)
    for k in range(2):
        distance, index = KDTree(points[k].cpu()).query(queries[k].cpu())
        assert np.array_equal(indices[k].cpu(), index)
        np.testing.assert_allclose(squared[k].cpu(), distance**2, rtol=1e-5, atol=1e-12)


def test_small_distances_far_from_the_origin_keep_their_digits(device):
    points = 1000 + torch.rand(50, 3, device=device)
    queries = points + 2**-10
    squared = nearest_points(queries, points).squared_distances
    exact = (queries - points).square().sum(-1)
    assert torch.equal(squared, exact)
    torch.testing.assert_close(squared, torch.full_like(squared, 3 * 2.0**-20), rtol=0.15, atol=0)


def test_chamfer_and_f_score_agree_with_a_kd_tree(device):
    first, second = (torch.randn(n, 3, dtype=torch.float64, device=device) for n in (300, 400))
    forth = KDTree(second.cpu()).query(first.cpu())[0]
    back = KDTree(first.cpu()).query(second.cpu())[0]
    assert float(chamfer_l1(first, second)) == pytest.approx((forth.mean() + back.mean()) / 2)
    assert float(chamfer_squared(first, second)) == pytest.approx((forth**2).mean() + (back**2).mean())
    precision, recall = (forth <= 0.2).mean(), (back <= 0.2).mean()
    expected = 2 * precision * recall / (precision + recall)
    assert float(f_score(first, second, threshold=0.2)) == pytest.approx(expected)
    assert float(f_score(first, second + 100)) == 0
    assert float(f_score(first, first)) == 1


@pytest.mark.parametrize("function", [chamfer_l1, chamfer_squared])
def test_chamfer_gradients(device, function):
    first = torch.randn(2, 6, 3, dtype=torch.float64, device=device, requires_grad=True)
    second = torch.randn(2, 5, 3, dtype=torch.float64, device=device, requires_grad=True)
    assert torch.autograd.gradcheck(function, (first, second))
    (gradient,) = torch.autograd.grad(function(first, first.detach()).sum(), first)
    assert not gradient.any()


def test_point_to_mesh_agrees_with_trimesh(device):
    mesh = icosphere(2, dtype=torch.float64, device=device)
    vertices = mesh.vertices * torch.tensor([1.0, 0.1, 2.0], device=device)
    vertices = vertices + 0.05 * torch.randn_like(vertices)
    points = 2 * torch.randn(300, 3, dtype=torch.float64, device=device)
    squared, indices, barycentrics = point_to_mesh_distance(points, vertices, mesh.faces)
    triangles = vertices[mesh.faces]
    everything = trimesh.triangles.closest_point(
        triangles.cpu().numpy().repeat(300, 0), np.tile(points.cpu().numpy(), (320, 1))
    ).reshape(320, 300, 3)
    distance = np.linalg.norm(everything - points.cpu().numpy(), axis=-1)
    np.testing.assert_allclose(squared.sqrt().cpu(), distance.min(0), atol=1e-9)
    nearest = (triangles[indices] * barycentrics[..., None]).sum(1)
    torch.testing.assert_close((nearest - points).square().sum(-1), squared)
    torch.testing.assert_close(barycentrics.sum(-1), torch.ones_like(squared))
    assert barycentrics.min() >= 0


def test_point_to_mesh_gradients_and_batches(device):
    mesh = icosphere(0, dtype=torch.float64, device=device)
    vertices = mesh.vertices.expand(2, -1, -1).clone().requires_grad_()
    points = (1.5 * torch.randn(2, 6, 3, dtype=torch.float64, device=device)).requires_grad_()
    assert torch.autograd.gradcheck(
        lambda p, v: point_to_mesh_distance(p, v, mesh.faces).squared_distances, (points, vertices)
    )


def test_degenerate_triangles(device):
    point = torch.tensor([0.5, 1.0, 0.0], device=device)
    segment = torch.tensor([[0.0, 0, 0], [1, 0, 0], [2, 0, 0]], device=device)
    spot = torch.ones(3, 3, device=device)
    for triangle, nearest in ((segment, [0.5, 0, 0]), (spot, [1, 1, 1])):
        weights = nearest_on_triangle(point, triangle)
        assert (weights @ triangle).tolist() == pytest.approx(nearest)
        assert float(weights.sum()) == pytest.approx(1)
    vertices = torch.cat([segment, spot]).requires_grad_()
    faces = torch.tensor([[0, 1, 2], [3, 4, 5]], device=device)
    squared = point_to_mesh_distance(point[None], vertices, faces).squared_distances
    assert float(squared.detach()) == pytest.approx(1)
    squared.sum().backward()
    assert vertices.grad is not None
    assert bool(torch.isfinite(vertices.grad).all())


def test_no_queries_and_wrong_input(device):
    points, none = torch.zeros(4, 3, device=device), torch.zeros(0, 3, device=device)
    assert nearest_points(none, points).indices.shape == (0,)
    with pytest.raises(InputError, match="points must have at least one row, got none"):
        nearest_points(points, none)
    with pytest.raises(InputError, match=r"points must have shape \(2, M, 3\), got \(4, 3\)"):
        nearest_points(points.expand(2, 4, 3), points)
    with pytest.raises(InputError, match="at least one face"):
        point_to_mesh_distance(points, points, torch.zeros(0, 3, dtype=torch.long, device=device))


def test_large_sets_are_searched_by_a_tree_with_the_same_result():
    queries, points = torch.randn(2, 2500, 3), torch.randn(2, 2000, 3)
    squared, indices = nearest_points(queries, points)
    assert torch.equal(indices, torch.cdist(queries.double(), points.double()).argmin(-1))
    exact = (queries - points.take_along_dim(indices[..., None], -2)).square().sum(-1)
    assert torch.equal(squared, exact)
    queries.requires_grad_()
    (gradient,) = torch.autograd.grad(nearest_points(queries, points).squared_distances.sum(), queries)
    torch.testing.assert_close(gradient, 2 * (queries - points.take_along_dim(indices[..., None], -2)))


def test_a_tree_finds_all_of_many_equal_points():
    spot = torch.ones(2100, 3)
    squared, indices = nearest_points(spot, spot)
    assert not squared.any()
    assert indices.min() >= 0
    assert indices.max() < 2100


def test_large_sets_must_be_finite():
    points = torch.randn(3000, 3)
    broken = points.clone()
    broken[7, 1] = torch.nan
    for pair in ((points, broken), (broken, points)):
        with pytest.raises(InputError, match="must be finite"):
            nearest_points(*pair)


def test_large_sets_need_scipy(monkeypatch):
    monkeypatch.setitem(sys.modules, "scipy.spatial", None)
    points = torch.randn(3000, 3)
    with pytest.raises(ImportError, match=r"among 3000 points on a CPU needs SciPy.*unrender\[eval\]"):
        nearest_points(points, points)
