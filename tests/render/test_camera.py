import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from unrender.errors import InputError
from unrender.render.camera import Camera

angles = st.floats(-360, 360, allow_nan=False)
lengths = st.floats(0.1, 50)


def intrinsics(device=None, dtype=torch.float64):
    return torch.tensor([[90.0, 3.0, 30.0], [0.0, 80.0, 20.0], [0.0, 0.0, 1.0]], dtype=dtype, device=device)


def test_look_at_puts_the_target_in_the_middle_and_the_axes_in_opencv_order(device):
    eye = torch.tensor([0.0, 0.0, 3.0], device=device)
    camera = Camera.look_at(eye, fov_y=90.0, width=80, height=40)
    points = torch.tensor([[0.0, 0, 0], [1.0, 0, 0], [0, 1.0, 0], [0, 0, 1.0]], device=device)
    # At distance 3 the picture is 6 units high: 40 pixels for 6 units. +X is right, +Y is up, +Z is nearer.
    expected = [[40, 20, 3], [40 + 20 / 3, 20, 3], [40, 20 - 20 / 3, 3], [40, 20, 2]]
    torch.testing.assert_close(
        camera.project(points), torch.tensor(expected, device=device), rtol=1e-5, atol=1e-4
    )
    torch.testing.assert_close(camera.center, eye)


@pytest.mark.parametrize(
    ("elevation", "azimuth", "eye"),
    [(0, 0, (0, 0, 2)), (0, 90, (2, 0, 0)), (90, 0, (0, 2, 0)), (-90, 30, (0, -2, 0)), (30, 180, None)],
)
def test_orbit_stands_where_it_says(device, elevation, azimuth, eye):
    eye = eye or (0, 1.0, -math.sqrt(3))
    camera = Camera.orbit(2.0, elevation, azimuth, fov_y=40.0, width=8, height=8).to(device)
    torch.testing.assert_close(
        camera.center, torch.tensor(eye, device=device, dtype=torch.float32), atol=1e-6, rtol=0
    )


@settings(max_examples=50, deadline=None)
@given(distance=lengths, elevation=st.floats(-85, 85), azimuth=angles)
def test_orbit_agrees_with_look_at(distance, elevation, azimuth):
    target = torch.tensor([0.3, -1.0, 2.0], dtype=torch.float64)
    orbit = Camera.orbit(distance, elevation, azimuth, target=target, fov_y=35.0, width=64, height=48)
    look = Camera.look_at(orbit.center, target, fov_y=35.0, width=64, height=48)
    torch.testing.assert_close(orbit.world_to_camera, look.world_to_camera, rtol=1e-9, atol=1e-9)
    torch.testing.assert_close(orbit.intrinsics, look.intrinsics)


@settings(max_examples=50, deadline=None)
@given(distance=lengths, elevation=angles, azimuth=angles)
def test_orbit_is_rigid_and_keeps_distances(distance, elevation, azimuth):
    distance = torch.tensor(distance, dtype=torch.float64)
    camera = Camera.orbit(distance, elevation, azimuth, fov_y=35.0, width=64, height=48)
    rotation = camera.world_to_camera[:3, :3]
    torch.testing.assert_close(rotation @ rotation.mT, torch.eye(3, dtype=torch.float64), rtol=0, atol=1e-12)
    assert torch.linalg.det(rotation) > 0
    points = torch.randn(5, 3, dtype=torch.float64)
    torch.testing.assert_close(torch.pdist(camera.to_camera(points)), torch.pdist(points))
    seen = camera.project(torch.zeros(1, 3, dtype=torch.float64))
    torch.testing.assert_close(
        seen[0], torch.stack((torch.tensor(32.0), torch.tensor(24.0), distance)).double()
    )


def test_project_is_the_textbook_formula(device):
    pose = Camera.orbit(3.0, 20.0, 30.0, fov_y=40.0, width=1, height=1).world_to_camera.double().to(device)
    camera = Camera(pose, intrinsics(device), 60, 40)
    points = torch.randn(7, 3, dtype=torch.float64, device=device)
    homogeneous = torch.cat((points, torch.ones_like(points[:, :1])), dim=-1)
    expected = (camera.intrinsics @ (pose[:3] @ homogeneous.mT)).mT
    projected = camera.project(points)
    torch.testing.assert_close(projected[:, :2], expected[:, :2] / expected[:, 2:])
    torch.testing.assert_close(projected[:, 2], expected[:, 2])


def test_orthographic_shows_the_targets_plane_as_the_pinhole_does(device):
    options = {"fov_y": 50.0, "width": 30, "height": 20}
    pinhole = Camera.orbit(4.0, 25.0, 70.0, **options).to(device)
    parallel = Camera.orbit(4.0, 25.0, 70.0, orthographic=True, **options).to(device)
    looking = Camera.look_at(pinhole.center, orthographic=True, **options)
    in_plane = (
        pinhole.world_to_camera[:2, :3] * 0.7
    )  # the camera's right and down directions, through the target
    torch.testing.assert_close(parallel.project(in_plane), pinhole.project(in_plane), rtol=1e-5, atol=1e-4)
    torch.testing.assert_close(looking.project(in_plane), pinhole.project(in_plane), rtol=1e-5, atol=1e-4)
    nearer = in_plane - 2 * pinhole.world_to_camera[2, :3]
    torch.testing.assert_close(
        parallel.project(nearer)[:, :2], parallel.project(in_plane)[:, :2], rtol=1e-5, atol=1e-4
    )


@pytest.mark.parametrize("orthographic", [False, True])
def test_gradcheck(device, orthographic):
    # Points in front, behind and in the camera's plane, whose clamped projection has gradients too.
    points = torch.randn(4, 3, dtype=torch.float64, device=device)
    points[0] = torch.tensor([0.2, 0.4, 9.0])
    k = intrinsics(device)

    def project(eye, up, points, k):
        pose = Camera.look_at(eye, up=up, fov_y=30.0, width=60, height=40).world_to_camera
        return Camera(pose, k, 60, 40, orthographic).project(points)

    eye = torch.tensor([[1.0, 2.0, 3.0], [-3.0, 1.0, 0.5]], dtype=torch.float64, device=device)
    up = torch.tensor([0.1, 1.0, 0.0], dtype=torch.float64, device=device)
    inputs = [t.requires_grad_() for t in (eye, up, points, k)]
    assert torch.autograd.gradcheck(project, inputs)


def test_gradcheck_of_angles_and_field_of_view(device):
    values = [
        torch.tensor(v, dtype=torch.float64, device=device) for v in ([2.0, 3.0], 90.0, [5.0, -120.0], 40.0)
    ]
    points = torch.randn(3, 3, dtype=torch.float64, device=device)

    def project(distance, elevation, azimuth, fov):
        parallel = Camera.orbit(distance, elevation, azimuth, fov_y=fov, width=9, height=6, orthographic=True)
        return Camera.orbit(distance, elevation, azimuth, fov_y=fov, width=9, height=6).project(
            points
        ), parallel.project(points)

    assert torch.autograd.gradcheck(project, [v.requires_grad_() for v in values])


def test_points_in_and_behind_the_camera_plane_stay_finite(device):
    camera = Camera(torch.eye(4, device=device), intrinsics(device, torch.float32), 60, 40)
    points = torch.tensor([[1.0, 2, 0], [1, 2, -3], [0, 0, 0], [1e4, 1, 1e-30], [1, 1, 5]], device=device)
    points.requires_grad_()
    projected = camera.project(points)
    projected.sum().backward()
    assert projected.isfinite().all()
    assert points.grad is not None
    assert points.grad.isfinite().all()
    torch.testing.assert_close(projected[:, 2], points[:, 2])


def test_points_and_cameras_broadcast(device):
    cameras = Camera.orbit(torch.full((5,), 3.0, device=device), 10.0, 20.0, fov_y=40.0, width=8, height=6)
    assert cameras.batch_shape == (5,)
    assert cameras.intrinsics.shape == (5, 3, 3)
    points = torch.randn(7, 3, device=device)
    assert cameras.project(points).shape == (5, 7, 3)
    assert cameras.project(torch.randn(2, 1, 7, 3, device=device)).shape == (2, 5, 7, 3)
    torch.testing.assert_close(cameras.project(points)[3], cameras[3].project(points))
    assert cameras[1:3].batch_shape == (2,)
    grid = Camera.orbit(
        torch.tensor([2.0, 3.0], device=device)[:, None],
        torch.tensor([10.0, 20.0, 30.0], device=device),
        0.0,
        fov_y=torch.tensor([[30.0], [60.0]], device=device),
        width=8,
        height=6,
    )
    assert grid.batch_shape == (2, 3)
    alone = Camera.orbit(3.0, 20.0, 0.0, fov_y=60.0, width=8, height=6).to(device)
    torch.testing.assert_close(grid[1, 1].project(points), alone.project(points))


def test_resized_scales_pixel_positions(device):
    camera = Camera(
        Camera.orbit(3.0, 5.0, 6.0, fov_y=40.0, width=1, height=1).world_to_camera,
        intrinsics().float(),
        60,
        40,
    )
    camera = camera.to(device)
    points = torch.randn(5, 3, device=device)
    small = camera.resized(30, 80)
    assert (small.width, small.height) == (30, 80)
    scale = torch.tensor([0.5, 2.0], device=device)
    torch.testing.assert_close(small.project(points)[:, :2], camera.project(points)[:, :2] * scale)


def test_copies(device):
    camera = Camera.orbit(torch.tensor(3.0, requires_grad=True), 5.0, 6.0, fov_y=40.0, width=4, height=4).to(
        device
    )
    assert camera.world_to_camera.requires_grad
    assert not camera.detach().world_to_camera.requires_grad
    assert camera.to(torch.float64).dtype == torch.float64
    assert camera.device.type == device.type
    assert camera.replace(near=0.5).near == 0.5


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (
            lambda: Camera(torch.eye(3), torch.eye(3), 4, 4),
            r"world_to_camera must have shape \(\.\.\., 4, 4\), got \(3, 3\)",
        ),
        (lambda: Camera(torch.eye(4), torch.eye(4), 4, 4), r"intrinsics must have shape"),
        (lambda: Camera(torch.eye(4).long(), torch.eye(3), 4, 4), "floating point"),
        (lambda: Camera(torch.eye(4).double(), torch.eye(3), 4, 4), "one dtype"),
        (lambda: Camera(torch.eye(4), torch.eye(3), 0, 4), "at least 1, got 0 x 4"),
        (lambda: Camera(torch.eye(4), torch.eye(3), 4, 4, near=0.0), "near must be positive"),
        (lambda: Camera(torch.eye(4).expand(2, 4, 4), torch.eye(3).expand(3, 3, 3), 4, 4), "must broadcast"),
        (lambda: Camera.look_at((0, 0, 0), fov_y=40.0, width=4, height=4), "different points"),
        (lambda: Camera.look_at((0, 5, 0), fov_y=40.0, width=4, height=4), "up must not lie along"),
        (
            lambda: Camera.look_at((0, 5), fov_y=40.0, width=4, height=4),
            r"eye must have shape \(\.\.\., 3\), got \(2,\)",
        ),
        (
            lambda: Camera.look_at((0, 0, 1), fov_y=180.0, width=4, height=4),
            "between 0 and 180 degrees, got 180",
        ),
        (
            lambda: Camera.orbit(-1.0, 0, 0, fov_y=40.0, width=4, height=4),
            "distance must be positive, got -1",
        ),
        (lambda: Camera(torch.eye(4), torch.eye(3), 4, 4).project(torch.zeros(3)), r"points must have shape"),
        (lambda: Camera(torch.eye(4), torch.eye(3), 4, 4)[0], "no batch dimensions"),
        (
            lambda: Camera(torch.eye(4).expand(2, 4, 4), torch.eye(3), 4, 4).project(torch.zeros(3, 5, 3)),
            "must broadcast against",
        ),
    ],
)
def test_wrong_input_is_refused(build, message):
    with pytest.raises(InputError, match=message):
        build()
