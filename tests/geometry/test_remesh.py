import numpy as np
import pytest
import torch
import trimesh

from unrender.errors import InputError
from unrender.geometry import (
    EdgeTopology,
    Mesh,
    cube,
    icosphere,
    merge,
    point_to_mesh_distance,
    remesh,
    subdivide,
)


def as_trimesh(vertices, faces) -> trimesh.Trimesh:
    return trimesh.Trimesh(vertices.cpu().double().numpy(), faces.cpu().numpy(), process=False)


def shape_measures(solid: trimesh.Trimesh) -> np.ndarray:
    """4 sqrt(3) area / sum of squared edges: 1 for an equilateral triangle."""
    edges = solid.triangles - np.roll(solid.triangles, 1, 1)
    return 4 * np.sqrt(3) * solid.area_faces / (edges**2).sum((1, 2))


def torus():
    solid = trimesh.creation.torus(1, 0.3, major_sections=60, minor_sections=12)
    return Mesh(torch.tensor(solid.vertices, dtype=torch.float32), torch.tensor(solid.faces))


def scaled(mesh, *scale):
    return mesh.replace(vertices=mesh.vertices * torch.tensor(scale))


def two_spheres():
    small = icosphere(2, radius=0.3)
    return merge([icosphere(3), small.replace(vertices=small.vertices + torch.tensor([3.0, 0, 0]))])


def noisy_sphere():
    mesh = icosphere(3)
    return mesh.replace(vertices=mesh.vertices + 0.04 * torch.randn_like(mesh.vertices))


CASES = {
    "stretched": (lambda: scaled(icosphere(3), 1, 0.2, 3), 0.15, 0.02),
    "torus": (torus, 0.12, 0.02),
    "two components": (two_spheres, 0.15, 0.02),
    "noise": (noisy_sphere, 0.12, 0.01),
    "finer": (lambda: icosphere(2), 0.12, 0.01),
    "coarser": (lambda: icosphere(4), 0.25, 0.02),
    "cube": (lambda: subdivide(cube(), 3), 0.15, 0.01),
}


@pytest.mark.parametrize("name", CASES)
def test_result_is_the_same_surface_in_better_triangles(device, name):
    make, target, volume_error = CASES[name]
    mesh = make().to(device)
    vertices, faces = remesh(mesh.vertices, mesh.faces, target)
    assert vertices.dtype == mesh.dtype
    assert vertices.device == mesh.device
    before, after = as_trimesh(mesh.vertices, mesh.faces), as_trimesh(vertices, faces)
    assert after.is_winding_consistent
    assert EdgeTopology.from_faces(faces, len(vertices)).is_manifold
    assert after.is_watertight
    assert after.euler_number == before.euler_number
    assert after.body_count == before.body_count
    assert after.volume == pytest.approx(before.volume, rel=volume_error)
    # Nothing moved far, and no part is lost.
    back = point_to_mesh_distance(mesh.vertices, vertices, faces).squared_distances.sqrt()
    there = point_to_mesh_distance(vertices, mesh.vertices, mesh.faces).squared_distances.sqrt()
    assert max(back.max(), there.max()) < 0.6 * target
    assert max(back.mean(), there.mean()) < 0.06 * target
    lengths = after.edges_unique_length
    assert 0.8 * target < lengths.mean() < 1.2 * target
    assert np.quantile(lengths, 0.99) < 1.4 * target
    assert shape_measures(after).mean() > 0.89
    assert np.quantile(shape_measures(after), 0.01) > 0.45


def test_triangles_of_a_thin_part(device):
    mesh = scaled(icosphere(4), 1, 1, 0.04).to(device)
    vertices, faces = remesh(mesh.vertices, mesh.faces, 0.08)
    after = as_trimesh(vertices, faces)
    assert after.is_volume
    assert after.euler_number == 2
    assert after.volume == pytest.approx(as_trimesh(mesh.vertices, mesh.faces).volume, rel=0.03)
    assert np.quantile(shape_measures(after), 0.02) > np.quantile(
        shape_measures(as_trimesh(mesh.vertices, mesh.faces)), 0.02
    )


def test_target_may_differ_from_vertex_to_vertex(device):
    mesh = icosphere(4, device=device)
    target = 0.05 + 0.05 * (mesh.vertices[:, 0] + 1)
    vertices, faces = remesh(mesh.vertices, mesh.faces, target)
    solid = as_trimesh(vertices, faces)
    middles = solid.vertices[solid.edges_unique].mean(1)[:, 0]
    for low, high in ((-1, -0.8), (0.8, 1)):
        part = (middles > low) & (middles < high)
        expected = 0.05 + 0.05 * (middles[part].mean() + 1)
        assert solid.edges_unique_length[part].mean() == pytest.approx(expected, rel=0.15)


def test_boundary_stays_as_it_is(device):
    mesh = icosphere(3, device=device)
    faces = mesh.faces[(mesh.vertices[mesh.faces][..., 1] < 0.4).all(-1)]
    new_vertices, new_faces = remesh(mesh.vertices, faces, 0.25)
    rims = []
    for v, f in ((mesh.vertices, faces), (new_vertices, new_faces)):
        rim = v[EdgeTopology.from_faces(f, len(v)).boundary_edges]
        rims.append({tuple(sorted(tuple(p) for p in edge)) for edge in rim.tolist()})
    assert rims[0] == rims[1]
    before, after = as_trimesh(mesh.vertices[faces.unique()], faces), as_trimesh(new_vertices, new_faces)
    assert len(new_faces) < len(faces) / 1.5
    assert after.euler_number == 1
    assert after.is_winding_consistent
    assert before.faces.shape[1] == 3


def test_topology_survives_a_target_that_is_far_too_large(device):
    mesh = torus().to(device)
    vertices, faces = remesh(mesh.vertices, mesh.faces, 10.0)
    solid = as_trimesh(vertices, faces)
    assert solid.is_watertight
    assert solid.euler_number == 0
    assert len(faces) < mesh.num_faces / 4


def test_degenerate_faces_are_mended(device):
    mesh = subdivide(cube(), 2).to(device)
    squashed = mesh.vertices.clone()
    squashed[mesh.faces[0, 0]] = squashed[mesh.faces[0, 1]]
    vertices, faces = remesh(squashed, mesh.faces, 0.25)
    assert bool(torch.isfinite(vertices).all())
    assert as_trimesh(vertices, faces).is_watertight


def test_same_input_same_result(device):
    mesh = noisy_sphere().to(device)
    first, second = (remesh(mesh.vertices, mesh.faces, 0.15) for _ in range(2))
    assert torch.equal(first[0], second[0])
    assert torch.equal(first[1], second[1])


def test_wrong_input(device):
    mesh = icosphere(1, device=device)
    with pytest.raises(InputError, match="target_edge must be positive, one number or 42, got shape"):
        remesh(mesh.vertices, mesh.faces, 0.0)
    with pytest.raises(InputError, match=r"got shape \(41,\)"):
        remesh(mesh.vertices, mesh.faces, torch.ones(41))
    with pytest.raises(InputError, match="oriented manifold"):
        remesh(mesh.vertices, torch.cat([mesh.faces, mesh.faces[:1]]), 0.1)
    with pytest.raises(InputError, match="3 edges"):
        remesh(mesh.vertices, torch.cat([mesh.faces[1:], mesh.faces[:1].flip(1)]), 0.1)
    with pytest.raises(InputError, match="names a vertex twice"):
        remesh(mesh.vertices, torch.tensor([[0, 0, 1]]), 0.1)
    with pytest.raises(InputError, match="finite"):
        remesh(mesh.vertices * torch.inf, mesh.faces, 0.1)
    with pytest.raises(InputError, match="at least one face"):
        remesh(mesh.vertices, mesh.faces[:0], 0.1)
    with pytest.raises(InputError, match="index 42 vertices, got indices from 0 to 42"):
        remesh(mesh.vertices, torch.tensor([[0, 1, 42]]), 0.1)
