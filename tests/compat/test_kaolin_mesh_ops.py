"""Kaolin's mesh operations against values worked out by hand, scipy-free loops and trimesh."""

import math

import numpy as np
import pytest
import torch

import unrender.compat.kaolin as kal
from unrender.errors import InputError

mesh = kal.ops.mesh

# Two triangles that share corner 1 of five vertices, and a sixth vertex that nothing uses.
FACES = [[1, 3, 2], [1, 4, 0]]
ADJACENCY = [
    [0, 1, 0, 0, 1, 0],
    [1, 0, 1, 1, 1, 0],
    [0, 1, 0, 1, 0, 0],
    [0, 1, 1, 0, 0, 0],
    [1, 1, 0, 0, 0, 0],
    [0, 0, 0, 0, 0, 0],
]


def test_index_vertices_by_faces(device):
    values = torch.randn(2, 6, 4, device=device)
    faces = torch.tensor([[0, 1, 2, 3], [5, 4, 3, 2]], device=device)
    corners = mesh.index_vertices_by_faces(values, faces)
    assert corners.shape == (2, 2, 4, 4)
    assert torch.equal(corners[1, 1, 0], values[1, 5])
    with pytest.raises(InputError, match="vertices_features must have shape"):
        mesh.index_vertices_by_faces(values[0], faces)


def test_adjacency_matrix(device):
    faces = torch.tensor(FACES, device=device)
    want = torch.tensor(ADJACENCY, dtype=torch.float32, device=device)
    sparse = mesh.adjacency_matrix(6, faces)
    assert sparse.is_sparse
    assert torch.equal(sparse.to_dense(), want)
    assert torch.equal(mesh.adjacency_matrix(6, faces, sparse=False), want)


def test_adjacency_of_quads_has_no_diagonals():
    quad = mesh.adjacency_matrix(4, torch.tensor([[0, 1, 2, 3]]), sparse=False)
    assert quad[0, 2] == 0
    assert quad.sum() == 8


def test_uniform_laplacian(device):
    laplacian = mesh.uniform_laplacian(6, torch.tensor(FACES, device=device))
    want = torch.tensor(
        [
            [-1, 0.5, 0, 0, 0.5, 0],
            [0.25, -1, 0.25, 0.25, 0.25, 0],
            [0, 0.5, -1, 0.5, 0, 0],
            [0, 0.5, 0.5, -1, 0, 0],
            [0.5, 0.5, 0, 0, -1, 0],
            [0, 0, 0, 0, 0, -1],
        ],
        device=device,
    )
    assert torch.equal(laplacian, want)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_compute_vertex_normals(device, dtype):
    faces = torch.tensor([[0, 2, 1], [0, 3, 2], [0, 4, 3]], device=device)
    normals = torch.rand(2, 3, 3, 3, device=device, dtype=dtype)
    means = mesh.compute_vertex_normals(faces, normals, num_vertices=6)
    assert means.shape == (2, 6, 3)
    assert torch.allclose(means[:, 0], normals[:, :, 0].mean(1))
    assert torch.allclose(means[:, 2], (normals[:, 0, 1] + normals[:, 1, 2]) / 2)
    assert torch.allclose(means[:, 4], normals[:, 2, 1])
    assert torch.equal(means[:, 5], torch.zeros_like(means[:, 5]))
    assert torch.equal(mesh.compute_vertex_normals(faces, normals), means[:, :5])
    with pytest.raises(InputError, match="face_normals must have shape"):
        mesh.compute_vertex_normals(faces, normals[:, :2])


def test_face_normals_and_areas(device):
    vertices = torch.tensor([[[0.0, 0, 0], [3, 0, 0], [0, 4, 0], [0, 0, 2]]], device=device)
    faces = torch.tensor([[0, 1, 2], [0, 2, 1], [0, 1, 3], [0, 0, 1]], device=device)
    corners = mesh.index_vertices_by_faces(vertices, faces)
    want = torch.tensor([[0.0, 0, 12], [0, 0, -12], [0, -6, 0], [0, 0, 0]], device=device)
    assert torch.allclose(mesh.face_normals(corners)[0], want)
    lengths = torch.tensor([12.0, 12.0, 6.0, 1.0], device=device)
    assert torch.allclose(mesh.face_normals(corners, unit=True)[0], want / lengths[:, None], atol=1e-6)
    areas = mesh.face_areas(vertices, faces)
    assert torch.equal(areas, torch.tensor([[6.0, 6.0, 3.0, 0.0]], device=device))
    with pytest.raises(InputError, match="face_vertices must have shape"):
        mesh.face_normals(corners[..., :2, :])


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_sample_points_lie_on_their_faces(device, dtype):
    vertices = torch.tensor(
        [[[0.0, 0, 0], [0, 1, 0], [1, 0, 0], [-3, 0, 0]], [[1, 1, 3], [1, 2, 3], [2, 1, 3], [-2, 1, 3]]],
        device=device,
        dtype=dtype,
    )
    faces = torch.tensor([[0, 1, 2], [1, 0, 3]], device=device)
    corners = mesh.index_vertices_by_faces(vertices, faces)
    points, chosen, features = mesh.sample_points(vertices, faces, 4000, face_features=corners[..., :2])
    assert points.shape == (2, 4000, 3)
    assert points.dtype == dtype
    assert chosen.dtype == torch.int64
    # The second face has three times the area of the first: a share of 3/4, with deviation 0.007.
    assert ((chosen == 1).double().mean(1) - 0.75).abs().max() < 0.03
    assert torch.allclose(features, points[..., :2], atol=1e-6)
    # In both faces the point's coordinates relative to the shared right-angled corner say where it is.
    local = points - vertices[:, :1]
    across = torch.where(chosen == 0, local[..., 0], -local[..., 0] / 3)
    up = local[..., 1]
    assert bool((across >= -1e-6).all())
    assert bool((up >= -1e-6).all())
    assert bool((across + up <= 1 + 1e-6).all())
    assert float(local[..., 2].abs().max()) < 1e-6
    # Uniform over a triangle: both coordinates have mean 1/3 and mean square 1/6.
    for coordinate in (across, up):
        assert abs(float(coordinate.mean()) - 1 / 3) < 0.015
        assert abs(float(coordinate.square().mean()) - 1 / 6) < 0.015


def test_sample_points_with_given_areas(device):
    vertices = torch.rand(1, 4, 3, device=device)
    faces = torch.tensor([[0, 1, 2], [1, 0, 3]], device=device)
    torch.manual_seed(5)
    points, chosen = mesh.sample_points(vertices, faces, 50)
    torch.manual_seed(5)
    again, chosen_again = mesh.sample_points(vertices, faces, 50, mesh.face_areas(vertices, faces))
    assert torch.equal(points, again)
    assert torch.equal(chosen, chosen_again)
    only_second = mesh.sample_points(vertices, faces, 50, torch.tensor([[0.0, 1.0]], device=device))[1]
    assert bool((only_second == 1).all())


def loop_by_hand(vertices, faces, alpha=None):
    """One round of the rules, edge by edge, in Python."""
    neighbours = {v: set() for v in range(len(vertices))}
    opposite = {}
    for a, b, c in faces:
        for p, q, r in ((a, b, c), (b, c, a), (c, a, b)):
            neighbours[p] |= {q}
            neighbours[q] |= {p}
            opposite.setdefault((min(p, q), max(p, q)), []).append(r)
    moved = []
    for v, ring in neighbours.items():
        weight = 5 / 8 - (3 / 8 + math.cos(2 * math.pi / len(ring)) / 4) ** 2 if alpha is None else alpha[v]
        moved.append((1 - weight) * vertices[v] + weight * np.mean([vertices[n] for n in ring], axis=0))
    number, carried = {}, [] if alpha is None else list(alpha)
    for edge in sorted(opposite):
        number[edge] = len(moved)
        for values, target in ((vertices, moved), (alpha, carried)):
            if values is None:
                continue
            ends = values[edge[0]] + values[edge[1]]
            tips = opposite[edge]
            inner = len(tips) == 2
            target.append(3 / 8 * ends + 1 / 8 * (values[tips[0]] + values[tips[1]]) if inner else ends / 2)
    quarters = []
    for a, b, c in faces:
        ab, bc, ca = (number[min(p, q), max(p, q)] for p, q in ((a, b), (b, c), (c, a)))
        quarters += [[b, bc, ab], [a, ab, ca], [c, ca, bc], [ca, ab, bc]]
    return np.array(moved), quarters, np.array(carried) if alpha is not None else None


TETRAHEDRON = [[0, 1, 2], [0, 3, 1], [0, 2, 3], [1, 3, 2]]
STRIP = [[0, 1, 2], [2, 1, 3], [2, 3, 4]]


@pytest.mark.parametrize("faces", [TETRAHEDRON, STRIP])
@pytest.mark.parametrize("with_alpha", [False, True])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_subdivision_follows_the_rules_for_two_rounds(device, dtype, faces, with_alpha):
    count = max(max(face) for face in faces) + 1
    vertices = torch.randn(2, count, 3, device=device, dtype=dtype)
    alpha = torch.rand(2, count, device=device, dtype=dtype) if with_alpha else None
    fine, fine_faces = mesh.subdivide_trianglemesh(vertices, torch.tensor(faces, device=device), 2, alpha)
    assert fine.dtype == dtype
    for b in range(2):
        want, want_faces = vertices[b].cpu().double().numpy(), faces
        weights = None if alpha is None else alpha[b].cpu().double().numpy()
        for _ in range(2):
            want, want_faces, weights = loop_by_hand(want, want_faces, weights)
        np.testing.assert_allclose(fine[b].cpu().numpy(), want, atol=1e-6)
        assert fine_faces.tolist() == want_faces


def test_zero_alpha_keeps_vertices_and_gradients_reach_alpha(device):
    vertices = torch.randn(1, 4, 3, device=device, dtype=torch.float64)
    faces = torch.tensor(TETRAHEDRON, device=device)
    alpha = torch.zeros(1, 4, device=device, dtype=torch.float64)
    fine, _ = mesh.subdivide_trianglemesh(vertices, faces, 1, alpha)
    assert torch.equal(fine[:, :4], vertices)

    def positions(v, a):
        return mesh.subdivide_trianglemesh(v, faces, 1, a)[0]

    inputs = (vertices.requires_grad_(), torch.rand_like(alpha).requires_grad_())
    assert torch.autograd.gradcheck(positions, inputs)


def test_a_vertex_without_faces_stays(device):
    vertices = torch.ones(1, 4, 3, device=device)
    fine, _ = mesh.subdivide_trianglemesh(vertices, torch.tensor([[0, 1, 2]], device=device), 1)
    assert torch.equal(fine[0, 3], vertices[0, 3])
