import math

import numpy as np
import torch
import trimesh

from unrender.geometry import face_areas, face_normals, icosphere, vertex_normals

# A fair face, one with all corners on a line, one that is a point, one whose corners nearly line up.
DEGENERATE = torch.tensor(
    [[0, 0, 0], [1, 0, 0], [0, 1, 0], [2, 0, 0], [3, 0, 0], [1, 1e-9, 0], [5, 5, 5]], dtype=torch.float64
)
DEGENERATE_FACES = torch.tensor([[0, 1, 2], [0, 1, 3], [4, 4, 4], [0, 5, 4], [6, 6, 0]])


def test_normals_and_areas_agree_with_trimesh(device):
    mesh = icosphere(2, dtype=torch.float64, device=device)
    scale = torch.tensor([1.0, 0.4, 2.0], dtype=torch.float64, device=device)
    vertices = mesh.vertices * scale + 0.05 * torch.randn_like(mesh.vertices)
    reference = trimesh.Trimesh(vertices.cpu().numpy(), mesh.faces.cpu().numpy(), process=False)
    np.testing.assert_allclose(face_normals(vertices, mesh.faces).cpu(), reference.face_normals, atol=1e-12)
    np.testing.assert_allclose(face_areas(vertices, mesh.faces).cpu(), reference.area_faces, atol=1e-12)
    doubled = torch.linalg.vector_norm(face_normals(vertices, mesh.faces, unit=False), dim=-1)
    np.testing.assert_allclose(doubled.cpu() / 2, reference.area_faces, atol=1e-12)
    weights = reference.faces_sparse @ (reference.face_normals * reference.area_faces[:, None])
    expected = weights / np.linalg.norm(weights, axis=1, keepdims=True)
    np.testing.assert_allclose(vertex_normals(vertices, mesh.faces).cpu(), expected, atol=1e-12)


def test_sphere_area_and_normals(device):
    mesh = icosphere(4, dtype=torch.float64, device=device)
    assert math.isclose(float(face_areas(mesh.vertices, mesh.faces).sum()), 4 * math.pi, rel_tol=2e-3)
    torch.testing.assert_close(vertex_normals(mesh.vertices, mesh.faces), mesh.vertices, atol=1e-2, rtol=0)


def test_gradients(device):
    faces = icosphere(0, device=device).faces
    vertices = icosphere(0, dtype=torch.float64, device=device).vertices
    vertices = (vertices + 0.1 * torch.randn(2, *vertices.shape, device=device)).requires_grad_()
    for function in (face_normals, vertex_normals, face_areas):
        assert torch.autograd.gradcheck(lambda v, f=function: f(v, faces), (vertices,))


def test_degenerate_faces_have_no_normal_and_a_finite_gradient(device):
    for dtype in (torch.float32, torch.float64):
        vertices = DEGENERATE.to(device, dtype).requires_grad_()
        faces = DEGENERATE_FACES.to(device)
        normals = face_normals(vertices, faces)
        assert normals[0].tolist() == [0, 0, 1]
        assert not normals[[1, 2, 4]].any()
        total = normals.sum() + vertex_normals(vertices, faces).sum() + face_areas(vertices, faces).sum()
        (gradient,) = torch.autograd.grad(total, vertices)
        assert bool(torch.isfinite(gradient).all())
        if dtype == torch.float32:
            assert gradient.abs().max() < 100


def test_scale_does_not_matter(device):
    mesh = icosphere(1, device=device)
    for scale in (1e-6, 1e6):
        expected = face_normals(mesh.vertices, mesh.faces)
        torch.testing.assert_close(face_normals(mesh.vertices * scale, mesh.faces), expected)


def test_vertex_without_faces_has_no_normal(device):
    vertices = torch.tensor([[0.0, 0, 0], [1, 0, 0], [0, 1, 0], [9, 9, 9]], device=device, requires_grad=True)
    normals = vertex_normals(vertices, torch.tensor([[0, 1, 2]], device=device))
    assert normals.tolist() == [[0, 0, 1]] * 3 + [[0, 0, 0]]
    normals.sum().backward()
    assert vertices.grad is not None
    assert bool(torch.isfinite(vertices.grad).all())
