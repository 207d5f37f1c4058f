import numpy as np
import pytest
import torch
import trimesh
from scipy.stats import chisquare

from unrender.errors import InputError
from unrender.geometry import Mesh, cube, face_areas, face_normals, icosphere, sample_surface


def stretched_sphere(device, dtype=torch.float32):
    mesh = icosphere(1, dtype=dtype, device=device)
    return mesh.replace(vertices=mesh.vertices * torch.tensor([1.0, 0.3, 2.0], dtype=dtype, device=device))


def test_samples_lie_on_their_faces(device):
    mesh = stretched_sphere(device, torch.float64)
    samples = sample_surface(mesh, 200, with_normals=True)
    reference = trimesh.Trimesh(mesh.vertices.cpu().numpy(), mesh.faces.cpu().numpy(), process=False)
    expected = trimesh.triangles.points_to_barycentric(
        reference.triangles[samples.face_indices.cpu()], samples.points.cpu().numpy()
    )
    np.testing.assert_allclose(samples.barycentrics.cpu(), expected, atol=1e-9)
    assert samples.barycentrics.min() >= 0
    assert samples.normals is not None
    assert torch.equal(samples.normals, face_normals(mesh.vertices, mesh.faces)[samples.face_indices])


def test_density_follows_area(device):
    mesh = stretched_sphere(device)
    counts = torch.bincount(sample_surface(mesh, 40_000).face_indices, minlength=mesh.num_faces)
    shares = face_areas(mesh.vertices, mesh.faces).double()
    assert chisquare(counts.cpu(), (shares / shares.sum() * 40_000).cpu()).pvalue > 1e-3


def test_points_are_uniform_within_a_face(device):
    vertices = torch.tensor([[0.0, 0, 0], [1, 0, 0], [0, 1, 0]], device=device)
    points = sample_surface(Mesh(vertices, torch.tensor([[0, 1, 2]], device=device)), 40_000).points
    x, y = points[:, 0], points[:, 1]
    quarters = torch.stack([x > 0.5, y > 0.5, x + y < 0.5]).sum(1)
    quarters = torch.cat([quarters, 40_000 - quarters.sum(0, keepdim=True)])
    assert chisquare(quarters.cpu()).pvalue > 1e-3


def test_every_mesh_of_a_batch_has_its_own_points_and_gradient(device):
    mesh = icosphere(0, dtype=torch.float64, device=device)
    scales = torch.tensor([1.0, 3.0], dtype=torch.float64, device=device)[:, None, None]
    vertices = (mesh.vertices * scales).requires_grad_()
    samples = sample_surface(mesh.replace(vertices=vertices), 7)
    assert samples.points.shape == (2, 7, 3)
    assert not torch.equal(samples.face_indices[0], samples.face_indices[1])
    expected = (vertices[torch.arange(2)[:, None, None], mesh.faces[samples.face_indices]]).detach()
    expected = (expected * samples.barycentrics[..., None]).sum(-2)
    torch.testing.assert_close(samples.points.detach(), expected)
    assert torch.autograd.gradcheck(lambda v: samples.interpolate(v, mesh.faces), (vertices,))
    torch.testing.assert_close(samples.interpolate(vertices, mesh.faces), samples.points)


def test_attributes_follow_the_points(device):
    mesh = cube(device=device)
    samples = sample_surface(mesh, 50)
    assert mesh.uvs is not None
    assert mesh.uv_faces is not None
    torch.testing.assert_close(samples.interpolate(mesh.vertices, mesh.faces), samples.points)
    uvs = samples.interpolate(mesh.uvs, mesh.uv_faces)
    column = (samples.face_indices // 2) % 3  # of the cell of each side, left to right
    assert bool(((uvs[:, 0] >= column / 3 - 1e-6) & (uvs[:, 0] <= (column + 1) / 3 + 1e-6)).all())


def test_seeds_and_empty_faces(device):
    mesh = cube(device=device)
    faces = torch.cat([torch.zeros_like(mesh.faces[:1]), mesh.faces, torch.zeros_like(mesh.faces[:1])])
    flat = Mesh(mesh.vertices, faces)
    runs = [
        sample_surface(flat, 500, generator=torch.Generator(device).manual_seed(3)).face_indices
        for _ in range(2)
    ]
    assert torch.equal(*runs)
    assert runs[0].min() >= 1
    assert runs[0].max() <= 12
    assert sample_surface(flat, 0).points.shape == (0, 3)


def test_nothing_to_sample(device):
    mesh = icosphere(0, device=device)
    with pytest.raises(InputError, match="no area"):
        sample_surface(mesh.replace(vertices=torch.zeros_like(mesh.vertices)), 4)
    with pytest.raises(InputError, match="no area"):
        sample_surface(mesh.replace(faces=mesh.faces[:0]), 4)
    with pytest.raises(InputError, match="count must not be negative, got -1"):
        sample_surface(mesh, -1)
