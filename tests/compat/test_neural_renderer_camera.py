"""neural_renderer's cameras and light: its published numbers, our own cameras, and each option."""

import math
from typing import Any

import numpy as np
import pytest
import torch

import unrender.compat.neural_renderer as nr
from unrender.errors import InputError
from unrender.geometry import Mesh, icosphere
from unrender.render import Camera, render
from unrender.render.conventions import flip_handedness, from_softras

HALF = math.sqrt(2) / 2


@pytest.mark.parametrize(
    ("eye", "expected"),
    [([1, 0, 1], [-HALF, 0, HALF]), ([0, 0, -10], [1, 0, 10]), ([-1, 1, 0], [0, HALF, 3 * HALF])],
)
def test_published_look_at(device, eye, expected):
    point = torch.tensor([[[1.0, 0, 0]]], device=device)
    moved = nr.look_at(point, np.array(eye, np.float32))
    torch.testing.assert_close(moved[0, 0].cpu(), torch.tensor(expected, dtype=torch.float32))


def test_published_perspective(device):
    moved = nr.perspective(torch.tensor([[[1.0, 2, 10]]], device=device))
    expected = torch.tensor([math.sqrt(3) / 10, math.sqrt(3) / 5, 10])
    torch.testing.assert_close(moved[0, 0].cpu(), expected)


def test_points_from_angles(device):
    assert nr.get_points_from_angles(2, 30, 90) == pytest.approx((math.sqrt(3), 1, 0))
    assert nr.get_points_from_angles(2, 0, 0) == pytest.approx((0, 0, -2))
    angles = torch.tensor([30.0, 60.0], device=device)
    many = nr.get_points_from_angles(torch.tensor([2.0, 3.0], device=device), angles, angles)
    assert isinstance(many, torch.Tensor)
    assert many[1].tolist() == pytest.approx(nr.get_points_from_angles(3, 60, 60))


def odd_projection(dtype=torch.float64):
    intrinsics = torch.tensor([[[900.0, 3, 500], [0, 800, 540], [0, 0, 1]]], dtype=dtype)
    turned = np.linalg.qr(np.random.default_rng(3).normal(size=(3, 3)))[0]
    rotation = torch.from_numpy(turned * np.sign(np.linalg.det(turned))).to(dtype)[None]
    return intrinsics, rotation, torch.tensor([[[0.2, -0.3, 5]]], dtype=dtype)


def test_projection_is_our_camera(device):
    """Row 0 is at the top, and pixel u of a picture of 1000 lies at 2 u / 1000 - 1."""
    K, R, t = (m.to(device) for m in odd_projection())
    points = torch.rand(2, 7, 3, device=device, dtype=torch.float64) - 0.5
    pose = torch.eye(4, device=device, dtype=torch.float64)
    pose[:3, :3], pose[:3, 3] = R[0], t[0, 0]
    camera = Camera(pose, K[0], width=1000, height=1000)
    pixels = camera.project(points)
    moved = nr.projection(points, K, R, t, torch.zeros(1, 5, device=device).double(), 1000)
    torch.testing.assert_close((moved[..., 0] + 1) * 500, pixels[..., 0])
    torch.testing.assert_close((1 - moved[..., 1]) * 500, pixels[..., 1])
    torch.testing.assert_close(moved[..., 2], pixels[..., 2])


def test_distortion(device):
    """At (x, y) = (0.5, -0.2): r² = 0.29, by hand."""
    eye = torch.eye(3, device=device, dtype=torch.float64)[None]
    point = torch.tensor([[[1.0, -0.4, 2.0]]], device=device, dtype=torch.float64)
    coefficients = torch.tensor([[0.1, 0.2, 0.03, 0.04, 0.5]], device=device, dtype=torch.float64)
    radial = 1 + 0.1 * 0.29 + 0.2 * 0.29**2 + 0.5 * 0.29**3
    x = 0.5 * radial + 2 * 0.03 * -0.1 + 0.04 * (0.29 + 0.5)
    y = -0.2 * radial + 0.03 * (0.29 + 0.08) + 2 * 0.04 * -0.1
    moved = nr.projection(point, eye, eye, point.new_zeros(1, 1, 3), coefficients, 2)
    assert moved[0, 0].tolist() == pytest.approx([x - 1, 1 - y, 2])


def test_projection_errors(device):
    points, eye = torch.rand(1, 4, 3, device=device), torch.eye(3, device=device)
    zeros = torch.zeros(1, 5, device=device)
    with pytest.raises(InputError, match=r"K must have shape \(B, 3, 3\), got \(3, 3\)"):
        nr.projection(points, eye, eye[None], zeros[:, :3], zeros, 1)
    with pytest.raises(InputError, match=r"R must have shape \(B, 3, 3\), got \(3, 3\)"):
        nr.projection(points, eye[None], eye, zeros[:, :3], zeros, 1)
    with pytest.raises(InputError, match=r"vertices must have shape \(B, V, 3\), got \(4, 3\)"):
        nr.projection(points[0], eye[None], eye[None], zeros[:, :3], zeros, 1)


def test_vertices_to_faces(device):
    vertices = torch.rand(2, 5, 3, device=device)
    faces = torch.tensor([[[0, 1, 4]], [[3, 2, 1]]], dtype=torch.int32, device=device)
    corners = nr.vertices_to_faces(vertices, faces)
    assert torch.equal(corners[1, 0, 2], vertices[1, 1])
    assert corners.shape == (2, 1, 3, 3)


def test_lighting_by_hand(device):
    """Three faces towards -z, +z and +y, the last of them so small that careless normals vanish."""
    square = torch.tensor([[0.0, 0, 0], [1, 0, 0], [0, 1, 0]], device=device)
    small = 1e-4 * torch.tensor([[0.0, 0, 0], [1, 0, 0], [0, 0, -1]], device=device)
    faces = torch.stack([square, square.flip(0), small.flip(0)])[None]
    textures = torch.rand(1, 3, 2, 2, 2, 3, device=device)
    kept = textures.clone()
    lit = nr.lighting(faces, textures, 0.25, 2.0, (1, 0.5, 0), (0, 1, 1), np.array([0, 0.5, -0.5]))
    assert torch.equal(textures, kept)
    factors = torch.tensor([[0.25, 1.125, 1.0], [0.25, 0.125, 0.0], [0.25, 1.125, 1.0]], device=device)
    torch.testing.assert_close(lit, textures * factors.view(1, 3, 1, 1, 1, 3))
    per_item = nr.lighting(faces.expand(2, -1, -1, -1), textures.expand(2, -1, -1, -1, -1, -1), 1.0, 0.0,
                           torch.tensor([[1.0, 1, 1], [0, 0, 1]]))  # fmt: skip
    torch.testing.assert_close(per_item[1, ..., 2], textures[0, ..., 2])
    assert not per_item[1, ..., :2].any()
    torch.testing.assert_close(per_item[0], textures[0])


# -- the renderer's cameras ----------------------------------------------------------------------------------


@pytest.fixture
def batch(device):
    mesh = icosphere(1, device=device)
    stretched = mesh.vertices * torch.tensor([0.9, 0.5, 0.3], device=device)
    return stretched[None], mesh.faces[None]


def outline(batch, **options):
    renderer = nr.Renderer(image_size=32, anti_aliasing=False, **{"camera_mode": "look_at", **options})
    return renderer(*batch, mode="silhouettes")[0]


def test_picture_is_that_of_our_camera(batch):
    """Through the conversion of their cameras and worlds to ours, and our own renderer."""
    vertices, faces = batch
    renderer = nr.Renderer(image_size=48, anti_aliasing=False, camera_mode="look_at", viewing_angle=20)
    renderer.eye = nr.get_points_from_angles(3.0, 25, 70)
    camera = from_softras(torch.tensor(3.0), 25, 70, half_fov=20, size=48).to(vertices.device)
    ours = render(Mesh(*flip_handedness(vertices[0], faces[0])), camera)
    alpha, depth = (
        renderer(vertices, faces, mode="silhouettes")[0],
        renderer(vertices, faces, mode="depth")[0],
    )
    differing = (alpha > 0) != ours.mask
    assert differing.sum() <= 2  # pixels right on an edge
    both = (alpha > 0) & ours.mask
    assert both.sum() > 200
    torch.testing.assert_close(depth[both], ours.depth[both], rtol=1e-4, atol=1e-4)


def test_default_eye_sees_the_unit_cube(device):
    square = torch.tensor([[[-1.0, -1, -1], [1, -1, -1], [1, 1, -1], [-1, 1, -1]]], device=device)
    faces = torch.tensor([[[0, 1, 2], [0, 2, 3]]], device=device)
    for angle in (30, 10):
        for side in (0.99, 0.96):  # the centres of the outermost of 32 pixels are at 31 / 32
            corners = square * torch.tensor([side, side, 1], device=device)
            alpha = outline((corners, faces), viewing_angle=angle)
            assert bool(alpha[1:-1, 1:-1].all())
            assert bool(alpha.all()) == (side == 0.99)


def test_camera_options_move_the_picture(batch):
    first = outline(batch)
    assert torch.equal(outline(batch, camera_mode="look"), first)
    assert outline(batch, camera_mode="look", camera_direction=[0.3, 0, 1]).argwhere()[:, 1].max() < (
        first.argwhere()[:, 1].max()
    )
    # from 1 / tan + 1 away, the near end of the shape looks larger than without perspective
    assert outline(batch, perspective=False).sum() > 1.5 * first.sum()
    renderer = nr.Renderer(camera_mode="look_at", image_size=32, anti_aliasing=False)
    renderer.viewing_angle = 15
    assert renderer(*batch, mode="silhouettes").sum() > 2 * first.sum()
    renderer.viewing_angle = 30
    renderer.eye = [-2.732, 0, 0]
    assert renderer(*batch, mode="silhouettes").sum() < 0.5 * first.sum()
    renderer.eye = torch.tensor([[0, -2.732, 0.01]])
    turned = renderer(*batch, mode="silhouettes")[0]
    assert turned.any(1).sum() < first.any(1).sum()


def test_projection_camera(batch):
    """K, R, t as numpy at first or as tensors later; each counts, as do dist_coeffs and orig_size."""
    vertices, faces = batch
    K, R, t = (m.float().numpy() for m in odd_projection())
    first = outline(batch, camera_mode="projection", K=K, R=R, t=t, orig_size=1000)
    assert first.mean() > 0.02
    renderer = nr.Renderer(image_size=32, anti_aliasing=False, orig_size=1000)
    given: dict[str, Any] = {"K": torch.from_numpy(K), "R": torch.from_numpy(R), "t": torch.from_numpy(t)}
    assert torch.equal(renderer(*batch, mode="silhouettes", **given)[0], first)
    assert torch.equal(renderer(vertices, faces, None, "silhouettes", K, R, t)[0], first)
    changes = {
        "K": K * [[1.5], [1.5], [1]],
        "R": R[:, [1, 0, 2]] * [[1], [-1], [1]],
        "t": t + np.array([0.5, 0, 0]),
        "dist_coeffs": np.array([[4.0, 0, 0, 0, 0]]),
        "orig_size": 1200,
    }
    for name, value in changes.items():
        other = renderer(*batch, mode="silhouettes", **{**given, name: value})[0]
        assert not torch.equal(other, first), name
        setter = nr.Renderer(
            image_size=32, anti_aliasing=False, **{"K": K, "R": R, "t": t, "orig_size": 1000, name: value}
        )
        assert torch.equal(setter(*batch, mode="silhouettes")[0], other), name
    textures = torch.rand(1, faces.shape[1], 2, 2, 2, 3, device=faces.device)
    for result in (
        renderer(vertices, faces, textures, **given)[2],
        renderer.render(vertices, faces, textures, **given)[2],
    ):
        assert torch.equal(result[0], first)
    assert (renderer.render_depth(*batch, **given)[0] < 100).equal(first > 0)
    assert renderer.render_rgb(vertices, faces, textures, **given)[0].any(0).equal(first > 0)


def test_picture_of_a_projection_camera_is_upright(device):
    """A point below the optical axis (y > 0 in OpenCV) shows in the lower half."""
    corners = torch.tensor([[[-1.0, 0.5, 4], [1, 0.5, 4], [0, 1, 4]]], device=device)
    faces = torch.tensor([[[0, 1, 2]]], device=device)
    eye = torch.eye(3)[None]
    K = torch.tensor([[[100.0, 0, 50], [0, 100, 50], [0, 0, 1]]])
    alpha = outline(
        (corners, faces), camera_mode="projection", K=K, R=eye, t=torch.zeros(1, 1, 3), orig_size=100
    )
    assert alpha[16:].any()
    assert not alpha[:16].any()
