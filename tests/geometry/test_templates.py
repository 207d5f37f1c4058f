import math

import pytest
import torch
import trimesh

from unrender.errors import InputError
from unrender.geometry import (
    EdgeTopology,
    Mesh,
    cube,
    face_areas,
    face_normals,
    fibonacci_sphere,
    icosphere,
    spherical_uvs,
    uv_sphere,
)


def as_trimesh(mesh: Mesh) -> trimesh.Trimesh:
    return trimesh.Trimesh(mesh.vertices.cpu().numpy(), mesh.faces.cpu().numpy(), process=False)


@pytest.mark.parametrize("n", [0, 1, 2, 3, 4])
def test_icosphere_counts(device, n):
    mesh = icosphere(n, radius=2.0, device=device)
    assert (mesh.num_vertices, mesh.num_faces) == (10 * 4**n + 2, 20 * 4**n)
    assert mesh.dtype == torch.float32
    torch.testing.assert_close(
        torch.linalg.vector_norm(mesh.vertices, dim=-1), torch.full((mesh.num_vertices,), 2.0, device=device)
    )
    solid = as_trimesh(mesh)
    assert solid.is_volume
    assert solid.euler_number == 2


def test_icosphere_volume(device):
    assert math.isclose(as_trimesh(icosphere(4, device=device)).volume, 4 / 3 * math.pi, rel_tol=3e-3)


@pytest.mark.parametrize(("rows", "columns"), [(2, 3), (3, 4), (24, 48)])
def test_uv_sphere_is_closed_and_its_uvs_are_the_map(device, rows, columns):
    mesh = uv_sphere(rows, columns, dtype=torch.float64, device=device)
    assert mesh.num_vertices == (rows - 1) * columns + 2
    assert mesh.num_faces == 2 * (rows - 1) * columns
    solid = as_trimesh(mesh)
    assert solid.is_volume
    assert solid.euler_number == 2
    assert mesh.uvs is not None
    assert mesh.uv_faces is not None
    assert mesh.uvs.min() == 0
    assert mesh.uvs.max() == 1
    corners, uvs = mesh.vertices[mesh.faces], mesh.uvs[mesh.uv_faces]
    assert uvs[..., 0].amax(-1).sub(uvs[..., 0].amin(-1)).max() <= 1 / columns + 1e-12
    azimuth, elevation = 2 * torch.pi * (uvs[..., 0] - 0.5), torch.pi * (uvs[..., 1] - 0.5)
    expected = [elevation.cos() * azimuth.sin(), elevation.sin(), elevation.cos() * azimuth.cos()]
    torch.testing.assert_close(corners, torch.stack(expected, -1), atol=1e-12, rtol=0)


def uv_orientation(mesh: Mesh) -> torch.Tensor:
    """Twice the signed area of each face in the picture: positive where the texture is not mirrored."""
    assert mesh.uvs is not None
    assert mesh.uv_faces is not None
    a, b, c = mesh.uvs[mesh.uv_faces].unbind(-2)
    first, second = b - a, c - a
    return first[:, 0] * second[:, 1] - first[:, 1] * second[:, 0]


@pytest.mark.parametrize("make", [uv_sphere, cube, lambda **o: spherical_uvs(icosphere(3, **o))])
def test_textures_are_not_mirrored(device, make):
    assert bool((uv_orientation(make(device=device)) > 0).all())


def test_spherical_uvs_of_an_icosphere(device):
    mesh = spherical_uvs(icosphere(3, dtype=torch.float64, device=device))
    assert mesh.uvs is not None
    assert mesh.uv_faces is not None
    corners, uvs = mesh.vertices[mesh.faces], mesh.uvs[mesh.uv_faces]
    assert uvs.min() >= 0
    assert uvs[..., 0].amin(-1).max() < 1
    # Exact everywhere, wrapped, but at the poles, where u is free.
    azimuth, elevation = 2 * torch.pi * (uvs[..., 0] - 0.5), torch.pi * (uvs[..., 1] - 0.5)
    expected = [elevation.cos() * azimuth.sin(), elevation.sin(), elevation.cos() * azimuth.cos()]
    torch.testing.assert_close(corners, torch.stack(expected, -1), atol=1e-5, rtol=0)
    # No face is stretched over the picture, and nothing is doubled but at the seam and the poles.
    assert uvs[..., 0].amax(-1).sub(uvs[..., 0].amin(-1)).max() < 0.3
    assert mesh.num_vertices < mesh.uvs.shape[0] < mesh.num_vertices * 1.1


def test_cube(device):
    mesh = cube(size=2.0, device=device)
    solid = as_trimesh(mesh)
    assert solid.is_volume
    assert solid.volume == pytest.approx(8)
    outward = (mesh.vertices[mesh.faces].mean(1) * face_normals(mesh.vertices, mesh.faces)).sum(-1)
    assert bool((outward > 0.9).all())
    topology = EdgeTopology.from_faces(mesh.faces, 8)
    assert topology.is_manifold
    torch.testing.assert_close(uv_orientation(mesh), torch.full((12,), 1 / 6, device=device))


@pytest.mark.parametrize("count", [4, 50, 1352])
def test_fibonacci_sphere(device, count):
    mesh = fibonacci_sphere(count, radius=2.0, device=device)
    assert (mesh.num_vertices, mesh.num_faces) == (count, 2 * count - 4)
    torch.testing.assert_close(mesh.vertices.norm(dim=-1), torch.full((count,), 2.0, device=device))
    assert as_trimesh(mesh).is_volume  # closed, and counter-clockwise from outside
    if count == 1352:
        assert as_trimesh(mesh).volume == pytest.approx(8 * 4 / 3 * torch.pi, rel=0.01)
        areas = face_areas(mesh.vertices, mesh.faces)
        assert areas.quantile(0.99) / areas.quantile(0.01) < 1.5


def test_wrong_input(device):
    with pytest.raises(InputError, match="at least 4 vertices, got 3"):
        fibonacci_sphere(3)
    with pytest.raises(InputError, match="at least 2 rows and 3 columns, got 1 and 8"):
        uv_sphere(1, 8, device=device)
    with pytest.raises(InputError, match="subdivisions must not be negative, got -1"):
        icosphere(-1)
    sphere = icosphere(1, device=device)
    with pytest.raises(InputError, match=r"shape \(V, 3\), got \(2, 42, 3\)"):
        spherical_uvs(sphere.replace(vertices=sphere.vertices.expand(2, -1, -1)))
