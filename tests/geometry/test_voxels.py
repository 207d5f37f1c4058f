"""Voxelisation against its rules in plain loops, and against shapes whose inside is known."""

import itertools
import math

import numpy as np
import pytest
import torch

from unrender.errors import InputError
from unrender.geometry import Mesh, icosphere
from unrender.geometry.voxels import voxel_iou, voxelize


def triangles_of(mesh: Mesh, device) -> torch.Tensor:
    return mesh.vertices[mesh.faces].to(device)


def fill_by_loops(triangles, size):
    """The protocol, line by line: hits of grid lines, cells of corners, then a flood from the border."""
    solid = np.zeros((size,) * 3, bool)

    def mark(*cell):
        if all(0 <= c < size for c in cell):
            solid[cell] = True

    for triangle in triangles * size:
        for corner in triangle:
            mark(*(math.floor(c) for c in corner))
        for axis in range(3):
            p, q = (a for a in range(3) if a != axis)
            first, second = triangle[1] - triangle[0], triangle[2] - triangle[0]
            determinant = first[p] * second[q] - second[p] * first[q]
            if determinant == 0:
                continue
            for i, j in itertools.product(range(size), repeat=2):
                x, y = i - triangle[0][p], j - triangle[0][q]
                s = (x * second[q] - y * second[p]) / determinant
                t = (y * first[p] - x * first[q]) / determinant
                if s < 0 or t < 0 or s + t > 1:
                    continue
                level = math.floor(triangle[0][axis] + s * first[axis] + t * second[axis])
                for di, dj in itertools.product((0, 1), repeat=2):
                    cell = [level, level, level]
                    cell[p], cell[q] = i - di, j - dj
                    mark(*cell)

    outside = np.zeros_like(solid)
    queue = [c for c in itertools.product(range(size), repeat=3) if min(c) == 0 or max(c) == size - 1]
    while queue:
        cell = queue.pop()
        if min(cell) < 0 or max(cell) >= size or solid[cell] or outside[cell]:
            continue
        outside[cell] = True
        for axis, step in itertools.product(range(3), (-1, 1)):
            queue.append(tuple(c + step * (a == axis) for a, c in enumerate(cell)))
    return ~outside


def centres(size) -> torch.Tensor:
    """Centres of the cells in [0, 1]^3, shape (S, S, S, 3)."""
    along = (torch.arange(size, dtype=torch.float64) + 0.5) / size
    return torch.stack(torch.meshgrid(along, along, along, indexing="ij"), dim=-1)


@pytest.mark.parametrize("size", [1, 5, 11])
def test_follows_the_rules_on_triangles_of_all_kinds(device, size):
    random = torch.rand(3, 25, 3, 3, generator=torch.Generator().manual_seed(size), dtype=torch.float64)
    soups = random * 1.4 - 0.2  # some of it outside the grid
    soups[:, 5:9] = soups[:, 5:9, :1] + 0.1 * (soups[:, 5:9] - 0.5)  # smaller than a cell
    soups[:, 9, 2] = soups[:, 9, 1]  # without area
    soups[:, 10, :, 1] = 0.4  # parallel to two axes
    expected = np.stack([fill_by_loops(soup, size) for soup in soups.numpy()])
    np.testing.assert_array_equal(voxelize(soups.to(device), size).cpu().numpy(), expected)


def test_follows_the_rules_on_a_closed_surface(device):
    sphere = icosphere(2)
    stretch = torch.tensor([0.2, 0.31, 0.43])
    triangles = (triangles_of(sphere, "cpu") * stretch + 0.503).double()
    expected = fill_by_loops(triangles.numpy(), 12)
    assert expected.sum() > 60
    np.testing.assert_array_equal(voxelize(triangles.to(device), 12).cpu().numpy(), expected)


def test_box_between_grid_lines_fills_the_cells_it_touches(device):
    corners = torch.tensor(list(itertools.product((0, 1), repeat=3))).double()
    faces = [(0, 1, 3), (0, 3, 2), (4, 6, 7), (4, 7, 5), (0, 4, 5), (0, 5, 1)]
    faces += [(2, 3, 7), (2, 7, 6), (0, 2, 6), (0, 6, 4), (1, 5, 7), (1, 7, 3)]
    low, high = torch.tensor([2.5, 3.5, 4.5]), torch.tensor([9.5, 12.5, 6.5])
    triangles = ((low + corners * (high - low)) / 16)[torch.tensor(faces)]
    solid = voxelize(triangles.to(device), 16)
    expected = torch.zeros(16, 16, 16, dtype=torch.bool)
    expected[2:10, 3:13, 4:7] = True
    assert torch.equal(solid.cpu(), expected)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_turned_spheres_are_filled_up_to_a_cell_beyond_their_surface(device, dtype):
    size, radius = 32, 0.37
    generator = torch.Generator().manual_seed(1)
    turns = torch.linalg.qr(torch.randn(8, 3, 3, generator=generator, dtype=torch.float64)).Q
    shifts = 0.5 + 0.1 * torch.rand(8, 1, 3, generator=generator, dtype=torch.float64)
    sphere = icosphere(3)
    vertices = radius * sphere.vertices.double() @ turns + shifts
    solids = voxelize(vertices[:, sphere.faces].to(device, dtype), size).cpu()

    away = torch.linalg.vector_norm(centres(size) - shifts[:, None, None], dim=-1)
    assert bool(solids[away < 0.99 * radius].all())
    assert not bool(solids[away > radius + 2 * math.sqrt(3) / size].any())
    volume = solids.double().mean((1, 2, 3))
    ball = 4 / 3 * math.pi * radius**3
    assert bool((volume > ball).all())
    assert bool((volume < ball * (1 + 1.2 / size / radius) ** 3).all())


def test_hole_of_a_torus_stays_empty(device):
    steps = torch.arange(48, dtype=torch.float64) * (2 * math.pi / 48)
    round_, across = torch.meshgrid(steps, steps, indexing="ij")
    reach = 0.3 + 0.1 * across.cos()
    points = torch.stack([reach * round_.cos(), reach * round_.sin(), 0.1 * across.sin()], dim=-1) + 0.5
    a, b, c, d = points, points.roll(-1, 0), points.roll(-1, 1), points.roll((-1, -1), (0, 1))
    triangles = torch.cat([torch.stack([a, b, d], 2), torch.stack([a, d, c], 2)]).reshape(-1, 3, 3)
    solid = voxelize(triangles.to(device), 40).cpu()

    offset = centres(40) - 0.5
    ring = torch.linalg.vector_norm(offset[..., :2], dim=-1) - 0.3
    depth = torch.hypot(ring, offset[..., 2]) - 0.1
    assert bool(solid[depth < -0.002].all())
    assert not bool(solid[depth > 2 * math.sqrt(3) / 40].any())
    assert not bool(solid[20, 20].any())


def test_open_surface_encloses_nothing(device):
    square = torch.tensor([[0.2, 0.2, 0.52], [0.8, 0.2, 0.52], [0.8, 0.8, 0.52], [0.2, 0.8, 0.52]])
    solid = voxelize(square[torch.tensor([[0, 1, 2], [0, 2, 3]])].to(device), 20)
    assert solid.any((0, 1)).nonzero().flatten().tolist() == [10]


def test_batches_and_empty_meshes(device):
    triangles = torch.rand(2, 3, 10, 3, 3, device=device)
    solids = voxelize(triangles, 6)
    assert solids.shape == (2, 3, 6, 6, 6)
    for i, j in itertools.product(range(2), range(3)):
        assert torch.equal(solids[i, j], voxelize(triangles[i, j], 6))
    nothing = voxelize(torch.zeros(2, 0, 3, 3, device=device), 4)
    assert nothing.shape == (2, 4, 4, 4)
    assert not bool(nothing.any())


def test_points_that_are_not_finite_leave_the_rest_alone(device):
    triangles = torch.rand(4, 3, 3, device=device)
    broken = torch.tensor([[0.1, 0.2, math.nan], [0.5, 0.5, math.inf], [0.9, 0.2, 0.3]], device=device)
    with_broken = voxelize(torch.cat([triangles, broken[None]]), 8)
    cell = voxelize(torch.cat([triangles, broken[2].expand(1, 3, 3)]), 8)
    assert torch.equal(with_broken, cell)


def test_iou_counts_cells(device):
    a = torch.zeros(2, 1, 4, 4, 4, device=device)
    b = torch.zeros(3, 4, 4, 4, device=device)
    a[0, 0, :2] = 1
    a[1, 0, 0, 0, 0] = 0.5
    b[0, 1:3] = 1
    b[1] = 1
    expected = [[16 / 48, 32 / 64, 0.0], [0.0, 1 / 64, 0.0]]
    torch.testing.assert_close(voxel_iou(a, b), torch.tensor(expected, device=device))
    assert float(voxel_iou(b[2], b[2] > 0)) == 1.0


def test_wrong_input_is_named(device):
    with pytest.raises(InputError, match=r"\(\.\.\., F, 3, 3\), got \(4, 3\)"):
        voxelize(torch.zeros(4, 3, device=device), 8)
    with pytest.raises(InputError, match="size must be at least 1, got 0"):
        voxelize(torch.zeros(4, 3, 3, device=device), 0)
    with pytest.raises(InputError, match="one shape"):
        voxel_iou(torch.zeros(4, 4, 4), torch.zeros(5, 5, 5))
