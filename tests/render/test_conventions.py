"""Each converter against the other program's own projection formula, written out from its documentation."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from unrender.errors import InputError
from unrender.render import conventions
from unrender.render.camera import Camera
from unrender.render.quaternion import quaternion_from_rotation, rotation_from_quaternion

WIDTH, HEIGHT = 60, 40
POINTS = np.array([[0.3, -0.2, 0.1], [-0.4, 0.5, 0.2], [0.1, 0.1, -0.6], [0.0, 0.0, 0.0]])


def camera(*, centred=False, square=False, batch=None):
    """An arbitrary camera in float64; off centre and with different focal lengths unless asked."""
    azimuth = torch.linspace(35, 200, batch or 1, dtype=torch.float64)
    azimuth = azimuth if batch else azimuth[0]
    width, height = (WIDTH, WIDTH) if square else (WIDTH, HEIGHT)
    base = Camera.orbit(2.5, 20.0, azimuth, fov_y=50.0, width=width, height=height)
    if centred:
        return base
    k = torch.tensor([[70.0, 0.0, 27.5], [0.0, 66.0, 22.25], [0.0, 0.0, 1.0]], dtype=torch.float64)
    return Camera(base.world_to_camera, k, width, height)


def ndc_to_pixel(x, y, width=WIDTH, height=HEIGHT):
    """NDC in [-1, 1] with y up, as OpenGL and Kaolin have it: column c has its centre at (2c + 1 - W) / W."""
    column, row = (x * width + width - 1) / 2, (height - 1 - y * height) / 2
    return np.stack((column + 0.5, row + 0.5), axis=-1)  # our centre of (row, column) is + 0.5


def assert_pixels(cam, points, expected, atol=1e-9):
    pixels = cam.to(torch.float64).project(torch.from_numpy(points))[..., :2].numpy()
    np.testing.assert_allclose(pixels, expected, rtol=0, atol=atol)


def assert_same(a, b, atol=1e-9):
    assert (a.width, a.height, a.orthographic) == (b.width, b.height, b.orthographic)
    torch.testing.assert_close(a.world_to_camera, b.world_to_camera, rtol=0, atol=atol)
    torch.testing.assert_close(a.intrinsics, b.intrinsics, rtol=0, atol=atol * 100)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.floats(-1, 1), min_size=4, max_size=4).filter(lambda q: np.linalg.norm(q) > 0.1))
def test_quaternions_agree_with_scipy(wxyz):
    rotation = Rotation.from_quat(np.roll(wxyz, -1)).as_matrix()
    ours = rotation_from_quaternion(torch.tensor(wxyz, dtype=torch.float64))
    np.testing.assert_allclose(ours, rotation, atol=1e-12)
    back = rotation_from_quaternion(quaternion_from_rotation(torch.from_numpy(rotation)))
    np.testing.assert_allclose(back, rotation, atol=1e-12)


def test_quaternion_gradients():
    # One rotation for each of the four branches: near the identity and by half turns about x, y and z.
    for axis in ([0.1, 0.2, 0.3], [3.1, 0.1, 0], [0.1, 3.1, 0], [0, 0.1, 3.1]):
        rotation = torch.from_numpy(Rotation.from_rotvec(axis).as_matrix()).requires_grad_()
        assert torch.autograd.gradcheck(quaternion_from_rotation, rotation)
        quaternion = quaternion_from_rotation(rotation.detach()).requires_grad_()
        assert torch.autograd.gradcheck(rotation_from_quaternion, quaternion)


def test_opengl_looks_along_minus_z_with_y_up():
    cam = camera(centred=True)
    pose = conventions.to_opengl(cam).numpy()
    x, y, z, _ = np.linalg.inv(pose) @ np.vstack((POINTS.T, np.ones(len(POINTS))))
    focal = 1 / math.tan(math.radians(25))  # gluPerspective(50 degrees, aspect)
    assert_pixels(cam, POINTS, ndc_to_pixel(focal * HEIGHT / WIDTH * x / -z, focal * y / -z), atol=1e-5)
    np.testing.assert_allclose(pose[:3, 3], cam.center, atol=1e-12)
    batch = camera(batch=3)
    again = conventions.from_opengl(
        conventions.to_opengl(batch), batch.intrinsics, width=WIDTH, height=HEIGHT
    )
    assert_same(again, batch)


def test_colmap_pixels():
    wxyz, t = np.array([0.8, -0.3, 0.4, 0.2]), np.array([0.1, -0.2, 3.0])
    fx, fy, cx, cy = 71.0, 64.0, 31.5, 18.0
    cam = conventions.from_colmap(
        torch.from_numpy(wxyz),
        torch.from_numpy(t),
        torch.tensor([fx, fy, cx, cy]).double(),
        width=WIDTH,
        height=HEIGHT,
    )
    # COLMAP's WorldToCam, then u = f X / Z + c; its upper left pixel has the centre (0.5, 0.5), as ours.
    x, y, z = (Rotation.from_quat(np.roll(wxyz, -1)).apply(POINTS) + t).T
    assert_pixels(cam, POINTS, np.stack((fx * x / z + cx, fy * y / z + cy), axis=-1))
    quaternion, translation, params = conventions.to_colmap(cam)
    np.testing.assert_allclose(quaternion, wxyz / np.linalg.norm(wxyz), atol=1e-12)
    np.testing.assert_allclose(translation, t)
    np.testing.assert_allclose(params, [fx, fy, cx, cy])


@pytest.mark.parametrize(
    ("model", "params", "message"),
    [
        ("SIMPLE_PINHOLE", [50.0, 30, 20], None),
        ("SIMPLE_RADIAL", [50.0, 30, 20, 0], None),
        ("SIMPLE_RADIAL", [50.0, 30, 20, 0.01], "lens distortion"),
        ("OPENCV", [50.0, 50, 30, 20, 0, 0, 0, 1e-3], "lens distortion"),
        ("OPENCV", [50.0, 50, 30, 20, 0, 0, 0, 0], None),
        ("PINHOLE", [50.0, 30, 20], r"params of PINHOLE must have shape \(\.\.\., 4\), got \(3,\)"),
        ("OPENCV_FISHEYE", [50.0, 50, 30, 20, 0, 0, 0, 0], "got OPENCV_FISHEYE"),
    ],
)
def test_colmap_models(model, params, message):
    pose = torch.tensor([1.0, 0, 0, 0]), torch.zeros(3), torch.tensor(params)
    if message:
        with pytest.raises(InputError, match=message):
            conventions.from_colmap(*pose, model=model, width=WIDTH, height=HEIGHT)
    else:
        k = conventions.from_colmap(*pose, model=model, width=WIDTH, height=HEIGHT).intrinsics
        assert k.tolist() == [[50, 0, 30], [0, 50, 20], [0, 0, 1]]


@pytest.mark.parametrize(("width", "height"), [(WIDTH, HEIGHT), (HEIGHT, WIDTH)])
def test_pytorch3d_ndc_pixels(width, height):
    rotation = Rotation.from_euler("xyz", [20, 30, 40], degrees=True).as_matrix()
    t = np.array([0.1, -0.2, 3.0])
    focal, point = np.array([1.9, 2.1]), np.array([0.15, -0.1])
    x, y, z = (POINTS @ rotation + t).T
    ndc = np.stack((focal[0] * x / z + point[0], focal[1] * y / z + point[1]), axis=-1)
    # PyTorch3D's rasteriser: the pixel in column c has the NDC x = range - (2c + 1) range / W, +x to the
    # left, where range is the aspect ratio for the longer side and 1 for the shorter; rows alike, +y up.
    span = np.array([width, height]) / min(width, height)
    pixel = ((span - ndc) * np.array([width, height]) / span - 1) / 2
    arguments = [torch.from_numpy(a) for a in (rotation, t, focal, point)]
    cam = conventions.from_pytorch3d(*arguments, width=width, height=height)
    assert_pixels(cam, POINTS, pixel + 0.5)
    back = conventions.to_pytorch3d(cam)
    for value, expected in zip(back.values(), arguments, strict=True):
        torch.testing.assert_close(value, expected)
    assert list(back) == ["R", "T", "focal_length", "principal_point"]


def test_pytorch3d_screen_space_and_orthographic():
    rotation, t = torch.eye(3, dtype=torch.float64), torch.tensor([0.0, 0.0, 3.0], dtype=torch.float64)
    x, y, z = (POINTS + t.numpy()).T
    screen = conventions.from_pytorch3d(
        rotation, t, 50.0, (33.0, 21.0), width=WIDTH, height=HEIGHT, in_ndc=False
    )
    assert_pixels(screen, POINTS, np.stack((33 - 50 * x / z, 21 - 50 * y / z), axis=-1))
    parallel = conventions.from_pytorch3d(rotation, t, 0.5, width=WIDTH, height=HEIGHT, orthographic=True)
    # On the shorter side, of 40 pixels, an NDC unit is 20 pixels.
    assert_pixels(parallel, POINTS, np.stack((30 - 20 * 0.5 * x, 20 - 20 * 0.5 * y), axis=-1))
    again = conventions.from_pytorch3d(
        *conventions.to_pytorch3d(parallel).values(), width=WIDTH, height=HEIGHT, orthographic=True
    )
    assert_same(again, parallel)


def test_kaolin_pixels():
    eye, fov = np.array([1.0, 0.8, 2.0]), math.radians(50)
    back = eye / np.linalg.norm(eye)
    right = np.cross([0, 1, 0], back) / np.linalg.norm(np.cross([0, 1, 0], back))
    axes = np.stack((right, np.cross(back, right), back))
    transform = np.vstack((axes.T, -eye @ axes.T))
    projection = np.array([[1 / (WIDTH / HEIGHT * math.tan(fov / 2))], [1 / math.tan(fov / 2)], [-1.0]])
    scaled = (np.hstack((POINTS, np.ones((len(POINTS), 1)))) @ transform) * projection[:, 0]
    expected = ndc_to_pixel(*(scaled[:, :2] / scaled[:, 2:]).T)
    cam = conventions.from_kaolin(
        torch.from_numpy(transform), torch.from_numpy(projection), width=WIDTH, height=HEIGHT
    )
    assert_pixels(cam, POINTS, expected)
    back_transform, back_projection = conventions.to_kaolin(cam)
    np.testing.assert_allclose(back_transform, transform, atol=1e-12)
    np.testing.assert_allclose(back_projection, projection, atol=1e-12)
    batch = camera(centred=True, batch=3)
    assert_same(conventions.from_kaolin(*conventions.to_kaolin(batch), width=WIDTH, height=HEIGHT), batch)
    with pytest.raises(InputError, match="Kaolin camera is centred"):
        conventions.to_kaolin(camera())


def softras_pixels(points, distance, elevation, azimuth, half_fov, size):
    """``get_points_from_angles``, ``look_at``, ``perspective`` and the pixel grid, in their frame."""
    e, a = math.radians(elevation), math.radians(azimuth)
    eye = distance * np.array([math.cos(e) * math.sin(a), math.sin(e), -math.cos(e) * math.cos(a)])
    z = -eye / np.linalg.norm(eye)
    x = np.cross([0, 1, 0], z) / np.linalg.norm(np.cross([0, 1, 0], z))
    y = np.cross(z, x) / np.linalg.norm(np.cross(z, x))
    x, y, z = ((points - eye) @ np.stack((x, y, z)).T).T
    width = math.tan(math.radians(half_fov))
    ndc = np.stack((x / z / width, y / z / width), axis=-1)
    # xp = (2 xi + 1 - S) / S, yp likewise from the bottom; the picture is flipped to have row 0 on top.
    column, row = (ndc[:, 0] * size + size - 1) / 2, size - 1 - (ndc[:, 1] * size + size - 1) / 2
    return np.stack((column + 0.5, row + 0.5), axis=-1), z, ndc


def signed_volume(vertices, faces):
    return np.linalg.det(vertices[faces]).sum() / 6


@pytest.mark.parametrize(("elevation", "azimuth"), [(30.0, -15.0), (-60.0, 200.0), (0.0, 0.0), (10.0, 90.0)])
def test_softras_pictures_are_those_of_the_mirrored_mesh(elevation, azimuth):
    # A tetrahedron with four different edges from one corner: no mirror symmetry.
    vertices = np.array([[0.0, 0, 0], [0.5, 0.1, 0], [0, 0.3, 0.1], [-0.1, 0.0, 0.4]])
    faces = np.array([[0, 2, 1], [0, 1, 3], [0, 3, 2], [1, 2, 3]])
    assert signed_volume(vertices, faces) > 0
    pixels, depth, ndc = softras_pixels(vertices, 2.732, elevation, azimuth, 15.0, 64)
    cam = conventions.from_softras(2.732, elevation, azimuth, half_fov=15.0, size=64).to(torch.float64)
    ours, our_faces = conventions.flip_handedness(torch.from_numpy(vertices), torch.from_numpy(faces))
    assert_pixels(cam, ours.numpy(), pixels, atol=1e-4)
    torch.testing.assert_close(cam.project(ours)[:, 2], torch.from_numpy(depth), rtol=0, atol=1e-6)
    # Outside stays outside, and so a face fronts the camera in our picture where it fronts theirs, in which
    # front faces run clockwise (y up) because it is mirrored.
    assert signed_volume(ours.numpy(), our_faces.numpy()) > 0
    eye = cam.center.numpy()
    for theirs, face in zip(faces, our_faces.numpy(), strict=True):
        a, b, c = ours.numpy()[face]
        fronts = np.dot(np.cross(b - a, c - a), eye - a) > 0
        p, q, r = ndc[theirs]
        assert (np.linalg.det(np.stack((q - p, r - p))) < 0) == fronts
    # Without the mirroring no rotation fits: the unflipped mesh lands elsewhere.
    assert np.abs(cam.project(torch.from_numpy(vertices))[:, :2].numpy() - pixels).max() > 1
    again = conventions.flip_handedness(ours, our_faces)
    np.testing.assert_array_equal(again[0], vertices)
    np.testing.assert_array_equal(again[1], faces)


def test_softras_round_trip():
    elevation, azimuth = torch.tensor([30.0, -60, 0, 90]).double(), torch.tensor([-15.0, 100, 0, 40]).double()
    cam = conventions.from_softras(2.732, elevation, azimuth, half_fov=15.0, size=64)
    distance, e, a, half = conventions.to_softras(cam)
    torch.testing.assert_close(distance, torch.full_like(distance, 2.732))
    torch.testing.assert_close(e, elevation)
    torch.testing.assert_close(a, azimuth)
    torch.testing.assert_close(half, torch.full_like(half, 15.0))


@pytest.mark.parametrize(
    ("cam", "message"),
    [
        (camera(), "is centred"),
        (camera(centred=True), "square picture"),
        (Camera.look_at((0, 1, 2), (0, 0.5, 0), fov_y=30.0, width=8, height=8), "looks at the origin"),
        (Camera.look_at((0, 1, 2), up=(1, 1, 0), fov_y=30.0, width=8, height=8), "upright"),
        (Camera.orbit(2.0, 0, 0, fov_y=30.0, width=8, height=8, orthographic=True), "orthographic"),
    ],
)
def test_cameras_that_softras_cannot_express(cam, message):
    with pytest.raises(InputError, match=message):
        conventions.to_softras(cam)


def dvr_pixels(points, camera_mat, world_mat, scale_mat):
    p = camera_mat @ world_mat @ scale_mat @ np.vstack((points.T, np.ones(len(points))))
    x, y = p[:2] / p[2]  # in [-1, 1], (-1, -1) at the upper left: grid_sample's grid, align_corners=False
    return np.stack((((x + 1) * WIDTH - 1) / 2 + 0.5, ((y + 1) * HEIGHT - 1) / 2 + 0.5), axis=-1)


@pytest.mark.parametrize("world_scale", [1.0, 3.7])
def test_dvr_pixels_with_dtu_style_matrices(world_scale):
    camera_mat = np.array([[2.9, 0.02, 0.1, 0], [0, 3.6, -0.05, 0], [0, 0, 1, 0], [0, 0, 0, 1.0]])
    world_mat = np.eye(4)
    world_mat[:3, :3] = world_scale * Rotation.from_euler("xyz", [20, 130, -40], degrees=True).as_matrix()
    world_mat[:3, 3] = [10.0, -20.0, 600.0]
    scale_mat = np.diag([150.0, 150, 150, 1])
    scale_mat[:3, 3] = [5.0, -8.0, 20.0]
    expected = dvr_pixels(POINTS, camera_mat, world_mat, scale_mat)
    matrices = [torch.from_numpy(m) for m in (world_mat, camera_mat, scale_mat)]
    cam = conventions.from_dvr(*matrices, width=WIDTH, height=HEIGHT)
    assert_pixels(cam, POINTS, expected, atol=1e-7)
    rotation = cam.world_to_camera[:3, :3]
    torch.testing.assert_close(rotation @ rotation.mT, torch.eye(3, dtype=torch.float64))
    depth = (world_mat @ scale_mat @ np.vstack((POINTS.T, np.ones(len(POINTS)))))[2] / (150 * world_scale)
    np.testing.assert_allclose(cam.project(torch.from_numpy(POINTS))[:, 2], depth)
    assert_same(conventions.from_dvr(matrices[0][:3], *matrices[1:], width=WIDTH, height=HEIGHT), cam)


def test_dvr_round_trip_and_mirrored_world():
    batch = camera(batch=3)
    world_mat, camera_mat = conventions.to_dvr(batch)
    assert_same(conventions.from_dvr(world_mat, camera_mat, width=WIDTH, height=HEIGHT), batch)
    mirrored = world_mat[0].numpy() @ np.diag([-1.0, 1, 1, 1])
    cam = conventions.from_dvr(torch.from_numpy(mirrored), camera_mat[0], width=WIDTH, height=HEIGHT)
    flipped = conventions.flip_handedness(torch.from_numpy(POINTS), torch.zeros(1, 3, dtype=torch.int64))[0]
    assert_pixels(cam, flipped.numpy(), dvr_pixels(POINTS, camera_mat[0].numpy(), mirrored, np.eye(4)))
    mixed = torch.stack((world_mat[0], torch.from_numpy(mirrored)))
    with pytest.raises(InputError, match="one handedness"):
        conventions.from_dvr(mixed, camera_mat[:2], width=WIDTH, height=HEIGHT)


def test_gradients_reach_the_matrices():
    world_mat, camera_mat = (m.detach().clone().requires_grad_() for m in conventions.to_dvr(camera()))
    pose = conventions.to_opengl(camera()).requires_grad_()
    points = torch.from_numpy(POINTS)
    conventions.from_dvr(world_mat, camera_mat, width=WIDTH, height=HEIGHT).project(points).sum().backward()
    conventions.from_opengl(pose, camera().intrinsics, width=WIDTH, height=HEIGHT).project(
        points
    ).sum().backward()
    for matrix in (world_mat, camera_mat, pose):
        assert matrix.grad is not None
        assert matrix.grad.isfinite().all()
        assert matrix.grad.abs().sum() > 0


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (
            lambda k: conventions.from_opengl(torch.diag(torch.tensor([2.0, 2, 2, 1])), k, width=4, height=4),
            "camera_to_world must be a rotation with a translation",
        ),
        (
            lambda k: conventions.from_opengl(
                torch.diag(torch.tensor([-1.0, 1, 1, 1])), k, width=4, height=4
            ),
            "scales, shears or mirrors",
        ),
        (
            lambda k: conventions.from_dvr(
                torch.diag(torch.tensor([1.0, 2, 1, 1])), torch.eye(4), width=4, height=4
            ),
            "up to its scale",
        ),
        (lambda k: conventions.from_dvr(torch.eye(4), k, width=4, height=4), r"camera_mat must have shape"),
        (lambda k: conventions.from_dvr(torch.eye(4), 2 * torch.eye(4), width=4, height=4), "third row"),
        (
            lambda k: conventions.from_kaolin(torch.eye(4), torch.ones(3, 1), width=4, height=4),
            r"\(\.\.\., 4, 3\)",
        ),
        (
            lambda k: conventions.from_pytorch3d(
                torch.eye(3), torch.zeros(3), torch.ones(3), width=4, height=4
            ),
            "focal",
        ),
        (
            lambda k: conventions.from_colmap(torch.ones(3), torch.zeros(3), k, width=4, height=4),
            "quaternion",
        ),
        (
            lambda k: conventions.to_colmap(
                Camera(torch.eye(4), k + torch.tensor([[0.0, 1, 0], [0, 0, 0], [0, 0, 0]]), 4, 4)
            ),
            "no skew",
        ),
    ],
)
def test_wrong_input_is_refused(build, message):
    with pytest.raises(InputError, match=message):
        build(torch.eye(3))
