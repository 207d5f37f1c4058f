import torch
from test_cast import camera

from unrender.implicit.solid import solid_depths
from unrender.render.rays import pixel_rays


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
