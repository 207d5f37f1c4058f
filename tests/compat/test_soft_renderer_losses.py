"""SoftRas's losses against the formulas of its released code, in plain loops."""

import itertools

import numpy as np
import pytest
import torch

import unrender.compat.soft_renderer as sr
from unrender.geometry import icosphere


def laplacian_by_matrix(vertices, faces):
    laplacian = np.zeros((len(vertices),) * 2)
    for face in faces:
        for i, j in itertools.permutations(face, 2):
            laplacian[i, j] = -1
    degrees = -laplacian.sum(1)
    laplacian += np.diag(degrees)
    return ((laplacian / degrees[:, None] @ vertices) ** 2).sum()


def flatten_by_loops(vertices, faces, eps=1e-6):
    neighbours = {}
    for face in faces:
        for k in range(3):
            edge = tuple(sorted((face[k], face[(k + 1) % 3])))
            neighbours.setdefault(edge, []).append(face[(k + 2) % 3])
    total = 0.0
    for (v0, v1), opposite in neighbours.items():
        for pair in itertools.combinations(opposite, 2):
            a = vertices[v1] - vertices[v0]
            uprights, lengths = [], []
            for v in pair:
                b = vertices[v] - vertices[v0]
                cosine = a @ b / (np.sqrt(a @ a + eps) * np.sqrt(b @ b + eps) + eps)
                uprights.append(b - a * (a @ b) / (a @ a + eps))
                lengths.append(np.sqrt(b @ b + eps) * np.sqrt(1 - cosine**2 + eps))
            total += (uprights[0] @ uprights[1] / (lengths[0] * lengths[1] + eps) + 1) ** 2
    return total


def shapes():
    sphere = icosphere(1)
    turned = torch.stack([face.roll(i % 3) for i, face in enumerate(sphere.faces)])
    grid = torch.tensor([[0, 1, 4], [0, 4, 3], [1, 2, 5], [1, 5, 4]])
    fan = torch.tensor([[0, 1, 2], [1, 0, 3], [0, 1, 4]])  # three faces meet in one edge
    return {"sphere": sphere.faces, "turned sphere": turned, "open": grid, "three in an edge": fan}


@pytest.mark.parametrize("name", shapes())
@pytest.mark.parametrize("eps", [1e-6, 1e-2])
def test_losses_are_those_of_the_loops(device, name, eps):
    faces = shapes()[name]
    count = int(faces.max()) + 1
    generator = torch.Generator().manual_seed(3)
    vertices = torch.randn(2, count, 3, generator=generator, dtype=torch.float64)
    on_device = vertices.to(device)

    laplacian = sr.LaplacianLoss(vertices[0], faces.int())(on_device)
    expected = [laplacian_by_matrix(v, faces.numpy()) for v in vertices.numpy()]
    np.testing.assert_allclose(laplacian.cpu(), expected)

    flatten = sr.FlattenLoss(faces.int())(on_device, eps)
    expected = [flatten_by_loops(v, faces.numpy(), eps) for v in vertices.numpy()]
    np.testing.assert_allclose(flatten.cpu(), expected)


def test_flatten_counts_every_edge_whatever_the_order_of_corners(device):
    faces = shapes()
    vertices = icosphere(1).vertices[None].to(device)
    straight, turned = (sr.FlattenLoss(faces[name])(vertices) for name in ("sphere", "turned sphere"))
    torch.testing.assert_close(straight, turned)


def test_flat_meshes_cost_nothing(device):
    grid = torch.tensor([[i % 3, i // 3, 0.5] for i in range(6)], device=device)[None]
    faces = shapes()["open"]
    assert float(sr.FlattenLoss(faces)(grid)) < 1e-9
    folded = grid.clone()
    folded[0, 0, 2] += 1
    assert float(sr.FlattenLoss(faces)(folded)) > 0.1


def test_average_is_the_mean_over_the_batch(device):
    sphere = icosphere(1)
    vertices = torch.randn(3, 42, 3, device=device)
    for loss in (sr.LaplacianLoss(sphere.vertices, sphere.faces), sr.FlattenLoss(sphere.faces)):
        each = loss(vertices)
        assert each.shape == (3,)
        loss.average = True
        torch.testing.assert_close(loss(vertices), each.sum() / 3)
    assert sr.LaplacianLoss(sphere.vertices, sphere.faces, average=True)(vertices).ndim == 0
    assert sr.FlattenLoss(sphere.faces, average=True)(vertices).ndim == 0


def test_gradients(device):
    faces = shapes()["three in an edge"]
    vertices = torch.randn(1, 5, 3, dtype=torch.float64, device=device, requires_grad=True)
    assert torch.autograd.gradcheck(sr.FlattenLoss(faces), vertices)
    assert torch.autograd.gradcheck(sr.LaplacianLoss(vertices[0], faces), vertices)
