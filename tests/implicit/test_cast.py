import math

import pytest
import torch
from fields import Ball, constant, shells

from unrender.errors import InputError
from unrender.implicit import CastOptions, GridField, OccupiedSpace, cast, render_field
from unrender.render import Camera
from unrender.render.rays import Rays, cube_span, pixel_rays


def camera(size: int = 24, **options) -> Camera:
    return Camera.orbit(2.732, 25.0, 40.0, fov_y=30.0, width=size, height=size, **options).to(torch.float64)


def ball_depth(rays: Rays, radius: float) -> torch.Tensor:
    """Where rays enter a ball about the origin; NaN where they miss."""
    a = rays.directions.square().sum(-1)
    b = (rays.origins * rays.directions).sum(-1)
    c = rays.origins.square().sum(-1) - radius**2
    root = b.square() - a * c
    return torch.where(root > 0, (-b - root.clamp(min=0).sqrt()) / a, torch.nan)


@pytest.mark.parametrize("refinement", ["secant", "bisection"])
@pytest.mark.parametrize("orthographic", [False, True])
def test_depth_of_a_ball(refinement, orthographic):
    rays = pixel_rays(camera(orthographic=orthographic))
    hits = cast(Ball(), rays, CastOptions(samples=40, refinement=refinement))
    expected = ball_depth(rays, 0.4)
    # a ray that cuts less than a sample's distance from the ball may be missed
    missed = hits.hit != ~expected.isnan()
    assert float(missed.float().mean()) < 0.03
    both = hits.hit & ~expected.isnan()
    assert int(both.sum()) > 50
    bound = 1e-7 if refinement == "secant" else 1.1 / 40 / 2**8
    assert float((hits.depth - expected)[both].abs().max()) < bound
    assert not hits.inside.any()
    assert float(hits.depth[~hits.hit].abs().max()) == 0


def test_depth_is_that_of_the_first_surface():
    rays = pixel_rays(camera())
    hits = cast(shells, rays, CastOptions(samples=128))
    expected = ball_depth(rays, 0.46)
    both = hits.hit & ~expected.isnan()
    assert float((hits.depth - expected)[both].abs().max()) < 1e-6


def test_rays_that_begin_inside_and_rays_that_miss():
    origins = torch.tensor([[0.0, 0, 0], [0.0, 0, 3], [0.0, 2, 3], [0.0, 0, -3]], dtype=torch.float64)
    directions = torch.tensor([[0.0, 0, -1]] * 4, dtype=torch.float64)
    hits = cast(Ball(), Rays(origins, directions))
    assert hits.inside.tolist() == [True, False, False, False]
    assert hits.hit.tolist() == [False, True, False, False]  # the last looks away
    assert hits.depth[1].item() == pytest.approx(2.6)
    full = cast(constant(5.0), Rays(origins, directions))
    assert full.inside.tolist() == [True, True, False, False]
    assert not full.hit.any()
    empty = cast(constant(-5.0), Rays(origins, directions))
    assert not (empty.hit | empty.inside).any()


def test_rays_of_a_broken_field():
    with pytest.raises(InputError, match="finite logits, got NaN or infinity"):
        cast(constant(math.nan), pixel_rays(camera()))


def test_cube_span():
    rays = Rays(torch.tensor([[0.0, 0, 2], [0.0, 3, 2]]), torch.tensor([[0.0, 0, -2], [0.0, 0, -1]]))
    start, end = cube_span(rays, 0.5)
    assert start[0].item() == pytest.approx(0.75)
    assert end[0].item() == pytest.approx(1.25)
    assert start[1] == end[1]


def test_rays_go_through_pixel_centres():
    view = camera(7)
    rays = pixel_rays(view)
    depth = 1.3 + torch.rand(7, 7, dtype=torch.float64)
    found = view.project(rays.at(depth).reshape(-1, 3)).reshape(7, 7, 3)
    assert torch.allclose(found[..., 2], depth)
    assert torch.allclose(found[2, 5, :2], torch.tensor([5.5, 2.5], dtype=torch.float64))
    some = torch.tensor([[5.5, 2.5], [1.25, 6.0]], dtype=torch.float64)
    assert torch.allclose(pixel_rays(view, some).directions[0], rays.directions[2, 5])
    onto = view.project(pixel_rays(view, some).at(torch.ones(2, dtype=torch.float64)))
    assert torch.allclose(onto[:, :2], some)


def test_empty_space_changes_no_hit_and_saves_most_of_the_work():
    torch.manual_seed(0)
    field = GridField()
    rays = pixel_rays(camera(40)).detach()
    rays = Rays(rays.origins.float(), rays.directions.float())
    options = CastOptions(samples=128)
    dense = cast(field, rays, options)
    space = OccupiedSpace(0.55)
    space.refresh(field)
    sparse = cast(field, rays, options, space=space)
    assert torch.equal(sparse.hit, dense.hit)
    assert torch.allclose(sparse.depth, dense.depth, atol=1e-5)
    assert dense.evaluations > 4 * sparse.evaluations


def test_a_field_in_single_precision_meets_rays_in_double():
    torch.manual_seed(0)
    field = GridField()
    rays = pixel_rays(camera(12)).detach()
    assert rays.origins.dtype == torch.float64

    def single(points):
        return field(points.float())

    hits = cast(single, rays)
    again = cast(single, Rays(rays.origins.float(), rays.directions.float()))
    assert hits.depth.dtype == torch.float64
    assert int((hits.hit != again.hit).sum()) <= 1  # a ray may graze the surface
    both = hits.hit & again.hit
    torch.testing.assert_close(hits.depth[both], again.depth[both].double(), rtol=0, atol=1e-5)
    picture = render_field(single, camera(12))
    torch.testing.assert_close(picture.depth[hits.hit], hits.depth[hits.hit])


def test_empty_space_is_where_the_field_says():
    space = OccupiedSpace(0.5, resolution=16, margin=0.0)
    asked = space.refresh(Ball(0.3))
    assert asked == 32**3
    points = 1.2 * (torch.rand(4000, 3) - 0.5)
    length = points.norm(dim=-1)
    may = space.may_be_occupied(points)
    assert may[length < 0.3].all()
    assert not may[length > 0.3 + 2.5 * math.sqrt(3) / 16].any()
    assert not may[(points.abs() > 0.5).any(-1)].any()


@pytest.mark.parametrize(
    ("options", "message"),
    [({"samples": 1}, "samples"), ({"half_side": 0.0}, "half_side"), ({"steps": -1}, "steps")],
)
def test_options_out_of_range(options, message):
    with pytest.raises(InputError, match=message):
        CastOptions(**options)
    with pytest.raises(InputError, match="secant or bisection"):
        CastOptions(refinement="newton")  # type: ignore[arg-type]
