import math

import torch

from unrender.fit.appearance import estimate_light, project_pictures, remove_light
from unrender.geometry import uv_sphere
from unrender.io import Views
from unrender.render import Camera, SphericalHarmonicsLight, render


def lit_ball(device, texture):
    """A textured ball under grey light from above and the side, and its pictures from ten sides."""
    ball = uv_sphere(24, 48, device=device).replace(texture=texture)
    light = torch.zeros(9, 3, device=device)
    light[:4] = torch.tensor([2 * math.sqrt(math.pi) * 0.8, 0.8, 0.3, -0.4], device=device)[:, None]
    azimuths = torch.arange(0.0, 360.0, 36.0)
    elevations = torch.tensor([50.0, -50.0]).repeat(5)
    cameras = Camera.orbit(4.0, elevations, azimuths, fov_y=35.0, width=48, height=48).to(device)
    with torch.no_grad():
        picture = render(ball, cameras, SphericalHarmonicsLight(light))
    names = [str(i) for i in range(10)]
    return ball, light, Views(picture.rgb.clamp(0, 1), picture.mask.float(), cameras, names)


def test_light_is_told_from_a_patterned_texture(device):
    texture = torch.full((32, 64, 3), 0.7, device=device)
    texture[10:14, ::8] = 0.1  # a pattern of dark dots
    ball, light, views = lit_ball(device, texture)
    found = estimate_light(ball, views)
    direction, expected = found[1:4, 0] / found[0, 0], light[1:4, 0] / light[0, 0]
    assert float((direction - expected).norm() / expected.norm()) < 0.15
    assert torch.equal(found[:, 0], found[:, 1])  # grey


def test_painted_texture_without_the_light_is_the_texture(device):
    texture = torch.full((64, 64, 3), 0.5, device=device)
    texture[:, 32:] = torch.tensor([0.7, 0.4, 0.2], device=device)
    ball, light, views = lit_ball(device, texture)
    painted = project_pictures(ball, views, 64)
    albedo, scaled = remove_light(painted, ball, light)
    middle = (slice(8, 56), slice(4, 28))
    assert float(painted[middle].std()) > 0.05  # the shading is in the painting
    ratio = float(scaled[0, 0] / light[0, 0])  # what the texture lost in brightness, the light gained
    assert float((albedo[middle] * ratio - texture[middle]).abs().mean()) < 0.02
