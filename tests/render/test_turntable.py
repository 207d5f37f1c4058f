import importlib
import math

import numpy as np
import pytest
import torch

from unrender.errors import InputError
from unrender.geometry import Mesh, cube, icosphere
from unrender.render import AmbientLight, Camera
from unrender.render.turntable import (
    bounding_ball,
    composite,
    framing_camera,
    headlight,
    render_antialiased,
    resolve_samples,
    studio_light,
    turntable,
)


def square(device, *, size=1.0):
    """A white square in the plane z = 0, facing +Z."""
    half = size / 2
    corners = [[-half, -half, 0.0], [half, -half, 0.0], [half, half, 0.0], [-half, half, 0.0]]
    return Mesh(
        torch.tensor(corners, device=device),
        torch.tensor([[0, 1, 2], [0, 2, 3]], device=device),
        vertex_colors=torch.ones(4, 3, device=device),
    )


def coloured_cube(device):
    mesh = cube(device=device)
    return mesh.replace(uvs=None, uv_faces=None, vertex_colors=mesh.vertices + 0.5)


def from_above(device, *, size, pixels_per_unit):
    """An orthographic camera on +Z in front of the origin, with so many pixels a world unit."""
    fov_y = math.degrees(2 * math.atan(size / pixels_per_unit / 2 / 2))
    two = torch.tensor(2.0, device=device)
    return Camera.orbit(two, 0.0, 0.0, fov_y=fov_y, width=size, height=size, orthographic=True)


def test_bounding_ball_of_a_moved_box(device):
    mesh = cube(size=2.0, device=device)
    offset = torch.tensor([3.0, -1.0, 0.5], device=device)
    centre, radius = bounding_ball(mesh.replace(vertices=mesh.vertices + offset))
    torch.testing.assert_close(centre, offset)
    assert float(radius) == pytest.approx(math.sqrt(3), rel=1e-6)


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_bounding_ball_refuses_vertices_that_are_not_finite(device, bad):
    mesh = cube(device=device)
    vertices = mesh.vertices.clone()
    vertices[3, 1] = bad
    with pytest.raises(InputError, match="finite, got 1 of 8"):
        bounding_ball(mesh.replace(vertices=vertices))


def test_bounding_ball_refuses_a_single_point(device):
    mesh = cube(device=device)
    with pytest.raises(InputError, match="some size"):
        bounding_ball(mesh.replace(vertices=torch.ones_like(mesh.vertices)))


@pytest.mark.parametrize("orthographic", [False, True])
@pytest.mark.parametrize(("width", "height"), [(96, 96), (64, 128), (128, 64)])
@pytest.mark.parametrize("fov_y", [20.0, 100.0])
def test_a_sphere_fills_what_was_asked(device, width, height, fov_y, orthographic):
    ball = icosphere(4, radius=7.0, device=device)
    camera = framing_camera(
        ball, fov_y=fov_y, width=width, height=height, fill=0.8, orthographic=orthographic
    )
    alpha = render_antialiased(ball, camera, samples=2)[..., 3]
    radius = 0.8 * 64 / 2 if 64 in (width, height) else 0.8 * 96 / 2
    assert float(alpha.sum()) == pytest.approx(math.pi * radius**2, rel=6e-3)
    rows, columns = (alpha > 0.5).nonzero(as_tuple=True)
    assert float(rows.float().mean()) + 0.5 == pytest.approx(height / 2, abs=0.05)
    assert float(columns.float().mean()) + 0.5 == pytest.approx(width / 2, abs=0.05)


@pytest.mark.parametrize("scale", [1e-4, 1e5])
def test_framing_does_not_depend_on_the_unit_of_length(device, scale):
    mesh = coloured_cube(device)
    shift = torch.tensor([2.0, 0.0, 0.0], device=device)
    other = mesh.replace(vertices=(mesh.vertices + shift) * scale)
    pictures = [render_antialiased(m, framing_camera(m, width=64, height=64)) for m in (mesh, other)]
    assert float((pictures[0] - pictures[1]).abs().mean()) < 1e-3
    assert float(pictures[0][..., 3].mean()) > 0.2


def test_framing_stands_where_azimuth_and_elevation_say(device):
    mesh = cube(device=device)
    cameras = framing_camera(mesh, elevation=30.0, azimuth=[0.0, 90.0])
    assert cameras.batch_shape == (2,)
    distance = torch.linalg.vector_norm(cameras.center, dim=-1)
    expected = torch.tensor([[0.0, 0.5, math.sqrt(0.75)], [math.sqrt(0.75), 0.5, 0.0]], device=device)
    torch.testing.assert_close(cameras.center / distance[:, None], expected, atol=1e-6, rtol=0)
    assert cameras.near < float(distance[0]) - math.sqrt(0.75)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"fov_y": 180.0}, "fov_y must lie between 0 and 180 degrees, got 180"),
        ({"fill": 0.0}, "fill must be positive, got 0"),
        ({"width": 0}, "width and height must be at least 1, got 0 x 512"),
    ],
)
def test_framing_refuses_impossible_values(device, options, message):
    with pytest.raises(InputError, match=message):
        framing_camera(cube(device=device), **options)


def test_resolve_averages_covered_pixels_alone(device):
    generator = np.random.default_rng(0)
    values, mask = generator.random((2, 6, 9, 3)), generator.random((2, 6, 9)) > 0.6
    mask[0, :3, :3] = False
    expected = np.zeros((2, 2, 3, 4))
    for n, i, j in np.ndindex(2, 2, 3):
        covered = mask[n, 3 * i : 3 * i + 3, 3 * j : 3 * j + 3]
        if covered.any():
            expected[n, i, j, :3] = values[n, 3 * i : 3 * i + 3, 3 * j : 3 * j + 3][covered].mean(0)
        expected[n, i, j, 3] = covered.mean()
    resolved = resolve_samples(torch.tensor(values, device=device), torch.tensor(mask, device=device), 3)
    torch.testing.assert_close(resolved.cpu(), torch.tensor(expected))


def test_resolve_refuses_sizes_that_do_not_divide(device):
    with pytest.raises(InputError, match="divide 9 x 6, got 2"):
        resolve_samples(torch.zeros(6, 9, 3, device=device), torch.ones(6, 9, device=device).bool(), 2)


def test_alpha_is_the_share_of_the_pixel(device):
    # 8 x 8 pixels of 1/4 unit; the square ends in the middle of its outermost pixels.
    camera = from_above(device, size=8, pixels_per_unit=4.0)
    rgba = render_antialiased(square(device, size=1.25), camera, samples=4)
    line = torch.tensor([0.0, 0.5, 1.0, 1.0, 1.0, 1.0, 0.5, 0.0], device=device)
    expected = torch.outer(line, line)
    torch.testing.assert_close(rgba[..., 3], expected)
    covered = expected > 0
    torch.testing.assert_close(rgba[covered][:, :3], torch.ones_like(rgba[covered][:, :3]))
    assert not rgba[~covered].any()


def test_gradients_reach_colours_and_light(device):
    mesh = square(device)
    colors = torch.full((4, 3), 0.5, device=device, requires_grad=True)
    ambient = torch.ones(3, device=device, requires_grad=True)
    camera = from_above(device, size=8, pixels_per_unit=4.0)
    mesh = mesh.replace(vertex_colors=colors)
    rgba = render_antialiased(mesh, camera, AmbientLight(ambient), samples=2)
    composite(rgba, 0.0).sum().backward()
    # Each of the 16 covered pixels is colour times light.
    torch.testing.assert_close(ambient.grad, torch.full((3,), 16 * 0.5, device=device))
    assert colors.grad is not None
    torch.testing.assert_close(colors.grad.sum(0), torch.full((3,), 16.0, device=device))


def test_composite_blends_by_alpha(device):
    rgba = torch.tensor([[[1.0, 0.5, 0.0, 0.25]]], device=device)
    expected = torch.tensor([[[0.25 + 0.75 * 0.2, 0.125 + 0.75 * 0.4, 0.75 * 0.6]]], device=device)
    torch.testing.assert_close(composite(rgba, (0.2, 0.4, 0.6)), expected)


def test_studio_light_keeps_white_below_one_and_moves_with_the_camera(device):
    ball = icosphere(4, device=device)
    cameras = framing_camera(ball, elevation=[0.0, 50.0], azimuth=[0.0, 200.0], width=64, height=64)
    for light in (studio_light, headlight):
        pictures = render_antialiased(ball, cameras, light(cameras), samples=1)
        brightest = float(pictures[..., :3].max())
        assert 0.95 < brightest <= 1.0
        assert float((pictures[0] - pictures[1]).abs().mean()) < 2e-3


def test_studio_light_comes_from_above_on_the_left(device):
    ball = icosphere(4, device=device)
    camera = framing_camera(ball, azimuth=0.0, elevation=0.0, width=64, height=64)
    grey = render_antialiased(ball, camera, studio_light(camera))[..., :3].mean(-1)
    assert float(grey[22, 22]) > float(grey[22, 42]) > float(grey[46, 42]) > 0.3


def test_turntable_turns_the_mesh_in_front_of_a_fixed_camera(device):
    mesh = coloured_cube(device)
    options = {"elevation": 25.0, "width": 48, "height": 40}
    frames = turntable(mesh, frames=3, azimuth=10.0, **options)
    assert frames.shape == (3, 40, 48, 3)
    assert 0 <= float(frames.min()) < float(frames.max()) == 1.0
    for frame, degrees in enumerate((0.0, 120.0, 240.0)):
        angle = math.radians(-degrees)
        cos, sin = math.cos(angle), math.sin(angle)
        about_y = torch.tensor([[cos, 0.0, sin], [0.0, 1.0, 0.0], [-sin, 0.0, cos]], device=device)
        camera = framing_camera(mesh, azimuth=10.0, **options)
        turned = mesh.replace(vertices=mesh.vertices @ about_y.T)
        expected = composite(render_antialiased(turned, camera, studio_light(camera)), 1.0)
        assert float((frames[frame] - expected).abs().mean()) < 1e-3


def test_turntable_does_not_depend_on_the_batches(device, monkeypatch):
    mesh = coloured_cube(device)
    blue = (0.0, 0.5, 1.0)
    together = turntable(mesh, frames=5, width=32, height=32, background=blue)
    monkeypatch.setattr(importlib.import_module("unrender.render.turntable"), "PIXELS_AT_ONCE", 2 * 64 * 64)
    torch.testing.assert_close(turntable(mesh, frames=5, width=32, height=32, background=blue), together)
    torch.testing.assert_close(together[:, 0, 0], torch.tensor([blue], device=device).expand(5, 3))


def test_turntable_takes_lights_in_the_world(device):
    light = AmbientLight(torch.tensor([0.5, 0.25, 0.0], device=device))
    frames = turntable(square(device), frames=2, azimuth=0.0, elevation=0.0, width=16, height=16, light=light)
    torch.testing.assert_close(frames[:, 8, 8], light.color.expand(2, 3))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"frames": 0}, "frames must be at least 1, got 0"),
        ({"samples": 0}, "samples must be at least 1, got 0"),
    ],
)
def test_turntable_refuses_impossible_values(device, options, message):
    with pytest.raises(InputError, match=message):
        turntable(cube(device=device), **options)


def test_turntable_refuses_a_batch(device):
    mesh = cube(device=device)
    with pytest.raises(InputError, match=r"one mesh, got a batch of shape \(2,\)"):
        turntable(mesh.replace(vertices=mesh.vertices.expand(2, 8, 3)))
