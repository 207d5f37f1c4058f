import math

import numpy as np
import pytest
import torch
from scipy.optimize import minimize
from scipy.spatial.transform import Rotation

from unrender.errors import InputError
from unrender.geometry import EdgeTopology, arap_energy, cotangent_weights, icosphere, uv_sphere

F64 = torch.float64


def rotation(seed: int = 0) -> torch.Tensor:
    return torch.from_numpy(Rotation.from_euler("xyz", [1.0 + seed, 0.5, -2.0]).as_matrix())


def plane(n: int) -> tuple[torch.Tensor, torch.Tensor]:
    """A square of side 1 of 2 n^2 triangles."""
    x, y = torch.meshgrid(torch.arange(n + 1), torch.arange(n + 1), indexing="ij")
    vertices = torch.stack([x, y, torch.zeros_like(x)], -1).reshape(-1, 3).to(F64) / n
    low = (torch.arange(n)[:, None] * (n + 1) + torch.arange(n)).reshape(-1)
    first = torch.stack([low, low + n + 1, low + n + 2], -1)
    return vertices, torch.cat([first, torch.stack([low, low + n + 2, low + 1], -1)])


def slow_energy(vertices: np.ndarray, rest: np.ndarray, topology: EdgeTopology, weight: np.ndarray) -> float:
    """The definition, vertex by vertex, the best rotation found by search over Euler angles."""
    neighbours: list[list[tuple[int, float]]] = [[] for _ in rest]
    for (a, b), w in zip(topology.edges.tolist(), weight, strict=True):
        neighbours[a].append((b, w))
        neighbours[b].append((a, w))
    total = size = 0.0
    for i, around in enumerate(neighbours):

        def cost(angles: np.ndarray, i: int = i, around: list[tuple[int, float]] = around) -> float:
            turn = Rotation.from_rotvec(angles).as_matrix()
            moved = [w * (((vertices[i] - vertices[j]) - turn @ (rest[i] - rest[j])) ** 2) for j, w in around]
            return float(np.sum(moved))

        starts = [np.zeros(3), *(math.pi / 2 * np.vstack([np.eye(3), -np.eye(3)]))]
        total += min(minimize(cost, start, tol=1e-12).fun for start in starts)
        size += sum(w * ((rest[i] - rest[j]) ** 2).sum() for j, w in around)
    return total / size


@pytest.mark.parametrize("weights", ["cotangent", "uniform"])
def test_rigid_motions_cost_nothing(device, weights):
    sphere = icosphere(1, dtype=F64, device=device)
    moved = torch.stack([sphere.vertices @ rotation(k).to(device).T + k for k in range(3)])
    energy = arap_energy(moved, sphere.vertices, sphere.faces, weights=weights)
    assert energy.shape == (3,)
    assert energy.abs().max() < 1e-20
    mirrored = sphere.vertices * torch.tensor([-1.0, 1, 1], dtype=F64, device=device)
    assert arap_energy(mirrored, sphere.vertices, sphere.faces, weights=weights) > 0.01


@pytest.mark.parametrize("weights", ["cotangent", "uniform"])
def test_scale_is_squared_strain_at_every_size_and_resolution(device, weights):
    for level in (1, 3):
        for radius in (0.01, 100.0):
            sphere = icosphere(level, radius=radius, dtype=F64, device=device)
            energy = arap_energy(1.2 * sphere.vertices, sphere.vertices, sphere.faces, weights=weights)
            assert float(energy) == pytest.approx(0.04)


def test_stretch_of_a_plane_does_not_depend_on_its_resolution(device):
    """Of a plane stretched by 1 + s along x, half the weight lies on lengths along x: s^2 / 2."""
    stretch = torch.tensor([1.3, 1, 1], dtype=F64, device=device)
    for n in (2, 8, 20):
        vertices, faces = (t.to(device) for t in plane(n))
        assert float(arap_energy(vertices * stretch, vertices, faces)) == pytest.approx(0.045)


def test_a_smooth_deformation_costs_the_same_on_finer_meshes(device):
    def bent(level: int) -> float:
        sphere = icosphere(level, dtype=F64, device=device)
        moved = sphere.vertices.clone()
        moved[:, 0] += 0.4 * sphere.vertices[:, 1] ** 2
        return float(arap_energy(moved, sphere.vertices, sphere.faces))

    assert bent(2) == pytest.approx(bent(4), rel=0.1)


@pytest.mark.parametrize("weights", ["cotangent", "uniform"])
def test_agrees_with_the_definition(device, weights):
    torch.manual_seed(0)
    mesh = uv_sphere(3, 5, dtype=F64, device=device)
    topology = EdgeTopology.from_faces(mesh.faces, mesh.num_vertices)
    moved = mesh.vertices @ rotation(3).to(device) * 1.1
    moved = moved + 0.15 * torch.randn(mesh.vertices.shape, dtype=F64).to(device)
    if weights == "cotangent":
        weight = cotangent_weights(mesh.vertices, topology).clamp(min=0)
    else:
        weight = torch.ones(topology.num_edges)
    slow = slow_energy(
        moved.cpu().numpy(), mesh.vertices.cpu().numpy(), topology.to("cpu"), weight.cpu().numpy()
    )
    assert float(arap_energy(moved, mesh.vertices, topology, weights=weights)) == pytest.approx(
        slow, rel=1e-6
    )


@pytest.mark.parametrize("weights", ["cotangent", "uniform"])
def test_gradient_by_finite_differences(device, weights):
    torch.manual_seed(1)
    mesh = icosphere(0, dtype=F64, device=device)
    noise = torch.randn(2, mesh.num_vertices, 3, dtype=F64).to(device)
    moved = (mesh.vertices + 0.2 * noise).requires_grad_()
    rest = torch.stack([mesh.vertices, mesh.vertices * 1.5])
    assert torch.autograd.gradcheck(
        lambda v: arap_energy(v, rest, mesh.faces, weights=weights), moved, fast_mode=False
    )


def test_gradient_is_finite_at_rest_and_when_collapsed(device):
    mesh = icosphere(1, device=device)
    for start in (mesh.vertices, torch.zeros_like(mesh.vertices)):
        moved = start.clone().requires_grad_()
        arap_energy(moved, mesh.vertices, mesh.faces).backward()
        assert moved.grad is not None
        assert torch.isfinite(moved.grad).all()


def test_vertices_without_neighbours_count_for_nothing(device):
    mesh = icosphere(0, dtype=F64, device=device)
    stray = torch.full((1, 3), 5.0, dtype=F64, device=device)
    rest, moved = torch.cat([mesh.vertices, stray]), torch.cat([mesh.vertices * 1.2, stray * 7])
    torch.testing.assert_close(
        arap_energy(moved, rest, mesh.faces), arap_energy(mesh.vertices * 1.2, mesh.vertices, mesh.faces)
    )


def test_wrong_input_is_refused():
    mesh = icosphere(0)
    with pytest.raises(InputError, match=r"vertices must have shape \(..., 12, 3\), got \(11, 3\)"):
        arap_energy(mesh.vertices[1:], mesh.vertices, mesh.faces)
    with pytest.raises(InputError, match="weights must be 'cotangent' or 'uniform', got 'none'"):
        arap_energy(mesh.vertices, mesh.vertices, mesh.faces, weights="none")  # type: ignore[arg-type]
