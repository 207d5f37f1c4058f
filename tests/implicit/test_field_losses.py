import dataclasses
import math

import pytest
import torch
from fields import Ball
from test_cast import camera

from unrender.errors import InputError
from unrender.implicit import CastOptions, GridField, OccupiedSpace, cast
from unrender.implicit.losses import FieldLossOptions, RayTargets, field_losses
from unrender.render.rays import pixel_rays


def rays_and_targets(radius: float, size: int = 24):
    """Rays of a picture, and what the picture of a ball of some radius says of them."""
    rays = pixel_rays(camera(size)).reshape(-1)
    truth = cast(Ball(radius), rays)
    points = rays.at(truth.depth)
    colors = torch.where(truth.hit[:, None], (points + 1) / 2, 0)
    return rays, RayTargets(colors, truth.hit, truth.depth)


def test_the_true_field_has_no_loss():
    rays, targets = rays_and_targets(0.4)
    terms = field_losses(Ball(0.4), rays, cast(Ball(0.4), rays), targets, FieldLossOptions(normal=0.0))
    assert float(terms["color"]) == pytest.approx(0, abs=1e-9)
    assert float(terms["depth"]) == pytest.approx(0, abs=1e-9)
    assert float(terms["occupancy"]) == 0


def test_terms_of_a_ball_that_is_too_small():
    rays, targets = rays_and_targets(0.4)
    small = Ball(0.3)
    hits = cast(small, rays)
    options = FieldLossOptions(color=2.0, depth=3.0, occupancy=5.0, normal=0.0)
    terms = field_losses(small, rays, hits, targets, options)
    count, both = len(targets.inside), hits.hit & targets.inside
    assert targets.depth is not None
    wrong = (((rays.at(hits.depth) + 1) / 2 - targets.colors).abs().sum(-1) * both).sum()
    assert float(terms["color"]) == pytest.approx(2 * float(wrong) / count, rel=1e-6)
    assert float(terms["depth"]) == pytest.approx(
        3 * float(((hits.depth - targets.depth).abs() * both).sum()) / count, rel=1e-6
    )
    # rays that the small ball misses are told to be filled where the true surface is: logit -1
    missed = int((targets.inside & ~hits.hit).sum())
    assert missed > 0
    assert float(terms["occupancy"]) == pytest.approx(5 * missed * math.log(1 + math.e) / count, rel=1e-6)


def test_freespace_pushes_the_surface_out_of_the_way_but_not_its_depth():
    rays, targets = rays_and_targets(0.3)
    radius = torch.tensor(0.4, dtype=torch.float64, requires_grad=True)
    large = Ball(radius)
    hits = cast(large, rays)
    options = FieldLossOptions(color=0.0, depth=0.0, normal=0.0)
    terms = field_losses(large, rays, hits, targets, options)
    (gradient,) = torch.autograd.grad(terms["freespace"], radius)
    assert float(gradient) > 0  # a smaller ball is better
    # at the surface the logit is 0: each such ray costs log 2 and pulls with half the slope of 10
    through = int((hits.hit & ~targets.inside).sum())
    assert float(terms["freespace"].detach()) >= through * math.log(2) / len(targets.inside)
    assert float(gradient) >= 0.99 * through * 5 / len(targets.inside)


def test_points_of_the_solid_are_used_where_they_are_known():
    rays, targets = rays_and_targets(0.4)
    asked = []

    def empty(points):
        asked.append(points)
        return torch.full(points.shape[:-1], -1.0, dtype=points.dtype), torch.zeros_like(points)

    solid = torch.where(targets.inside, 2.7, 0.0)
    known = RayTargets(targets.colors, targets.inside, None, solid)
    hits = cast(empty, rays)
    asked.clear()
    field_losses(empty, rays, hits, known, FieldLossOptions(normal=0.0))
    depth = camera(24).to_camera(asked[-1])[..., 2]
    torch.testing.assert_close(depth, torch.full_like(depth, 2.7))


def test_depth_on_points_is_longer_by_the_slant_of_the_rays():
    rays, targets = rays_and_targets(0.4)
    small = Ball(0.3)
    hits = cast(small, rays)
    assert targets.depth is not None
    found, both = rays.at(hits.depth), hits.hit & targets.inside
    apart = (found - rays.at(targets.depth)).norm(dim=-1)[both].sum() / len(both)
    terms = field_losses(
        small, rays, hits, targets, FieldLossOptions(depth=1.0, depth_on="points", normal=0.0)
    )
    assert float(terms["depth"]) == pytest.approx(float(apart), rel=1e-6)
    with pytest.raises(InputError, match="depth_on must be z or points, got 'world'"):
        FieldLossOptions(depth_on="world")  # type: ignore[arg-type]


def test_gradients_of_pictures_ignore_their_brightness():
    view = camera(24)
    rows, columns = torch.meshgrid(torch.arange(0, 24, 2), torch.arange(0, 24, 2), indexing="ij")
    corners = torch.stack([columns, rows], -1).reshape(-1, 1, 2)
    squares = corners + torch.tensor([[0, 0], [1, 0], [0, 1], [1, 1]])
    rays = pixel_rays(view, squares.reshape(-1, 2).double() + 0.5).reshape(-1)
    ball = Ball(0.4)
    hits = cast(ball, rays)
    colors = torch.where(hits.hit[:, None], (rays.at(hits.depth) + 1) / 2, 0)
    options = FieldLossOptions(gradient=2.0, normal=0.0)
    whole = hits.hit.reshape(-1, 4).all(-1)

    def loss(target):
        known = RayTargets(target, hits.hit, squares=len(whole))
        return float(field_losses(ball, rays, hits, known, options)["gradient"])

    # a square counts when its four pixels hit; the square of each channel has 1e-12 added
    assert 10 < int(whole.sum()) < int(hits.hit.sum()) // 4
    assert loss(colors + 0.1) == pytest.approx(2 * int(whole.sum()) * 3e-6 / len(hits.hit), rel=1e-3)
    # red rises by 0.3 to the right and green by 0.4 downwards in every square
    ramp = torch.tensor([[0.0, 0, 0], [0.3, 0, 0], [0, 0.4, 0], [0.3, 0.4, 0]]).repeat(len(whole), 1)
    assert loss(colors + ramp) == pytest.approx(2 * int(whole.sum()) * 0.7 / len(hits.hit), rel=1e-5)
    # red alone by both: the length of its gradient
    slope = torch.tensor([[0.0, 0, 0], [0.3, 0, 0], [0.4, 0, 0], [0.7, 0, 0]]).repeat(len(whole), 1)
    assert loss(colors + slope) == pytest.approx(2 * int(whole.sum()) * 0.5 / len(hits.hit), rel=1e-5)
    # colours in single precision under rays in double
    single = field_losses(
        lambda points: (ball(points)[0], ball(points)[1].float()),
        rays,
        hits,
        RayTargets(colors + slope, hits.hit, squares=len(whole)),
        options,
    )
    assert float(single["gradient"]) == pytest.approx(loss(colors + slope), rel=1e-5)
    # of the rays after the squares nothing is compared
    half = len(whole) // 2
    some = RayTargets(colors + ramp, hits.hit, squares=half)
    found = float(field_losses(ball, rays, hits, some, options)["gradient"])
    assert found == pytest.approx(2 * int(whole[:half].sum()) * 0.7 / len(hits.hit), rel=1e-5)
    for squares in (0, len(whole) + 1):
        wrong = RayTargets(colors, hits.hit, squares=squares)
        with pytest.raises(InputError, match=f"from 1 to {len(whole)} squares .* got {squares}"):
            field_losses(ball, rays, hits, wrong, options)


def test_memory_is_that_of_any_number_of_samples():
    """What is kept for the way back does not grow with the samples along a ray."""
    rays, targets = rays_and_targets(0.3)
    field = Ball(torch.tensor(0.33, dtype=torch.float64, requires_grad=True))
    kept = []
    for samples in (64, 512):
        sizes = []

        def note(value, sizes=sizes):
            sizes.append(value.numel())
            return value

        with torch.autograd.graph.saved_tensors_hooks(note, lambda value: value):
            hits = cast(field, rays, CastOptions(samples=samples))
            terms = field_losses(field, rays, hits, targets, generator=torch.Generator().manual_seed(0))
        torch.stack(list(terms.values())).sum().backward()
        kept.append((sum(sizes), int(hits.hit.sum()), hits.evaluations))
    assert kept[0][1] == kept[1][1] > 20  # the same rays hit
    assert kept[0][0] == kept[1][0]
    assert kept[1][2] > 5 * kept[0][2]


def test_nothing_is_called_empty_on_unsure_rays():
    rays, targets = rays_and_targets(0.3)
    large = Ball(0.4)
    hits = cast(large, rays)
    options = FieldLossOptions(color=0.0, depth=0.0, normal=0.0)
    through = hits.hit & ~targets.inside

    def freespace(unsure):
        known = dataclasses.replace(targets, unsure=unsure)
        noise = torch.Generator().manual_seed(0)
        return float(field_losses(large, rays, hits, known, options, generator=noise)["freespace"])

    assert int(through.sum()) > 10
    assert freespace(~targets.inside) == 0
    # at the surface the logit is 0, and each such ray costs log 2
    less = freespace(None) - freespace(through)
    assert less == pytest.approx(int(through.sum()) * math.log(2) / len(targets.inside), rel=1e-3)


def test_smooth_normals_cost_less():
    torch.manual_seed(0)
    rays, targets = rays_and_targets(0.4)
    options = FieldLossOptions(normal=1.0, apart=0.05)

    def bumpy(points):
        logit, color = Ball(0.4)(points)
        return logit + 0.3 * torch.sin(40 * points).prod(-1), color

    smooth = field_losses(Ball(0.4), rays, cast(Ball(0.4), rays), targets, options)["normal"]
    rough = field_losses(bumpy, rays, cast(bumpy, rays), targets, options)["normal"]
    assert float(rough) > 2 * float(smooth)


def test_pictures_teach_a_field():
    """From a ball of radius 0.3 to one of radius 0.4 elsewhere, by colours and masks alone."""
    torch.manual_seed(0)
    field = GridField(resolutions=(4, 8), features=2, hidden=16)
    truth = Ball(0.4, torch.tensor([0.05, 0.0, -0.05]))
    views = camera(20).to(torch.float32)
    generator = torch.Generator().manual_seed(0)
    rays = pixel_rays(views).reshape(-1)
    real = cast(truth, rays)
    colors = torch.where(real.hit[:, None], (rays.at(real.depth) + 1) / 2, 0)
    targets = RayTargets(colors, real.hit)
    optimizer = torch.optim.Adam(field.parameters(), lr=1e-2)
    space = OccupiedSpace(0.55)
    losses = []
    for step in range(60):
        if step % 10 == 0:
            space.refresh(field)
        hits = cast(field, rays, space=space)
        terms = field_losses(field, rays, hits, targets, generator=generator)
        loss = torch.stack(list(terms.values())).sum()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < 0.4 * losses[0]
    agree = (cast(field, rays).hit & real.hit).sum() / (cast(field, rays).hit | real.hit).sum()
    assert float(agree) > 0.9


def test_weights_out_of_range():
    with pytest.raises(InputError, match="freespace must not be negative, got -1"):
        FieldLossOptions(freespace=-1.0)
