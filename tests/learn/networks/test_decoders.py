"""Encoders and decoders: shapes, closed forms of untrained networks, and what training can reach."""

import math

import pytest
import torch

from unrender.errors import InputError
from unrender.geometry import icosphere
from unrender.learn.networks.camera_head import CameraHead, ViewDirections, view_angles
from unrender.learn.networks.conv_encoder import ConvEncoder
from unrender.learn.networks.light_head import LightHead
from unrender.learn.networks.shape_decoders import BoundedShape, OffsetShape, VertexField
from unrender.learn.networks.texture_decoders import (
    PaletteDecoder,
    UVTextureDecoder,
    VertexColorDecoder,
    mean_color,
)
from unrender.render import Camera
from unrender.render.harmonics import irradiance


def test_encoder_of_the_paper_has_its_weights():
    encoder = ConvEncoder(batch_norm=False)
    convolutions = 4 * 64 * 25 + 64 + 64 * 128 * 25 + 128 + 128 * 256 * 25 + 256
    linear = 16384 * 1024 + 1024 + 1024 * 1024 + 1024 + 1024 * 512 + 512
    assert sum(p.numel() for p in encoder.parameters()) == convolutions + linear
    assert encoder(torch.rand(2, 64, 64, 4)).shape == (2, 512)


def test_encoder_refuses_other_pictures():
    with pytest.raises(InputError, match=r"\(B, 64, 64, 4\)"):
        ConvEncoder(channels=(8, 8, 8))(torch.rand(1, 32, 32, 4))
    with pytest.raises(InputError, match="multiple of 8"):
        ConvEncoder(size=60)


def test_bounded_shape_follows_the_released_formula():
    torch.manual_seed(0)
    template = icosphere(1)
    decoder = BoundedShape(16, template, (8, 8))
    features = torch.randn(3, 16)
    hidden = decoder.trunk(features)
    for i, j, k in ((0, 3, 0), (1, 17, 1), (2, 40, 2)):
        t = template.vertices[j, k].item() / 2
        c = math.tanh(0.1 * decoder.center(hidden)[i, k].item())
        bias = decoder.bias(hidden)[i, j, k].item()
        size = min(max(abs(t), 1e-6), 1 - 1e-6)
        s = 1 / (1 + math.exp(-(math.log(size / (1 - size)) + bias)))
        expected = (s * (1 - c) if t > 0 else -s * (1 + c) if t < 0 else 0) + c
        assert decoder(features)[i, j, k].item() == pytest.approx(expected / 2, abs=1e-5)


def test_bounded_shape_stays_in_the_cube():
    decoder = BoundedShape(4, icosphere(1), (8, 8))
    assert decoder(1e4 * torch.randn(5, 4)).abs().max() <= 0.5


def test_offset_shape_starts_as_the_template():
    template = icosphere(1)
    vertices = OffsetShape(4, template, (8, 8), learned_scale=False)(torch.randn(2, 4))
    assert torch.allclose(vertices, (0.35 * template.vertices).expand(2, -1, -1), atol=0.02)


def test_vertex_fields_scale_patterns_by_their_degree():
    """Spherical harmonics of degree l come out (1 + 6 / a) / (1 + l (l + 1) / a) times as large."""
    template, a = icosphere(3), 4.0
    field = VertexField(1, template, a)
    x, y, z = template.vertices.unbind(-1)
    patterns = {0: torch.ones_like(x), 1: y, 2: x * z, 3: x * y * z}
    for degree, pattern in patterns.items():
        with torch.no_grad():
            field.linear.weight.zero_()
            field.linear.bias.copy_(pattern[:, None].expand(-1, 3).flatten())
            found = field(torch.zeros(1, 1))[0, :, 1]
        factor = float((found * pattern).sum() / pattern.square().sum())
        assert factor == pytest.approx((1 + 6 / a) / (1 + degree * (degree + 1) / a), rel=0.05)
        assert float((found - factor * pattern).abs().max()) < 0.1 * float(pattern.abs().max())
    plain = VertexField(2, template, 0.0)
    values = torch.randn(3, 2)
    assert torch.equal(plain(values), plain.linear(values).unflatten(-1, (-1, 3)))


def test_texture_decoder_wraps_round_the_sphere():
    torch.manual_seed(0)
    decoder = UVTextureDecoder(4, height=16, channels=4)
    texture = decoder(torch.randn(2, 4), torch.full((2, 3), 0.5))
    assert texture.shape == (2, 16, 32, 3)
    assert 0 < texture.min() < texture.max() < 1
    # turning the coarsest maps turns the texture: the seam is nowhere special
    start = torch.rand(1, decoder.maps.width, 4, 8)

    def paint(maps):
        for layer in decoder.maps.layers:
            maps = torch.nn.functional.pad(maps, (1, 1, 0, 0), mode="circular")
            maps = torch.nn.functional.pad(maps, (0, 0, 1, 1), mode="replicate")
            maps = torch.relu(torch.nn.functional.pixel_shuffle(layer(maps), 2))
        return maps

    assert torch.allclose(paint(start.roll(1, -1)), paint(start).roll(4, -1), atol=1e-5)
    with pytest.raises(InputError, match="power of two"):
        UVTextureDecoder(4, height=48)


def test_vertex_colors_are_colors():
    colors = VertexColorDecoder(4, 12, hidden=8)(torch.randn(2, 4), torch.rand(2, 3))
    assert colors.shape == (2, 12, 3)
    assert 0 < colors.min() < colors.max() < 1


@pytest.mark.parametrize("decoder", [UVTextureDecoder(4, height=8), VertexColorDecoder(4, 12, hidden=8)])
def test_colors_vary_about_that_of_the_picture(decoder):
    torch.manual_seed(0)
    pictures = torch.zeros(2, 8, 8, 4)
    for picture, color in zip(pictures, torch.tensor([[0.9, 0.2, 0.1], [0.1, 0.3, 0.8]]), strict=True):
        picture[2:6, 2:6] = torch.cat([0.5 * color, torch.tensor([0.5])])  # half covered
    base = mean_color(pictures)
    torch.testing.assert_close(base, torch.tensor([[0.9, 0.2, 0.1], [0.1, 0.3, 0.8]]))
    with torch.no_grad():
        for weight in list(decoder.parameters())[-2:]:  # of the last layer
            weight.zero_()
    colors = decoder(torch.randn(2, 4), base).reshape(2, -1, 3)
    torch.testing.assert_close(colors, base[:, None].expand_as(colors))


def test_palette_mixes_colors_of_the_picture():
    torch.manual_seed(0)
    pictures = torch.zeros(1, 32, 32, 4)
    pictures[0, 8:24, 8:16] = torch.tensor([1.0, 0.0, 0.0, 1.0])
    pictures[0, 8:24, 16:24] = torch.tensor([0.0, 0.0, 1.0, 1.0])
    textures = PaletteDecoder(4, 20, texels=2, colors=5, samples=16, code=8)(torch.randn(1, 4), pictures)
    assert textures.shape == (1, 20, 2, 2, 3)
    # red and blue alone are seen, so each texel is a mixture of the two, and black background has no part
    assert torch.allclose(textures[..., 0] + textures[..., 2], torch.ones(1, 20, 2, 2), atol=1e-4)
    assert textures[..., 1].abs().max() < 1e-5


def test_untrained_light_leaves_colors_nearly_as_they_are():
    record = LightHead(8, "harmonics")(torch.randn(3, 8))
    lights = record.lights()
    assert lights is not None
    normals = torch.nn.functional.normalize(torch.randn(3, 5, 3), dim=-1)
    shading = lights[0].diffuse(torch.zeros(3, 5, 3), normals)
    expected = 0.8 + 0.2 * 2 / math.sqrt(3) * normals[..., 1:2]  # an ambient part, and more from above
    assert torch.allclose(shading, expected.expand(3, 5, 3), atol=0.1)


def test_light_said_in_cameras_frames_is_turned_into_the_objects():
    head, features = LightHead(8, "harmonics"), torch.randn(2, 8)
    with torch.no_grad():
        head.layers[-1].weight.normal_()  # pyright: ignore[reportCallIssue]
        cameras = Camera.orbit(
            2.7, torch.tensor([20.0, -10.0]), torch.tensor([30.0, 200.0]), fov_y=30, width=8, height=8
        )
        turn = cameras.world_to_camera[:, :3, :3].mT
        plain = head(features).coefficients
        none = torch.zeros(1, 9, 3)
        none[:, 0], none[:, 1] = 0.8 * 2 * math.pi**0.5, 0.2 * 2 * math.pi**0.5
        both = torch.stack([turn, turn.flip(0)], 1)
        found = head(features, both, torch.tensor([[1.0, 0.0], [0.25, 0.75]])).coefficients
    assert plain is not None
    assert found is not None
    normals = torch.nn.functional.normalize(torch.randn(50, 3), dim=-1)

    for row, weights in enumerate(([1.0, 0.0], [0.25, 0.75])):
        # what the head adds, seen along a normal of the object, is what it says of that normal in each camera
        expected = sum(
            w * irradiance((plain - none)[row], normals @ both[row, k]) for k, w in enumerate(weights)
        )
        torch.testing.assert_close(irradiance((found - none)[row], normals), expected, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("kind", ["lambert", "phong"])
def test_predicted_directions_are_unit_vectors(kind):
    record = LightHead(8, kind)(10 * torch.randn(3, 8))
    assert record.direction is not None
    assert torch.allclose(record.direction.norm(dim=-1), torch.ones(3))


def test_view_angles_invert_orbit():
    azimuth, elevation = torch.tensor([-170.0, -15.0, 0.0, 100.0]), torch.tensor([30.0, -10.0, 0.0, 80.0])
    cameras = Camera.orbit(2.732, elevation, azimuth, fov_y=30, width=8, height=8)
    found = view_angles(cameras)
    assert torch.allclose(torch.rad2deg(found[0]), azimuth, atol=1e-3)
    assert torch.allclose(torch.rad2deg(found[1]), elevation, atol=1e-3)


def test_camera_head_loss_is_least_at_the_truth():
    head = CameraHead(4, bins=24)
    azimuth = torch.tensor([-52.0, 176.0])
    cameras = Camera.orbit(2.732, 20.0, azimuth, fov_y=30, width=8, height=8)
    position = azimuth / 15
    scores = torch.full((2, 24), -20.0)
    bins = position.round().long() % 24
    scores[torch.arange(2), bins] = 20.0
    places = (position - position.round())[:, None].expand(2, 24)
    elevations = torch.full((2, 24), math.radians(20))
    said = ViewDirections(scores, places, elevations)
    assert head.loss(said, cameras).item() == pytest.approx(0, abs=1e-4)
    found, tilt, probability = head.best(said)
    turned = (torch.rad2deg(found[:, 0]) - azimuth + 180) % 360 - 180
    assert torch.allclose(turned, torch.zeros(2), atol=1e-3)
    assert torch.allclose(tilt[:, 0], torch.full((2,), math.radians(20)))
    assert torch.allclose(probability[:, 0], torch.ones(2))
    wrong = ViewDirections(scores.roll(1, -1), places, elevations)
    assert head.loss(wrong, cameras).item() > 10


def test_camera_head_can_be_taught():
    torch.manual_seed(0)
    head = CameraHead(6, bins=8, hidden=32)
    features = torch.randn(6, 6)
    cameras = Camera.orbit(2.732, 10.0, torch.arange(6) * 60.0, fov_y=30, width=8, height=8)
    optimizer = torch.optim.Adam(head.parameters(), lr=1e-2)
    for _ in range(150):
        optimizer.zero_grad()
        head.loss(head(features), cameras).backward()
        optimizer.step()
    azimuth, elevation, _ = head.best(head(features))
    error = (torch.rad2deg(azimuth[:, 0]) - torch.arange(6) * 60.0 + 180) % 360 - 180
    assert error.abs().max() < 5
    assert (torch.rad2deg(elevation[:, 0]) - 10).abs().max() < 5
