import math

import pytest
import torch
import trimesh

from unrender.errors import InputError
from unrender.geometry import (
    EdgeTopology,
    adjacent_normal_cosines,
    apply_laplacian,
    cotangent_laplacian,
    cube,
    edge_length_loss,
    flatten_loss,
    icosphere,
    laplacian_loss,
    normal_consistency_loss,
    uniform_laplacian,
)

LOSSES = [edge_length_loss, laplacian_loss, flatten_loss, normal_consistency_loss]
HINGE = [[0.0, 0, 0], [0, 0, 1], [1, 0, 0.5], [math.cos(2), math.sin(2), 0.5]]  # dihedral angle of 2 rad
HINGE_FACES = [[0, 2, 1], [0, 1, 3]]


def noisy_sphere(device, *batch):
    mesh = icosphere(1, dtype=torch.float64, device=device)
    noise = 0.1 * torch.randn(*batch, 42, 3, dtype=torch.float64, device=device)
    return mesh.vertices + noise, mesh.faces


def test_edge_length(device):
    vertices = torch.tensor([[0.0, 0, 0], [3, 0, 0], [0, 4, 0]], device=device)
    faces = torch.tensor([[0, 1, 2]], device=device)  # lengths 3, 4, 5
    assert float(edge_length_loss(vertices, faces)) == pytest.approx(2 / 3)
    assert float(edge_length_loss(vertices, faces, target=0)) == pytest.approx(50 / 3)
    assert float(edge_length_loss(vertices, faces, target=5)) == pytest.approx(5 / 3)


@pytest.mark.parametrize("turned", [False, True])
def test_dihedral_losses_of_a_hinge(device, turned):
    vertices = torch.tensor(HINGE, dtype=torch.float64, device=device)
    faces = torch.tensor(HINGE_FACES, device=device)
    if turned:
        faces = torch.stack([faces[0], faces[1].flip(0)])
    assert float(flatten_loss(vertices, faces)) == pytest.approx((math.cos(2) + 1) ** 2)
    assert float(normal_consistency_loss(vertices, faces)) == pytest.approx(1 + math.cos(2))


def test_normal_consistency_agrees_with_trimesh(device):
    vertices, faces = noisy_sphere(device)
    reference = trimesh.Trimesh(vertices.cpu().numpy(), faces.cpu().numpy(), process=False)
    expected = (1 - torch.tensor(reference.face_adjacency_angles).cos()).mean()
    assert float(normal_consistency_loss(vertices, faces)) == pytest.approx(float(expected), abs=1e-9)


def test_every_shared_edge_counts(device):
    # A cube has 12 edges of 90 degrees and 6 flat ones inside its sides.
    mesh = cube(device=device)
    assert float(flatten_loss(mesh.vertices, mesh.faces)) == pytest.approx(12 / 18)
    fin = torch.tensor([[0, 2, 1], [0, 1, 3], [0, 1, 4]], device=device)
    vertices = torch.tensor([*HINGE, [-1.0, 0, 0]], device=device)
    assert adjacent_normal_cosines(vertices, fin).shape == (3,)


def test_laplacian_loss_is_that_of_the_matrix(device):
    vertices, faces = noisy_sphere(device, 2)
    products = apply_laplacian(uniform_laplacian(faces, 42), vertices).square().sum(-1)
    torch.testing.assert_close(laplacian_loss(vertices, faces), products.mean(-1))
    torch.testing.assert_close(laplacian_loss(vertices, faces, reduction="sum"), products.sum(-1))


def test_cotangent_weights_are_constants_that_sum_to_one(device):
    mesh = icosphere(1, dtype=torch.float64, device=device)  # all angles acute
    vertices = (mesh.vertices * torch.tensor([1.0, 1.1, 0.95], device=device)).requires_grad_()
    loss = laplacian_loss(vertices, mesh.faces, weights="cotangent")
    dense = cotangent_laplacian(vertices.detach(), mesh.faces).to_dense()
    normalised = dense / dense.diagonal()[:, None]
    torch.testing.assert_close(loss, (normalised @ vertices).square().sum(-1).mean())
    (gradient,) = torch.autograd.grad(loss, vertices)
    torch.testing.assert_close(gradient, 2 / 42 * normalised.T @ normalised @ vertices)


@pytest.mark.parametrize("loss", LOSSES)
def test_gradients_and_batches(device, loss):
    vertices, faces = noisy_sphere(device, 2)
    topology = EdgeTopology.from_faces(faces, 42)
    together = loss(vertices, topology)
    assert together.shape == (2,)
    torch.testing.assert_close(together, torch.stack([loss(v, faces) for v in vertices]))
    assert torch.autograd.gradcheck(
        lambda v: loss(v, topology), (vertices[:, :].requires_grad_(),), fast_mode=True
    )


@pytest.mark.parametrize("loss", LOSSES)
def test_degenerate_open_and_non_manifold_meshes_have_finite_gradients(device, loss):
    vertices = torch.tensor(
        [[0.0, 0, 0], [1, 0, 0], [2, 0, 0], [0, 1, 0], [0, 0, 1], [0, 0, 0]],
        device=device,
        requires_grad=True,
    )
    faces = torch.tensor([[0, 1, 2], [0, 1, 3], [1, 0, 4], [0, 0, 1], [0, 5, 1], [5, 3, 4]], device=device)
    value = loss(vertices, faces)
    (gradient,) = torch.autograd.grad(value, vertices)
    assert bool(torch.isfinite(value))
    assert bool(torch.isfinite(gradient).all())
    assert gradient.abs().max() < 1e3


def test_a_mesh_without_shared_edges_is_flat(device):
    vertices = torch.eye(3, device=device)
    faces = torch.tensor([[0, 1, 2]], device=device)
    assert float(flatten_loss(vertices, faces)) == 0
    assert float(normal_consistency_loss(vertices, faces)) == 0


def test_wrong_options(device):
    mesh = icosphere(0, device=device)
    with pytest.raises(InputError, match="weights must be 'uniform' or 'cotangent', got 'cot'"):
        laplacian_loss(mesh.vertices, mesh.faces, weights="cot")  # pyright: ignore[reportArgumentType]
    with pytest.raises(InputError, match="reduction must be 'mean' or 'sum', got 'max'"):
        laplacian_loss(mesh.vertices, mesh.faces, reduction="max")  # pyright: ignore[reportArgumentType]
