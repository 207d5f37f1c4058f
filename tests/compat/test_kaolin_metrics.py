"""Kaolin's metrics against brute force, trimesh and values worked out by hand."""

import numpy as np
import pytest
import torch
import trimesh

import unrender.compat.kaolin as kal
from unrender.errors import InputError

pointcloud = kal.metrics.pointcloud
trianglemesh = kal.metrics.trianglemesh


def test_mask_iou_is_a_loss(device):
    a = torch.tensor([[[1.0, 1.0], [0.0, 0.0]], [[0.5, 0.0], [0.0, 0.0]]], device=device)
    b = torch.tensor([[[1.0, 0.0], [1.0, 0.0]], [[0.5, 0.0], [0.0, 0.0]]], device=device)
    # IoU 1/3, and 0.25 / (1 - 0.25) = 1/3.
    assert float(kal.metrics.render.mask_iou(a, b)) == pytest.approx(2 / 3, abs=1e-6)
    assert float(kal.metrics.render.mask_iou(a[:1], a[:1] > 0.5)) == pytest.approx(0.0, abs=1e-6)
    with pytest.raises(InputError, match="masks must both have shape"):
        kal.metrics.render.mask_iou(a, b[:1])


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_sided_distance_is_brute_force(device, dtype):
    p1, p2 = (torch.randn(3, n, 3, device=device, dtype=dtype) for n in (40, 25))
    distance, index = pointcloud.sided_distance(p1, p2)
    table = (p1[:, :, None] - p2[:, None]).square().sum(-1)
    assert torch.allclose(distance, table.amin(-1))
    assert torch.equal(index, table.argmin(-1))
    assert index.dtype == torch.int64
    with pytest.raises(InputError):
        pointcloud.sided_distance(p1, p2[:2])


def test_sided_distance_gradients(device):
    p1, p2 = (torch.randn(2, n, 3, device=device, dtype=torch.float64, requires_grad=True) for n in (9, 7))
    assert torch.autograd.gradcheck(lambda a, b: pointcloud.sided_distance(a, b)[0], (p1, p2))


def test_chamfer_distance(device):
    p1 = torch.tensor([[[0.0, 0, 0], [1, 0, 0]], [[0, 0, 0], [0, 0, 0]]], device=device)
    p2 = torch.tensor([[[0.0, 0, 2]], [[0, 0, 0]]], device=device)
    # From p1: squares 4 and 5; from p2: square 4.
    assert torch.allclose(pointcloud.chamfer_distance(p1, p2), torch.tensor([8.5, 0.0], device=device))
    weighted = pointcloud.chamfer_distance(p1, p2, w1=2.0, w2=0.5)
    assert torch.allclose(weighted, torch.tensor([11.0, 0.0], device=device))
    plain = pointcloud.chamfer_distance(p1, p2, squared=False)
    assert torch.allclose(plain, torch.tensor([(2 + 5**0.5) / 2 + 2, 0.0], device=device))


def test_chamfer_has_finite_gradient_where_points_coincide(device):
    points = torch.rand(1, 5, 3, device=device, requires_grad=True)
    pointcloud.chamfer_distance(points, points.detach().clone(), squared=False).sum().backward()
    assert points.grad is not None
    assert bool(points.grad.isfinite().all())


def test_f_score(device):
    gt = torch.tensor([[[0.0, 0, 0], [1, 0, 0]]], device=device)
    pred = torch.tensor([[[0.05, 0, 0], [5, 0, 0]]], device=device)
    assert torch.allclose(pointcloud.f_score(gt, pred, radius=0.1), torch.tensor([0.5], device=device))
    assert float(pointcloud.f_score(gt, pred)) == 0
    assert float(pointcloud.f_score(gt, gt)) == pytest.approx(1.0)
    # Kaolin's recall: of four predictions one is a hit, and one of two true points is missed: 1 / (1 + 1).
    more = torch.tensor([[[0.05, 0, 0], [5, 0, 0], [6, 0, 0], [7, 0, 0]]], device=device)
    want = 2 * 0.25 * 0.5 / 0.75
    assert float(pointcloud.f_score(gt, more, radius=0.1)) == pytest.approx(want)


def test_parts_of_a_triangle(device):
    """One point over each part of the triangle (0, 0, 0), (4, 0, 0), (0, 4, 0), at a known distance."""
    cases = [
        ((1.0, 1.0, 2.0), 4.0, 0),
        ((-1.0, -2.0, 0.0), 5.0, 1),
        ((6.0, -1.0, 0.0), 5.0, 2),
        ((-1.0, 6.0, 0.0), 5.0, 3),
        ((2.0, -3.0, 1.0), 10.0, 4),
        ((3.0, 3.0, 0.0), 2.0, 5),
        ((-2.0, 2.0, 0.0), 4.0, 6),
    ]
    points = torch.tensor([[case[0] for case in cases]], device=device)
    face = torch.tensor(
        [[[[0.0, 0, 0], [4, 0, 0], [0, 4, 0]], [[9.0, 9, 9], [9, 9, 8], [9, 8, 9]]]], device=device
    )
    squared, index, kind = trianglemesh.point_to_mesh_distance(points, face)
    assert squared[0].tolist() == pytest.approx([case[1] for case in cases])
    assert index.tolist() == [[0] * 7]
    assert kind.tolist() == [[case[2] for case in cases]]
    assert kind.dtype == torch.int32
    assert index.dtype == torch.int64


def test_point_to_mesh_distance_agrees_with_trimesh(device):
    sphere = trimesh.creation.icosphere(subdivisions=2)
    points = torch.randn(2, 60, 3, device=device, dtype=torch.float64)
    vertices = torch.tensor(np.asarray(sphere.vertices), device=device)
    faces = torch.tensor(np.asarray(sphere.faces), device=device)
    corners = kal.ops.mesh.index_vertices_by_faces(vertices.expand(2, -1, -1), faces)
    squared, index, _ = trianglemesh.point_to_mesh_distance(points, corners)
    for b in range(2):
        mine = points[b].cpu().numpy()
        nearest = trimesh.triangles.closest_point(corners[b, index[b]].cpu().numpy(), mine)
        table = np.stack(
            [
                trimesh.triangles.closest_point(np.asarray(sphere.triangles), np.tile(p, (len(faces), 1)))
                for p in mine
            ]
        )
        best = np.linalg.norm(table - points[b].cpu().numpy()[:, None], axis=-1).min(1)
        np.testing.assert_allclose(
            np.linalg.norm(nearest - points[b].cpu().numpy(), axis=-1), best, atol=1e-9
        )
        np.testing.assert_allclose(squared[b].sqrt().cpu().numpy(), best, atol=1e-9)


def test_point_to_mesh_distance_gradients(device):
    points = torch.randn(1, 12, 3, device=device, dtype=torch.float64, requires_grad=True)
    corners = torch.randn(1, 5, 3, 3, device=device, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(
        lambda p, c: trianglemesh.point_to_mesh_distance(p, c)[0], (points, corners), atol=1e-6
    )
    with pytest.raises(InputError, match="face_vertices must have shape"):
        trianglemesh.point_to_mesh_distance(points, corners[0])


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_average_edge_length(device, dtype):
    vertices = torch.tensor([[[0.0, 0, 0], [3, 0, 0], [0, 4, 0]], [[0, 0, 0], [0, 0, 0], [0, 0, 2]]])
    vertices = vertices.to(device, dtype).requires_grad_()
    lengths = trianglemesh.average_edge_length(vertices, torch.tensor([[0, 1, 2]], device=device))
    assert torch.allclose(lengths, torch.tensor([[4.0], [4 / 3]], device=device, dtype=dtype))
    lengths.sum().backward()
    assert vertices.grad is not None
    assert bool(vertices.grad.isfinite().all())


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_uniform_laplacian_smoothing(device, dtype):
    vertices = torch.randn(2, 6, 3, device=device, dtype=dtype)
    faces = torch.tensor([[1, 3, 2], [1, 4, 0]], device=device)
    smooth = trianglemesh.uniform_laplacian_smoothing(vertices, faces)
    assert torch.allclose(smooth[:, 0], (vertices[:, 1] + vertices[:, 4]) / 2)
    assert torch.allclose(smooth[:, 1], vertices[:, [0, 2, 3, 4]].mean(1), atol=1e-6)
    assert torch.equal(smooth[:, 5], torch.zeros_like(smooth[:, 5]))
    laplacian = kal.ops.mesh.uniform_laplacian(6, faces).to(dtype)
    assert torch.allclose(smooth, laplacian @ vertices + vertices, atol=1e-6)
