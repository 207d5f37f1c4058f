"""The analytic gradient of the surface, against closed forms and finite differences in float64."""

import pytest
import torch
from fields import Ball
from test_cast import ball_depth, camera

from unrender.implicit import CastOptions, OccupancyField, cast, outward_normals, render_field, surface_depth
from unrender.implicit.field import ResidualBlock
from unrender.render import Camera
from unrender.render.rays import Rays, pixel_rays


def hit_depths(field, rays):
    return surface_depth(field, rays, cast(field, rays, CastOptions(steps=60)))


def test_gradient_to_the_field_and_the_rays_of_a_ball():
    radius = torch.tensor(0.4, dtype=torch.float64, requires_grad=True)
    center = torch.zeros(3, dtype=torch.float64, requires_grad=True)
    rays = pixel_rays(camera(12)).detach()
    hit = cast(Ball(), rays).hit
    rays = Rays(rays.origins[hit].requires_grad_(), rays.directions[hit].requires_grad_())
    found = hit_depths(Ball(radius, center), rays)
    weights = torch.randn(len(found), dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    ours = torch.autograd.grad((weights * found).sum(), (radius, center, *rays))
    # the closed form, through autograd
    moved = Rays(rays.origins - center, rays.directions)
    expected = ball_depth(moved, radius)  # type: ignore[arg-type]
    theirs = torch.autograd.grad((weights * expected).sum(), (radius, center, *rays))
    for one, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-6, atol=1e-8)


def test_gradient_to_network_latent_and_camera_by_finite_differences():
    torch.manual_seed(0)
    network = OccupancyField(latent=4, hidden=16, blocks=2, radius=0.45).double()
    torch.nn.init.normal_(network.last.weight, std=0.02)
    for block in network.blocks:
        assert isinstance(block, ResidualBlock)
        torch.nn.init.normal_(block.second.weight, std=0.3)
    latent = torch.randn(4, dtype=torch.float64, requires_grad=True)
    view = camera(16)
    pose, intrinsics = view.world_to_camera.clone().requires_grad_(), view.intrinsics.clone().requires_grad_()

    def depths():
        rays = pixel_rays(Camera(pose, intrinsics, 16, 16))
        return hit_depths(lambda p: network(p, latent), rays)

    found = depths()
    assert len(found) > 10
    weights = torch.randn(len(found), dtype=torch.float64)
    last_block = network.blocks[1]
    assert isinstance(last_block, ResidualBlock)
    weight = last_block.first.weight
    values = (latent, pose, intrinsics, weight)
    gradients = torch.autograd.grad((weights * found).sum(), values)
    for value, gradient in zip(values, gradients, strict=True):
        direction = torch.randn_like(value)
        if value is pose:
            direction[3] = 0
        if value is intrinsics:
            direction[2], direction[1, 0] = 0, 0
        step = 1e-7  # small, because the network has kinks
        with torch.no_grad():
            sides = []
            for sign in (1, -1):
                value.add_(sign * step * direction)
                sides.append((weights * depths()).sum())
                value.sub_(sign * step * direction)
        expected = (sides[0] - sides[1]) / (2 * step)
        assert float((gradient * direction).sum()) == pytest.approx(float(expected), rel=1e-3)


def test_grazing_rays_have_bounded_gradients():
    radius = torch.tensor(0.4, dtype=torch.float64, requires_grad=True)
    offsets = 0.4 - torch.logspace(-12, -2, 30, dtype=torch.float64)
    origins = torch.stack([offsets, torch.zeros_like(offsets), torch.full_like(offsets, 2.0)], -1)
    rays = Rays(origins, torch.tensor([0.0, 0, -1], dtype=torch.float64).expand_as(origins))
    (gradient,) = torch.autograd.grad(hit_depths(Ball(radius), rays).sum(), radius)
    assert bool(gradient.isfinite())
    assert float(gradient.abs()) < 30 * 10 / 1e-3


def test_normals():
    points = torch.randn(50, 3, dtype=torch.float64)
    expected = points / points.norm(dim=-1, keepdim=True)
    torch.testing.assert_close(outward_normals(Ball(), points), expected)
    torch.testing.assert_close(outward_normals(Ball(), points, step=1e-4), expected, atol=1e-6, rtol=0)


def test_picture_of_a_ball():
    view = camera(32)
    picture = render_field(Ball(), view, background=1.0)
    rays = pixel_rays(view)
    expected = ball_depth(rays, 0.4)
    both = picture.mask & ~expected.isnan()
    torch.testing.assert_close(picture.depth[both], expected[both], atol=1e-8, rtol=0)
    points = rays.at(expected)[both]
    torch.testing.assert_close(picture.rgb[both], (points + 1) / 2, atol=1e-8, rtol=0)
    torch.testing.assert_close(picture.world_normals[both], points / 0.4, atol=1e-7, rtol=0)
    assert torch.equal(picture.alpha > 0, picture.mask)
    assert bool((picture.rgb[~picture.mask] == 1).all())
    assert bool((picture.depth[~picture.mask] == 0).all())
    assert bool((picture.camera_normals[..., 2] <= 1e-9).all())  # towards the camera
    assert picture.rgba.shape == (32, 32, 4)


def test_colours_teach_the_shape():
    """The colour of a point depends on its place, so the picture's colours have a gradient to the radius."""
    radius = torch.tensor(0.4, dtype=torch.float64, requires_grad=True)
    view = camera(16)
    picture = render_field(Ball(radius), view)
    (gradient,) = torch.autograd.grad(picture.rgb.sum(), radius)
    step = 1e-6
    mask = picture.mask
    sides = [
        (pixel_rays(view).at(ball_depth(pixel_rays(view), 0.4 + s * step))[mask] + 1).sum() / 2
        for s in (1, -1)
    ]
    assert float(gradient) == pytest.approx(float((sides[0] - sides[1]) / (2 * step)), rel=1e-4)


def test_pictures_without_a_surface_are_empty():
    far = render_field(Ball(0.01, torch.tensor([5.0, 0, 0])), camera(8).to(torch.float32), background=0.5)
    assert not far.mask.any()
    assert bool((far.rgb == 0.5).all())
    assert bool((far.world_normals == 0).all())
    assert bool((far.depth == 0).all())
