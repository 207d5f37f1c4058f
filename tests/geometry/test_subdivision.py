import numpy as np
import pytest
import torch
import trimesh

from unrender.errors import InputError
from unrender.geometry import EdgeTopology, Mesh, cube, icosphere, loop_subdivide, subdivide, uv_sphere


def as_trimesh(mesh: Mesh) -> trimesh.Trimesh:
    return trimesh.Trimesh(mesh.vertices.cpu().numpy(), mesh.faces.cpu().numpy(), process=False)


def open_bowl(device) -> Mesh:
    mesh = icosphere(1, dtype=torch.float64, device=device)
    top = (mesh.vertices[mesh.faces][..., 1] > 0.3).all(-1)
    return Mesh(mesh.vertices, mesh.faces[~top])


def rows(points) -> np.ndarray:
    points = np.round(np.asarray(points), 9) + 0.0
    return points[np.lexsort(points.T)]


def test_midpoints_keep_the_shape(device):
    mesh = cube(dtype=torch.float64, device=device)
    fine = subdivide(mesh, 2)
    solid = as_trimesh(fine)
    assert (fine.num_vertices, fine.num_faces) == (98, 192)
    assert solid.is_volume
    assert solid.volume == pytest.approx(1)
    assert solid.area == pytest.approx(6)
    assert subdivide(mesh, 0) is mesh


def test_midpoints_agree_with_trimesh(device):
    mesh = icosphere(1, dtype=torch.float64, device=device)
    expected = as_trimesh(mesh).subdivide()
    np.testing.assert_allclose(rows(subdivide(mesh).vertices.cpu()), rows(expected.vertices), atol=1e-9)


@pytest.mark.parametrize("split", [subdivide, loop_subdivide])
def test_uvs_keep_their_seam(device, split):
    mesh = uv_sphere(4, 6, dtype=torch.float64, device=device)
    assert mesh.uvs is not None
    fine = split(mesh)
    assert fine.uvs is not None
    assert fine.uv_faces is not None
    assert fine.num_vertices == mesh.num_vertices + 54
    assert fine.uvs.shape[0] > fine.num_vertices
    width = fine.uvs[fine.uv_faces][..., 0].amax(-1) - fine.uvs[fine.uv_faces][..., 0].amin(-1)
    assert width.max() <= 1 / 12 + 1e-9
    # Each UV triangle is a quarter of its parent.
    assert mesh.uv_faces is not None
    parents, children = (
        torch.linalg.det(torch.cat([u[f], torch.ones_like(u[f][..., :1])], -1))
        for u, f in ((mesh.uvs, mesh.uv_faces), (fine.uvs, fine.uv_faces))
    )
    torch.testing.assert_close(children, parents.repeat_interleave(4) / 4)


def test_colours_and_normals_are_averaged(device):
    mesh = icosphere(1, dtype=torch.float64, device=device)
    mesh = mesh.replace(vertex_colors=mesh.vertices / 2 + 0.5, normals=mesh.vertices)
    fine = subdivide(mesh)
    assert fine.vertex_colors is not None
    assert fine.normals is not None
    torch.testing.assert_close(fine.vertex_colors, fine.vertices / 2 + 0.5)
    expected = torch.nn.functional.normalize(fine.vertices, dim=-1)
    torch.testing.assert_close(fine.normals, expected)
    assert loop_subdivide(mesh).normals is None


def test_loop_agrees_with_trimesh(device):
    for mesh in (icosphere(1, dtype=torch.float64, device=device), cube(dtype=torch.float64, device=device)):
        vertices, _ = trimesh.remesh.subdivide_loop(mesh.vertices.cpu().numpy(), mesh.faces.cpu().numpy())
        fine = loop_subdivide(mesh)
        np.testing.assert_allclose(rows(fine.vertices.cpu()), rows(vertices), atol=1e-8)


def test_loop_boundary_is_a_cubic_spline(device):
    mesh = open_bowl(device)
    fine = loop_subdivide(mesh)
    rim = EdgeTopology.from_faces(mesh.faces, mesh.num_vertices).boundary_edges
    fine_rim = EdgeTopology.from_faces(fine.faces, fine.num_vertices).boundary_edges
    assert fine_rim.shape[0] == 2 * rim.shape[0]
    neighbours: dict[int, list[int]] = {}
    for a, b in rim.tolist():
        neighbours.setdefault(a, []).append(b)
        neighbours.setdefault(b, []).append(a)
    for vertex, (left, right) in neighbours.items():
        expected = 0.75 * mesh.vertices[vertex] + 0.125 * (mesh.vertices[left] + mesh.vertices[right])
        torch.testing.assert_close(fine.vertices[vertex], expected)
    on_rim = fine_rim.unique()
    middles = mesh.vertices[rim].mean(1)
    distance = torch.cdist(middles, fine.vertices[on_rim]).amin(1)
    assert distance.max() < 1e-6


def test_loop_keeps_a_vertex_that_no_face_names(device):
    mesh = icosphere(0, device=device)
    apart = torch.tensor([[7.0, 8, 9]], device=device)
    fine = loop_subdivide(mesh.replace(vertices=torch.cat([mesh.vertices, apart])))
    assert fine.vertices[12].tolist() == [7, 8, 9]


@pytest.mark.parametrize("split", [subdivide, loop_subdivide])
def test_gradients_and_batches(device, split):
    mesh = open_bowl(device)
    vertices = (mesh.vertices + torch.zeros(2, 1, 1, dtype=torch.float64, device=device)).requires_grad_()
    assert split(mesh.replace(vertices=vertices)).batch_shape == (2,)
    assert torch.autograd.gradcheck(
        lambda v: split(mesh.replace(vertices=v)).vertices, (vertices,), fast_mode=True
    )


def test_wrong_input(device):
    mesh = icosphere(0, device=device)
    with pytest.raises(InputError, match="face_textures cannot be subdivided"):
        subdivide(mesh.replace(face_textures=torch.zeros(20, 2, 2, 3, device=device)))
    with pytest.raises(InputError, match="face_cubes cannot be subdivided"):
        loop_subdivide(mesh.replace(face_cubes=torch.zeros(20, 2, 2, 2, 3, device=device)))
    with pytest.raises(InputError, match="times must not be negative, got -1"):
        loop_subdivide(mesh, -1)
