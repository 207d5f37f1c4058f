"""Kaolin's texture lookup and light against values worked out by hand."""

import pytest
import torch

from unrender.compat.kaolin.render.mesh import spherical_harmonic_lighting
from unrender.compat.kaolin.render.mesh.utils import texture_mapping


def textures(device, dtype):
    """Rows 0 to 2 and columns 0 to 3 as two digits; the second texture is 100 above the first."""
    rows, columns = torch.meshgrid(torch.arange(3), torch.arange(4), indexing="ij")
    first = (10 * (rows + 1) + columns + 1).to(device, dtype)
    return torch.stack([first, first + 100]).unsqueeze(1)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("mode", ["nearest", "bilinear"])
def test_corners_and_beyond(device, dtype, mode):
    """Corners of the square, and points outside it, have the colour of the corner texels; v points up."""
    uv = torch.tensor(
        [[0.0, 0.0], [1.0, 1.0], [0.0, 1.0], [-3.0, 0.0], [7.0, 2.0]], device=device, dtype=dtype
    )
    values = texture_mapping(torch.stack([uv, uv.flip(0)]), textures(device, dtype), mode=mode)
    assert values.shape == (2, 5, 1)
    assert values.dtype == dtype
    assert values[0, :, 0].tolist() == [31, 14, 11, 31, 14]
    assert values[1, :, 0].tolist() == [114, 131, 111, 114, 131]


def test_between_texels(device):
    """u = 1/4 is the border of columns 0 and 1, u = 1/2 of columns 1 and 2; v = 1/2 halves row 1."""
    uv = torch.tensor([[[0.25, 0.5], [0.5, 0.5], [0.3, 0.6]]], device=device)
    maps = textures(device, torch.float32)[:1]
    linear = texture_mapping(uv, maps, mode="bilinear")[0, :, 0]
    # Column 0.3 * 4 - 0.5 = 0.7, row (1 - 0.6) * 3 - 0.5 = 0.7.
    assert torch.allclose(linear, torch.tensor([21.5, 22.5, 11 + 7 + 0.7], device=device), atol=1e-5)
    assert float(texture_mapping(uv, maps)[0, 2, 0]) == 22


def test_pictures_and_channels(device):
    maps = torch.rand(2, 3, 5, 6, device=device)
    uv = torch.rand(2, 4, 7, 2, device=device)
    before = uv.clone()
    dense = texture_mapping(uv, maps, mode="bilinear")
    assert dense.shape == (2, 4, 7, 3)
    assert torch.equal(dense.reshape(2, 28, 3), texture_mapping(uv.reshape(2, 28, 2), maps, mode="bilinear"))
    assert torch.equal(uv, before)


def test_bilinear_gradients(device):
    maps = torch.rand(1, 2, 4, 4, device=device, dtype=torch.float64, requires_grad=True)
    uv = (0.05 + 0.9 * torch.rand(1, 6, 2, device=device, dtype=torch.float64)).requires_grad_()
    assert torch.autograd.gradcheck(lambda c, m: texture_mapping(c, m, mode="bilinear"), (uv, maps))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_lighting_uses_the_constants_of_kaolin(device, dtype):
    """One coefficient at a time, along a normal with three different components."""
    x, y, z = 0.48, 0.6, 0.64
    normal = torch.tensor([x, y, z], device=device, dtype=dtype).reshape(1, 1, 1, 3)
    want = [
        0.28209479,
        0.48860251 * x,
        0.48860251 * z,
        0.48860251 * y,
        1.09254843 * x * y,
        1.09254843 * y * z,
        0.94617470 * z * z - 0.31539157,
        0.77254840 * x * z,
        0.38627420 * (x * x - y * y),
    ]
    for k, value in enumerate(want):
        light = torch.zeros(1, 9, device=device, dtype=dtype)
        light[0, k] = 2
        assert float(spherical_harmonic_lighting(normal, light)) == pytest.approx(2 * value, abs=1e-6)


def test_lighting_of_a_batch(device):
    normals = torch.nn.functional.normalize(torch.randn(2, 3, 4, 3, device=device), dim=-1)
    lights = torch.randn(2, 9, device=device)
    picture = spherical_harmonic_lighting(normals, lights)
    assert picture.shape == (2, 3, 4)
    alone = spherical_harmonic_lighting(normals[1:], lights[1:])
    assert torch.allclose(picture[1:], alone)
