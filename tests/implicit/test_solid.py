import torch
from test_cast import camera

from unrender.implicit.solid import entry_depths, solid_depths
from unrender.render.rays import Rays, pixel_rays


def test_depths_lie_in_the_solid_and_differ():
    rays = pixel_rays(camera(24)).reshape(-1)

    def shell(points):  # of two layers, along a ray
        distance = points.norm(dim=-1)
        return ((distance > 0.3) & (distance < 0.4)).to(points.dtype)

    def drawn(seed):
        generator = torch.Generator().manual_seed(seed)
        return solid_depths(rays, shell, half_side=0.5, samples=64, generator=generator)

    depths = drawn(0)
    closest = (
        rays.origins
        - (rays.origins * rays.directions).sum(-1, keepdim=True)
        / rays.directions.square().sum(-1, keepdim=True)
        * rays.directions
    ).norm(dim=-1)
    assert bool((depths[closest > 0.4] == 0).all())
    assert bool((depths[closest < 0.39] > 0).all())
    points = rays.at(depths)[depths > 0]
    assert bool((shell(points) == 1).all())
    # both layers are found, before and behind the middle
    middle = torch.linalg.vector_norm(camera(24).center)
    near = (depths[closest < 0.2] < middle).double().mean()
    assert 0.2 < float(near) < 0.8
    assert torch.equal(drawn(0), depths)
    assert not torch.equal(drawn(1), depths)


def test_rays_enter_a_ball_where_they_meet_its_sphere():
    rays = pixel_rays(camera(24)).reshape(-1)
    depths = entry_depths(rays, lambda points: 0.5 + 0.3 - points.norm(dim=-1), half_side=0.5, samples=64)
    # the nearer root of |o + t d|^2 = 0.3^2
    a = rays.directions.square().sum(-1)
    b = (rays.origins * rays.directions).sum(-1)
    inner = b**2 - a * (rays.origins.square().sum(-1) - 0.3**2)
    through = inner > 1e-2  # a ray that only grazes the ball may pass between two samples
    assert int(through.sum()) > 50
    entry = (-b - inner.clamp(min=0).sqrt()) / a
    torch.testing.assert_close(depths[through], entry[through], rtol=0, atol=2e-3)
    assert bool((depths[inner < 0] == 0).all())


def test_a_ray_that_starts_inside_enters_at_once():
    rays = Rays(torch.zeros(1, 3), torch.tensor([[0.0, 0.0, 1.0]]))
    depths = entry_depths(rays, lambda points: torch.ones(points.shape[:-1]), half_side=0.5, samples=10)
    torch.testing.assert_close(depths, torch.tensor([0.025]))  # the first sample
