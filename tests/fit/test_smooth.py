import numpy as np
import pytest
import scipy.sparse
import scipy.sparse.linalg
import torch

from unrender.fit.smooth import SmoothAdam
from unrender.geometry import icosphere, unique_edges


@pytest.fixture
def ball(device):
    return icosphere(3, dtype=torch.float64, device=device)


def row_normalised_laplacian(mesh) -> scipy.sparse.csr_matrix:
    """I - D^-1 A, made here from the edges."""
    edges = unique_edges(mesh.faces)[0].cpu().numpy()
    count = mesh.num_vertices
    ones = np.ones(len(edges))
    adjacency = scipy.sparse.coo_matrix((ones, (edges[:, 0], edges[:, 1])), shape=(count, count))
    adjacency = (adjacency + adjacency.T).tocsr()
    degree = np.asarray(adjacency.sum(1))[:, 0]
    return scipy.sparse.identity(count, format="csr") - scipy.sparse.diags(1 / degree) @ adjacency


@pytest.mark.parametrize(("smoothness", "tolerance"), [(1.0, 1e-6), (10.0, 6e-3), (20.0, 4e-2)])
def test_the_step_solves_the_system_of_large_steps(ball, device, smoothness, tolerance):
    """The first step is lr M^-1 (M^-T g) / max|M^-T g| with M = I + s L, for direct solves too."""
    gradient = torch.randn(ball.num_vertices, 3, dtype=torch.float64, device=device)
    vertices = ball.vertices.clone().requires_grad_()
    optimizer = SmoothAdam(vertices, ball.faces, lr=0.01, smoothness=smoothness)
    vertices.grad = gradient.clone()
    optimizer.step()
    moved = (vertices.detach() - ball.vertices).cpu().numpy()

    matrix = (scipy.sparse.identity(ball.num_vertices) + smoothness * row_normalised_laplacian(ball)).tocsc()
    smooth = np.asarray(scipy.sparse.linalg.spsolve(matrix.T.tocsc(), gradient.cpu().numpy()))
    expected = -0.01 * np.asarray(scipy.sparse.linalg.spsolve(matrix, smooth / np.abs(smooth).max()))
    assert np.abs(moved - expected).max() < tolerance * np.abs(expected).max()
    assert vertices.grad is None


def test_a_step_takes_the_neighbours_along(ball, device):
    """One vertex is pulled; the others follow, less and less with distance."""
    vertices = ball.vertices.clone().requires_grad_()
    optimizer = SmoothAdam(vertices, ball.faces, lr=0.01, smoothness=10.0)
    direction = torch.tensor([0.0, 1.0, 0.0], dtype=torch.float64, device=device)
    vertices.grad = torch.zeros_like(vertices)
    vertices.grad[5] = -direction
    optimizer.step()
    moved = (vertices.detach() - ball.vertices) @ direction
    distance = torch.linalg.vector_norm(ball.vertices - ball.vertices[5], dim=-1)
    edge = torch.sort(distance).values[1]
    near, far = moved[(distance > 0) & (distance < 1.5 * edge)], moved[distance > 1.5]
    assert len(near) in (5, 6)
    assert float(moved[5]) == float(moved.max()) > 0
    assert float(near.min()) > 0.3 * float(moved[5])
    assert float(far.abs().max()) < 0.02 * float(moved[5])


def test_going_on_from_a_saved_state(ball):
    gradients = torch.randn(6, ball.num_vertices, 3, dtype=torch.float64, device=ball.device)

    def run(vertices, optimizer, steps):
        for gradient in gradients[steps]:
            vertices.grad = gradient.clone()
            optimizer.step()

    whole = ball.vertices.clone().requires_grad_()
    run(whole, SmoothAdam(whole, ball.faces, lr=0.01), slice(0, 6))
    parts = ball.vertices.clone().requires_grad_()
    first = SmoothAdam(parts, ball.faces, lr=0.01)
    run(parts, first, slice(0, 3))
    second = SmoothAdam(parts, ball.faces, lr=0.01)
    second.load(first.state())
    run(parts, second, slice(3, 6))
    assert torch.equal(whole, parts)
    fresh = ball.vertices.clone().requires_grad_()
    run(fresh, SmoothAdam(fresh, ball.faces, lr=0.01), slice(3, 6))
    assert not torch.equal(whole, fresh)
