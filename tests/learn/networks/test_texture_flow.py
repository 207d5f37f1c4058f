"""Texture flow: texels are found where cameras see them, and colours come from there."""

from __future__ import annotations

import pytest
import torch

from unrender.geometry import icosphere, spherical_uvs
from unrender.learn.data.capture import CaptureOptions, capture
from unrender.learn.data.packed_views import pack
from unrender.learn.methods.dibr import DIBRConfig, DIBRPredictor
from unrender.learn.networks.texture_flow import (
    SeenTexels,
    TextureFlow,
    flow_loss,
    mirrored_turn,
    texel_corners,
)
from unrender.render import Camera, render

HEIGHT = 32


def texel_directions(height: int) -> torch.Tensor:
    """Where the centres of the texels of a spherical texture lie on the unit sphere."""
    u = (torch.arange(2 * height) + 0.5) / (2 * height)
    v = 1 - (torch.arange(height) + 0.5) / height
    azimuth, elevation = 2 * torch.pi * (u[None] - 0.5), torch.pi * (v[:, None] - 0.5)
    across = elevation.cos()
    up = elevation.sin().expand(height, 2 * height)
    return torch.stack([across * azimuth.sin(), up, across * azimuth.cos()], -1)


def test_texels_lie_where_their_uvs_say():
    template = icosphere(2, radius=0.3)
    corners, weights = texel_corners(template, HEIGHT)
    points = (template.vertices[corners] * weights[..., None]).sum(-2)
    off = torch.nn.functional.normalize(points, dim=-1) - texel_directions(HEIGHT)
    assert float(off.norm(dim=-1).max()) < 1e-3


def test_a_camera_sees_the_cap_of_a_sphere_and_its_mirror_image():
    template = spherical_uvs(icosphere(4, radius=0.5))
    camera = Camera.orbit(2.0, 20.0, 30.0, fov_y=40.0, width=256, height=256)
    cameras = camera.replace(world_to_camera=camera.world_to_camera[None], intrinsics=camera.intrinsics[None])
    places, known = SeenTexels(template, HEIGHT)(template.vertices[None], template.faces, cameras)
    normals = texel_directions(HEIGHT)
    points = 0.5 * normals

    def facing(mirror: torch.Tensor) -> torch.Tensor:
        towards = camera.center - points * mirror
        return ((normals * mirror) * towards).sum(-1) / towards.norm(dim=-1)

    own = facing(torch.tensor([1.0, 1.0, 1.0]))
    other = facing(torch.tensor([-1.0, 1.0, 1.0]))
    either = torch.maximum(own, other)
    # near the outline, within the tolerance of depth, a texel may count as either
    assert bool(known[0][either > 0.15].all())
    assert not bool(known[0][either < -0.5].any())
    expected = 2 * camera.project(points[own > 0.2])[:, :2] / 256 - 1
    torch.testing.assert_close(places[0][own > 0.2], expected, rtol=0, atol=0.01)
    hidden = (own < -0.5) & (other > 0.2)
    partner = 2 * camera.project((points * torch.tensor([-1.0, 1.0, 1.0]))[hidden])[:, :2] / 256 - 1
    assert bool(hidden.any())
    torch.testing.assert_close(places[0][hidden], partner, rtol=0, atol=0.01)


def test_a_texture_looked_up_where_texels_are_seen_gives_the_picture_back():
    template = spherical_uvs(icosphere(4, radius=0.5))
    generator = torch.Generator().manual_seed(0)
    texture = torch.rand(4, 8, 3, generator=generator).repeat_interleave(8, 0).repeat_interleave(8, 1)
    camera = Camera.orbit(2.0, 10.0, 0.0, fov_y=35.0, width=128, height=128)
    cameras = camera.replace(world_to_camera=camera.world_to_camera[None], intrinsics=camera.intrinsics[None])
    picture = render(template.replace(texture=texture), camera)
    places, known = SeenTexels(template, HEIGHT)(template.vertices[None], template.faces, cameras)
    found = torch.nn.functional.grid_sample(
        picture.rgb.permute(2, 0, 1)[None], places, mode="nearest", align_corners=False
    )[0].permute(1, 2, 0)
    facing = (texel_directions(HEIGHT) * torch.nn.functional.normalize(camera.center, dim=0)).sum(-1) > 0.5
    right = (found - texture).abs().amax(-1) < 0.05
    assert bool(known[0][facing].all())
    assert float(right[facing].float().mean()) > 0.8  # the rest lies on the borders of its patches


def test_flow_copies_colours_and_passes_gradients_to_places():
    torch.manual_seed(0)
    decoder = TextureFlow(4, height=8)
    last = decoder.maps.last
    assert last.bias is not None
    with torch.no_grad():
        last.weight.zero_()
        last.bias.copy_(torch.tensor([0.0, 0, 0, 0, 0, 0, 0.5, -0.25, 20.0]))  # trusts the picture
    pictures = torch.zeros(1, 64, 64, 4)
    pictures[..., 3] = 1
    x = (torch.arange(64) + 0.5) / 32 - 1
    pictures[..., 0], pictures[..., 1] = (x + 1) / 2, ((x + 1) / 2)[:, None]
    texture, places = decoder(torch.ones(1, 4), pictures)
    expected = torch.tensor([0.75, 0.375, 0.0]).expand(1, 8, 16, 3)
    torch.testing.assert_close(texture, expected, rtol=0, atol=1e-4)
    texture[..., 0].sum().backward()
    # red rises by half a unit per unit of x
    grad = last.bias.grad
    assert grad is not None
    torch.testing.assert_close(grad[6], torch.tensor(0.5 * 8 * 16), rtol=1e-3, atol=0)
    assert places.shape == (1, 8, 16, 2)


def test_flow_decodes_colours_where_the_picture_shows_nothing():
    torch.manual_seed(0)
    decoder = TextureFlow(4, height=8)
    last = decoder.maps.last
    assert last.bias is not None
    pictures = torch.zeros(1, 16, 16, 4)
    pictures[:, 8:] = torch.tensor([0.2, 0.4, 0.6, 1.0])
    with torch.no_grad():
        last.weight.zero_()
        last.bias.copy_(torch.tensor([0.0, 0, 0, 0, 0, 0, 0.0, -0.8, 20.0]))
    texture, _ = decoder(torch.ones(1, 4), pictures)
    torch.testing.assert_close(texture[0, 0, 0], torch.tensor([0.2, 0.4, 0.6]))  # the mean colour


def test_flow_loss_counts_known_texels_alone():
    places = torch.zeros(2, 2, 2, 2)
    target = torch.full((2, 2, 2, 2), 3.0)
    target[..., 1] = 4.0
    known = torch.zeros(2, 2, 2, dtype=torch.bool)
    known[0, 0] = True
    torch.testing.assert_close(flow_loss(places, target, known), torch.tensor([5.0, 0.0]))


def test_the_icosphere_mirrors_without_a_turn():
    turn = mirrored_turn(icosphere(2))
    assert min(turn, 1 - turn) < 1e-4


def test_flow_needs_a_texture():
    with pytest.raises(ValueError, match="texture_flow=True needs appearance texture, got vertices"):
        DIBRConfig(texture_flow=True, appearance="vertices")


def test_the_flow_of_a_predictor_is_taught():
    torch.manual_seed(0)
    small = {"channels": (8, 8, 8), "hidden": 16, "features": 16, "subdivisions": 2, "texture_size": 16}
    predictor = DIBRPredictor(DIBRConfig(texture_flow=True, **small))
    predictor.prepare_training()
    generator = torch.Generator().manual_seed(0)
    template = spherical_uvs(icosphere(2, radius=0.4))
    mesh = template.replace(texture=torch.rand(8, 16, 3, generator=generator))
    item = capture(mesh, "ball", "a", CaptureOptions(size=64, views=4, points=10, voxels=8))
    batch = pack(item).batch(torch.tensor([0, 0]), torch.tensor([[0, 1], [2, 3]]))
    optimizer = torch.optim.Adam(predictor.parameters(), 2e-3)
    values = []
    for step in range(60):
        optimizer.zero_grad()
        terms = predictor.loss(batch, step / 60)
        terms["flow"].backward()
        optimizer.step()
        values.append(float(terms["flow"].detach()))
    assert values[-1] < 0.7 * values[0]
    assert not any(name.startswith("aids") for name in predictor.state_dict())
