import numpy as np
import pytest
import torch
import trimesh

from unrender.errors import InputError
from unrender.geometry import (
    EdgeTopology,
    apply_laplacian,
    cotangent_laplacian,
    cotangent_weights,
    icosphere,
    uniform_laplacian,
)


def flat_grid(n: int) -> tuple[torch.Tensor, torch.Tensor]:
    """A jittered flat grid of n x n vertices and the mask of its inner ones."""
    x, y = torch.meshgrid(torch.arange(n), torch.arange(n), indexing="ij")
    inner = ((x > 0) & (x < n - 1) & (y > 0) & (y < n - 1)).reshape(-1)
    vertices = torch.stack([x, y, torch.zeros_like(x)], -1).reshape(-1, 3).double()
    vertices[:, :2] += 0.2 * torch.rand(n * n, 2, dtype=torch.float64) * inner[:, None]
    return vertices, inner


def grid_faces(n: int) -> torch.Tensor:
    low = (torch.arange(n - 1)[:, None] * n + torch.arange(n - 1)).reshape(-1)
    first = torch.stack([low, low + n, low + n + 1], -1)
    return torch.cat([first, torch.stack([low, low + n + 1, low + 1], -1)])


def test_uniform_laplacian_agrees_with_trimesh(device):
    mesh = icosphere(2, device=device)
    reference = trimesh.Trimesh(mesh.vertices.cpu().numpy(), mesh.faces.cpu().numpy(), process=False)
    laplacian = uniform_laplacian(mesh.faces, mesh.num_vertices)
    assert laplacian.is_coalesced()
    expected = np.eye(mesh.num_vertices)
    for vertex, neighbours in enumerate(reference.vertex_neighbors):
        expected[vertex, neighbours] = -1 / len(neighbours)
    np.testing.assert_allclose(laplacian.to_dense().cpu(), expected, atol=1e-6)


def test_vertex_without_neighbours_has_a_row_of_zeros(device):
    dense = uniform_laplacian(torch.tensor([[0, 1, 2]], device=device), 4).to_dense()
    expected = [[1, -0.5, -0.5, 0], [-0.5, 1, -0.5, 0], [-0.5, -0.5, 1, 0], [0, 0, 0, 0]]
    assert dense.tolist() == expected


def test_cotangent_weights_of_known_triangles(device):
    # A right isosceles triangle: 45 degrees opposite the legs, 90 opposite the long side.
    vertices = torch.tensor([[0.0, 0, 0], [1, 0, 0], [0, 1, 0]], dtype=torch.float64, device=device)
    topology = EdgeTopology.from_faces(torch.tensor([[0, 1, 2]], device=device), 3)
    weights = cotangent_weights(vertices, topology)
    expected = torch.tensor([0.5, 0.5, 0.0], dtype=torch.float64, device=device)  # edges 01, 02, 12
    torch.testing.assert_close(weights, expected, atol=1e-12, rtol=0)
    sphere = icosphere(0, dtype=torch.float64, device=device)
    regular = cotangent_weights(sphere.vertices, EdgeTopology.from_faces(sphere.faces, 12))
    torch.testing.assert_close(regular, torch.full_like(regular, 3**-0.5))


def test_cotangent_laplacian_is_symmetric_and_precise_on_linear_functions(device):
    vertices, inner = flat_grid(6)
    vertices, inner, faces = vertices.to(device), inner.to(device), grid_faces(6).to(device)
    laplacian = cotangent_laplacian(vertices, faces)
    dense = laplacian.to_dense()
    torch.testing.assert_close(dense, dense.T)
    torch.testing.assert_close(dense.sum(1), torch.zeros_like(dense[0]), atol=1e-12, rtol=0)
    assert float(torch.linalg.eigvalsh(dense)[0]) > -1e-12
    linear = vertices @ torch.tensor([[2.0], [-3.0], [0.0]], dtype=torch.float64, device=device) + 1
    result = apply_laplacian(laplacian, linear)
    torch.testing.assert_close(result[inner], torch.zeros_like(result[inner]), atol=1e-12, rtol=0)
    assert result[~inner].abs().max() > 0.1


def test_cotangent_laplacian_of_a_sphere_is_its_curvature_normal(device):
    # L x sums to 2 H n times the area round a vertex; H = 1 on the unit sphere.
    mesh = icosphere(4, dtype=torch.float64, device=device)
    result = apply_laplacian(cotangent_laplacian(mesh.vertices, mesh.faces), mesh.vertices)
    total = (result * mesh.vertices).sum()
    assert float(total) == pytest.approx(2 * 4 * np.pi, rel=5e-3)


def test_apply_is_the_matrix_product_and_differentiable(device):
    mesh = icosphere(0, dtype=torch.float64, device=device)
    vertices = mesh.vertices.clone().requires_grad_()
    values = torch.randn(2, 12, 2, dtype=torch.float64, device=device, requires_grad=True)
    dense = cotangent_laplacian(vertices, mesh.faces).to_dense() @ values
    torch.testing.assert_close(
        apply_laplacian(cotangent_laplacian(vertices, mesh.faces), values), dense, atol=1e-12, rtol=0
    )
    topology = EdgeTopology.from_faces(mesh.faces, 12)
    assert torch.autograd.gradcheck(
        lambda v, x: apply_laplacian(cotangent_laplacian(v, topology), x), (vertices, values), fast_mode=True
    )


def test_degenerate_faces_stay_finite(device):
    vertices = torch.tensor([[0.0, 0, 0], [1, 0, 0], [2, 0, 0], [0, 0, 0], [0, 1, 0]], device=device)
    faces = torch.tensor([[0, 1, 2], [0, 1, 3], [0, 1, 4], [3, 0, 4]], device=device)
    vertices.requires_grad_()
    laplacian = cotangent_laplacian(vertices, faces)
    assert bool(torch.isfinite(laplacian.values()).all())
    (gradient,) = torch.autograd.grad(laplacian.values().square().sum(), vertices)
    assert bool(torch.isfinite(gradient).all())


def test_wrong_input(device):
    mesh = icosphere(1, device=device)
    with pytest.raises(InputError, match=r"vertices must have shape \(V, 3\), got \(1, 42, 3\)"):
        cotangent_laplacian(mesh.vertices[None], mesh.faces)
    with pytest.raises(InputError, match=r"sparse COO matrix of shape \(41, 41\)"):
        apply_laplacian(uniform_laplacian(mesh.faces, 42), mesh.vertices[:41])
    with pytest.raises(InputError, match="topology must have 42 vertices, got 43"):
        cotangent_laplacian(mesh.vertices, EdgeTopology.from_faces(mesh.faces, 43))
