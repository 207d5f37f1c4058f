"""A field learns the shape and colours of an ellipsoid from pictures."""

import dataclasses

import pytest
import torch
import trimesh

from unrender.errors import InputError
from unrender.fit.field_fit import HALF_SIDE, FieldFit, FieldFitOptions
from unrender.fit.field_rays import RaySampler
from unrender.geometry import Mesh, icosphere
from unrender.implicit import CastOptions, ExtractOptions, cast, extract_mesh
from unrender.io import Views
from unrender.render import Camera, render
from unrender.render.rays import Rays, pixel_rays
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


def box_with_pit() -> Mesh:
    """A box of sides 0.7, 0.5 and 0.7, with a pit of 0.5 by 0.5 from its upper side to the middle."""
    outer, inner = 0.35, 0.25
    ring = [(-1, -1), (1, -1), (1, 1), (-1, 1)]
    corners = [
        (x * s, y, z * s)
        for s, y in ((outer, -0.25), (outer, 0.25), (inner, 0.25), (inner, 0))
        for x, z in ring
    ]
    quads = [(0, 1, 2, 3), (12, 15, 14, 13)]
    quads += [
        (4 * k + i, 4 * k + 4 + i, 4 * k + 4 + (i + 1) % 4, 4 * k + (i + 1) % 4)
        for k in range(3)
        for i in range(4)
    ]
    faces = [(a, b, c) for a, b, c, _ in quads] + [(a, c, d) for a, _, c, d in quads]
    solid = trimesh.Trimesh(corners, faces, process=False)
    assert solid.is_watertight
    solid.fix_normals()
    assert solid.volume == pytest.approx(0.7 * 0.5 * 0.7 - 0.5 * 0.25 * 0.5)
    return Mesh(torch.from_numpy(solid.vertices).float(), torch.from_numpy(solid.faces).long())


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

    # what the field has learned is hit in the same places when empty space is skipped
    rays, options = pixel_rays(views.cameras).detach(), CastOptions(samples=128, half_side=HALF_SIDE)
    fit.space.refresh(fit.field)
    dense, sparse = cast(fit.field, rays, options), cast(fit.field, rays, options, space=fit.space)
    assert torch.equal(dense.hit, sparse.hit)
    torch.testing.assert_close(dense.depth, sparse.depth, rtol=0, atol=1e-4)
    assert dense.evaluations > 4 * sparse.evaluations


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


def test_depth_shows_a_hollow_that_masks_do_not():
    """A box with a pit in its upper side: every mask is that of the whole box."""
    with_pit = box_with_pit()
    elevation = torch.tensor([60.0, 75, 50, 80, 65, 70, 0, -30])
    cameras = Camera.orbit(2.732, elevation, torch.arange(8) * 45.0, fov_y=26.0, width=40, height=40)
    picture = render(with_pit, cameras)
    names = [f"{i}" for i in range(8)]
    views = Views(picture.mask[..., None].float().expand(-1, -1, -1, 3), picture.mask.float(), cameras, names)
    options = FieldFitOptions(steps=100, start_steps=40, rays=512)
    levels = []
    for depth in (None, picture.depth):
        fit = FieldFit(dataclasses.replace(views, depth=depth), options)
        fit.run(lambda loss: None)
        down = Rays(torch.tensor([[0.0, 0.5, 0.0]]), torch.tensor([[0.0, -1, 0]]))
        levels.append(0.5 - float(cast(fit.field, down).depth))
    assert levels[0] > 0.2  # filled up to the rim at 0.25
    assert levels[1] == pytest.approx(0, abs=0.05)


def test_partly_covered_pixels_do_not_empty_the_hull(views):
    masks = torch.zeros_like(views.masks)
    masks[:, 5:35, 5:35] = 0.3  # a trace everywhere
    masks[:, 18:22, 18:22] = 1.0
    left = torch.zeros(8, 8, 8)
    left[:4] = 1.0  # the hull is where x is negative
    sampler = RaySampler(dataclasses.replace(views, masks=masks), left, HALF_SIDE)
    rays, targets, partial = sampler.draw(4000, torch.Generator().manual_seed(0))
    assert not bool((partial & targets.inside).any())
    assert 0.2 < float(partial.float().mean()) < 0.9

    def ball(points):
        return 10 * (0.3 - points.norm(dim=-1)), torch.zeros_like(points)

    hits = cast(ball, rays)
    unsure = sampler.unsure(rays, hits, partial)
    x = rays.at(hits.depth)[:, 0]
    sure = x.abs() > 0.1  # but for where the grid of the hull changes
    assert not bool(unsure[~partial].any())
    assert bool(unsure[partial & ~hits.hit].all())
    assert torch.equal(unsure[partial & hits.hit & sure], x[partial & hits.hit & sure] <= 0)


def test_some_rays_have_depth(views):
    depth = torch.zeros_like(views.masks)
    depth[3, 20, 18:22] = 2.0  # few, as of sparse points
    sampler = RaySampler(dataclasses.replace(views, depth=depth), torch.ones(8, 8, 8), HALF_SIDE)
    rays, targets, _ = sampler.draw(1000, torch.Generator().manual_seed(0))
    assert targets.depth is not None
    assert 250 <= int((targets.depth > 0).sum()) < 300
    pixels = views.cameras[3].project(rays.at(targets.depth)[targets.depth > 0])
    torch.testing.assert_close(pixels[:, 1], torch.full_like(pixels[:, 1], 20.5))
    torch.testing.assert_close(pixels[:, 2], torch.full_like(pixels[:, 2], 2.0))


def test_rays_that_make_no_squares_are_refused():
    for rays in (0, 510):
        with pytest.raises(InputError, match=f"rays must be a positive multiple of 4, .* got {rays}"):
            FieldFitOptions(rays=rays)


def test_rays_come_in_squares_of_pixels(views):
    depth = torch.zeros_like(views.masks)
    depth[3, 20, 20] = 2.0
    with_depth = dataclasses.replace(views, depth=depth)
    for seen, squares in ((views, 250), (with_depth, 187)):
        sampler = RaySampler(seen, torch.ones(8, 8, 8), HALF_SIDE)
        rays, targets, _ = sampler.draw(1000, torch.Generator().manual_seed(0))
        assert (len(targets.inside), targets.squares) == (1000, squares)
        origins = rays.origins[: 4 * squares].reshape(-1, 4, 3)
        view = (origins[:, 0, None] - views.cameras.center).norm(dim=-1).argmin(-1)
        points = rays.at(torch.ones(1000))[: 4 * squares].reshape(-1, 4, 3)
        pixels = torch.stack([views.cameras[i].project(p)[:, :2] for i, p in zip(view, points, strict=True)])
        corner = pixels[:, :1]
        assert float(corner.min()) > 0.49
        assert float(pixels.max()) < 39.51
        wanted = torch.tensor([[0.0, 0], [1, 0], [0, 1], [1, 1]]).expand_as(pixels)
        torch.testing.assert_close(pixels - corner, wanted, rtol=0, atol=1e-3)


def test_rays_say_what_their_pixels_do(views):
    fit = FieldFit(views, FieldFitOptions())
    sampler = RaySampler(views, fit.hull, HALF_SIDE)
    rays, targets, _ = sampler.draw(4000, torch.Generator().manual_seed(0))
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
