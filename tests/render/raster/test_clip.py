import math

import numpy as np
import pytest
import torch

from unrender.render.raster.clip import clip_near

NEAR = 0.5


def random_corners(count, device, dtype=torch.float64):
    """Triangles before, behind and across the near plane."""
    random = torch.rand(count, 3, 3, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    return ((random - 0.5) * 4).to(device, dtype)


def cut_polygon(corners):
    """The polygon beyond the plane, by Sutherland and Hodgman's algorithm."""
    polygon = []
    for a, b in zip(corners, np.roll(corners, -1, 0), strict=True):
        if a[2] > NEAR:
            polygon.append(a)
        if (a[2] > NEAR) != (b[2] > NEAR):
            polygon.append(a + (NEAR - a[2]) / (b[2] - a[2]) * (b - a))
    return np.array(polygon)


def vector_area(polygon):
    fan = [np.cross(polygon[i] - polygon[0], polygon[i + 1] - polygon[0]) for i in range(1, len(polygon) - 1)]
    return sum(fan, np.zeros(3)) / 2


def test_keeps_what_lies_beyond_the_plane(device):
    corners = random_corners(200, device)
    cut, parents, coordinates = clip_near(corners, NEAR)
    assert coordinates is not None
    assert (cut[..., 2] >= NEAR - 1e-12).all()
    assert (parents[1:] >= parents[:-1]).all()
    torch.testing.assert_close(coordinates @ corners[parents], cut)
    assert (coordinates >= 0).all()
    torch.testing.assert_close(coordinates.sum(-1), torch.ones_like(coordinates[..., 0]))
    pieces = [0, 0, 0]
    for t, triangle in enumerate(corners.cpu().numpy()):
        mine = cut[parents == t].cpu().numpy()
        polygon = cut_polygon(triangle)
        assert len(mine) == max(len(polygon) - 2, 0)
        pieces[len(mine)] += 1
        # the sum of vector areas agrees in size, plane and winding
        expected = vector_area(polygon) if len(polygon) else np.zeros(3)
        np.testing.assert_allclose(sum((vector_area(m) for m in mine), np.zeros(3)), expected, atol=1e-12)
        for m in mine:
            assert vector_area(m) @ expected >= 0
    assert min(pieces) > 10


def test_leaves_triangles_beyond_the_plane_as_they_are(device):
    corners = random_corners(50, device) + torch.tensor([0.0, 0, 3], device=device)
    cut, parents, coordinates = clip_near(corners, NEAR)
    assert cut is corners
    assert parents.tolist() == list(range(50))
    assert coordinates is None


def test_drops_triangles_nearer_than_the_plane(device):
    beyond = random_corners(6, device) + torch.tensor([0.0, 0, 3], device=device)
    nearer = random_corners(6, device) - torch.tensor([0.0, 0, 3], device=device)
    cut, parents, coordinates = clip_near(torch.stack([nearer, beyond], 1).reshape(-1, 3, 3), NEAR)
    assert torch.equal(cut, beyond)
    assert parents.tolist() == [1, 3, 5, 7, 9, 11]
    assert coordinates is None


@pytest.mark.parametrize("count", [0, 4])
def test_nothing_left(device, count):
    corners = torch.zeros(count, 3, 3, device=device)
    cut, parents, coordinates = clip_near(corners, NEAR)
    assert cut.shape == (0, 3, 3)
    assert parents.shape == (0,)
    assert coordinates is None


def test_gradients_by_finite_differences(device):
    corners = random_corners(12, device)
    crossing = (corners[..., 2] > NEAR).sum(1) % 3 > 0
    assert crossing.sum() > 4
    assert ((corners[..., 2] - NEAR).abs() > 1e-3).all()
    corners = corners[crossing].requires_grad_()

    def cut(corners):
        new, _, coordinates = clip_near(corners, NEAR)
        assert coordinates is not None
        return new, coordinates

    assert torch.autograd.gradcheck(cut, (corners,))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_neighbours_cut_their_common_edge_at_the_same_point(device, dtype):
    # the edge a-b crosses the plane; the third corners lie on either side of the plane
    edge = torch.rand(300, 2, 3, generator=torch.Generator().manual_seed(5)).to(device, dtype)
    edge[:, 0, 2] += NEAR + 0.01
    edge[:, 1, 2] -= NEAR + 0.6
    third = random_corners(600, device, dtype)[:, 0].reshape(300, 2, 3)
    left = torch.stack([edge[:, 0], edge[:, 1], third[:, 0]], 1)
    right = torch.stack([third[:, 1], edge[:, 1], edge[:, 0]], 1)
    cuts = []
    for triangles, (a, b) in ((left, (0, 1)), (right, (2, 1))):
        cut, parents, coordinates = clip_near(triangles, NEAR)
        assert coordinates is not None
        # points on the edge a-b that are corners of neither end
        on_edge = (coordinates[..., a] > 0) & (coordinates[..., b] > 0) & (coordinates[..., 3 - a - b] == 0)
        points = torch.zeros_like(third[:, 0])
        points[parents[:, None].expand_as(on_edge)[on_edge]] = cut[on_edge]
        cuts.append(points)
    assert (cuts[0] != 0).any(-1).all()
    assert torch.equal(*cuts)


@pytest.mark.parametrize("value", [math.nan, -math.inf, -1e30, 1e30, math.inf])
@pytest.mark.parametrize("axis", [0, 2])
def test_a_corner_that_is_not_finite_harms_no_other_triangle(device, value, axis):
    corners = random_corners(20, device, torch.float32)
    broken = corners.clone()
    broken[7, 1, axis] = value
    cut, parents, _ = clip_near(broken, NEAR)
    expected, expected_parents, _ = clip_near(corners, NEAR)
    assert torch.equal(cut[parents != 7], expected[expected_parents != 7])
