"""A field learns the shape and colours of an ellipsoid from pictures."""

import pytest
import torch

from unrender.fit.field_fit import HALF_SIDE, FieldFit, FieldFitOptions
from unrender.fit.field_rays import RaySampler
from unrender.geometry import icosphere
from unrender.implicit import ExtractOptions, extract_mesh
from unrender.io import Views
from unrender.render import Camera
from unrender.render.turntable import render_antialiased

SIDES = torch.tensor([0.45, 0.3, 0.2])


@pytest.fixture(scope="module")
def views() -> Views:
    ball = icosphere(3)
    mesh = ball.replace(vertices=ball.vertices * SIDES, vertex_colors=(ball.vertices + 1) / 2)
    azimuth, elevation = torch.arange(8) * 45.0, torch.tensor([-20.0, 15.0, 50.0]).repeat(3)[:8]
    cameras = Camera.orbit(2.732, elevation, azimuth, fov_y=26.0, width=40, height=40)
    rgba = torch.cat([render_antialiased(mesh, cameras[i : i + 1], samples=3) for i in range(8)]).clamp(0, 1)
    return Views(rgba[..., :3], rgba[..., 3], cameras, [f"{i}" for i in range(8)])


def test_shape_and_colours_of_an_ellipsoid(views):
    fit = FieldFit(views, FieldFitOptions(steps=80, start_steps=40, rays=512))
    losses: list[float] = []
    fit.run(losses.append)
    assert len(losses) == fit.step == 120
    mesh = extract_mesh(fit.field, ExtractOptions(resolution=32))
    ratio = (mesh.vertices / SIDES).norm(dim=-1)
    assert float(ratio.mean()) == pytest.approx(1, abs=0.03)
    assert float(ratio.std()) < 0.04
    assert mesh.vertex_colors is not None
    wanted = (mesh.vertices / SIDES + 1) / 2
    assert float((mesh.vertex_colors - wanted).abs().mean()) < 0.09  # grey would differ by 0.2


def test_a_fit_goes_on_with_the_same_bits(views):
    options = FieldFitOptions(steps=6, start_steps=2, rays=64)
    whole = FieldFit(views, options)
    whole.run(lambda loss: None)

    class Stop(Exception):
        pass

    half = FieldFit(views, options)

    def stop(loss):
        if half.step == 5:
            raise Stop

    with pytest.raises(Stop):
        half.run(stop)
    other = FieldFit(views, options)
    other.restore(half.state())
    other.run(lambda loss: None)
    for name, value in whole.field.state_dict().items():
        assert torch.equal(value, other.field.state_dict()[name]), name


def test_rays_say_what_their_pixels_do(views):
    fit = FieldFit(views, FieldFitOptions())
    sampler = RaySampler(views, fit.hull, HALF_SIDE)
    rays, targets = sampler.draw(4000, torch.Generator().manual_seed(0))
    assert targets.solid is not None
    # the true ellipsoid, hit by each ray or not
    a, b = rays.directions / SIDES, rays.origins / SIDES
    closest = b - (a * b).sum(-1, keepdim=True) / a.square().sum(-1, keepdim=True) * a
    sure = (closest.norm(dim=-1) - 1).abs() > 0.1  # but for rims
    assert torch.equal((closest.norm(dim=-1) < 1)[sure], targets.inside[sure])
    assert 0.3 < float(targets.inside.float().mean()) < 0.9
    # points of the hull lie in the hull, which is little larger than the convex shape
    points = rays.at(targets.solid)[targets.solid > 0]
    assert float(((points / SIDES).norm(dim=-1) < 1.35).float().mean()) > 0.98
    assert float((targets.solid[targets.inside] > 0).float().mean()) > 0.95
    assert bool((targets.solid[~targets.inside] == 0).all())
