"""SoftRas's cameras: hand-made numbers, our own camera on the same picture, wrong input."""

import math

import numpy as np
import pytest
import torch

import unrender.compat.soft_renderer as sr
from unrender.compat.left_handed import distort
from unrender.errors import InputError
from unrender.render.conventions import flip_handedness, from_softras

srf = sr.functional

# no mirror symmetry: an arm of another length along each axis
LOPSIDED = torch.tensor([[0.0, 0, 0], [0.7, 0, 0], [0, 0.5, 0], [0, 0, 0.3], [-0.1, 0.2, -0.25]])


def test_points_from_angles():
    assert srf.get_points_from_angles(2, 0, 0) == pytest.approx((0, 0, -2))
    assert srf.get_points_from_angles(2.0, 0, 90) == pytest.approx((2, 0, 0))
    assert srf.get_points_from_angles(2, 90, 0) == pytest.approx((0, 2, 0))
    assert srf.get_points_from_angles(1, math.pi / 6, math.pi / 2, degrees=False) == pytest.approx(
        (math.sqrt(3) / 2, 0.5, 0)
    )


def test_points_from_tensors_of_angles(device):
    distance, elevation, azimuth = torch.tensor([[1.0, 2, 3], [10, -20, 30], [40, 50, -60]], device=device)
    points = srf.get_points_from_angles(distance, elevation, azimuth)
    each = [srf.get_points_from_angles(1, 10, 40), srf.get_points_from_angles(2, -20, 50)]
    each.append(srf.get_points_from_angles(3, 30, -60))
    torch.testing.assert_close(points.cpu(), torch.tensor(each))
    third = srf.get_points_from_angles(distance, 30.0, -60.0)[2]
    torch.testing.assert_close(third.cpu(), torch.tensor(each[2]))


def test_look_at_from_the_front_shifts_depth_alone(device):
    vertices = LOPSIDED[None].to(device)
    seen = srf.look_at(vertices, [0, 0, -2])
    torch.testing.assert_close(seen, vertices + torch.tensor([0.0, 0, 2], device=device))


def test_look_at_from_the_side(device):
    seen = srf.look_at(LOPSIDED[None].to(device), np.array([3.0, 0, 0]), at=(1, 0, 0), up=[0, 2, 0])
    x, y, z = LOPSIDED.unbind(-1)
    torch.testing.assert_close(seen.cpu(), torch.stack([z, y, 3 - x], -1)[None])


def test_look_turns_the_camera_without_aiming_it(device):
    vertices = LOPSIDED[None].to(device)
    torch.testing.assert_close(srf.look(vertices, [0, 0, -2]), srf.look_at(vertices, [0, 0, -2]))
    seen = srf.look(vertices, [0, 0, -2], direction=[5, 0, 0])
    x, y, z = LOPSIDED.unbind(-1)
    torch.testing.assert_close(seen.cpu(), torch.stack([-2 - z, y, x], -1)[None])
    rolled = srf.look(vertices, [0, 0, -2], up=(1, 0, 0))
    torch.testing.assert_close(rolled.cpu(), torch.stack([-y, x, z + 2], -1)[None])


def test_cameras_of_a_batch_stand_apart(device):
    eyes = torch.tensor([[0.0, 1, -2], [1, 0.5, 1], [-2, 0, 0]], device=device)
    vertices = torch.rand(3, 5, 3, device=device)
    batch = srf.look_at(vertices, eyes)
    for i in range(3):
        torch.testing.assert_close(batch[i], srf.look_at(vertices[i : i + 1], eyes[i])[0])


def test_perspective_and_orthogonal(device):
    points = torch.tensor([[[1.0, -2, 4]], [[1.0, -2, 4]]], device=device)
    half = math.tan(math.radians(30))
    expected = torch.tensor([[[1 / 4 / half, -2 / 4 / half, 4]]], device=device)
    torch.testing.assert_close(srf.perspective(points), expected.expand(2, -1, -1))
    angles = torch.tensor([30.0, 45.0], device=device)
    torch.testing.assert_close(srf.perspective(points, angles)[:1], expected)
    torch.testing.assert_close(srf.perspective(points, angles)[1].cpu(), torch.tensor([[0.25, -0.5, 4]]))
    torch.testing.assert_close(srf.orthogonal(points, 3.0)[0].cpu(), torch.tensor([[3.0, -6, 4]]))


def test_projection_without_distortion_is_a_pinhole(device):
    matrix = torch.tensor([[[100.0, 0, 32, 1], [0, 80, 40, 2], [0, 0, 1, 3]]], device=device)
    point = torch.tensor([[[0.2, -0.3, 1.0]]], device=device)
    x = (100 * 0.2 + 32 + 1) / 4.00001
    y = (80 * -0.3 + 40 + 2) / 4.00001
    expected = torch.tensor([[[(x - 32) / 32, (y - 32) / 32, 4]]])
    found = srf.projection(point, matrix, torch.zeros(1, 5, device=device), 64)
    torch.testing.assert_close(found.cpu(), expected)


def test_distortion_is_that_of_opencv(device):
    k1, k2, p1, p2, k3 = 0.1, -0.05, 0.01, 0.02, 0.03
    x, y = 0.4, -0.3
    r = math.hypot(x, y)
    radial = 1 + k1 * r**2 + k2 * r**4 + k3 * r**6
    expected_x = x * radial + 2 * p1 * x * y + p2 * (r**2 + 2 * x**2)
    expected_y = y * radial + p1 * (r**2 + 2 * y**2) + 2 * p2 * x * y
    found = distort(
        torch.full((2, 1), x, device=device),
        torch.full((2, 1), y, device=device),
        torch.tensor([[k1, k2, p1, p2, k3], [0.0] * 5], device=device),
    )
    expected = torch.tensor([[expected_x, x], [expected_y, y]])
    torch.testing.assert_close(torch.stack(found).cpu()[..., 0], expected)


@pytest.mark.parametrize(
    ("distance", "elevation", "azimuth"), [(2.732, 30, 0), (3.5, -20, 130), (2, 75, -45)]
)
def test_picture_is_that_of_our_camera(device, distance, elevation, azimuth):
    size, half_fov = 48, 25
    camera = sr.Transform("look_at", viewing_angle=half_fov)
    camera.set_eyes_from_angles(distance, elevation, azimuth)
    faces = torch.tensor([[0, 1, 2], [0, 3, 4]], device=device)
    mesh = sr.Mesh(LOPSIDED.to(device), faces)
    x, y, depth = camera(mesh).vertices[0].unbind(-1)

    ours = from_softras(distance, elevation, azimuth, half_fov=half_fov, size=size).to(device)
    vertices, _ = flip_handedness(LOPSIDED.to(device), faces)
    expected = ours.project(vertices)
    found = torch.stack([(x + 1) / 2 * size, (1 - y) / 2 * size, depth], dim=-1)
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-4)


def test_transform_hands_each_camera_its_arguments(device):
    mesh = sr.Mesh(LOPSIDED.to(device), torch.tensor([[0, 1, 2]], device=device))
    eye, direction = (0.5, 0.2, -3), (0.3, 0.1, 1)
    look = sr.Transform("look", eye=eye, camera_direction=direction, viewing_angle=20)
    expected = srf.perspective(srf.look(mesh.vertices, eye, direction), 20)
    torch.testing.assert_close(look(mesh).vertices, expected)
    flat = sr.Transform("look_at", eye=eye, perspective=False, viewing_scale=0.7)
    torch.testing.assert_close(flat(mesh).vertices, srf.orthogonal(srf.look_at(mesh.vertices, eye), 0.7))
    matrix = np.array([[[100.0, 0, 32, 1], [0, 80, 40, 2], [0, 0, 1, 3]]])
    lens = np.array([[1e-4, 0, 1e-4, 0, 0]])
    screen = sr.Transform("projection", P=matrix, dist_coeffs=lens, orig_size=64)
    tensors = torch.tensor(matrix).to(mesh.vertices), torch.tensor(lens).to(mesh.vertices)
    distorted = srf.projection(mesh.vertices, *tensors, 64)
    torch.testing.assert_close(screen(mesh).vertices, distorted)
    assert not torch.equal(distorted, sr.Projection(matrix, orig_size=64)(mesh.vertices))
    assert torch.equal(mesh.vertices[0].cpu(), LOPSIDED)


def test_default_eye_fits_the_angle_of_view(device):
    mesh = sr.Mesh(LOPSIDED.to(device), torch.tensor([[0, 1, 2]], device=device))
    camera = sr.Transform("look_at", viewing_angle=15)
    assert camera.eyes == pytest.approx((0, 0, -(1 / math.tan(math.radians(15)) + 1)))
    near_corner = camera.transformer(torch.tensor([[[1.0, 1.0, -1.0]]], device=device))
    torch.testing.assert_close(near_corner[0, 0, :2].cpu(), torch.tensor([1.0, 1.0]))
    camera.set_eyes([1.0, 2, 3])
    assert camera.eyes == [1.0, 2, 3]
    expected = srf.perspective(srf.look_at(mesh.vertices, [1, 2, 3]), 15)
    torch.testing.assert_close(camera(mesh).vertices, expected)


def test_gradients_reach_the_eye(device):
    eye = torch.tensor([0.5, 0.4, -2.0], device=device, dtype=torch.float64, requires_grad=True)
    vertices = LOPSIDED[None].to(device, torch.float64)
    assert torch.autograd.gradcheck(lambda e: srf.perspective(srf.look_at(vertices, e)), eye)
    assert torch.autograd.gradcheck(lambda e: srf.look(vertices, e, e + 1), eye)


def test_wrong_cameras_are_named(device):
    vertices = LOPSIDED[None].to(device)
    with pytest.raises(InputError, match=r"eye must have shape \(3,\) or \(1, 3\), got \(2, 3\)"):
        srf.look_at(vertices, torch.zeros(2, 3))
    with pytest.raises(InputError, match="eye and at must be different"):
        srf.look_at(vertices, (1, 2, 3), at=(1, 2, 3))
    with pytest.raises(InputError, match="up must not lie along the line of sight"):
        srf.look_at(vertices, (0, 3, 0))
    with pytest.raises(InputError, match="up must not lie along the line of sight"):
        srf.look(vertices, (0, 0, -2), direction=(0, 1, 0))
    with pytest.raises(InputError, match=r"vertices must have shape \(B, V, 3\), got \(5, 3\)"):
        srf.perspective(vertices[0])
    with pytest.raises(InputError, match=r"dist_coeffs must have shape \(B, 5\)"):
        srf.projection(vertices, torch.zeros(1, 3, 4), torch.zeros(1, 4), 64)
    with pytest.raises(InputError, match=r"P must have shape \(B, 3, 4\), got \(3, 4\)"):
        sr.Projection(torch.zeros(3, 4))
    with pytest.raises(InputError, match=r"needs its matrix P of shape \(B, 3, 4\), got None"):
        sr.SoftRenderer()
    with pytest.raises(InputError, match="camera_mode must be"):
        sr.Transform("orbit")
    with pytest.raises(InputError, match="a projection has no eye"):
        sr.Transform(P=torch.zeros(1, 3, 4)).set_eyes_from_angles(1, 0, 0)
